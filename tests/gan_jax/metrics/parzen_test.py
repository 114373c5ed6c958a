"""The Parzen window, against SciPy and a closed form in float64."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import special, stats

from gan_jax.metrics import parzen

RNG = np.random.default_rng(0)
DIM = 5
CENTRES = RNG.normal(size=(40, DIM))
POINTS = 1.5 * RNG.normal(size=(23, DIM))
STDDEVS = np.array([0.3, 1.0, 4.0])


def expected(points, centres, stddevs):
  """Computes log p in float64, [k, m]."""
  squares = np.sum((points[:, None] - centres[None]) ** 2, axis=2)
  rows = [
    special.logsumexp(-squares / (2 * s**2), axis=1)
    - np.log(len(centres))
    - centres.shape[1] / 2 * np.log(2 * np.pi * s**2)
    for s in stddevs
  ]
  return np.array(rows)


def as_float32(*arrays) -> Any:
  return [jnp.asarray(array, jnp.float32) for array in arrays]


class LogLikelihoodTest(parameterized.TestCase):
  def test_is_the_kernel_density_of_scipy(self):
    # SciPy's kernel has the covariance of its data, times a squared factor:
    # whitened data have the covariance I.
    centred = CENTRES - CENTRES.mean(axis=0)
    whitened = centred @ np.linalg.inv(np.linalg.cholesky(np.cov(centred.T))).T
    measured = parzen.log_likelihood(*as_float32(POINTS, whitened, STDDEVS))
    for row, stddev in zip(measured, STDDEVS, strict=True):
      density = stats.gaussian_kde(whitened.T, bw_method=float(stddev))
      np.testing.assert_allclose(row, density.logpdf(POINTS.T), rtol=2e-5)

  @parameterized.parameters(1, 7, 23, 256)
  def test_blocks_do_not_matter(self, block_size):
    measured = parzen.log_likelihood(
      *as_float32(POINTS, CENTRES, STDDEVS), block_size=block_size
    )
    np.testing.assert_allclose(
      measured, expected(POINTS, CENTRES, STDDEVS), rtol=2e-5
    )

  def test_one_centre_is_a_normal_density(self):
    mean, stddev = np.array([1.0, -2.0, 0.5]), 0.4
    points = RNG.normal(size=(6, 3))
    expected = stats.norm.logpdf(points, mean, stddev).sum(axis=1)
    measured = parzen.log_likelihood(
      *as_float32(points, mean[None], np.array([stddev]))
    )
    np.testing.assert_allclose(measured[0], expected, rtol=1e-5)

  def test_far_points_are_finite(self):
    # Every exponential is 0 in float32.
    far = np.full((1, DIM), 100.0)
    measured = parzen.log_likelihood(*as_float32(far, CENTRES, [0.1]))
    np.testing.assert_allclose(
      measured, expected(far, CENTRES, [0.1]), rtol=1e-5
    )

  def test_far_origin_does_not_cancel(self):
    # The coordinates are exact in float32, their squares are not.
    points, centres = (1000 + np.round(16 * x) / 16 for x in (POINTS, CENTRES))
    measured = parzen.log_likelihood(*as_float32(points, centres, STDDEVS))
    np.testing.assert_allclose(
      measured, expected(points, centres, STDDEVS), rtol=1e-4
    )

  def test_images(self):
    centres = RNG.uniform(size=(50, 784)) * (RNG.uniform(size=784) < 0.2)
    points = np.clip(centres[:20] + 0.2 * RNG.normal(size=(20, 784)), 0, 1)
    measured = parzen.log_likelihood(*as_float32(points, centres, [0.1, 0.2]))
    np.testing.assert_allclose(
      measured, expected(points, centres, [0.1, 0.2]), atol=0.01
    )


class ParzenLikelihoodTest(absltest.TestCase):
  def test_of_chosen_width(self):
    validation, test = POINTS[:10], POINTS[10:]
    fitted = jax.jit(parzen.parzen_likelihood)(
      *as_float32(CENTRES, validation, test, STDDEVS)
    )
    means = expected(validation, CENTRES, STDDEVS).mean(axis=1)
    # The widths are neither all too small nor all too large.
    self.assertEqual(np.argmax(means), 1)
    np.testing.assert_allclose(fitted.validation, means, rtol=2e-5)
    self.assertEqual(float(fitted.stddev), 1.0)
    (values,) = expected(test, CENTRES, [1.0])
    np.testing.assert_allclose(fitted.mean, values.mean(), rtol=2e-5)
    np.testing.assert_allclose(
      fitted.standard_error, stats.sem(values), rtol=1e-4
    )

  def test_the_true_width_of_a_known_density(self):
    # The data are N(0, 1) and the only centre is 0.
    points = stats.norm.ppf((np.arange(500) + 0.5) / 500)[:, None]
    fitted = parzen.parzen_likelihood(
      *as_float32(np.zeros((1, 1)), points, points, [0.5, 0.8, 1.0, 1.3])
    )
    self.assertEqual(float(fitted.stddev), 1.0)
    entropy = 0.5 * np.log(2 * np.pi * np.e)
    self.assertAlmostEqual(float(fitted.mean), -entropy, delta=0.01)


if __name__ == "__main__":
  absltest.main()
