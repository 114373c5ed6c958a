"""Tests gan_jax.divergences.transport."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from gan_jax import divergences


class StrictTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.numpy_dtype_promotion("strict"))


class Wasserstein1Test(StrictTestCase):
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

  @parameterized.parameters((500, 500), (7, 5), (6, 4), (4, 12), (1, 9))
  def test_against_scipy(self, n, m):
    random = np.random.default_rng(0)
    x = random.normal(0, 1, n).astype(np.float32)
    y = random.exponential(2, m).astype(np.float32)
    measured = divergences.wasserstein_1(jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(
      measured, stats.wasserstein_distance(x, y), rtol=1e-5
    )
    chex.assert_type(measured, jnp.float32)

  def test_gradient(self):
    # 5 is matched with 2 and 0 with 1: slopes sign(5 - 2) / 2, sign(0 - 1) / 2.
    gradient = jax.grad(divergences.wasserstein_1)(
      jnp.array([5.0, 0.0]), jnp.array([1.0, 2.0])
    )
    np.testing.assert_allclose(gradient, [0.5, -0.5])

  def test_unequal_lengths(self):
    # A third of each end of (0, 3) moves to 1 or 2 by 1, and a sixth of each
    # to the middle, by 3/2: 2/3 + 1/2. Slopes: all of 0 is left of its aims.
    x, y = jnp.array([3.0, 0.0]), jnp.array([1.0, 2.0, 1.5])
    value, gradient = jax.value_and_grad(divergences.wasserstein_1)(x, y)
    np.testing.assert_allclose(value, 2 / 3 * 1 + 1 / 3 * 1.5, rtol=1e-6)
    np.testing.assert_allclose(gradient, [0.5, -0.5], rtol=1e-6)
    gradient = jax.grad(divergences.wasserstein_1, argnums=1)(x, y)
    np.testing.assert_allclose(gradient, [1 / 3, -1 / 3, 0], atol=1e-7)

  def test_float64(self):
    with jax.enable_x64(True):
      x = jnp.asarray([0.1, 0.2], jnp.float64)
      measured = divergences.wasserstein_1(x, x[:1])
      chex.assert_type(measured, jnp.float64)
      np.testing.assert_allclose(measured, 0.05, rtol=1e-14)

  def test_wrong_shapes_raise(self):
    with self.assertRaises(AssertionError):
      divergences.wasserstein_1(jnp.zeros((3, 1)), jnp.zeros((3, 1)))
    with self.assertRaises(AssertionError):
      divergences.wasserstein_1(jnp.zeros(3), jnp.zeros((3, 1)))


class Wasserstein1OnLineTest(StrictTestCase):
  def test_masses(self):
    # 1/2 moves from 0 to 3, and 1/4 from 1 to 3.
    x = jnp.array([0.0, 1.0, 1.0, 3.0])
    p, q = jnp.array([0.5, 0.25, 0.25, 0.0]), jnp.array([0.0, 0.0, 0.25, 0.75])
    measured = divergences.wasserstein_1_on_line(p, q, x)
    np.testing.assert_allclose(measured, 0.5 * 3 + 0.25 * 2)

  def test_against_scipy(self):
    random = np.random.default_rng(0)
    x = np.sort(random.normal(size=30))
    p, q = random.dirichlet(np.ones(30), size=2)
    measured = divergences.wasserstein_1_on_line(
      *(jnp.asarray(a, jnp.float32) for a in (p, q, x))
    )
    chex.assert_type(measured, jnp.float32)
    np.testing.assert_allclose(
      measured, stats.wasserstein_distance(x, x, p, q), rtol=1e-5
    )

  def test_densities(self):
    # N(0, 1) onto N(1, 2^2): int |1 + u| dN(u) of the map x -> 1 + 2 x, whose
    # move is 1 + x: a folded normal's mean.
    x = jnp.sinh(jnp.linspace(-3.5, 3.5, 2001))
    p, q = (jax.scipy.stats.norm.pdf(x, *a) for a in ((0, 1), (1, 2)))
    measured = divergences.wasserstein_1_on_line(
      p, q, x, divergences.trapezoid(x)
    )
    expected = 2 * stats.norm.pdf(1) + 2 * stats.norm.cdf(1) - 1
    np.testing.assert_allclose(measured, expected, rtol=1e-4)

  def test_gradient(self):
    # x = 0, 1, 3; P - Q = 1/2, then -1/4: slopes in p_0 are 1 - 2, in p_1 -2.
    gradient = jax.grad(divergences.wasserstein_1_on_line)(
      jnp.array([0.75, 0.0, 0.25]),
      jnp.array([0.25, 0.75, 0.0]),
      jnp.array([0.0, 1.0, 3.0]),
    )
    np.testing.assert_allclose(gradient, [-1, -2, 0])

  def test_wrong_shapes_raise(self):
    with self.assertRaises(AssertionError):
      divergences.wasserstein_1_on_line(jnp.ones(3), jnp.ones(3), jnp.ones(4))


class SlicedWasserstein1Test(StrictTestCase):
  @parameterized.parameters(
    # E |v_1|: 1 on the line, 2 / pi on the circle, 1/2 on the sphere.
    (1, 1, 1e-6),
    (2, 2 / np.pi, 0.03),
    (3, 1 / 2, 0.03),
  )
  def test_of_a_shift(self, d, expected, rtol):
    x = jax.random.normal(jax.random.key(0), (20, d))
    shift = jnp.zeros((1, d)).at[0, -1].set(5.0)
    measured = divergences.sliced_wasserstein_1(
      x, x[::-1] + shift, jax.random.key(1), 4000
    )
    chex.assert_type(measured, jnp.float32)
    np.testing.assert_allclose(measured, 5 * expected, rtol=rtol)

  def test_unequal_numbers(self):
    # In one dimension every direction is +-1.
    random = np.random.default_rng(0)
    x, y = random.normal(size=(7, 1)), random.normal(size=(4, 1))
    measured = divergences.sliced_wasserstein_1(
      jnp.asarray(x), jnp.asarray(y), jax.random.key(0), 3
    )
    expected = stats.wasserstein_distance(x[:, 0], y[:, 0])
    np.testing.assert_allclose(measured, expected, rtol=1e-5)

  def test_gradient_points_away(self):
    x, y = jnp.zeros((1, 2)), jnp.array([[3.0, 4.0]])
    gradient = jax.grad(divergences.sliced_wasserstein_1)(
      x, y, jax.random.key(0), 4000
    )
    # d/dx of 2 / pi |x - y|.
    np.testing.assert_allclose(
      gradient, -2 / np.pi * np.array([[0.6, 0.8]]), atol=0.03
    )

  def test_wrong_shapes_raise(self):
    with self.assertRaises(AssertionError):
      divergences.sliced_wasserstein_1(
        jnp.zeros((3, 2)), jnp.zeros((3, 1)), jax.random.key(0), 2
      )


class OptimalPlanTest(StrictTestCase):
  def test_against_permutations(self):
    # Equal masses are moved whole: every vertex is a permutation (Birkhoff).
    cost = np.random.default_rng(0).uniform(size=(5, 5))
    best = min(
      itertools.permutations(range(5)),
      key=lambda aims: sum(cost[range(5), aims]),
    )
    masses = np.full(5, 1 / 5)
    plan, value = divergences.optimal_plan(masses, masses, cost)
    expected = np.zeros((5, 5))
    expected[range(5), best] = 1 / 5
    np.testing.assert_allclose(plan, expected, atol=1e-9)
    np.testing.assert_allclose(value, np.sum(expected * cost), rtol=1e-9)

  def test_by_hand(self):
    # From 0 and 10 to 1, 2 and 9, with a squared cost; 3/4 leaves 0, and 1/4 of
    # it goes beyond 2: only 9 has room for 1/4 + 1/4.
    p, q = [0.75, 0.25], [0.25, 0.25, 0.5]
    cost = np.square(np.subtract.outer([0, 10], [1, 2, 9]))
    plan, value = divergences.optimal_plan(p, q, cost)
    np.testing.assert_allclose(plan, [[0.25, 0.25, 0.25], [0, 0, 0.25]])
    np.testing.assert_allclose(value, (1 + 4 + 81 + 1) / 4)
    self.assertEqual(plan.dtype, np.float64)

  def test_on_the_line(self):
    random = np.random.default_rng(0)
    x, y = random.normal(size=12), random.normal(size=9)
    p, q = random.dirichlet(np.ones(12)), random.dirichlet(np.ones(9))
    p[3], q[4] = 0, 0
    p, q = 5 * p / sum(p), 5 * q / sum(q)
    plan, value = divergences.optimal_plan(
      # Float32 leaves totals that differ.
      jnp.asarray(p, jnp.float32),
      jnp.asarray(q, jnp.float32),
      abs(np.subtract.outer(x, y)),
    )
    np.testing.assert_allclose(np.sum(plan, 1), p, atol=1e-5)
    np.testing.assert_allclose(np.sum(plan, 0), q, atol=1e-5)
    np.testing.assert_allclose(
      value, 5 * stats.wasserstein_distance(x, y, p, q), rtol=1e-5
    )

  @parameterized.parameters(-1.5, 0.0, 0.5)
  def test_parallel_lines(self, theta):
    z = np.linspace(0, 1, 6)
    x, y = np.stack([0 * z, z], -1), np.stack([theta + 0 * z, z], -1)
    cost = np.linalg.norm(x[:, None] - y[None], axis=-1)
    masses = np.full(6, 1 / 6)
    _, value = divergences.optimal_plan(masses, masses, cost)
    np.testing.assert_allclose(value, abs(theta), atol=1e-9)

  @parameterized.parameters(
    ([0.5, 0.5], [1.0], (1, 2), "shapes"),
    ([[1.0]], [1.0], (1, 1), "shapes"),
    ([1.5, -0.5], [1.0], (2, 1), "in p is negative"),
    ([1.0], [np.nan], (1, 1), "in q is negative or not finite"),
    ([0.5, 0.5], [0.5], (2, 1), "equal totals"),
    ([0.0], [1.0], (1, 1), "equal totals"),
  )
  def test_wrong_arguments_raise(self, p, q, shape, message):
    with self.assertRaisesRegex(ValueError, message):
      divergences.optimal_plan(p, q, np.ones(shape))


class KindsOfSamplesTest(absltest.TestCase):
  def test_integers(self):
    # scipy.stats.wasserstein_distance([0, 1], [1, 2, 5]).
    distance = divergences.wasserstein_1(
      jnp.array([0, 1]), jnp.array([1, 2, 5])
    )
    np.testing.assert_allclose(distance, 13 / 6, rtol=1e-6)

  def test_no_samples(self):
    with self.assertRaisesRegex(ValueError, "none"):
      divergences.wasserstein_1(jnp.zeros(0), jnp.zeros(3))


if __name__ == "__main__":
  absltest.main()
