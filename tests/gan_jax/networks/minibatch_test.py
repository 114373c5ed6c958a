"""Tests layers that compare the samples of a minibatch against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax.networks.minibatch import (
  MinibatchDiscrimination,
  MinibatchStandardDeviation,
)

KEY = jax.random.key(0)


class MinibatchStandardDeviationTest(parameterized.TestCase):
  @parameterized.product(
    shape=((6, 3), (6, 2, 2, 3)), group_size=(None, 2, 3, 8)
  )
  def test_matches_numpy(self, shape, group_size):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    layer = MinibatchStandardDeviation(group_size)
    outputs = np.asarray(layer.apply({}, jnp.asarray(x)))
    np.testing.assert_array_equal(outputs[..., :-1], x)
    num_groups = {2: 3, 3: 2}.get(group_size, 1)
    for index in range(6):
      group = x[index % num_groups :: num_groups]
      np.testing.assert_allclose(
        outputs[index, ..., -1], group.std(axis=0).mean(), rtol=1e-5
      )

  def test_equal_samples_have_finite_derivatives(self):
    # The root of the floor, 1e-4, without a slope; the inputs pass through.
    layer = MinibatchStandardDeviation()
    x = jnp.ones((4, 3))
    np.testing.assert_allclose(
      np.asarray(layer.apply({}, x))[:, -1], 1e-4, rtol=1e-5
    )
    gradient = jax.grad(lambda x: jnp.sum(jnp.asarray(layer.apply({}, x))))(x)
    np.testing.assert_array_equal(gradient, 1.0)

  def test_indivisible_minibatch_is_refused(self):
    with self.assertRaisesRegex(ValueError, "groups of 4 do not divide 6"):
      MinibatchStandardDeviation(4).apply({}, jnp.zeros((6, 2)))


class MinibatchDiscriminationTest(parameterized.TestCase):
  def test_matches_numpy(self):
    n, d, kernels, kernel_dim = 5, 4, 3, 2
    x = np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)
    layer = MinibatchDiscrimination(kernels, kernel_dim)
    variables = layer.init(KEY, jnp.asarray(x))
    tensor = np.asarray(variables["params"]["Dense_0"]["kernel"])
    projected = (x @ tensor).reshape(n, kernels, kernel_dim)
    expected = np.zeros((n, kernels))
    for i, j, b in np.ndindex(n, n, kernels):
      expected[i, b] += np.exp(-np.abs(projected[i, b] - projected[j, b]).sum())
    outputs = np.asarray(layer.apply(variables, jnp.asarray(x)))
    np.testing.assert_array_equal(outputs[:, :d], x)
    np.testing.assert_allclose(outputs[:, d:], expected, rtol=1e-5)

  def test_collapsed_and_scattered_samples(self):
    # n copies are all at distance 0, each counted; samples far apart count
    # themselves alone.
    layer = MinibatchDiscrimination(2, 3)
    x = jnp.ones((7, 4))
    variables = layer.init(KEY, x)
    for samples, count in (
      (x, 7.0),
      (1e3 * jax.random.normal(KEY, (7, 4)), 1.0),
    ):
      outputs = np.asarray(layer.apply(variables, samples))
      np.testing.assert_allclose(outputs[:, 4:], count, rtol=1e-5)

  def test_wrong_rank_is_refused(self):
    with self.assertRaises(AssertionError):
      MinibatchDiscrimination(2, 3).init(KEY, jnp.zeros((4, 2, 2)))


if __name__ == "__main__":
  absltest.main()
