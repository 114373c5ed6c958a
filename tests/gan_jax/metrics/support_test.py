"""Tests ranks of known Jacobians and dimensions of known surfaces."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax.metrics import support
from gan_jax.networks.mlp import MLP

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def as_array(x):
  return jnp.asarray(x, jnp.float32)


class JacobianRankTest(parameterized.TestCase):
  @parameterized.parameters(
    (2, 3, 0), (4, 3, 1), (2, 3, 2), (4, 3, 2), (3, 1, 2)
  )
  def test_of_linear_maps(self, num_latents, dim, rank):
    # The Jacobian is the matrix, a product of full-rank factors.
    matrix = RNG.normal(size=(num_latents, rank)) @ RNG.normal(size=(rank, dim))
    ranks = support.jacobian_rank(
      lambda z: z @ as_array(matrix), jax.random.normal(KEY, (5, num_latents))
    )
    expected = min(num_latents, dim, rank)
    np.testing.assert_array_equal(ranks, [expected] * 5)
    self.assertEqual(ranks.dtype, jnp.int32)

  def test_depends_on_the_latents(self):
    # d(max(a, 0), max(b, 0)) = diag(a > 0, b > 0).
    ranks = support.jacobian_rank(
      jax.nn.relu, as_array([[1, 2], [-1, 2], [1, -2], [-1, -2]])
    )
    np.testing.assert_array_equal(ranks, [2, 1, 1, 0])

  @parameterized.parameters((1e-3, 1), (1e-5, 2))
  def test_tolerance_is_relative_to_the_largest(self, tolerance, expected):
    # Singular values 100 and 0.01, whose ratio is 1e-4.
    scales = as_array([[0.01, 100.0]])
    ranks = support.jacobian_rank(
      lambda z: z * scales, jnp.zeros((1, 2)), tolerance
    )
    np.testing.assert_array_equal(ranks, [expected])

  def test_samples_of_any_shape(self):
    # Four pixels, all of them multiples of the first latent.
    pattern = as_array([[[1, 2], [3, 4]]])
    ranks = support.jacobian_rank(
      lambda z: z[:, :1, None] * pattern, jnp.ones((3, 2))
    )
    np.testing.assert_array_equal(ranks, [1, 1, 1])

  @parameterized.parameters(2, 5)
  def test_of_networks(self, num_latents):
    # Full for almost all weights, as nothing makes them dependent.
    network = MLP((32, 32), 3, activation=jax.nn.tanh)
    latents = jax.random.normal(KEY, (20, num_latents))
    params = network.init(KEY, latents)

    def generate(z) -> jax.Array:
      return jnp.asarray(network.apply(params, z))

    ranks = support.jacobian_rank(generate, latents)
    np.testing.assert_array_equal(ranks, [min(num_latents, 3)] * 20)

  def test_wrong_shape_raises(self):
    with self.assertRaises(AssertionError):
      support.jacobian_rank(lambda z: z, jnp.ones(3))


class NearestNeighbourDimensionTest(parameterized.TestCase):
  @parameterized.parameters(1, 2, 3)
  def test_of_a_cube_in_six_dimensions(self, dim):
    # A rotation keeps the distances. Three standard deviations of 2,000 samples
    # are 0.07 d, and the faces of the cube lower the estimate a little.
    rotation, _ = np.linalg.qr(RNG.normal(size=(6, 6)))
    cube = RNG.uniform(size=(2_000, dim)) @ rotation[:dim]
    estimate = support.nearest_neighbour_dimension(as_array(cube))
    np.testing.assert_allclose(estimate, dim, rtol=0.1)

  def test_of_a_sphere_at_any_scale(self):
    points = RNG.normal(size=(2_000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    for scale in (1e-3, 1e3):
      estimate = support.nearest_neighbour_dimension(as_array(scale * points))
      np.testing.assert_allclose(estimate, 2, rtol=0.1)

  def test_three_points(self):
    # At 0, 1, 3 the distances are (1, 3), (1, 2), (2, 3), whose logarithmic
    # ratios are log 3, log 2 and log 3/2: their mean is log(9) / 3.
    estimate = support.nearest_neighbour_dimension(as_array([[0], [1], [3]]))
    np.testing.assert_allclose(estimate, 3 / np.log(9), rtol=1e-6)

  def test_wrong_shape_raises(self):
    with self.assertRaises(AssertionError):
      support.nearest_neighbour_dimension(jnp.ones(3))


if __name__ == "__main__":
  absltest.main()
