"""The game of a classifier, against SciPy's softmax over K + 1 logits."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy
from absl.testing import absltest, parameterized
from flax import linen as nn

from gan_jax import games, losses, steps
from gan_jax.types import Conditional, Players
from tests.gan_jax.games.affine_games import KEY

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(4, 2))
LATENTS = RNG.normal(size=(4, 2))
LABELLED, LABEL = RNG.normal(size=(1, 2)), 2
AT = Players(
  {"scale": np.array([[0.8, -1.5]]), "mean": np.array([[0.3, 0.1]])},
  {"inner": RNG.normal(size=(2, 5)), "outer": RNG.normal(size=(5, 3))},
)


class Generator(nn.Module):
  """G(z) = s z + m."""

  @nn.compact
  def __call__(self, z, train=False):
    scale = self.param("scale", nn.initializers.ones, (1, 2))
    return scale * z + self.param("mean", nn.initializers.zeros, (1, 2))


class Classifier(nn.Module):
  """Features f = tanh(x A), logits f B of three classes."""

  @nn.compact
  def __call__(self, x, train=False):
    normal = nn.initializers.normal(1.0)
    features = jnp.tanh(x @ self.param("inner", normal, (2, 5)))
    return features, features @ self.param("outer", normal, (5, 3))


def make(pool=None, loss=None, **options):
  pool = pool or Conditional(jnp.asarray(LABELLED, jnp.float32), jnp.array([2]))
  return games.semi_supervised(
    Generator(),
    Classifier(),
    loss or losses.non_saturating(),
    lambda key, n: jnp.resize(jnp.asarray(LATENTS, jnp.float32), (n, 2)),
    lambda key: pool,
    **options,
  )


def variables_of(game):
  return game.init(KEY)[1]


def as_float32(params):
  return jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), params)


def evaluate(game, params=AT, batch=REAL):
  """Returns the gradients and costs at float32 parameters, and metrics."""
  gradients, costs, (_, metrics) = games.pullbacks(game.costs)(
    as_float32(params),
    variables_of(game),
    jnp.asarray(batch, jnp.float32),
    KEY,
  )
  return gradients, costs, metrics


def features(params, x):
  return np.tanh(x @ params.discriminator["inner"])


def log_probabilities(params, x):
  """Returns log p of the K + 1 classes, of which the last is generated."""
  logits = features(params, x) @ params.discriminator["outer"]
  logits = np.concatenate([logits, np.zeros((len(x), 1))], axis=1)
  return scipy.special.log_softmax(logits, axis=1)


def generate(params):
  return params.generator["scale"] * LATENTS + params.generator["mean"]


def expected_costs(params):
  """Computes both costs in float64, as the publication has them."""
  labelled = log_probabilities(params, LABELLED)
  # p(k | y, k <= K).
  supervised = labelled[0, LABEL] - np.log1p(-np.exp(labelled[0, -1]))
  real = np.log1p(-np.exp(log_probabilities(params, REAL)[:, -1]))
  fake = log_probabilities(params, generate(params))[:, -1]
  distance = features(params, REAL).mean(0) - features(
    params, generate(params)
  ).mean(0)
  return Players(
    np.sum(distance**2), -supervised - np.mean(real) / 2 - np.mean(fake) / 2
  )


def finite_differences(function, params, step=1e-6):
  """Computes the gradient of a function of a dictionary of arrays."""
  gradient = jax.tree.map(np.zeros_like, params)
  for name, value in params.items():
    for index in np.ndindex(value.shape):
      ends = []
      for sign in (1, -1):
        moved = value.copy()
        moved[index] += sign * step
        ends.append(function({**params, name: moved}))
      gradient[name][index] = (ends[0] - ends[1]) / (2 * step)
  return gradient


class SemiSupervisedTest(parameterized.TestCase):
  def assert_close(self, measured, expected):
    jax.tree.map(
      lambda x, y: np.testing.assert_allclose(x, y, rtol=2e-4, atol=2e-5),
      measured,
      expected,
    )

  def test_costs_are_those_of_k_plus_1_classes(self):
    _, costs, metrics = evaluate(make())
    self.assert_close(costs, expected_costs(AT))
    real, fake = (
      1 - np.exp(log_probabilities(AT, x)[:, -1]) for x in (REAL, generate(AT))
    )
    self.assert_close(metrics["discriminator_real"], real.mean())
    self.assert_close(metrics["discriminator_fake"], fake.mean())
    self.assert_close(metrics["feature_distance"], expected_costs(AT).generator)

  def test_gradients_are_those_of_finite_differences(self):
    gradients, _, _ = evaluate(make())
    self.assert_close(
      gradients.generator,
      finite_differences(
        lambda g: expected_costs(Players(g, AT.discriminator)).generator,
        AT.generator,
      ),
    )
    self.assert_close(
      gradients.discriminator,
      finite_differences(
        lambda d: expected_costs(Players(AT.generator, d)).discriminator,
        AT.discriminator,
      ),
    )

  def test_the_loss_is_a_function_of_log_z(self):
    loss = losses.wasserstein()
    game = make(loss=loss, matches_features=False)
    _, costs, metrics = evaluate(game)
    log_z = [
      scipy.special.logsumexp(
        features(AT, x) @ AT.discriminator["outer"], axis=1
      )
      for x in (REAL, generate(AT))
    ]
    self.assert_close(costs.generator, -log_z[1].mean())
    self.assert_close(
      costs.discriminator - metrics["label_cost"],
      (log_z[1].mean() - log_z[0].mean()) / 2,
    )
    assert game.discriminate is not None
    self.assert_close(
      game.discriminate(
        as_float32(AT), variables_of(game), jnp.asarray(REAL, jnp.float32)
      ),
      log_z[0],
    )

  def test_supervised_learns_from_labels_alone(self):
    gradients, costs, metrics = evaluate(make(unsupervised=False))
    labelled = log_probabilities(AT, LABELLED)[0]
    supervised = np.log1p(-np.exp(labelled[-1])) - labelled[LABEL]
    self.assert_close(costs, Players(0.0, supervised))
    self.assertEqual(list(metrics), ["label_cost"])
    for leaf in jax.tree.leaves(gradients.generator):
      np.testing.assert_array_equal(leaf, 0)
    moved, _, _ = evaluate(make(unsupervised=False), batch=REAL + 5)
    self.assert_close(gradients, moved)

  @parameterized.parameters(-1.0, 1.0)
  def test_large_logits_have_finite_costs(self, sign):
    params = Players(
      AT.generator,
      {
        "inner": AT.discriminator["inner"],
        "outer": sign * np.full((5, 3), 1e4),
      },
    )
    for matches_features in (False, True):
      gradients, costs, _ = evaluate(
        make(matches_features=matches_features), params
      )
      for leaf in jax.tree.leaves((gradients, costs)):
        self.assertTrue(np.isfinite(leaf).all())

  def test_labelled_samples_are_drawn_uniformly(self):
    samples = RNG.normal(size=(3, 2))
    pool = Conditional(
      jnp.asarray(samples, jnp.float32), jnp.array([0, 2, 1], jnp.int32)
    )
    n = 20_000
    batch = np.resize(REAL, (n, 2))
    _, _, metrics = evaluate(make(pool, unsupervised=False), batch=batch)
    logits = features(AT, samples) @ AT.discriminator["outer"]
    costs = -scipy.special.log_softmax(logits, axis=1)[range(3), [0, 2, 1]]
    error = 4 * np.std(costs) / np.sqrt(n)
    self.assertGreater(np.ptp(costs), 20 * error)
    self.assertAlmostEqual(
      float(metrics["label_cost"]), costs.mean(), delta=error
    )

  def test_each_key_has_its_labelled_samples(self):
    game = games.semi_supervised(
      Generator(),
      Classifier(),
      losses.non_saturating(),
      lambda key, n: jnp.zeros((n, 2)),
      lambda key: Conditional(
        jax.random.normal(key, (4, 2)), jnp.arange(4) % 3
      ),
    )
    optimizers = Players(optax.adam(0.1), optax.adam(0.1))
    step = jax.jit(steps.simultaneous(game, optimizers))
    pools = []
    for seed in (0, 1):
      state = steps.init_state(game, optimizers, jax.random.key(seed))
      before = state.variables.discriminator["labelled"]
      state, _ = step(state, jnp.asarray(REAL, jnp.float32), KEY)
      after = state.variables.discriminator["labelled"]
      jax.tree.map(np.testing.assert_array_equal, before, after)
      pools.append(before.samples)
    self.assertGreater(np.abs(pools[0] - pools[1]).max(), 0.1)


if __name__ == "__main__":
  absltest.main()
