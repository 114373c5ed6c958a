"""Tests for gan_jax.divergences."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from gan_jax import divergences

LOG_2 = np.log(2)


class Wasserstein1Test(parameterized.TestCase):
  @parameterized.parameters(-1e4, -2.5, 0.0, 3.0)
  def test_of_a_shift_is_its_length(self, shift):
    x = jax.random.normal(jax.random.key(0), (100,))
    y = jax.random.permutation(jax.random.key(1), x) + shift
    np.testing.assert_allclose(
      divergences.wasserstein_1(x, y), abs(shift), rtol=1e-6, atol=1e-6
    )

  def test_of_a_stretch(self):
    # 0, 1, 2, 3 onto 0, 2, 4, 6: moves of 0, 1, 2, 3, of mean 1.5.
    x = jnp.array([2.0, 0.0, 3.0, 1.0])
    np.testing.assert_allclose(divergences.wasserstein_1(x, 2 * x), 1.5)

  def test_against_scipy(self):
    random = np.random.default_rng(0)
    x = random.normal(0, 1, 500).astype(np.float32)
    y = random.exponential(2, 500).astype(np.float32)
    measured = divergences.wasserstein_1(jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(
      measured, stats.wasserstein_distance(x, y), rtol=1e-5
    )
    chex.assert_type(measured, jnp.float32)

  def test_gradient(self):
    # 5 is matched with 1 and 0 with 2: slopes sign(5 - 1) / 2, sign(0 - 2) / 2
    # after sorting [0, 5] against [1, 2] gives |0 - 1| and |5 - 2|.
    gradient = jax.grad(divergences.wasserstein_1)(
      jnp.array([5.0, 0.0]), jnp.array([1.0, 2.0])
    )
    np.testing.assert_allclose(gradient, [0.5, -0.5])

  def test_wrong_shapes_raise(self):
    with self.assertRaises(AssertionError):
      divergences.wasserstein_1(jnp.zeros(3), jnp.zeros(4))
    with self.assertRaises(AssertionError):
      divergences.wasserstein_1(jnp.zeros((3, 1)), jnp.zeros((3, 1)))


class JensenShannonTest(parameterized.TestCase):
  # Adaptive quadrature in double precision; the last is the best single
  # Gaussian for modes at +-3.
  @parameterized.named_parameters(
    ("equal", stats.norm(0, 1), stats.norm(0, 1), 0.0),
    ("shift_1", stats.norm(0, 1), stats.norm(1, 1), 0.11142),
    ("shift_2", stats.norm(0, 1), stats.norm(2, 1), 0.33683),
    ("disjoint", stats.uniform(0, 1), stats.uniform(5, 1), LOG_2),
    ("half_shared", stats.uniform(0, 2), stats.uniform(1, 2), LOG_2 / 2),
  )
  def test_value(self, p, q, expected):
    x = np.linspace(-12, 12, 24_001)
    arrays = [jnp.asarray(a, jnp.float32) for a in (p.pdf(x), q.pdf(x), x)]
    divergence = divergences.jensen_shannon(*arrays)
    chex.assert_type(divergence, jnp.float32)
    # A jump of a uniform density falls within a step of 1e-3.
    np.testing.assert_allclose(divergence, expected, atol=1e-3)
    if not np.any(p.pdf(x) == 0):
      np.testing.assert_allclose(divergence, expected, atol=1e-5)
    np.testing.assert_allclose(
      divergences.jensen_shannon(arrays[1], arrays[0], arrays[2]),
      divergence,
      rtol=1e-5,
      atol=1e-7,
    )

  def test_mixture_against_a_wide_normal(self):
    x = np.linspace(-30, 30, 4001)
    p = 0.5 * stats.norm.pdf(x, -3, 1) + 0.5 * stats.norm.pdf(x, 3, 1)
    q = stats.norm.pdf(x, 0, 3.12)
    divergence = divergences.jensen_shannon(
      *(jnp.asarray(a, jnp.float32) for a in (p, q, x))
    )
    np.testing.assert_allclose(divergence, 0.1284, atol=5e-5)

  def test_uneven_and_empty_steps(self):
    # p = 2x and q = 2(1 - x) on [0, 1]. With u = 2x, KL(p || m) is the integral
    # of u log u / 2 over [0, 2], log 2 - 1/2, and so is KL(q || m).
    x = np.linspace(0, 1, 2001) ** 2
    x = jnp.asarray(np.sort(np.concatenate([x, x[::7]])), jnp.float32)
    np.testing.assert_allclose(
      divergences.jensen_shannon(2 * x, 2 * (1 - x), x), LOG_2 - 0.5, atol=1e-5
    )

  @parameterized.parameters(0.0, 1e-45, 1e-38, 1e-30)
  def test_tiny_and_huge_densities(self, tiny):
    # All of p's mass is on the first half and all of q's on the second.
    x = jnp.array([0.0, 1e-4, 2e-4, 3e-4])
    p = jnp.array([1e4, 1e4, tiny, tiny])
    divergence = divergences.jensen_shannon(p, p[::-1], x)
    # Trapezoids of 1 in the first and last step, of 1/2 + 1/2 in the middle,
    # each times half of log 2 for p and for q.
    np.testing.assert_allclose(divergence, 1.5 * LOG_2, rtol=1e-5)

  def test_wrong_shapes_raise(self):
    with self.assertRaises(AssertionError):
      divergences.jensen_shannon(jnp.ones(3), jnp.ones(3), jnp.ones(4))
    with self.assertRaises(AssertionError):
      divergences.jensen_shannon(*[jnp.ones((3, 1))] * 3)


if __name__ == "__main__":
  absltest.main()
