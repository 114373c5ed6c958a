"""Tests Laplacian pyramids against SciPy's filters, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import ndimage

from gan_jax.data import pyramids

KEY = jax.random.key(0)


def filtered(x, weights, axis, origin):
  """Correlates along an axis; weights inside the image add up to 1."""

  def correlate(values):
    return ndimage.correlate1d(
      values, weights, axis, mode="constant", origin=origin
    )

  return correlate(x) / correlate(np.ones_like(x))


def halved(x):
  """Halves height and width by the filter (1, 3, 3, 1), centred between."""
  for axis in (1, 2):
    # With origin 0, output i takes inputs i - 2 to i + 1: the centre of output
    # pixel j is between the inputs 2 j and 2 j + 1.
    x = filtered(x, [1.0, 3.0, 3.0, 1.0], axis, -1)
    x = x.take(range(0, x.shape[axis], 2), axis)
  return x


def doubled(x):
  """Doubles height and width by linear interpolation between centres."""
  n, height, width, c = x.shape
  positions = (
    np.arange(n),
    (np.arange(2 * height) - 0.5) / 2,
    (np.arange(2 * width) - 0.5) / 2,
    np.arange(c),
  )
  return ndimage.map_coordinates(
    x, np.meshgrid(*positions, indexing="ij"), order=1, mode="nearest"
  )


class PyramidsTest(parameterized.TestCase):
  def images(self, *shape):
    return jax.random.uniform(KEY, shape, minval=-1)

  @parameterized.parameters((2, 8, 12, 3), (1, 4, 2, 1))
  def test_down_and_up_are_scipys(self, *shape):
    x = self.images(*shape)
    exact = np.asarray(x, np.float64)
    np.testing.assert_allclose(pyramids.down(x), halved(exact), atol=1e-6)
    np.testing.assert_allclose(pyramids.up(x), doubled(exact), atol=1e-6)

  def test_by_hand(self):
    # A step edge between the second and the third of four pixels.
    x = jnp.tile(jnp.array([0.0, 0.0, 7.0, 7.0]), (4, 1))[None, :, :, None]
    small = pyramids.down(x)
    # (3 * 0 + 3 * 0 + 1 * 7) / 7 and its mirror image.
    np.testing.assert_allclose(small[0, :, :, 0], [[1, 6]] * 2, rtol=1e-6)
    # 1, 3/4 1 + 1/4 6, 1/4 1 + 3/4 6, 6.
    np.testing.assert_allclose(
      pyramids.up(small)[0, :, :, 0], [[1, 2.25, 4.75, 6]] * 4, rtol=1e-6
    )

  def test_split(self):
    x = self.images(2, 16, 8, 3)
    pyramid = pyramids.split(x, 2)
    exact = np.asarray(x, np.float64)
    middle = halved(exact)
    coarse = halved(middle)
    np.testing.assert_allclose(pyramid.coarse, coarse, atol=1e-6)
    self.assertLen(pyramid.bands, 2)
    np.testing.assert_allclose(
      pyramid.bands[0], middle - doubled(coarse), atol=1e-6
    )
    np.testing.assert_allclose(
      pyramid.bands[1], exact - doubled(middle), atol=1e-6
    )

  @parameterized.parameters(0, 1, 3)
  def test_reconstruct_is_the_inverse(self, num_bands):
    x = self.images(3, 16, 32, 3)
    again = pyramids.reconstruct(pyramids.split(x, num_bands))
    np.testing.assert_allclose(again, x, rtol=0, atol=1e-6)

  def test_an_image_of_one_colour_has_no_details(self):
    pyramid = pyramids.split(jnp.full((1, 8, 8, 1), 0.7), 2)
    np.testing.assert_allclose(pyramid.coarse, 0.7, rtol=1e-6)
    for band in pyramid.bands:
      np.testing.assert_allclose(band, 0, atol=1e-6)

  def test_reflections_commute(self):
    x = self.images(1, 8, 8, 3)
    pyramid = pyramids.split(x, 2)
    mirrored = pyramids.split(x[:, :, ::-1], 2)
    for one, other in zip(
      jax.tree.leaves(pyramid), jax.tree.leaves(mirrored), strict=True
    ):
      np.testing.assert_allclose(one[:, :, ::-1], other, atol=1e-6)

  def test_sizes_that_do_not_divide(self):
    with self.assertRaisesRegex(ValueError, "^7 x 8 pixels cannot be halved"):
      pyramids.down(jnp.zeros((1, 7, 8, 1)))
    with self.assertRaisesRegex(
      ValueError, "^level 2 of the pyramid: 3 x 7 pixels cannot be halved"
    ):
      pyramids.split(jnp.zeros((1, 12, 28, 1)), 3)
    pyramid = pyramids.Pyramid(
      jnp.zeros((1, 4, 4, 1)), (jnp.zeros((1, 6, 6, 1)),)
    )
    with self.assertRaises(AssertionError):
      pyramids.reconstruct(pyramid)


if __name__ == "__main__":
  absltest.main()
