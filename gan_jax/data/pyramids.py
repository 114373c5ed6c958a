"""Laplacian pyramids: an image as a coarse image and the details of each size.

With d, which halves an image, and u, which doubles it, the Gaussian pyramid of
an image I_0 is I_(k+1) = d(I_k), and its Laplacian pyramid is the last of these
images, I_K, with the bands h_k = I_k - u(I_(k+1)). The image is the sum

  I_k = u(I_(k+1)) + h_k.

Both d and u interpolate linearly between centres of pixels, so they commute
with reflections. Away from the border the filter of d is (1, 3, 3, 1) / 8 in
each direction, and u mixes two neighbours by 3 / 4 and 1 / 4. Weights of pixels
beyond the border are left out and the others add up to 1.

References:
  Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", IEEE
  Transactions on Communications 31 (1983), with another filter. Denton et al.,
  "Deep Generative Image Models using a Laplacian Pyramid of Adversarial
  Networks", arXiv 1506.05751, section 2.2.
"""

from typing import NamedTuple

import chex
import jax

from gan_jax.types import Array


class Pyramid(NamedTuple):
  """A Laplacian pyramid of K bands.

  Attributes:
    coarse: [n, h, w, c], the coarsest images I_K.
    bands: from coarse to fine, [n, 2 h, 2 w, c] to [n, 2^K h, 2^K w, c].
  """

  coarse: Array
  bands: tuple[Array, ...]


def down(images: Array) -> Array:
  """Smooths and halves images [n, 2 h, 2 w, c] to [n, h, w, c].

  Raises:
    ValueError: if a side is odd.
  """
  chex.assert_rank(images, 4)
  n, height, width, channels = images.shape
  if height % 2 or width % 2:
    raise ValueError(f"{height} x {width} pixels cannot be halved")
  # The triangle filter of this resize, stretched as it halves, is that of d.
  return jax.image.resize(
    images, (n, height // 2, width // 2, channels), "linear"
  )


def up(images: Array) -> Array:
  """Doubles images [n, h, w, c] to [n, 2 h, 2 w, c], without new details."""
  chex.assert_rank(images, 4)
  n, height, width, channels = images.shape
  return jax.image.resize(
    images, (n, 2 * height, 2 * width, channels), "linear"
  )


def split(images: Array, num_bands: int) -> Pyramid:
  """Splits images [n, 2^K h, 2^K w, c] into a Laplacian pyramid of K bands.

  Raises:
    ValueError: if the images cannot be halved K times.
  """
  bands = []
  for level in range(num_bands):
    try:
      coarse = down(images)
    except ValueError as error:
      raise ValueError(f"level {level} of the pyramid: {error}") from error
    bands.append(images - up(coarse))
    images = coarse
  return Pyramid(images, tuple(reversed(bands)))


def reconstruct(pyramid: Pyramid) -> Array:
  """Adds up a pyramid to images, the inverse of `split`."""
  images = pyramid.coarse
  for band in pyramid.bands:
    coarse = up(images)
    chex.assert_equal_shape([coarse, band])
    images = coarse + band
  return images
