"""Tests gan_jax.divergences.normals."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from absl.testing import absltest, parameterized
from scipy import integrate, stats

from gan_jax import divergences

# Terms of the integrals, from two log densities.
TERMS = {
  divergences.normal_kl: lambda p, q: np.exp(p) * (p - q),
  divergences.normal_jeffrey: lambda p, q: (np.exp(p) - np.exp(q)) * (p - q),
  divergences.normal_squared_hellinger: lambda p, q: (
    (np.exp(p / 2) - np.exp(q / 2)) ** 2
  ),
  divergences.normal_pearson: lambda p, q: (
    np.exp(2 * p - q) - 2 * np.exp(p) + np.exp(q)
  ),
}
PAIRS = (
  ((0.0, 1.0), (1.0, 1.0)),
  ((0.5, 0.7), (-0.2, 1.3)),
  ((-0.2, 1.3), (0.5, 1.0)),
)


def arrays(*values, dtype=jnp.float32):
  return [jnp.asarray(value, dtype) for value in values]


class NormalsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.numpy_dtype_promotion("strict"))

  @parameterized.product(divergence=tuple(TERMS), pair=PAIRS)
  def test_against_quadrature(self, divergence, pair):
    term = TERMS[divergence]
    for p, q in (pair, pair[::-1]):
      measured = divergence(*arrays(*p, *q))
      chex.assert_shape(measured, ())
      chex.assert_type(measured, jnp.float32)
      if measured == np.inf:
        self.assertIs(divergence, divergences.normal_pearson)
        self.assertGreaterEqual(p[1] ** 2, 2 * q[1] ** 2)
        continue
      expected, _ = integrate.quad(
        lambda x, p=p, q=q: term(
          stats.norm.logpdf(x, *p), stats.norm.logpdf(x, *q)
        ),
        -25,
        25,
        limit=200,
      )
      np.testing.assert_allclose(measured, expected, rtol=2e-5)

  @parameterized.parameters(*TERMS)
  def test_in_the_plane(self, divergence):
    means, stddevs = [[0.0, 1.0], [0.5, -0.5]], [[1.0, 0.5], [0.8, 0.7]]
    axis = np.linspace(-8, 8, 801)
    x = np.stack(np.meshgrid(axis, axis), -1)
    # The trapezoidal rule is exact to the last digits for smooth decay.
    p, q = (
      np.sum(stats.norm.logpdf(x, mean, stddev), axis=-1)
      for mean, stddev in zip(means, stddevs, strict=True)
    )
    expected = np.sum(TERMS[divergence](p, q)) * (axis[1] - axis[0]) ** 2
    measured = divergence(*arrays(means[0], stddevs[0], means[1], stddevs[1]))
    np.testing.assert_allclose(measured, expected, rtol=2e-5)

  def test_kl_and_its_swap(self):
    # log 2 + 1/8 - 1/2 + 1/8, and -log 2 + 2 - 1/2 + 1/2.
    p, q = arrays(1, 1), arrays(0, 2)
    np.testing.assert_allclose(
      divergences.normal_kl(*p, *q), np.log(2) - 1 / 4, rtol=1e-6
    )
    np.testing.assert_allclose(
      divergences.normal_kl(*q, *p), 2 - np.log(2), rtol=1e-6
    )
    # In m_p: (m_p - m_q) / s_q^2; in s_p: s_p / s_q^2 - 1 / s_p; in s_q:
    # 1 / s_q - (s_p^2 + 1) / s_q^3.
    slopes = jax.grad(divergences.normal_kl, argnums=(0, 1, 2, 3))(*p, *q)
    np.testing.assert_allclose(slopes, [1 / 4, -3 / 4, -1 / 4, 1 / 4], 1e-5)

  def test_entropy(self):
    for stddev in ([0.3], [0.3, 4.0]):
      expected = sum(stats.norm(0, s).entropy() for s in stddev)
      measured = divergences.normal_entropy(*arrays(stddev))
      np.testing.assert_allclose(measured, expected, rtol=1e-6)
    np.testing.assert_allclose(
      jax.grad(divergences.normal_entropy)(0.25), 4, rtol=1e-6
    )

  @parameterized.parameters(
    (np.sqrt(2) * 1.01, np.inf), (2.0, np.inf), (1.4, None)
  )
  def test_pearson_diverges_beyond_twice_the_variance(self, stddev, expected):
    # Without a shift 1 / sqrt(v (2 - v)) - 1, v = s_p^2.
    if expected is None:
      expected = 1 / np.sqrt(stddev**2 * (2 - stddev**2)) - 1
    # One coordinate that diverges is enough.
    value, slopes = jax.value_and_grad(divergences.normal_pearson, argnums=1)(
      *arrays([0, 0], [1, stddev], [0, 0], [1, 1])
    )
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    self.assertFalse(np.any(np.isnan(slopes)))

  @parameterized.parameters(0.0, 0.3, -5.0)
  def test_total_variation(self, shift):
    # P exceeds Q on the half line up to the middle.
    mean, stddev = 1.0, 0.5
    p, q = stats.norm(mean, stddev), stats.norm(mean + shift, stddev)
    expected = abs(p.cdf(mean + shift / 2) - q.cdf(mean + shift / 2))
    measured = divergences.normal_total_variation(
      *arrays(mean, mean + shift, stddev)
    )
    np.testing.assert_allclose(measured, expected, rtol=1e-5, atol=1e-7)

  def test_total_variation_in_space(self):
    # Along the line between the means: |(3/1, 4/2, 6/1)| = 7.
    measured = divergences.normal_total_variation(
      *arrays([0, 0, 0], [0.3, 0.4, 0.6], [1, 2, 1])
    )
    np.testing.assert_allclose(measured, 2 * stats.norm.cdf(0.35) - 1, 1e-5)
    # The slope in the mean, on the line: -+ phi(delta / 2) / s.
    slopes = jax.grad(divergences.normal_total_variation, argnums=(0, 1))(
      *arrays(0, 1, 2)
    )
    density = stats.norm.pdf(0.25) / 2
    np.testing.assert_allclose(slopes, [-density, density], rtol=1e-5)

  def test_wasserstein_2(self):
    # By the quantile functions, int (X(u) - Y(u))^2 du with X(u) = m + s z.
    measured = divergences.normal_wasserstein_2(*arrays(0, 1, 3, 5))
    z = stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    expected = np.sqrt(np.mean((z - (3 + 5 * z)) ** 2))
    np.testing.assert_allclose(measured, expected, rtol=1e-4)
    # |s_p^2 + s_q^2 - 2 (s_p s_q^2 s_p)^(1/2)|, with matrices.
    p, q = np.diag([1.0, 0.5]), np.diag([0.3, 2.0])
    root = scipy.linalg.sqrtm(p @ q @ q @ p)
    bures = np.trace(p @ p + q @ q - 2 * root)
    measured = divergences.normal_wasserstein_2(
      *arrays([1, 2], np.diag(p), [3, -1], np.diag(q))
    )
    np.testing.assert_allclose(measured, np.sqrt(4 + 9 + bures), rtol=1e-6)
    slopes = jax.grad(divergences.normal_wasserstein_2, argnums=(0, 1, 2, 3))(
      *arrays(0, 1, 3, 5)
    )
    np.testing.assert_allclose(slopes, [-0.6, -0.8, 0.6, 0.8], rtol=1e-6)

  @parameterized.parameters(*TERMS, divergences.normal_wasserstein_2)
  def test_equal_normals(self, divergence):
    given = arrays(0.3, 0.7, 0.3, 0.7)
    value, slopes = jax.value_and_grad(divergence, argnums=(0, 1, 2, 3))(*given)
    np.testing.assert_allclose(value, 0, atol=1e-7)
    np.testing.assert_allclose(slopes, np.zeros(4), atol=1e-6)
    # Close ones: 1e-4 of a standard deviation apart, to second order in it.
    given = arrays(0, 1, 1e-4, 1)
    scale = {
      divergences.normal_kl: 0.5e-8,
      divergences.normal_jeffrey: 1e-8,
      divergences.normal_squared_hellinger: 0.25e-8,
      divergences.normal_pearson: 1e-8,
      divergences.normal_wasserstein_2: 1e-4,
    }[divergence]
    np.testing.assert_allclose(divergence(*given), scale, rtol=1e-4)

  def test_float64(self):
    with jax.enable_x64(True):
      given = arrays(0.1, 1.0, 0.3, 1.2, dtype=jnp.float64)
      for divergence in (*TERMS, divergences.normal_wasserstein_2):
        chex.assert_type(divergence(*given), jnp.float64)
      chex.assert_type(divergences.normal_entropy(given[1]), jnp.float64)
      chex.assert_type(
        divergences.normal_total_variation(*given[:3]), jnp.float64
      )

  @parameterized.parameters(*TERMS, divergences.normal_wasserstein_2)
  def test_wrong_shapes_raise(self, divergence):
    for shapes in (((2,), (2,), (2,), ()), ((1, 2),) * 4):
      with self.assertRaises(AssertionError):
        divergence(*map(jnp.ones, shapes))


if __name__ == "__main__":
  absltest.main()
