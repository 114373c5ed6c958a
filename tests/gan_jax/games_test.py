"""The adversarial game against the same costs written out in NumPy."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized
from flax import linen as nn
from scipy import integrate, stats

from gan_jax import games, losses, penalties, replay, steps
from gan_jax.data import latents
from gan_jax.networks.affine import Affine
from gan_jax.networks.mlp import MLP
from gan_jax.replay import Replay
from gan_jax.types import Labelled, Players

KEY = jax.random.key(3)


def affine_game(**kwargs):
  """G(z) = |s| z + m against the linear logit w x + b."""
  return games.adversarial(
    Affine(),
    MLP(hidden=(), features=1),
    **{
      "loss": losses.non_saturating(),
      "latents": latents.normal(1),
      **kwargs,
    },
  )


def softplus(x):
  return np.log1p(np.exp(x))


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def fixed_params(mean=0.5, stddev=-2.0, kernel=0.7, bias=-0.3):
  return Players(
    generator={"mean": jnp.array([mean]), "stddev": jnp.array([stddev])},
    discriminator={
      "Dense_0": {
        "kernel": jnp.array([[kernel]]),
        "bias": jnp.array([bias]),
      }
    },
  )


def both_gradients(game):
  """The game's own gradients, and those taken of its costs."""
  assert game.gradients is not None
  return game.gradients, games.pullbacks(game.costs)


class Normalised(nn.Module):
  """Batch normalisation without parameters: one feature in, one out."""

  @nn.compact
  def __call__(self, x, train=False):
    return nn.BatchNorm(
      use_running_average=not train,
      momentum=0.0,
      use_bias=False,
      use_scale=False,
    )(x)


class AdversarialTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.real = jnp.linspace(-1.0, 3.0, 5)[:, None]
    self.params = fixed_params()
    self.variables = Players({}, {})

  def latents_of(self, key, n):
    """The latents that `costs` draws from a key, by its named splits."""
    generator_key, _, _ = jax.random.split(key, 3)
    latents_key, _ = jax.random.split(generator_key)
    return np.asarray(latents.normal(1)(latents_key, n))

  def test_costs_and_metrics(self):
    game = affine_game(discriminator_l2=0.1)
    costs, (_, metrics) = game.costs(
      self.params, self.variables, self.real, KEY
    )
    fake = 2.0 * self.latents_of(KEY, 5) + 0.5
    real_logits, fake_logits = 0.7 * self.real - 0.3, 0.7 * fake - 0.3
    np.testing.assert_allclose(
      costs.generator, softplus(-fake_logits).mean(), rtol=1e-5
    )
    np.testing.assert_allclose(
      costs.discriminator,
      softplus(-real_logits).mean()
      + softplus(fake_logits).mean()
      + 0.05 * 0.7**2,
      rtol=1e-5,
    )
    np.testing.assert_allclose(
      metrics["discriminator_real"], sigmoid(real_logits).mean(), rtol=1e-5
    )
    np.testing.assert_allclose(
      metrics["discriminator_fake"], sigmoid(fake_logits).mean(), rtol=1e-5
    )

  def test_critic_metrics_are_values(self):
    game = affine_game(loss=losses.wasserstein())
    _, (_, metrics) = game.costs(self.params, self.variables, self.real, KEY)
    np.testing.assert_allclose(
      metrics["critic_real"], (0.7 * self.real - 0.3).mean(), rtol=1e-5
    )
    self.assertNotIn("discriminator_real", metrics)

  def test_simultaneous_gradients(self):
    # Non-saturating, with D' = D(fake): dJ_G/dm = -E[(1 - D') w],
    # dJ_G/ds = -E[(1 - D') w z] sign(s); dJ_D/dw = -E[(1 - D(x)) x]
    # + E[D' fake] + l2 w, dJ_D/db = -E[1 - D(x)] + E[D'].
    game, rate = affine_game(discriminator_l2=0.1), 0.5
    optimizers = Players(optax.sgd(rate), optax.sgd(rate))
    state = steps.init_state(game, optimizers, KEY).replace(params=self.params)
    new, _ = steps.simultaneous(game, optimizers)(state, self.real, KEY)
    z = self.latents_of(KEY, 5)
    fake = 2.0 * z + 0.5
    d_real, d_fake = sigmoid(0.7 * self.real - 0.3), sigmoid(0.7 * fake - 0.3)
    gradients = jax.tree.map(
      lambda old, new: (old - new) / rate, self.params, new.params
    )
    np.testing.assert_allclose(
      gradients.generator["mean"], [(-(1 - d_fake) * 0.7).mean()], rtol=1e-4
    )
    np.testing.assert_allclose(
      gradients.generator["stddev"],
      [(-(1 - d_fake) * 0.7 * z).mean() * -1.0],
      rtol=1e-4,
    )
    dense = gradients.discriminator["Dense_0"]
    np.testing.assert_allclose(
      dense["kernel"],
      [
        [
          (-(1 - d_real) * self.real).mean()
          + (d_fake * fake).mean()
          + 0.1 * 0.7
        ]
      ],
      rtol=1e-4,
    )
    np.testing.assert_allclose(
      dense["bias"], [-(1 - d_real).mean() + d_fake.mean()], rtol=1e-4
    )

  @parameterized.parameters(
    losses.minimax,
    losses.non_saturating,
    losses.maximum_likelihood,
    losses.least_squares,
    losses.hinge,
    losses.wasserstein,
    losses.bounded_linear,
    losses.relativistic_average,
    losses.relativistic_pairing,
    lambda: losses.f_divergence("jeffrey"),
    lambda: losses.f_divergence("total_variation"),
  )
  def test_one_pass_back_equals_two(self, loss):
    # With logits of about 1, and with some of them beyond -88, where the
    # slope of the cross-entropy underflows.
    game = games.adversarial(
      MLP(hidden=(8,), features=2),
      MLP(hidden=(8, 8), features=1, dropout=0.25),
      loss(),
      latents.normal(2),
      discriminator_l2=0.01,
    )
    batch = jax.random.normal(KEY, (16, 2))
    own_gradients, pullbacks = both_gradients(game)
    initial, variables = game.init(KEY)
    for scale in (1.0, 200.0):
      params = initial._replace(
        discriminator=jax.tree.map(
          lambda x, scale=scale: x * scale, initial.discriminator
        )
      )
      one = own_gradients(params, variables, batch, KEY)
      two = pullbacks(params, variables, batch, KEY)
      jax.tree.map(
        lambda a, b: np.testing.assert_allclose(
          a, b, rtol=1e-4, atol=1e-5 * float(jnp.max(jnp.abs(b))) + 1e-12
        ),
        one,
        two,
      )
      largest = max(jnp.max(jnp.abs(x)) for x in jax.tree.leaves(one[0]))
      self.assertGreater(largest, 1e-3)

  def test_sample_and_discriminate(self):
    game = affine_game()
    samples = game.sample(self.params, self.variables, KEY, 7)
    np.testing.assert_allclose(
      samples, 2.0 * latents.normal(1)(KEY, 7) + 0.5, rtol=1e-6
    )
    assert game.discriminate is not None
    np.testing.assert_allclose(
      game.discriminate(self.params, self.variables, samples),
      (0.7 * samples - 0.3)[:, 0],
      rtol=1e-5,
    )

  def test_dropout_only_while_training(self):
    game = games.adversarial(
      Affine(),
      MLP(hidden=(16,), features=1, dropout=0.5),
      losses.non_saturating(),
      latents.normal(1),
    )
    params, variables = game.init(KEY)
    keys = jax.random.split(KEY)
    one, two = (
      game.costs(params, variables, self.real, key)[1][1]["discriminator_real"]
      for key in keys
    )
    self.assertNotEqual(one, two)
    assert game.discriminate is not None
    chex.assert_trees_all_equal(
      *(game.discriminate(params, variables, self.real) for _ in range(2))
    )

  def test_a_discriminator_that_mixes_samples_sees_real_and_fake_apart(self):
    game = games.adversarial(
      Affine(), Normalised(), losses.wasserstein(), latents.normal(1)
    )
    params, variables = game.init(KEY)
    params = params._replace(generator=self.params.generator)
    _, (variables, metrics) = game.costs(params, variables, self.real, KEY)
    # Apart, each minibatch is centred by its own mean; together they would be
    # centred by the mean of both.
    np.testing.assert_allclose(metrics["critic_real"], 0.0, atol=1e-5)
    np.testing.assert_allclose(metrics["critic_fake"], 0.0, atol=1e-5)
    fake = 2.0 * self.latents_of(KEY, 5) + 0.5
    statistics = variables.discriminator["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(statistics["mean"], [fake.mean()], rtol=1e-5)

  def test_wrong_shapes_are_refused(self):
    game = affine_game()
    with self.assertRaises(AssertionError):
      game.costs(self.params, self.variables, jnp.zeros((5, 2)), KEY)
    wide = games.adversarial(
      Affine(),
      MLP(hidden=(), features=2),
      losses.wasserstein(),
      latents.normal(1),
    )
    params, variables = wide.init(KEY)
    with self.assertRaises(AssertionError):
      wide.costs(params, variables, self.real, KEY)


def train(game, optimizers, sample_batch, num_steps, rule=steps.simultaneous):
  step = rule(game, optimizers)

  def body(state, key):
    data_key, step_key = jax.random.split(key)
    return step(state, sample_batch(data_key), step_key)

  return jax.jit(lambda state, keys: jax.lax.scan(body, state, keys))(
    steps.init_state(game, optimizers, KEY),
    jax.random.split(jax.random.key(1), num_steps),
  )


class PenaltyTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.real = jax.random.normal(jax.random.key(8), (16, 2)) + 1.0

  def plane_game(self, kernel, **kwargs):
    """G(z) = z against the logit w . x + 0.4, with its parameters."""
    game = games.adversarial(
      Affine(),
      MLP(hidden=(), features=1),
      losses.wasserstein(),
      latents.normal(2),
      **kwargs,
    )
    params, variables = game.init(KEY)
    discriminator = {
      "Dense_0": {
        "kernel": jnp.asarray(kernel)[:, None],
        "bias": jnp.asarray([0.4]),
      }
    }
    return game, params._replace(discriminator=discriminator), variables

  @parameterized.parameters(((3.0, -4.0),), ((0.3, -0.4),), ((0.0, 0.0),))
  def test_linear_critic_pays_for_its_slope(self, kernel):
    # 10 (|w| - 1)^2 more, with gradient 20 (|w| - 1) w / |w| in w, 0 at w = 0,
    # and 0 in b; nothing changes for the generator.
    norm = np.hypot(*kernel)
    direction = np.asarray(kernel) / max(norm, 1e-9)
    plain, params, variables = self.plane_game(kernel)
    game, _, _ = self.plane_game(
      kernel, penalty=penalties.gradient_penalty(10.0)
    )
    for one, two in zip(
      both_gradients(plain), both_gradients(game), strict=True
    ):
      without, with_penalty = (
        gradients(params, variables, self.real, KEY) for gradients in (one, two)
      )
      chex.assert_trees_all_close(
        (with_penalty[0].generator, with_penalty[1].generator),
        (without[0].generator, without[1].generator),
        rtol=1e-6,
      )
      value = 10 * (norm - 1) ** 2
      np.testing.assert_allclose(
        with_penalty[1].discriminator - without[1].discriminator,
        value,
        rtol=1e-5,
      )
      metrics = with_penalty[2][1]
      np.testing.assert_allclose(metrics["penalty"], value, rtol=1e-5)
      self.assertNotIn("penalty", without[2][1])
      extra = jax.tree.map(
        jnp.subtract, with_penalty[0].discriminator, without[0].discriminator
      )["Dense_0"]
      np.testing.assert_allclose(
        extra["kernel"][:, 0], 20 * (norm - 1) * direction, rtol=1e-4
      )
      np.testing.assert_allclose(extra["bias"], [0.0], atol=1e-6)

  def test_penalty_sees_the_samples_and_adds_to_the_l2(self):
    # The sum over real and fake of a C + b with different factors is
    # E[w . real] + 0.4 - 3 E[w . fake] - 1.2; L2 adds 0.05 |w|^2.
    game, params, variables = self.plane_game(
      (0.5, -2.0),
      discriminator_l2=0.1,
      penalty=lambda critic, real, fake, _: jnp.mean(
        critic(real) - 3 * critic(fake)
      ),
    )
    costs, (_, metrics) = game.costs(params, variables, self.real, KEY)
    generator_key, _, _ = jax.random.split(KEY, 3)
    latents_key, _ = jax.random.split(generator_key)
    fake = np.asarray(latents.normal(2)(latents_key, 16))
    w = np.asarray([0.5, -2.0])
    of_real, of_fake = (self.real @ w).mean() + 0.4, (fake @ w).mean() + 0.4
    penalty = of_real - 3 * of_fake
    np.testing.assert_allclose(metrics["penalty"], penalty, rtol=1e-5)
    np.testing.assert_allclose(
      costs.discriminator,
      of_fake - of_real + penalty + 0.05 * (0.25 + 4.0),
      rtol=1e-5,
    )

    # The slope of J_D in the generator's mean, which rules of second order
    # read, is w of the loss and -3 w of the penalty.
    def discriminator_cost(generator):
      own = params._replace(generator=generator)
      return game.costs(own, variables, self.real, KEY)[0].discriminator

    slope = jax.grad(discriminator_cost)(params.generator)["mean"]
    np.testing.assert_allclose(slope, -2 * w, rtol=1e-5)

  @parameterized.parameters(losses.wasserstein, losses.relativistic_pairing)
  def test_one_pass_back_equals_two(self, loss):
    game = games.adversarial(
      MLP(hidden=(8,), features=2),
      MLP(hidden=(8, 8), features=1, dropout=0.25),
      loss(),
      latents.normal(2),
      discriminator_l2=0.01,
      penalty=penalties.gradient_penalty(10.0),
    )
    params, variables = game.init(KEY)
    one, two = (
      gradients(params, variables, self.real, KEY)
      for gradients in both_gradients(game)
    )
    chex.assert_trees_all_close(one, two, rtol=1e-4, atol=1e-5)
    for player in one[0]:
      largest = max(jnp.max(jnp.abs(x)) for x in jax.tree.leaves(player))
      self.assertGreater(float(largest), 0.01)

  def test_critic_trains_with_one_dropout_mask(self):
    seen = []

    def penalty(critic, real, fake, key):
      del fake, key
      seen.append((critic(real), critic(real)))
      return jnp.zeros(())

    game = games.adversarial(
      Affine(),
      MLP(hidden=(32,), features=1, dropout=0.5),
      losses.wasserstein(),
      latents.normal(2),
      penalty=penalty,
    )
    params, variables = game.init(KEY)
    game.costs(params, variables, self.real, KEY)
    ((one, two),) = seen
    np.testing.assert_array_equal(one, two)
    assert game.discriminate is not None
    evaluated = game.discriminate(params, variables, self.real)
    self.assertGreater(float(jnp.max(jnp.abs(one - evaluated))), 1e-3)

  def test_batch_statistics_are_those_without_a_penalty(self):
    real = self.real[:, :1]

    def after(penalty):
      game = games.adversarial(
        Affine(),
        Normalised(),
        losses.wasserstein(),
        latents.normal(1),
        penalty=penalty,
      )
      params, variables = game.init(KEY)
      assert game.gradients is not None
      gradients, _, (variables, metrics) = game.gradients(
        params, variables, real, KEY
      )
      return gradients.generator, variables, metrics

    # Of a normalised minibatch the total is 0 whatever x: its slope is 0, and
    # the penalty 10.
    *with_penalty, metrics = after(penalties.gradient_penalty(10.0))
    np.testing.assert_allclose(metrics["penalty"], 10.0, rtol=1e-4)
    chex.assert_trees_all_equal(with_penalty, list(after(None)[:2]))

  @parameterized.parameters(steps.simultaneous, steps.alternating)
  def test_slope_is_held_near_one(self, rule):
    # Data N(3, 0.5^2) against a generator that starts at N(0, 1). Wherever
    # the critic is needed its slope is pulled to 1, and the means meet.
    game = games.adversarial(
      Affine(),
      MLP(hidden=(32,), features=1, activation=nn.tanh),
      losses.wasserstein(),
      latents.normal(1),
      penalty=penalties.gradient_penalty(10.0),
    )
    optimizers = Players(optax.sgd(0.02), optax.adam(0.02, 0.5))
    state, metrics = train(
      game,
      optimizers,
      lambda key: 3.0 + 0.5 * jax.random.normal(key, (64, 1)),
      100,
      rule,
    )
    discriminate = game.discriminate
    assert discriminate is not None
    x = jnp.linspace(state.params.generator["mean"][0], 3.0, 9)[:, None]
    slope = jax.vmap(
      jax.grad(
        lambda x: discriminate(state.params, state.variables, x[None])[0]
      )
    )(x)
    np.testing.assert_allclose(slope, np.ones((9, 1)), atol=0.2)
    self.assertLess(float(metrics["penalty"][-1]), 0.5)
    self.assertGreater(float(state.params.generator["mean"][0]), 1.0)

  @parameterized.parameters(steps.simultaneous, steps.alternating)
  def test_clipped_weights_stay_within_the_limit(self, rule):
    limit = 0.1
    game = affine_game(loss=losses.wasserstein())
    optimizers = Players(
      optax.sgd(0.1),
      optax.chain(optax.rmsprop(0.05), penalties.weight_clipping(limit)),
    )
    state = steps.init_state(game, optimizers, KEY)
    step = jax.jit(rule(game, optimizers))
    # Data far to the right: the slope wants to grow without end.
    for _ in range(3):
      state, _ = step(state, 9.0 + jnp.zeros((4, 1)), KEY)
      for leaf in jax.tree.leaves(state.params.discriminator):
        self.assertLessEqual(float(jnp.max(jnp.abs(leaf))), limit * (1 + 1e-6))
    kernel = state.params.discriminator["Dense_0"]["kernel"]
    np.testing.assert_allclose(kernel, [[limit]], rtol=1e-5)


def normal_grid(n, mean=0.0, stddev=1.0):
  """Points [n, 1] over which a mean is an expectation under a normal."""
  points = stats.norm.ppf((np.arange(n) + 0.5) / n, mean, stddev)
  return jnp.asarray(points)[:, None]


DATA = (1.0, 1.3)


def log_density_ratio(params, x):
  """log p(x) / q(x) of N(1, 1.3^2) and N(mean, stddev^2)."""

  def log_density(mean, stddev):
    return -0.5 * ((x - mean) / stddev) ** 2 - jnp.log(stddev)

  ratio = log_density(*DATA) - log_density(
    params["mean"][None], params["stddev"][None]
  )
  return ratio[:, 0]


def optimal_game(loss):
  return games.against_optimal(
    Affine(), log_density_ratio, loss, lambda key, n: normal_grid(n)
  )


def jensen_shannon(mean, stddev):
  """JSD(p || N(mean, stddev^2)) by adaptive quadrature."""

  def integrand(x):
    log_p, log_q = (
      stats.norm.logpdf(x, *DATA),
      stats.norm.logpdf(x, mean, stddev),
    )
    log_m = np.logaddexp(log_p, log_q) - np.log(2)
    return 0.5 * (
      np.exp(log_p) * (log_p - log_m) + np.exp(log_q) * (log_q - log_m)
    )

  value, _ = integrate.quad(
    integrand, -20, 20, epsabs=1e-12, epsrel=1e-12, limit=200
  )
  return value


def jensen_shannon_slope(mean, stddev, h=1e-3):
  """Its derivatives in mean and stddev."""
  return np.asarray(
    [
      jensen_shannon(mean + h, stddev) - jensen_shannon(mean - h, stddev),
      jensen_shannon(mean, stddev + h) - jensen_shannon(mean, stddev - h),
    ]
  ) / (2 * h)


class AgainstOptimalTest(parameterized.TestCase):
  """Expectations by sums over a grid of quantiles, in float64.

  The grid's error is that of its outermost cells, some 10^-5; the derivatives
  are between 0.018 and 0.7.
  """

  def setUp(self):
    super().setUp()
    self.enter_context(jax.enable_x64(True))

  def evaluate(self, loss, mean, stddev):
    """Costs, and J_G's gradient in (mean, stddev)."""
    game = optimal_game(loss)
    params = Players(
      {"mean": jnp.asarray([mean]), "stddev": jnp.asarray([stddev])}, {}
    )
    batch = normal_grid(50_000, *DATA)
    gradients, costs, _ = games.pullbacks(game.costs)(
      params, Players({}, {}), batch, KEY
    )
    self.assertEqual(gradients.discriminator, {})
    own = gradients.generator
    return costs, np.concatenate([own["mean"], own["stddev"]])

  @parameterized.parameters((-0.3, 2.0), (2.0, 1.6))
  def test_maximum_likelihood_descends_kl_of_data_to_model(self, mean, stddev):
    # KL(p || q) = log s - E_p log-density of p + ((mu - m)^2 + 1.69) / (2 s^2).
    # J_G = -E_z exp(l(G(z))), whose gradient with l = log p/q held fixed is
    # -E_q[p/q l'(x) dx/dparam] = -int p l' dx/dparam = KL's; Goodfellow's cost
    # is half of this. Its value, -E_q[p/q] = -1, shows nothing.
    m, variance = DATA[0], DATA[1] ** 2
    costs, gradient = self.evaluate(losses.maximum_likelihood(), mean, stddev)
    np.testing.assert_allclose(
      gradient,
      [
        (mean - m) / stddev**2,
        1 / stddev - ((m - mean) ** 2 + variance) / stddev**3,
      ],
      atol=1e-4,
    )
    np.testing.assert_allclose(costs.generator, -1.0, atol=1e-3)

  @parameterized.parameters((-0.3, 2.0), (2.0, 1.6), (1.2, 0.8))
  def test_minimax_descends_twice_jensen_shannon(self, mean, stddev):
    # D* maximises V = -J_D = J_G = -log 4 + 2 JSD, so V's slope with D* held
    # fixed is that of the maximum itself (the envelope theorem).
    costs, gradient = self.evaluate(losses.minimax(), mean, stddev)
    value = -np.log(4) + 2 * jensen_shannon(mean, stddev)
    np.testing.assert_allclose(costs.generator, value, atol=1e-4)
    np.testing.assert_allclose(costs.discriminator, -value, atol=1e-4)
    np.testing.assert_allclose(
      gradient, 2 * jensen_shannon_slope(mean, stddev), atol=1e-4
    )

  @parameterized.parameters((-0.3, 2.0), (2.0, 1.6), (1.2, 0.8))
  def test_non_saturating_descends_reverse_kl_less_twice_jensen_shannon(
    self, mean, stddev
  ):
    # -log D* = log (1 - D*) / D* - log (1 - D*) = log q/p - log (1 - D*), both
    # held fixed. Under samples of q the first has the slope of KL(q || p), as
    # E_q[d log q] = 0, and the second that of -V = log 4 - 2 JSD: the factor is
    # 1 and the sign of JSD negative, as in the theorem, whose cost has no 1/2.
    # KL(q || p) = -log s + ((mu - m)^2 + s^2) / (2 * 1.69) + constant.
    m, variance = DATA[0], DATA[1] ** 2
    _, gradient = self.evaluate(losses.non_saturating(), mean, stddev)
    reverse_kl = np.asarray(
      [(mean - m) / variance, stddev / variance - 1 / stddev]
    )
    np.testing.assert_allclose(
      gradient,
      reverse_kl - 2 * jensen_shannon_slope(mean, stddev),
      atol=1e-4,
    )

  @parameterized.parameters(
    (losses.minimax, steps.simultaneous),
    (losses.non_saturating, steps.alternating),
    (losses.maximum_likelihood, steps.simultaneous),
  )
  def test_training_ends_at_the_data(self, loss, rule):
    optimizers = Players(optax.adam(0.05), optax.adam(0.05))
    batch = normal_grid(256, *DATA)
    state, metrics = train(
      optimal_game(loss()), optimizers, lambda key: batch, 300, rule
    )
    np.testing.assert_allclose(state.params.generator["mean"], [1.0], atol=0.05)
    np.testing.assert_allclose(
      state.params.generator["stddev"], [1.3], atol=0.05
    )
    np.testing.assert_allclose(
      metrics["discriminator_fake"][-1], 0.5, atol=0.01
    )

  def test_sample_discriminate_and_shapes(self):
    game = optimal_game(losses.minimax())
    params, variables = game.init(KEY)
    chex.assert_trees_all_equal(
      game.sample(params, variables, KEY, 5), normal_grid(5)
    )
    assert game.discriminate is not None
    x = np.asarray([[-1.0], [0.0], [2.0]])
    np.testing.assert_allclose(
      game.discriminate(params, variables, jnp.asarray(x)),
      (stats.norm.logpdf(x, *DATA) - stats.norm.logpdf(x))[:, 0],
      rtol=1e-6,
    )
    with self.assertRaises(AssertionError):
      game.costs(params, variables, jnp.zeros((4, 2)), KEY)
    columns = games.against_optimal(
      Affine(),
      lambda params, x: log_density_ratio(params, x)[:, None],
      losses.minimax(),
      latents.normal(1),
    )
    with self.assertRaises(AssertionError):
      columns.costs(params, variables, x, KEY)


class AugmentTest(absltest.TestCase):
  def test_both_sides_are_augmented_and_the_gradient_passes(self):
    # T(x) = 2 x + 1 before the logit w x + b; J_G = -E f and so
    # dJ_G/dm = -2 w.
    game = affine_game(
      loss=losses.wasserstein(), augment=lambda key, x: 2.0 * x + 1.0
    )
    params, variables, real = fixed_params(), Players({}, {}), jnp.ones((4, 1))
    _, (_, metrics) = game.costs(params, variables, real, KEY)
    np.testing.assert_allclose(metrics["critic_real"], 0.7 * 3 - 0.3, rtol=1e-5)
    for gradients in both_gradients(game):
      own, _, _ = gradients(params, variables, real, KEY)
      np.testing.assert_allclose(own.generator["mean"], [-1.4], rtol=1e-5)

  def test_real_and_fake_samples_have_keys_of_their_own(self):
    seen = []

    def augment(key, x):
      seen.append(jax.random.key_data(key))
      return x

    affine_game(augment=augment).costs(
      fixed_params(), Players({}, {}), jnp.ones((4, 1)), KEY
    )
    self.assertLen(seen, 2)
    self.assertTrue(np.any(seen[0] != seen[1]))


class ReplayTest(absltest.TestCase):
  def test_old_samples_cost_the_discriminator_alone(self):
    # Remembered are samples at 9; half of the fake minibatch is from there.
    # With the logit x and Wasserstein costs, J_G = -E fake and
    # J_D = -E real + (E kept + 9) / 2.
    game = affine_game(
      loss=losses.wasserstein(), replay=Replay(size=4, share=0.5)
    )
    params = fixed_params(kernel=1.0, bias=0.0)
    _, variables = game.init(KEY)
    memory = variables.discriminator["memory"]
    variables = variables._replace(
      discriminator={"memory": replay.store(memory, jnp.full((4, 1), 9.0))}
    )
    real = jnp.zeros((6, 1))
    generator_key = jax.random.split(KEY, 4)[0]
    latents_key, _ = jax.random.split(generator_key)
    z = np.asarray(latents.normal(1)(latents_key, 6))
    fake = 2.0 * z + 0.5
    for gradients in both_gradients(game):
      own, costs, (updated, _) = gradients(params, variables, real, KEY)
      np.testing.assert_allclose(costs.generator, -fake.mean(), rtol=1e-5)
      shown = (fake[:3].sum() + 27.0) / 6
      np.testing.assert_allclose(costs.discriminator, shown, rtol=1e-5)
      np.testing.assert_allclose(own.generator["mean"], [-1.0], rtol=1e-5)
      np.testing.assert_allclose(
        own.discriminator["Dense_0"]["kernel"], [[shown]], rtol=1e-5
      )
      # The three that were displaced are remembered in the oldest places.
      np.testing.assert_allclose(
        updated.discriminator["memory"].samples,
        [*fake[3:], [9.0]],
        rtol=1e-5,
      )
    assert game.discriminate is not None
    np.testing.assert_allclose(game.discriminate(params, variables, real), 0.0)


class SpectralNormTest(absltest.TestCase):
  def test_one_pass_back_equals_two(self):
    # It has variables, but mixes no samples.
    game = games.adversarial(
      MLP(hidden=(8,), features=2),
      MLP(hidden=(8, 8), features=1, spectral_norm=True),
      losses.hinge(),
      latents.normal(2),
      penalty=penalties.r1(0.5),
      mixes_samples=False,
    )
    params, variables = game.init(KEY)
    real = jax.random.normal(KEY, (16, 2))
    one, two = (
      gradients(params, variables, real, KEY)
      for gradients in both_gradients(game)
    )
    chex.assert_trees_all_close(one, two, rtol=1e-4, atol=1e-6)
    moved = jax.tree.map(
      lambda old, new: np.any(old != new),
      variables.discriminator,
      one[2][0].discriminator,
    )
    self.assertTrue(any(jax.tree.leaves(moved)))


class ByClass(nn.Module):
  """z + m_y as a generator, or x w_y as a discriminator."""

  num_classes: int
  multiplies: bool

  @nn.compact
  def __call__(self, x, train=False, labels=None):
    del train
    table = self.param("table", nn.initializers.normal(1), (self.num_classes,))
    own = table[labels][:, None]
    return x * own if self.multiplies else x + own


class ConditionalTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.game = games.adversarial(
      ByClass(3, multiplies=False),
      ByClass(3, multiplies=True),
      losses.wasserstein(),
      lambda key, n: jnp.linspace(-1.0, 1.0, n)[:, None],
      num_classes=3,
    )
    self.batch = Labelled(
      jnp.array([[2.0], [-1.0], [0.5], [4.0]]), jnp.array([0, 2, 1, 2])
    )
    self.params = Players(
      {"table": jnp.array([1.0, -2.0, 3.0])},
      {"table": jnp.array([0.5, 0.25, -2.0])},
    )
    self.variables = Players({}, {})

  def test_costs_and_gradients_by_hand(self):
    # x = (2, -1, 1/2, 4) and w_y = (1/2, -2, 1/4, -2): the critic is
    # (1, 2, 1/8, -8) on data. Samples z + m_y = (0, 8/3, -5/3, 4) of the same
    # classes: (0, -16/3, -5/12, -8).
    fake = (0 - 16 / 3 - 5 / 12 - 8) / 4
    for gradients in both_gradients(self.game):
      slopes, costs, _ = gradients(self.params, self.variables, self.batch, KEY)
      np.testing.assert_allclose(costs.generator, -fake, rtol=1e-5)
      np.testing.assert_allclose(
        costs.discriminator, fake - (1 + 2 + 1 / 8 - 8) / 4, rtol=1e-5
      )
      # dJ_G/dm_y = -(samples of class y) w_y / 4.
      np.testing.assert_allclose(
        slopes.generator["table"], [-1 / 8, -1 / 16, 1.0], rtol=1e-5
      )
      # dJ_D/dw_y = (sum of samples - sum of data of class y) / 4.
      np.testing.assert_allclose(
        slopes.discriminator["table"],
        [-2 / 4, (-5 / 3 - 0.5) / 4, (8 / 3 + 4 + 1 - 4) / 4],
        rtol=1e-5,
      )

  def test_a_penalty_judges_with_the_classes(self):
    # R1 of weight 2: mean over data of the squared slope w_y^2.
    game = games.adversarial(
      ByClass(3, multiplies=False),
      ByClass(3, multiplies=True),
      losses.wasserstein(),
      latents.normal(1),
      penalty=penalties.r1(2.0),
      num_classes=3,
    )
    _, (_, metrics) = game.costs(self.params, self.variables, self.batch, KEY)
    np.testing.assert_allclose(
      metrics["penalty"], (0.25 + 4 + 0.0625 + 4) / 4, rtol=1e-5
    )

  def test_samples_are_of_all_classes(self):
    samples = self.game.sample(self.params, self.variables, KEY, 300)
    shifts = np.asarray(samples[:, 0]) - np.linspace(-1, 1, 300)
    classes, counts = np.unique(shifts.round(3), return_counts=True)
    np.testing.assert_array_equal(classes, [-2, 1, 3])
    # A third of 300 each, of deviation 8.
    self.assertGreater(counts.min(), 60)
    self.assertIsNone(self.game.discriminate)

  def test_init_knows_the_classes(self):
    params, _ = self.game.init(KEY)
    chex.assert_tree_shape_prefix(params, (3,))


if __name__ == "__main__":
  absltest.main()
