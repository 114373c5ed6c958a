"""Tests the kernel distance against scikit-learn, and its standard error."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from sklearn.metrics import pairwise

from gan_jax.metrics import kernel

RNG = np.random.default_rng(0)

kernel_distance = jax.jit(kernel.kernel_distance, static_argnums=2)


def as_array(x):
  return jnp.asarray(x, jnp.float32)


def off_diagonal_mean(values):
  n = len(values)
  return (np.sum(values) - np.trace(values)) / (n * (n - 1))


def from_pairs(real, fake):
  """Computes the estimate in float64 from all pairs, without centring."""
  cubic = functools.partial(
    pairwise.polynomial_kernel, degree=3, gamma=None, coef0=1
  )
  real, fake = np.float64(real), np.float64(fake)
  return (
    off_diagonal_mean(cubic(real))
    + off_diagonal_mean(cubic(fake))
    - 2 * np.mean(cubic(real, fake))
  )


def mean_kernel(d, a, p, b, q):
  """Computes E (x.y / d + 1)^3 of normals x ~ N(a, p^2), y ~ N(b, q^2) in d.

  Given x, 1 + x.y / d is normal with mean u = 1 + b t, where t is the mean of
  the coordinates of x, and variance w = q^2 |x|^2 / d^2: the cube's mean is
  u^3 + 3 u w. Of x, t ~ N(a, v) with v = p^2 / d, and |x|^2 is d t^2 and, apart
  from t, p^2 (d - 1) on average.
  """
  v, u = p**2 / d, 1 + a * b
  cube = u**3 + 3 * u * b**2 * v
  t2, t3 = a**2 + v, a**3 + 3 * a * v
  return cube + 3 * q**2 / d**2 * (d * (t2 + b * t3) + p**2 * (d - 1) * u)


@functools.partial(jax.jit, static_argnums=(2, 3))
def estimates(shift, scale, d, repeats):
  """Measures N(0, 1) against N(shift, scale^2) many times."""

  def one(key):
    real_key, fake_key = jax.random.split(key)
    return kernel.kernel_distance(
      jax.random.normal(real_key, (90, d)),
      shift + scale * jax.random.normal(fake_key, (60, d)),
      block_size=30,
    )

  return jax.lax.map(one, jax.random.split(jax.random.key(0), repeats))


class KernelDistanceTest(parameterized.TestCase):
  @parameterized.parameters((50, 50, 3), (300, 201, 64), (2, 3, 1))
  def test_against_all_pairs(self, n, m, d):
    real = RNG.normal(size=(n, d)) + 1
    fake = 1.2 * RNG.normal(size=(m, d)) + 0.8
    distance = kernel_distance(as_array(real), as_array(fake), 64)
    np.testing.assert_allclose(
      distance.value, from_pairs(real, fake), rtol=1e-4, atol=1e-5
    )
    self.assertEqual(distance.value.dtype, jnp.float32)
    self.assertEqual(distance.standard_error.dtype, jnp.float32)

  def test_precise_far_from_the_origin(self):
    # k is 1,300 here and the distance 3e-4, less than half a unit in the last
    # place of the mean of k is worth in float32 when summed plainly.
    common = 10 / 3 * np.abs(RNG.normal(size=64))
    real = RNG.normal(size=(400, 64)) * 0.1 + common
    fake = RNG.normal(size=(500, 64)) * 0.1 + common
    real, fake = as_array(real), as_array(fake)
    distance = kernel_distance(real, fake)
    np.testing.assert_allclose(
      distance.value, from_pairs(real, fake), rtol=1e-2
    )

  def test_hand_made(self):
    # In one dimension, k = (xy + 1)^3. real = (0, 1): k(0, 1) = 1. fake =
    # (1, 2): k(1, 2) = 27. Across: 1, 1, 8, 27. 1 + 27 - 2 * 37 / 4 = 9.5.
    distance = kernel_distance(as_array([[0], [1]]), as_array([[1], [2]]))
    np.testing.assert_allclose(distance.value, 9.5, rtol=1e-5)

  @parameterized.parameters((0.0, 1.0), (0.1, 1.0), (0.1, 1.1))
  def test_unbiased_with_an_error_that_covers(self, shift, scale):
    d, repeats = 16, 800
    values, errors = estimates(shift, scale, d, repeats)
    expected = (
      mean_kernel(d, 0, 1, 0, 1)
      + mean_kernel(d, shift, scale, shift, scale)
      - 2 * mean_kernel(d, 0, 1, shift, scale)
    )
    spread = np.std(values)
    np.testing.assert_allclose(
      np.mean(values), expected, atol=4 * spread / repeats**0.5
    )
    # The error is the spread, or a little more where the distributions are
    # equal, as a variance that happens to be negative counts as 0. About 95 %
    # of the estimates are within 1.96 errors of the truth. First order alone
    # would be wrong by a factor of sqrt(2) or more where they are equal.
    np.testing.assert_allclose(np.sqrt(np.mean(errors**2)), spread, rtol=0.15)
    covered = np.mean(np.abs(values - expected) < 1.96 * errors)
    self.assertGreater(covered, 0.9)

  def test_sees_a_difference(self):
    real, same = RNG.normal(size=(2, 500, 16))
    other = RNG.normal(size=(500, 16)) + 0.2
    value, error = kernel_distance(as_array(real), as_array(other))
    self.assertGreater(value, 5 * error)
    value, error = kernel_distance(as_array(real), as_array(same))
    self.assertLess(abs(value), 3 * error)

  def test_of_members_under_jit(self):
    real, fake = as_array(RNG.normal(size=(2, 3, 30, 4)))
    mapped = jax.jit(
      lambda *both: jax.lax.map(lambda x: kernel.kernel_distance(*x), both)
    )(real, fake)
    for index in range(3):
      one = kernel_distance(real[index], fake[index], 7)
      np.testing.assert_allclose(mapped.value[index], one.value, rtol=1e-3)
      np.testing.assert_allclose(
        mapped.standard_error[index], one.standard_error, rtol=1e-3
      )

  def test_wrong_shape_raises(self):
    with self.assertRaises(AssertionError):
      kernel.kernel_distance(jnp.ones((3, 2)), jnp.ones((3, 4)))
    with self.assertRaises(AssertionError):
      kernel.kernel_distance(jnp.ones((1, 2)), jnp.ones((3, 2)))


if __name__ == "__main__":
  absltest.main()
