"""Tests contrastive games against integrals and closed forms of Gaussians."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized
from scipy import integrate, stats

from gan_jax import steps
from gan_jax.data import densities
from gan_jax.estimation import noise_contrastive
from gan_jax.types import Players

KEY = jax.random.key(0)
MEAN, STDDEV = 1.5, 0.7
LOG_NORMALIZER = math.log(STDDEV * math.sqrt(2 * math.pi))
# Mean and standard deviation of the data and of the noise.
P, Q = (MEAN, STDDEV), (0.5, 2.0)
DATA, NOISE = densities.normal(*P), densities.normal(*Q)
# A mean over these n values of u of f(quantile(u)) is the midpoint rule for
# the expectation of f.
MIDPOINTS = (np.arange(20_000) + 0.5) / 20_000


def log_unnormalized(params, x):
  """-(x - m)^2 / (2 s^2), whose Z is s sqrt(2 pi)."""
  return -0.5 * ((x[:, 0] - params["mean"]) / params["stddev"]) ** 2


def gaussian(mean, stddev):
  return {"mean": jnp.asarray(mean), "stddev": jnp.asarray(stddev)}


def init(key):
  del key
  return gaussian(0.0, 1.5)


def quantiles(mean, stddev):
  """Points [n, 1] over which a mean is an expectation."""
  points = stats.norm.ppf(MIDPOINTS, mean, stddev)
  return jnp.asarray(points, jnp.float32)[:, None]


def model_quantiles(params, key, n):
  """The quantiles of the model, in place of samples."""
  del key, n
  return params["mean"] + params["stddev"] * quantiles(0, 1)


def model_sample(params, key, n):
  return params["mean"] + params["stddev"] * jax.random.normal(key, (n, 1))


def costs_and_gradients(game, discriminator):
  """Expected costs, metrics, and the gradient of the discriminator's cost."""
  params, batch = Players({}, discriminator), quantiles(*P)

  def cost(discriminator):
    costs, (_, metrics) = game.costs(
      params._replace(discriminator=discriminator), Players({}, {}), batch, KEY
    )
    return costs.discriminator, (costs, metrics)

  gradient, (costs, metrics) = jax.grad(cost, has_aux=True)(discriminator)
  return costs, metrics, gradient


def exact_noise():
  return NOISE._replace(sample=lambda key, n: quantiles(*Q))


def fit(game, num_steps=1_500, batch_size=512):
  """Trains with Adam on fresh data, the rate falling to 0."""
  optimizers = Players(
    optax.set_to_zero(),
    optax.adam(optax.cosine_decay_schedule(0.02, num_steps)),
  )
  step = steps.simultaneous(game, optimizers)

  def body(state, key):
    data_key, step_key = jax.random.split(key)
    return step(state, DATA.sample(data_key, batch_size), step_key)

  state, metrics = jax.jit(lambda state, keys: jax.lax.scan(body, state, keys))(
    steps.init_state(game, optimizers, KEY),
    jax.random.split(jax.random.key(1), num_steps),
  )
  return state.params.discriminator, metrics


class NoiseContrastiveCostTest(parameterized.TestCase):
  def test_value_and_metrics(self):
    # With log p_model = x and log p_noise = 3 x^2 the logits are x - 3 x^2.
    real, fake = np.array([0.5, -1.0, 0.2]), np.array([0.3, 0.1, 0.9])
    cost, metrics = noise_contrastive.noise_contrastive_cost(
      lambda x: x[:, 0],
      lambda x: 3 * x[:, 0] ** 2,
      jnp.asarray(real[:, None], jnp.float32),
      jnp.asarray(fake[:, None], jnp.float32),
    )
    d_real, d_fake = (1 / (1 + np.exp(3 * x**2 - x)) for x in (real, fake))
    expected = -np.log(d_real).mean() - np.log(1 - d_fake).mean()
    np.testing.assert_allclose(cost, expected, rtol=1e-5)
    np.testing.assert_allclose(
      metrics["discriminator_real"], d_real.mean(), rtol=1e-5
    )
    np.testing.assert_allclose(
      metrics["discriminator_fake"], d_fake.mean(), rtol=1e-5
    )

  @parameterized.parameters(-1e4, 1e4)
  def test_extreme_logits(self, scale):
    # softplus(-l) + softplus(l) is |l| but for an e^-|l|, of slope sign(l).
    def cost(scale):
      value, _ = noise_contrastive.noise_contrastive_cost(
        lambda x: scale * x[:, 0],
        lambda x: jnp.zeros(len(x)),
        jnp.ones((2, 1)),
        jnp.ones((2, 1)),
      )
      return value

    value, slope = jax.value_and_grad(cost)(scale)
    np.testing.assert_allclose(value, 1e4)
    np.testing.assert_allclose(slope, np.sign(scale))

  def test_wrong_shapes_raise(self):
    def cost(log_model, real, fake):
      return noise_contrastive.noise_contrastive_cost(
        log_model, lambda x: jnp.zeros(len(x)), real, fake
      )

    x = jnp.zeros((3, 1))
    with self.assertRaises(AssertionError):
      cost(lambda x: x, x, x)
    with self.assertRaises(AssertionError):
      cost(lambda x: x[:, 0], x, x[:2])
    with self.assertRaises(AssertionError):
      cost(lambda x: x[:, 0], x[:, 0], x[:, 0])


class GameTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.game = noise_contrastive.game(log_unnormalized, init, exact_noise())
    self.truth = {
      "model": gaussian(MEAN, STDDEV),
      "log_normalizer": jnp.asarray(LOG_NORMALIZER),
    }

  def test_value_at_the_truth(self):
    # V = E_p log D + E_q log(1 - D) = -log 4 + 2 JSD(p || q), with
    # JSD = 1/2 KL(p || (p + q) / 2) + 1/2 KL(q || (p + q) / 2).
    def integrand(x):
      p, q = stats.norm.pdf(x, *P), stats.norm.pdf(x, *Q)
      return 0.5 * (p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q)))

    divergence, _ = integrate.quad(integrand, -12, 14, points=[0, 3])
    costs, metrics, _ = costs_and_gradients(self.game, self.truth)
    value = -math.log(4) + 2 * divergence
    np.testing.assert_allclose(costs.generator, value, atol=1e-4)
    np.testing.assert_allclose(costs.discriminator, -value, atol=1e-4)
    # E_p D + E_q D = integral of (p + q) p / (p + q) = 1.
    np.testing.assert_allclose(
      metrics["discriminator_real"] + metrics["discriminator_fake"],
      1.0,
      atol=1e-4,
    )
    # The two Gaussians differ, or the test would prove nothing.
    self.assertGreater(2 * divergence, 0.3)

  def test_gradient_vanishes_at_the_truth(self):
    _, _, gradient = costs_and_gradients(self.game, self.truth)
    chex.assert_trees_all_close(
      gradient, jax.tree.map(jnp.zeros_like, gradient), atol=1e-3
    )

  def test_gradient_elsewhere(self):
    # dJ_D = -integral of p (1 - D) dl - q D dl, with l the logit; for
    # l = -(x - m)^2 / (2 s^2) - log Z - log q,
    # dl/dm = (x - m) / s^2, dl/ds = (x - m)^2 / s^3, dl/dlog Z = -1.
    m, s, log_normalizer = 0.8, 1.1, 0.3
    slopes = {
      "mean": lambda x: (x - m) / s**2,
      "stddev": lambda x: (x - m) ** 2 / s**3,
      "log_normalizer": lambda x: -1.0,
    }

    def integrand(x, slope):
      model = np.exp(-0.5 * ((x - m) / s) ** 2 - log_normalizer)
      p, q = stats.norm.pdf(x, *P), stats.norm.pdf(x, *Q)
      d = model / (model + q)
      return (q * d - p * (1 - d)) * slope(x)

    expected = {
      name: integrate.quad(integrand, -12, 14, (slope,), points=[0, 3])[0]
      for name, slope in slopes.items()
    }
    _, _, gradient = costs_and_gradients(
      self.game,
      {
        "model": gaussian(m, s),
        "log_normalizer": jnp.asarray(log_normalizer),
      },
    )
    measured = {
      **gradient["model"],
      "log_normalizer": gradient["log_normalizer"],
    }
    self.assertGreater(min(abs(v) for v in expected.values()), 0.05)
    for name, value in expected.items():
      np.testing.assert_allclose(measured[name], value, atol=1e-3, err_msg=name)

  def test_discriminate_and_sample(self):
    params, variables = Players({}, self.truth), Players({}, {})
    x = np.array([-1.0, 0.5, 1.5, 4.0])
    assert self.game.discriminate is not None
    np.testing.assert_allclose(
      self.game.discriminate(params, variables, jnp.asarray(x[:, None])),
      stats.norm.logpdf(x, *P) - stats.norm.logpdf(x, *Q),
      rtol=1e-4,
    )
    game = noise_contrastive.game(log_unnormalized, init, NOISE)
    np.testing.assert_array_equal(
      game.sample(params, variables, KEY, 3), NOISE.sample(KEY, 3)
    )

  def test_fit_recovers_the_density_and_its_normalizer(self):
    # A few 1e5 samples leave errors of some 0.005; m and s start at 0 and 1.5
    # and log Z, 0.562, at 0.
    params, metrics = fit(noise_contrastive.game(log_unnormalized, init, NOISE))
    np.testing.assert_allclose(params["model"]["mean"], MEAN, atol=0.03)
    np.testing.assert_allclose(params["model"]["stddev"], STDDEV, atol=0.03)
    np.testing.assert_allclose(
      params["log_normalizer"], LOG_NORMALIZER, atol=0.03
    )
    np.testing.assert_array_equal(
      metrics["generator_cost"], -metrics["discriminator_cost"]
    )

  def test_compiled_and_alternating_steps(self):
    # The state given to a compiled step is donated; the next init is not.
    optimizers = Players(optax.set_to_zero(), optax.adam(0.01))
    game = noise_contrastive.game(log_unnormalized, init, NOISE)
    for factory in (steps.simultaneous, steps.alternating):
      step = steps.compiled(factory(game, optimizers))
      state = steps.init_state(game, optimizers, KEY)
      state, metrics = step(state, DATA.sample(KEY, 8), KEY)
      self.assertEqual(state.step, 1)
      self.assertEqual(state.params.generator, {})
      chex.assert_tree_all_finite(metrics)


class MaximumLikelihoodGameTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("at_the_mean", MEAN, 0.4), ("off", 0.8, 1.1), ("truth", MEAN, STDDEV)
  )
  def test_gradient_is_half_that_of_the_likelihood(self, m, s):
    # -E log N(x; m, s^2) = log s + (STDDEV^2 + (MEAN - m)^2) / (2 s^2) + const:
    # d/dm = (m - MEAN) / s^2, d/ds = 1 / s - (STDDEV^2 + (MEAN - m)^2) / s^3.
    # The game sees neither log s nor its 1 / s, only the model's samples.
    game = noise_contrastive.maximum_likelihood_game(
      log_unnormalized, init, model_quantiles
    )
    costs, metrics, gradient = costs_and_gradients(game, gaussian(m, s))
    of_mean = (m - MEAN) / s**2
    of_stddev = 1 / s - (STDDEV**2 + (MEAN - m) ** 2) / s**3
    np.testing.assert_allclose(gradient["mean"], of_mean / 2, atol=2e-3)
    np.testing.assert_allclose(gradient["stddev"], of_stddev / 2, atol=2e-3)
    # The model and its copy are equal.
    np.testing.assert_allclose(costs.discriminator, math.log(4), rtol=1e-6)
    np.testing.assert_allclose(costs.generator, -math.log(4), rtol=1e-6)
    np.testing.assert_allclose(metrics["discriminator_real"], 0.5, rtol=1e-6)

  def test_normalized_log_density_has_the_same_gradient(self):
    def log_prob(params, x):
      return log_unnormalized(params, x) - jnp.log(params["stddev"])

    gradients = [
      costs_and_gradients(
        noise_contrastive.maximum_likelihood_game(
          log_density, init, model_quantiles
        ),
        gaussian(0.8, 1.1),
      )[2]
      for log_density in (log_unnormalized, log_prob)
    ]
    chex.assert_trees_all_close(*gradients, rtol=1e-4)

  def test_copy_needs_no_gradient(self):
    # The slope of sqrt(0 m) in m is 0 times infinity.
    def sampler(params, key, n):
      return model_quantiles(params, key, n) + jnp.sqrt(0.0 * params["mean"])

    game = noise_contrastive.maximum_likelihood_game(
      log_unnormalized, init, sampler
    )
    _, _, gradient = costs_and_gradients(game, gaussian(0.8, 1.1))
    chex.assert_tree_all_finite(gradient)

  def test_fit(self):
    game = noise_contrastive.maximum_likelihood_game(
      log_unnormalized, init, model_sample
    )
    params, _ = fit(game)
    np.testing.assert_allclose(params["mean"], MEAN, atol=0.03)
    np.testing.assert_allclose(params["stddev"], STDDEV, atol=0.03)
    drawn = game.sample(Players({}, params), Players({}, {}), KEY, 10_000)
    np.testing.assert_allclose(np.mean(drawn), MEAN, atol=0.05)
    np.testing.assert_allclose(np.std(drawn), STDDEV, atol=0.05)


if __name__ == "__main__":
  absltest.main()
