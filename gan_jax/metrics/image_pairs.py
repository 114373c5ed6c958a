"""Metrics of images that are made of others, against the originals.

Images are [n, h, w, c] in [-1, 1].

References:
  Isola, Zhu, Zhou and Efros, "Image-to-Image Translation with Conditional
  Adversarial Networks", arXiv 1611.07004, figure 7, for histograms of colours.
"""

import chex
import jax.numpy as jnp
import numpy as np

from gan_jax.data import image_conditions
from gan_jax.types import Array

RANGE = 2.0
"""Difference of white and black."""
_LEAST_ERROR = 1e-10
"""Mean squared error below which images count as equal: 106 dB."""

CHROMA_BINS = 64
CHROMA_LIMIT = 128.0
"""The histograms of a* and b* are of [-128, 128], in bins of 4."""

# Of linear sRGB, in rows X, Y, Z, and the white of D65 that they add up to
# (IEC 61966-2-1).
_TO_XYZ = np.array(
  [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
  ],
  np.float32,
)
_WHITE = _TO_XYZ.sum(axis=1)


def psnr(
  images: Array, originals: Array, weights: Array | None = None
) -> Array:
  """Computes the mean over images of the peak signal-to-noise ratio, in dB.

  10 log10(2^2 / e),  e = sum w (x - original)^2 / sum w  of each image.

  Args:
    images: [n, h, w, c].
    originals: [n, h, w, c].
    weights: w, which broadcasts to the images, such as 1 in a hole and 0
      around it; None for 1.

  Returns:
    []; at most 106 dB, that of images which count as equal.
  """
  chex.assert_equal_shape([images, originals])
  errors = squared_errors(images, originals, weights)
  return jnp.mean(10 * jnp.log10(RANGE**2 / jnp.maximum(errors, _LEAST_ERROR)))


def squared_errors(
  images: Array, originals: Array, weights: Array | None = None
) -> Array:
  """Computes the mean squared error [n] of each image; arguments as `psnr`."""
  chex.assert_rank([images, originals], 4)
  weights = jnp.ones_like(originals) if weights is None else weights
  weights = jnp.broadcast_to(weights, originals.shape)
  axes = (1, 2, 3)
  squares = jnp.square(images - originals)
  return jnp.sum(weights * squares, axes) / jnp.sum(weights, axes)


def high_frequency_energy(images: Array, factor: int) -> Array:
  """Computes the energy of details that coarse images cannot have.

  The mean over images and pixels of the squared part of an image with a
  frequency above 1 / (2 factor) cycles per pixel in either direction, the
  highest of an image of which factor x factor pixels are one.

  Returns:
    [], at most the mean square of the images.
  """
  chex.assert_rank(images, 4)
  height, width = images.shape[1:3]
  power = jnp.square(jnp.abs(jnp.fft.fft2(images, axes=(1, 2))))
  is_high = jnp.maximum(
    jnp.abs(jnp.fft.fftfreq(height))[:, None],
    jnp.abs(jnp.fft.fftfreq(width))[None],
  ) > 1 / (2 * factor)
  # Parseval: the squares of h w pixels add up to those of the spectrum / (h w).
  energy = jnp.sum(power * is_high[None, :, :, None], axis=(1, 2))
  return jnp.mean(energy) / (height * width) ** 2


def chroma(images: Array) -> Array:
  """Computes a* and b* [n, h, w, 2] of CIELAB, of sRGB images."""
  chex.assert_axis_dimension(images, 3, 3)
  rgb = jnp.clip((images + 1) / 2, 0, 1)
  linear = jnp.where(
    rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4
  )
  relative = linear @ (_TO_XYZ / _WHITE[:, None]).T
  third = 6 / 29
  x, y, z = jnp.moveaxis(
    jnp.where(
      relative > third**3,
      jnp.cbrt(relative),
      relative / (3 * third**2) + 4 / 29,
    ),
    -1,
    0,
  )
  return jnp.stack([500 * (x - y), 200 * (y - z)], axis=-1)


def chroma_intersection(images: Array, originals: Array) -> Array:
  """Computes how much the distributions of colours of two sets overlap.

  The mean over a* and b* of sum_i min(p_i, q_i), where p and q are histograms
  of all pixels of the images and of the originals. It is 1 for equal ones; the
  sets may differ in size.

  Returns:
    [] in [0, 1].
  """

  def histograms(each):
    values = jnp.clip(chroma(each).reshape(-1, 2), -CHROMA_LIMIT, CHROMA_LIMIT)
    counts = [
      jnp.histogram(
        values[:, index],
        bins=CHROMA_BINS,
        range=(-CHROMA_LIMIT, CHROMA_LIMIT),
      )[0]
      for index in range(2)
    ]
    return jnp.stack(counts) / len(values)

  overlap = jnp.minimum(histograms(images), histograms(originals))
  return jnp.mean(jnp.sum(overlap, axis=1))


def edge_overlap(images: Array, edges: Array, threshold: float) -> Array:
  """Computes how well the edges of images are those that were asked for.

  2 |A and B| / (|A| + |B|) of all pixels: Dice's coefficient of the edges A of
  the images and the given B, [n, h, w, 1], which are 1 or -1. It is 1 if there
  are none.

  Returns:
    [] in [0, 1].
  """
  found = image_conditions.edges(images, threshold) > 0
  chex.assert_equal_shape([found, edges])
  asked = edges > 0
  both = jnp.sum(found & asked)
  total = jnp.sum(found) + jnp.sum(asked)
  return jnp.where(total == 0, 1.0, 2 * both / jnp.maximum(total, 1))
