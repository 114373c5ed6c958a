"""Dimension of the support of a generator, from Jacobians or samples."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from jax import Array


def jacobian_rank(
  generate: Callable[[Array], Array],
  latents: Array,
  relative_tolerance: float = 1e-4,
) -> Array:
  """Computes the rank of a generator's Jacobian at each of the latents.

  rank(z) = #{i: s_i > relative_tolerance * s_1},

  where s_1 >= s_2 >= ... are the singular values of dG/dz. If the rank is
  constant near z, G maps a neighbourhood of z to a surface of that dimension,
  which is at most that of the latents and at most that of the samples.

  Args:
    generate: latents [n, k] -> samples [n, ...], row by row.
    latents: [n, k].
    relative_tolerance: smallest singular value that counts, relative to the
      largest. In float32 a singular value that should be 0 is about 1e-7 of the
      largest.

  Returns:
    [n] int32; 0 where the Jacobian is zero.

  References:
    Goodfellow, NIPS 2016 Tutorial, arXiv 1701.00160, section 3.1.
  """
  chex.assert_rank(latents, 2)

  def singular_values(z):
    jacobian = jax.jacfwd(lambda z: generate(z[None])[0])(z)
    return jnp.linalg.svd(
      jacobian.reshape(-1, len(z)), compute_uv=False, full_matrices=False
    )

  values = jax.vmap(singular_values)(latents)
  moves = values > relative_tolerance * values[:, :1]
  return jnp.sum(moves, axis=-1, dtype=jnp.int32)


def nearest_neighbour_dimension(samples: Array) -> Array:
  """Estimates the dimension of the surface that samples lie on.

  d = n / sum_i log(r_i2 / r_i1),

  with r_i1 and r_i2 the distances of sample i to its two nearest neighbours.
  Their ratio has the density d r^(-d - 1), r >= 1, if the density of the
  samples is constant up to the second neighbour. The standard deviation of the
  estimate is about d / sqrt(n).

  Args:
    samples: [n, m], n > 2. They must be distinct; otherwise the estimate is 0
      or NaN.

  References:
    Facco, d'Errico, Rodriguez and Laio, Estimating the intrinsic dimension of
      datasets by a minimal neighborhood information, arXiv 1803.06992. They fit
      a line; this is the maximum likelihood estimate.
  """
  chex.assert_rank(samples, 2)

  indices = jnp.arange(len(samples))

  def log_ratio(index):
    # No expanded square, which would cancel near a neighbour.
    offsets = samples - samples[index][None]
    squares = jnp.sum(jnp.square(offsets), axis=-1)
    # Two minima, because a partial sort takes ten times as long.
    squares = jnp.where(indices == index, jnp.inf, squares)
    nearest = jnp.argmin(squares)
    second = jnp.min(jnp.where(indices == nearest, jnp.inf, squares))
    return 0.5 * (jnp.log(second) - jnp.log(squares[nearest]))

  return 1 / jnp.mean(jax.lax.map(log_ratio, indices, batch_size=256))
