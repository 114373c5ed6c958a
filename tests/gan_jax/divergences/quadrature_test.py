"""Tests gan_jax.divergences.quadrature."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax import divergences


class TrapezoidTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.numpy_dtype_promotion("strict"))

  def test_uneven_and_repeated_points(self):
    # Steps 1, 0, 3: each end of a step gets half of it.
    weights = divergences.trapezoid(jnp.array([0.0, 1.0, 1.0, 4.0]))
    np.testing.assert_array_equal(weights, [0.5, 0.5, 1.5, 1.5])

  @parameterized.parameters(jnp.float32, jnp.float64)
  def test_against_numpy(self, dtype):
    with jax.enable_x64(dtype == jnp.float64):
      random = np.random.default_rng(0)
      x = np.sort(random.normal(size=50))
      values = random.normal(size=50)
      weights = divergences.trapezoid(jnp.asarray(x, dtype))
      chex.assert_type(weights, dtype)
      np.testing.assert_allclose(
        weights @ values, np.trapezoid(values, x), rtol=1e-5
      )

  def test_wrong_shape_raises(self):
    with self.assertRaises(AssertionError):
      divergences.trapezoid(jnp.zeros((3, 1)))


class GaussLegendreTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.numpy_dtype_promotion("strict"))

  @parameterized.parameters(
    (jnp.float32, 1, 1e-5), (jnp.float32, 3, 1e-5), (jnp.float64, 3, 1e-12)
  )
  def test_is_exact_for_polynomials(self, dtype, panels, rtol):
    # int from -1 to 2 of x^7 = (2^8 - 1) / 8; 4 points are exact up to x^7.
    with jax.enable_x64(dtype == jnp.float64):
      low, high = jnp.asarray(-1, dtype), jnp.asarray(2, dtype)
      x, weights = divergences.gauss_legendre(low, high, 4, panels)
      chex.assert_shape([x, weights], (4 * panels,))
      chex.assert_type([x, weights], dtype)
      self.assertTrue(np.all(np.diff(x) > 0))
      np.testing.assert_allclose(jnp.sum(weights), 3, rtol)
      np.testing.assert_allclose(jnp.sum(weights * x**7), 255 / 8, rtol)

  def test_panels_resolve_a_kink(self):
    # int of |x| over [-1, 1], with the kink between two panels.
    x, weights = divergences.gauss_legendre(-1.0, 1.0, 2, panels=4)
    np.testing.assert_allclose(jnp.sum(weights * jnp.abs(x)), 1, rtol=1e-6)

  def test_slope_in_an_end(self):
    # d/dh int from 0 to h of x^2 = h^2.
    def integral(high):
      x, weights = divergences.gauss_legendre(0.0, high, 4)
      return jnp.sum(weights * x**2)

    np.testing.assert_allclose(jax.grad(integral)(3.0), 9, rtol=1e-5)

  def test_wrong_shape_raises(self):
    with self.assertRaises(AssertionError):
      divergences.gauss_legendre(jnp.zeros(2), jnp.ones(2), 4)


if __name__ == "__main__":
  absltest.main()
