"""Conditions that are made of images: coarse, grey, with a hole, edges.

Each of the first three keeps a linear part of an image, and has a function
`with_...` that gives images the part of a condition: a projection onto the
images that have it. Images are [n, h, w, c] in [-1, 1], of which 0 is the
middle; conditions have the same height and width.

References:
  Sonderby, Caballero, Theis, Shi and Huszar, "Amortised MAP Inference for Image
  Super-resolution", arXiv 1610.04490, for the projection.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.types import Array

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma of ITU-R BT.601."""

# Divided by 8 they return the slope of a plane, per pixel.
_SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32) / 8


def down(images: Array, factor: int) -> Array:
  """Averages squares of factor x factor pixels to one pixel.

  Raises:
    ValueError: if the factor does not divide the sides.
  """
  chex.assert_rank(images, 4)
  n, height, width, channels = images.shape
  if height % factor or width % factor:
    raise ValueError(
      f"{height} x {width} pixels are not a whole number of squares of "
      f"{factor} x {factor}"
    )
  squares = images.reshape(
    n, height // factor, factor, width // factor, factor, channels
  )
  return jnp.mean(squares, axis=(2, 4))


def up(images: Array, factor: int) -> Array:
  """Repeats each pixel factor x factor times; `down` is its left inverse."""
  chex.assert_rank(images, 4)
  return jnp.repeat(jnp.repeat(images, factor, axis=1), factor, axis=2)


def coarse(images: Array, factor: int) -> Array:
  """Replaces squares of factor x factor pixels by their means."""
  return up(down(images, factor), factor)


def with_coarse(images: Array, condition: Array, factor: int) -> Array:
  """Gives images the means of squares of their condition.

  x - u(d(x)) + y for y = u(d(original)): subtracts what the images have there,
  so that d of the result is exactly d(original).
  """
  chex.assert_equal_shape([images, condition])
  return images - coarse(images, factor) + condition


def grey(images: Array) -> Array:
  """Computes the luma [n, h, w, 1] of colour images; grey ones are theirs."""
  chex.assert_rank(images, 4)
  if images.shape[-1] == 1:
    return images
  chex.assert_axis_dimension(images, 3, 3)
  return images @ jnp.array(LUMA)[:, None]


def with_grey(images: Array, condition: Array) -> Array:
  """Gives images the luma of their condition, and leaves their chroma."""
  luma = grey(images)
  chex.assert_equal_shape([luma, condition])
  return images - luma + condition


def central_mask(size: int, hole: int) -> Array:
  """Returns a mask [size, size, 1], 0 in a central square and 1 around it.

  Raises:
    ValueError: if the square is empty, or leaves no pixel around it.
  """
  if not 0 < hole < size:
    raise ValueError(
      f"a hole of {hole} pixels must be in an image of {size} pixels"
    )
  start = (size - hole) // 2
  inside = slice(start, start + hole)
  return jnp.ones((size, size, 1)).at[inside, inside].set(0.0)


def with_hole(images: Array, mask: Array) -> tuple[Array, Array]:
  """Sets images to 0 where a mask [h, w, 1] is 0.

  Returns:
    The condition: images [n, h, w, c], and the mask for each [n, h, w, 1].

  Raises:
    ValueError: if the mask has another size than the images.
  """
  chex.assert_rank([images, mask], [4, 3])
  if mask.shape[:2] != images.shape[1:3] or mask.shape[2] != 1:
    raise ValueError(
      f"a mask of shape {mask.shape} is not for images of shape "
      f"{images.shape[1:]}"
    )
  return images * mask[None], jnp.broadcast_to(
    mask[None], (len(images), *mask.shape)
  )


def with_known(images: Array, condition: tuple[Array, Array]) -> Array:
  """Gives images the known pixels of a condition of `with_hole`."""
  known, mask = condition
  chex.assert_equal_shape([images, known])
  chex.assert_equal_shape_prefix([images, mask], 3)
  return (1 - mask) * images + known


def slopes(images: Array) -> Array:
  """Computes the norm of Sobel's gradient of the luma, [n, h, w, 1].

  It is in units of the image per pixel. The border is repeated outwards.
  """
  padded = jnp.pad(grey(images), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
  kernels = jnp.stack([_SOBEL, _SOBEL.T], axis=-1)[:, :, None]
  parts = jax.lax.conv_general_dilated(
    padded,
    kernels,
    (1, 1),
    "VALID",
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )
  return jnp.sqrt(jnp.sum(jnp.square(parts), axis=-1, keepdims=True))


def edges(images: Array, threshold: float) -> Array:
  """Finds edges: 1 where `slopes` are above a threshold, else -1."""
  return jnp.where(slopes(images) > threshold, 1.0, -1.0)
