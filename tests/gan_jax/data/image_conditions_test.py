"""Tests conditions made of images against NumPy and SciPy."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import ndimage

from gan_jax.data import image_conditions


def images(seed, *shape):
  return jax.random.uniform(jax.random.key(seed), shape, minval=-1)


class CoarseTest(parameterized.TestCase):
  @parameterized.parameters((2, 8, 12, 1), (4, 8, 12, 3), (3, 9, 6, 2))
  def test_means_of_squares(self, factor, height, width, channels):
    x = images(0, 5, height, width, channels)
    coarse = image_conditions.coarse(x, factor)
    expected = np.zeros(x.shape)
    for i in range(height):
      for j in range(width):
        top, left = i - i % factor, j - j % factor
        square = np.asarray(x)[:, top : top + factor, left : left + factor]
        expected[:, i, j] = square.mean(axis=(1, 2))
    np.testing.assert_allclose(coarse, expected, atol=1e-6)

  def test_up_repeats_rows_and_columns(self):
    x = jnp.array([[1.0, 2], [3, 4]])[None, :, :, None]
    np.testing.assert_array_equal(
      image_conditions.up(x, 2)[0, :, :, 0],
      [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]],
    )

  def test_projection(self):
    x, original = 100 * images(0, 4, 8, 8, 3), images(1, 4, 8, 8, 3)
    condition = image_conditions.coarse(original, 4)
    projected = image_conditions.with_coarse(x, condition, 4)
    np.testing.assert_allclose(
      image_conditions.down(projected, 4),
      image_conditions.down(original, 4),
      atol=1e-5,
    )
    # The residual within squares is that of x.
    np.testing.assert_allclose(
      projected - condition, x - image_conditions.coarse(x, 4), atol=1e-4
    )

  def test_a_size_that_does_not_divide(self):
    with self.assertRaisesRegex(ValueError, "^28 x 30 pixels are not a whole"):
      image_conditions.down(jnp.zeros((1, 28, 30, 1)), 4)


class GreyTest(absltest.TestCase):
  def test_luma(self):
    colours = jnp.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    luma = image_conditions.grey(colours[:, None, None])
    # 2 w - 1 for each colour's weight w.
    np.testing.assert_allclose(
      luma.ravel(), [1, -0.402, 0.174, -0.772], atol=1e-6
    )

  def test_projection_keeps_chroma(self):
    x, original = images(0, 2, 4, 4, 3), images(1, 2, 4, 4, 3)
    condition = image_conditions.grey(original)
    projected = image_conditions.with_grey(x, condition)
    np.testing.assert_allclose(
      image_conditions.grey(projected), condition, atol=1e-6
    )
    np.testing.assert_allclose(
      jnp.diff(projected, axis=-1), jnp.diff(x, axis=-1), atol=1e-6
    )


class HoleTest(parameterized.TestCase):
  @parameterized.parameters((8, 4, 2, 6), (9, 4, 2, 6), (8, 3, 2, 5))
  def test_mask(self, size, hole, start, stop):
    mask = np.ones((size, size, 1))
    mask[start:stop, start:stop] = 0
    np.testing.assert_array_equal(
      image_conditions.central_mask(size, hole), mask
    )

  def test_projection(self):
    x, original = images(0, 2, 8, 8, 3), images(1, 2, 8, 8, 3)
    mask = image_conditions.central_mask(8, 4)
    known, masks = image_conditions.with_hole(original, mask)
    chex.assert_shape(masks, (2, 8, 8, 1))
    np.testing.assert_array_equal(known[:, 2:6, 2:6], 0)
    np.testing.assert_array_equal(
      image_conditions.with_known(x, (known, masks)),
      np.where(np.asarray(mask) == 1, original, x),
    )

  @parameterized.parameters(0, 8, 9)
  def test_holes_that_are_none(self, hole):
    with self.assertRaisesRegex(ValueError, f"^a hole of {hole} pixels must"):
      image_conditions.central_mask(8, hole)

  def test_a_mask_of_another_size(self):
    with self.assertRaisesRegex(
      ValueError, r"^a mask of shape \(8, 8, 1\) is not for images of shape "
    ):
      image_conditions.with_hole(
        jnp.zeros((1, 9, 9, 3)), image_conditions.central_mask(8, 4)
      )


class EdgesTest(absltest.TestCase):
  def test_slope_of_a_plane(self):
    rows, columns = jnp.meshgrid(
      jnp.arange(6.0), jnp.arange(7.0), indexing="ij"
    )
    plane = (0.03 * rows - 0.04 * columns)[None, :, :, None]
    slopes = image_conditions.slopes(plane)
    np.testing.assert_allclose(slopes[:, 1:-1, 1:-1], 0.05, rtol=1e-5)

  def test_against_scipy(self):
    x = images(0, 3, 8, 9, 3)
    luma = np.asarray(x, np.float64) @ [0.299, 0.587, 0.114]
    parts = [
      [ndimage.sobel(each, axis, mode="nearest") / 8 for axis in (0, 1)]
      for each in luma
    ]
    norms = np.hypot(*np.moveaxis(np.array(parts), 1, 0))[..., None]
    slopes = image_conditions.slopes(x)
    np.testing.assert_allclose(slopes, norms, atol=1e-6)
    edges = image_conditions.edges(x, 0.2)
    np.testing.assert_array_equal(edges, np.where(norms > 0.2, 1, -1))


if __name__ == "__main__":
  absltest.main()
