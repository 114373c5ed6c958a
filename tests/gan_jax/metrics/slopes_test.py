"""Tests slopes of known critics, and gradients propagated by hand."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax.metrics import slopes
from gan_jax.networks.mlp import MLP

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def as_array(x):
  return jnp.asarray(x, jnp.float32)


class SlopesTest(absltest.TestCase):
  def test_of_a_known_critic(self):
    # grad (x^2 + 3 y) = (2 x, 3).
    computed = slopes.slopes(
      lambda x: x[:, 0] ** 2 + 3 * x[:, 1], as_array([[2, 5], [0, 1], [-2, 0]])
    )
    np.testing.assert_allclose(computed, [5, 3, 5], rtol=1e-6)

  def test_of_images(self):
    # The gradient of a total over four pixels is 1 at each: its norm is 2.
    computed = slopes.slopes(
      lambda x: jnp.sum(x, axis=(1, 2)), jnp.ones((3, 2, 2))
    )
    np.testing.assert_allclose(computed, [2, 2, 2], rtol=1e-6)

  def test_of_a_flat_critic(self):
    computed = slopes.slopes(lambda x: 0 * x[:, 0], jnp.ones((2, 3)))
    np.testing.assert_array_equal(computed, [0, 0])

  def test_values_of_a_wrong_shape_are_refused(self):
    with self.assertRaises(AssertionError):
      slopes.slopes(lambda x: x, jnp.ones((2, 3)))


class LayerGradientNormsTest(parameterized.TestCase):
  # Gradients of 1e-30, whose squares float32 has no numbers for.
  @parameterized.parameters(1.0, 1e-10)
  def test_matches_numpy(self, scale):
    network = MLP(hidden=(5, 4), features=1)
    x = RNG.normal(size=(7, 3))
    kernels = [
      scale * RNG.normal(size=shape) for shape in ((3, 5), (5, 4), (4, 1))
    ]
    params = {
      f"Dense_{index}": {
        "kernel": as_array(kernel),
        "bias": jnp.zeros(kernel.shape[1]),
      }
      for index, kernel in enumerate(kernels)
    }
    weights = RNG.normal(size=7)
    computed = slopes.layer_gradient_norms(
      network,
      {"params": params},
      as_array(x),
      lambda outputs: jnp.sum(as_array(weights) * outputs[:, 0]),
    )
    # dJ/dh_2 = w k_3', dJ/dh_1 = (dJ/dh_2 [h_2 > 0]) k_2', and so on.
    h_1 = np.maximum(x @ kernels[0], 0)
    h_2 = np.maximum(h_1 @ kernels[1], 0)
    to_2 = weights[:, None] @ kernels[2].T
    to_1 = (to_2 * (h_2 > 0)) @ kernels[1].T
    to_0 = (to_1 * (h_1 > 0)) @ kernels[0].T
    expected = [np.linalg.norm(g) for g in (to_0, to_1, to_2)]
    np.testing.assert_allclose(computed, expected, rtol=1e-5)

  def test_a_cost_without_a_gradient(self):
    network = MLP(hidden=(5,), features=1)
    x = jnp.ones((7, 3))
    computed = slopes.layer_gradient_norms(
      network, network.init(KEY, x), x, lambda outputs: 0 * jnp.sum(outputs)
    )
    np.testing.assert_array_equal(computed, [0, 0])

  def test_maps_over_seeds(self):
    # A linear map's input has the gradient w for each of the n = 4 samples, and
    # so the norm sqrt(4) |w|.
    network = MLP(hidden=(), features=1)
    kernels = as_array([[[3.0], [4.0]], [[0.0], [1.0]]])
    computed = jax.vmap(
      lambda kernel: slopes.layer_gradient_norms(
        network,
        {"params": {"Dense_0": {"kernel": kernel, "bias": jnp.zeros(1)}}},
        jnp.ones((4, 2)),
        jnp.sum,
      )
    )(kernels)
    np.testing.assert_allclose(computed, [[10], [2]], rtol=1e-6)


if __name__ == "__main__":
  absltest.main()
