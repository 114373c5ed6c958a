"""Tests gan_jax.divergences.game."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax import divergences

INF = np.inf
LOG_2 = np.log(2)


def array(*values):
  return jnp.asarray(values, jnp.float32)


class GameTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.numpy_dtype_promotion("strict"))

  def test_optimal_discriminator(self):
    p = array(0.75, 0, 0.5, 0, 3e-40, 1e-40, 1e-30)
    q = array(0.25, 0.5, 0, 0, 1e-40, 0, 3)
    measured = divergences.optimal_discriminator(p, q)
    expected = [0.75, 0, 1, 0.5, 0.75, 1, 1e-30 / 3]
    np.testing.assert_allclose(measured, expected, rtol=2e-5)
    # q / (p + q)^2 and -p / (p + q)^2.
    slopes = jax.grad(divergences.optimal_discriminator, argnums=(0, 1))(
      jnp.float32(1), jnp.float32(3)
    )
    np.testing.assert_allclose(slopes, [3 / 16, -1 / 16], rtol=1e-5)
    # Also where D* rounds to 1.
    slope = jax.grad(divergences.optimal_discriminator)(
      jnp.float32(1), jnp.float32(1e-20)
    )
    np.testing.assert_allclose(slope, 1e-20, rtol=2e-5)

  def test_value(self):
    p, q = array(0.5, 0.5), array(0.25, 0.75)
    discriminator = array(0.75, 0.125)
    # Both terms at either point.
    expected = (
      0.5 * np.log(0.75)
      + 0.5 * np.log(0.125)
      + 0.25 * np.log(0.25)
      + 0.75 * np.log(0.875)
    )
    measured = divergences.value(p, q, discriminator)
    np.testing.assert_allclose(measured, expected, rtol=1e-6)
    weighted = divergences.value(2 * p, 2 * q, discriminator, array(0.5, 0.5))
    np.testing.assert_allclose(weighted, expected, rtol=1e-6)
    # p / D - q / (1 - D).
    slopes = jax.grad(divergences.value, argnums=2)(p, q, discriminator)
    np.testing.assert_allclose(
      slopes, [0.5 / 0.75 - 0.25 / 0.25, 0.5 / 0.125 - 0.75 / 0.875], rtol=1e-5
    )

  def test_value_of_a_sure_discriminator(self):
    p, q = array(1, 0, 0), array(0, 1, 0)
    for discriminator, expected in (
      (array(1, 0, 1), 0),  # Right, and 0 log 0 = 0.
      (array(0, 0, 0), -INF),  # Wrong about p.
      (array(1, 1, 0), -INF),  # Wrong about q.
      (array(0.5, 0.5, 0), -2 * LOG_2),
    ):
      measured = divergences.value(p, q, discriminator)
      np.testing.assert_allclose(measured, expected, rtol=1e-6, atol=0)

  @parameterized.parameters(
    ((0.5, 0.5), (0.5, 0.5), -2 * LOG_2),
    ((1, 0), (0, 1), 0),
    # D* = 2/3, 0: log(2/3) + 1/2 log(1/3) + 1/2 log 1.
    ((1, 0), (0.5, 0.5), np.log(2 / 3) + 0.5 * np.log(1 / 3)),
  )
  def test_optimal_value(self, p, q, expected):
    measured = divergences.optimal_value(array(*p), array(*q))
    np.testing.assert_allclose(measured, expected, rtol=1e-6, atol=1e-7)

  @parameterized.parameters(jnp.float32, jnp.float64)
  def test_optimum_is_reached_and_is_the_divergence(self, dtype):
    rtol = 2e-5 if dtype == jnp.float32 else 1e-8
    with jax.enable_x64(dtype == jnp.float64):
      # Further out D* would round to 1 in float32. A mass of 2e-9 is left out.
      x, weights = divergences.gauss_legendre(
        jnp.asarray(-6, dtype), jnp.asarray(8, dtype), 16, panels=8
      )
      p, q = (jax.scipy.stats.norm.pdf(x, mean) for mean in (0, 2))
      best = divergences.optimal_discriminator(p, q)
      chex.assert_type(best, dtype)
      optimum = divergences.optimal_value(p, q, weights)
      chex.assert_type(optimum, dtype)
      np.testing.assert_allclose(optimum, -np.log(4) + 2 * 0.33683, atol=2e-5)
      np.testing.assert_allclose(
        optimum,
        -np.log(4) + 2 * divergences.jensen_shannon(p, q, weights),
        rtol,
      )
      value = divergences.value(p, q, best, weights)
      np.testing.assert_allclose(value, optimum, rtol)
      for worse in (0.9 * best, 0.1 + 0.9 * best, 1 - best):
        self.assertLess(divergences.value(p, q, worse, weights), optimum - 1e-3)

  def test_a_density_that_descends_the_value_ends_at_the_data(self):
    # Against the best D the slope of V in q is log(1 - D*). So a step of
    # exponentiated gradient descent, q exp(-slope) over its sum, multiplies q
    # by 1 / (1 - D*) = (p + q) / q and is (p + q) / 2.
    p, q = array(0.4, 0.3, 0.2, 0.1), array(0.01, 0.19, 0.3, 0.5)
    start, values = q - p, []
    for step in range(1, 9):
      best = divergences.optimal_discriminator(p, q)
      values.append(divergences.value(p, q, best))
      q = q * jnp.exp(-jax.grad(divergences.value, argnums=1)(p, q, best))
      q = q / jnp.sum(q)
      np.testing.assert_allclose(q - p, start / 2**step, atol=1e-6)
    self.assertTrue(np.all(np.diff(values) < 0))
    np.testing.assert_allclose(values[-1], -2 * LOG_2, atol=1e-4)

  def test_wrong_shapes_raise(self):
    with self.assertRaises(AssertionError):
      divergences.optimal_discriminator(jnp.ones(3), jnp.ones(4))
    with self.assertRaises(AssertionError):
      divergences.value(jnp.ones(3), jnp.ones(3), jnp.ones(4))
    with self.assertRaises(AssertionError):
      divergences.optimal_value(jnp.ones(3), jnp.ones(4))


if __name__ == "__main__":
  absltest.main()
