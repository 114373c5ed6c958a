"""How much neighbouring pixels differ, which features may not see."""

import chex
import jax.numpy as jnp

from gan_jax.types import Array


def mean_laplacian(images: Array) -> Array:
  """Computes the mean absolute Laplacian of images, [].

  It is the sum of the four differences of a pixel from its neighbours, and is
  computed for all channels and the pixels that have four neighbours. Noise and
  speckle raise it, and blur lowers it. Its ratio to that of real images is
  near 1 if generated ones are as smooth.

  Args:
    images: [n, h, w, c], of at least 3 x 3 pixels.
  """
  chex.assert_rank(images, 4)
  inner = images[:, 1:-1, 1:-1]
  vertical = images[:, :-2, 1:-1] + images[:, 2:, 1:-1]
  horizontal = images[:, 1:-1, :-2] + images[:, 1:-1, 2:]
  return jnp.mean(jnp.abs(vertical + horizontal - 4 * inner))
