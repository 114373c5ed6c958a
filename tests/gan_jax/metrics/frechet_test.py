"""Tests the Frechet distance against closed forms, SciPy and POT."""

import jax
import jax.numpy as jnp
import numpy as np
import ot
from absl.testing import absltest, parameterized
from scipy import linalg

from gan_jax.metrics import frechet

RNG = np.random.default_rng(0)


def as_moments(mean, covariance):
  return frechet.Moments(
    jnp.asarray(mean, jnp.float32), jnp.asarray(covariance, jnp.float32)
  )


def random_covariance(d, rank):
  """Returns a covariance [d, d] whose variances span a factor of 1,000."""
  spread = np.exp(-3.5 * np.arange(rank) / rank)
  factor = RNG.normal(size=(d, rank)) * spread
  return factor @ factor.T


def with_root(mean_a, covariance_a, mean_b, covariance_b):
  """Computes the distance in float64 by general matrix roots."""
  root = linalg.sqrtm(covariance_a)
  cross = linalg.sqrtm(root @ covariance_b @ root)
  return np.sum((mean_a - mean_b) ** 2) + np.trace(
    covariance_a + covariance_b - 2 * np.real(cross)
  )


class MomentsTest(absltest.TestCase):
  def test_of_known_samples(self):
    features = RNG.normal(loc=(0, 5, -100), size=(50, 3))
    moments = frechet.moments(jnp.asarray(features, jnp.float32))
    np.testing.assert_allclose(moments.mean, features.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(
      moments.covariance, np.cov(features.T), rtol=1e-3, atol=1e-4
    )
    self.assertEqual(moments.covariance.dtype, jnp.float32)

  def test_one_sample_raises(self):
    with self.assertRaises(AssertionError):
      frechet.moments(jnp.ones((1, 3)))


class FrechetDistanceTest(parameterized.TestCase):
  # An eigenvalue of 0 comes out as 1e-7 of the largest, and counts with its
  # root.
  @parameterized.parameters((0, 1e-3), (4, 1e-5))
  def test_commuting_covariances(self, variance, tolerance):
    # In one basis the trace is sum_i (s_i - t_i)^2 of standard deviations:
    # (3 - 1)^2 + (sqrt(variance) - 5)^2 + (1 - 1)^2; the means are 5 apart.
    basis, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    a = as_moments([3, 0, 1], basis @ np.diag([9, variance, 1]) @ basis.T)
    b = as_moments([0, 4, 1], basis @ np.diag([1, 25, 1]) @ basis.T)
    expected = 4 + (variance**0.5 - 5) ** 2 + 25
    for pair in ((a, b), (b, a)):
      distance = frechet.frechet_distance(*pair)
      np.testing.assert_allclose(distance, expected, rtol=tolerance)

  def test_directions(self):
    # S_a = u u^T and S_b = v v^T have the cross term |u.v|: here
    # 25 + 4 - 2 * |3 * 2| = 17.
    u, v = np.array([3.0, 4.0, 0.0]), np.array([2.0, 0.0, 0.0])
    zero = np.zeros(3)
    distance = frechet.frechet_distance(
      as_moments(zero, np.outer(u, u)), as_moments(zero, np.outer(v, v))
    )
    np.testing.assert_allclose(distance, 17, rtol=1e-5)

  def test_points(self):
    a, b = as_moments([1, 2], np.zeros((2, 2))), as_moments([4, 6], np.eye(2))
    # Without a covariance of a: |m_a - m_b|^2 + tr S_b.
    np.testing.assert_allclose(frechet.frechet_distance(a, b), 27, rtol=1e-6)
    np.testing.assert_allclose(frechet.frechet_distance(a, a), 0, atol=0)

  @parameterized.parameters((8, 8, 8), (64, 64, 64), (128, 40, 128))
  def test_against_scipy_and_pot(self, d, rank_a, rank_b):
    mean_a, mean_b = RNG.normal(size=(2, d))
    covariance_a = random_covariance(d, rank_a)
    covariance_b = random_covariance(d, rank_b)
    # The roots of POT and SciPy are of regular matrices.
    regular_a = covariance_a + 1e-8 * np.eye(d)
    expected = with_root(mean_a, regular_a, mean_b, covariance_b)
    distance = ot.gaussian.bures_wasserstein_distance(
      mean_a, mean_b, regular_a, covariance_b
    )
    squared = np.square(np.asarray(distance))
    np.testing.assert_allclose(squared, expected, rtol=1e-5)
    total = np.trace(covariance_a + covariance_b)
    measured = frechet.frechet_distance(
      as_moments(mean_a, covariance_a), as_moments(mean_b, covariance_b)
    )
    # The error stated for float32, and room for chance.
    same_null_space = rank_a == rank_b == d
    np.testing.assert_allclose(
      measured, squared, atol=(4e-6 if same_null_space else 1e-3) * total
    )
    self.assertEqual(measured.dtype, jnp.float32)

  def test_float64(self):
    a, b = ((RNG.normal(size=32), random_covariance(32, 32)) for _ in range(2))
    with jax.enable_x64(True):
      measured = frechet.frechet_distance(
        *(frechet.Moments(*map(jnp.asarray, moments)) for moments in (a, b))
      )
    self.assertEqual(measured.dtype, np.float64)
    np.testing.assert_allclose(measured, with_root(*a, *b), rtol=1e-9)

  @parameterized.parameters(1, 20, 64)
  def test_of_equal_moments_is_zero(self, rank):
    moments = as_moments(np.ones(64), random_covariance(64, rank))
    distance = frechet.frechet_distance(moments, moments)
    self.assertGreaterEqual(distance, 0)
    np.testing.assert_allclose(
      distance / jnp.trace(moments.covariance), 0, atol=4e-6
    )

  def test_tiny_distance_between_dead_units(self):
    # Half of the features are always 0, as those of units that never fire; the
    # others differ by a scale: |S^(1/2) (1.01 - 1)|^2 = 1e-4 tr S.
    covariance = np.zeros((64, 64))
    covariance[::2, ::2] = random_covariance(32, 32)
    distance = frechet.frechet_distance(
      as_moments(np.zeros(64), covariance),
      as_moments(np.zeros(64), 1.01**2 * covariance),
    )
    np.testing.assert_allclose(distance, 1e-4 * np.trace(covariance), rtol=0.05)

  def test_of_members_under_jit(self):
    features = jnp.asarray(RNG.normal(size=(3, 40, 4)), jnp.float32)
    reference = frechet.moments(features[0])

    def measure(features):
      return frechet.frechet_distance(frechet.moments(features), reference)

    mapped = jax.jit(lambda features: jax.lax.map(measure, features))(features)
    np.testing.assert_allclose(
      mapped, [measure(x) for x in features], rtol=1e-4, atol=1e-5
    )

  def test_wrong_shape_raises(self):
    a, b = as_moments(np.zeros(2), np.eye(2)), as_moments([0.0], [[1.0]])
    with self.assertRaises(AssertionError):
      frechet.frechet_distance(a, b)


if __name__ == "__main__":
  absltest.main()
