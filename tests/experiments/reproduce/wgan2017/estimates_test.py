"""The estimates are what they are named after, by hand and by algebra."""

import itertools

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from experiments.reproduce.wgan2017 import estimates as figure


def fall(last: float) -> np.ndarray:
  """Returns values of three seeds that fall from 1 to `last`."""
  return np.tile(np.linspace(1.0, last, 10), (3, 1))


class EstimatesTest(parameterized.TestCase):
  def test_the_plane_keeps_distances(self):
    points = np.random.default_rng(0).normal(size=(5, 2))
    kept = np.asarray(figure.embedded(jnp.asarray(points)))
    np.testing.assert_allclose(kept @ kept.T, points @ points.T, atol=1e-5)
    self.assertGreater(np.abs(kept).min(axis=0).max(), 0)

  def test_exact_distance_by_all_assignments(self):
    x, y = np.random.default_rng(1).normal(size=(2, 5, 3))
    expected = min(
      np.mean([np.linalg.norm(x[i] - y[j]) for i, j in enumerate(order)])
      for order in itertools.permutations(range(5))
    )
    self.assertAlmostEqual(figure.exact_distance(x, y), expected)

  def test_jensen_shannon_of_two_bits(self):
    # The JSD of (3/4, 1/4) and (1/4, 3/4), with D* = 3/4 at the first symbol.
    logit = np.log(3.0)
    real, fake = jnp.array([1, 1, 1, -1.0]), jnp.array([1, -1, -1, -1.0])
    divergence = np.log(2) + 0.75 * np.log(0.75) + 0.25 * np.log(0.25)
    np.testing.assert_allclose(
      figure.jensen_shannon(logit * real, logit * fake), divergence, rtol=1e-6
    )
    # Any other discriminator estimates less.
    self.assertLess(
      figure.jensen_shannon(logit * fake, logit * real), divergence
    )

  def test_difference_is_of_real_and_fake(self):
    self.assertEqual(
      figure.difference(jnp.array([1.0, 3]), jnp.array([0.5, 0.5])), 1.5
    )

  def checks(self, critic: np.ndarray, gan: float, last: float = 0.2):
    trained = {
      figure.GAN: figure.Trained(np.full((3, 10), gan), fall(last)),
      figure.CLIPPED: figure.Trained(fall(0.1), fall(last)),
      figure.PENALIZED: figure.Trained(critic, fall(last)),
    }
    return [check.passed for check in figure.checks_of(trained)]

  @parameterized.named_parameters(
    ("as_published", fall(0.1), np.log(2), 0.2, []),
    ("estimate_grows", -fall(0.1), np.log(2), 0.2, [1]),
    ("estimate_is_noise", np.sin(7 * fall(30)), np.log(2), 0.2, [1]),
    ("nothing_is_learnt", fall(0.1), np.log(2), 0.9, [2, 3, 4]),
    ("divergence_falls", fall(0.1), 0.4, 0.2, [5]),
  )
  def test_checks(self, critic, gan, last, failing):
    passed = self.checks(critic, gan, last)
    self.assertEqual([i for i, each in enumerate(passed) if not each], failing)


if __name__ == "__main__":
  absltest.main()
