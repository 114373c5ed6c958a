"""The parts of the figure of parallel lines, and checks that can fail."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from experiments.reproduce.fedus2018 import parallel_lines as figure
from gan_jax import games, losses
from gan_jax.data import latents
from gan_jax.metrics import frechet
from gan_jax.networks.mlp import MLP
from gan_jax.steps import init_state
from gan_jax.types import Players

SHAPE = (figure.NUM_SEEDS, figure.NUM_RECORDS + 1)
ENDS = dict.fromkeys(figure.GAMES, 0.05) | {figure.MINIMAX: 1.0}
NORMS = {figure.MINIMAX: 1e-3, figure.PLAIN: 10.0}


def trained(ends=ENDS, norms=NORMS, apart=1.0):
  """Makes the results of games that end at these distances."""
  wiggle = np.linspace(0.99, 1.01, figure.NUM_SEEDS)
  return {
    name: {
      "mean": np.full((*SHAPE, 2), apart),
      "direction": np.zeros((*SHAPE, 2)),
      "distance": end * np.ones(SHAPE) * wiggle[:, None],
      "norms": {cost: norm * wiggle for cost, norm in norms.items()},
    }
    for name, end in ends.items()
  }


class LinesTest(parameterized.TestCase):
  @parameterized.parameters(
    ((0.0, 0.0), (0.0, 1.0), 0.0),
    ((0.0, 0.0), (0.0, -1.0), 0.0),
    ((1.0, 0.0), (0.0, 1.0), 1.0),
    ((0.3, -0.4), (0.5, 0.7), None),
  )
  def test_distance(self, mean, direction, expected):
    mean, direction = jnp.array(mean), jnp.array(direction)
    distance = figure.wasserstein_2(mean, direction)
    if expected is None:
      data = frechet.Moments(jnp.zeros(2), jnp.diag(jnp.array([0.0, 1.0])))
      fake = frechet.Moments(mean, jnp.outer(direction, direction))
      expected = np.sqrt(frechet.frechet_distance(data, fake))
    np.testing.assert_allclose(distance, expected, atol=1e-3)

  def test_data_and_start(self):
    data = np.asarray(figure.sample_line(jax.random.key(0), 1_000))
    np.testing.assert_array_equal(data[:, 0], 0)
    self.assertAlmostEqual(data[:, 1].std(), 1.0, delta=0.1)
    generator = MLP((), 2)
    params = generator.init(jax.random.key(0), jnp.zeros((1, 1)))["params"]
    started = figure._start(params)
    mean, direction = figure.line_of(started)
    z = jnp.array([[0.0], [2.0]])
    samples = np.asarray(generator.apply({"params": started}, z))
    np.testing.assert_allclose(
      samples, mean[None] + z * direction[None], rtol=1e-6
    )
    np.testing.assert_allclose(samples, [[1, 0], [1, 2]], rtol=1e-6)

  def test_gradients_of_a_linear_discriminator(self):
    # With the logit a - b x at samples (1, z), the slopes in the logit are -D
    # and -(1 - D), times (-b, 0, 0, 0).
    game = games.adversarial(
      MLP((), 2), MLP((), 1), losses.minimax(), latents.normal(1)
    )
    fixed = optax.set_to_zero()
    state = init_state(game, Players(fixed, fixed), jax.random.key(0))
    params = state.params
    discriminator = {
      name: {"kernel": jnp.array([[-3.0], [0.0]]), "bias": jnp.ones(1)}
      for name in params.discriminator
    }
    state = state.replace(
      params=Players(figure._start(params.generator), discriminator)
    )
    norms = figure.gradient_norms(game, state, jax.random.key(1))
    d = 1 / (1 + np.exp(2))
    # The mean of z is not exactly 0.
    np.testing.assert_allclose(norms[figure.MINIMAX], 3 * d, rtol=1e-3)
    np.testing.assert_allclose(norms[figure.PLAIN], 3 * (1 - d), rtol=1e-3)


class ChecksTest(parameterized.TestCase):
  def test_the_claim_passes(self):
    for check in figure.make_checks(trained()):
      self.assertTrue(check.passed, check)

  @parameterized.named_parameters(
    (
      "swapped_costs",
      {"norms": dict(zip(NORMS, (10.0, 1e-3), strict=True))},
      2,
    ),
    ("minimax_reaches_the_line", {"ends": ENDS | {figure.MINIMAX: 0.0}}, 1),
    ("nothing_reaches", {"ends": dict.fromkeys(ENDS, 1.0)}, len(ENDS)),
    ("the_same_line", {"apart": 0.0}, 1),
  )
  def test_others_fail(self, changes, num_failed):
    passed = [check.passed for check in figure.make_checks(trained(**changes))]
    self.assertEqual(passed.count(False), num_failed)


if __name__ == "__main__":
  absltest.main()
