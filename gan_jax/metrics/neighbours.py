"""Precision, recall, density and coverage, from nearest neighbours."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import Array

# By default accelerators round matrix products to fewer bits.
_full_precision = jax.default_matmul_precision("highest")


class NeighbourScores(NamedTuple):
  """Fidelity (precision, density) and variety (recall, coverage), [] each.

  Attributes:
    precision: fraction of fake samples within the ball of any real sample.
    recall: fraction of real samples within the ball of any fake sample.
    density: mean number of real balls that contain a fake sample, divided by k;
      it can exceed 1.
    coverage: fraction of real samples with any fake sample in their ball.
  """

  precision: Array
  recall: Array
  density: Array
  coverage: Array


@_full_precision
def nearest(
  queries: Array, references: Array, k: int, block_size: int = 256
) -> tuple[Array, Array]:
  """Finds the k nearest references of each query.

  Args:
    queries: [m, d].
    references: [n, d].
    k: number of neighbours, at most n.
    block_size: queries that are compared with all references at the same time;
      a few arrays [block_size, n] are in memory.

  Returns:
    Euclidean distances [m, k], ascending and 0 for an exact duplicate, and
    indices into the references [m, k], int32.
  """
  n, d = references.shape
  chex.assert_shape(queries, (None, d))
  chex.assert_scalar_in(k, 1, n)
  # Distances are differences of squared norms. Relative to the centre, norms
  # are not much larger than the distances, so little cancels.
  centre = jnp.mean(references, axis=0)
  centred = references - centre[None]
  norms = jnp.sum(jnp.square(centred), axis=-1)

  def one(query):
    # Without |query|^2, which does not change the order.
    squares = norms - 2 * centred @ (query - centre)
    _, indices = jax.lax.top_k(-squares, k)
    # The distances of the neighbours are computed without cancellation.
    offsets = jnp.take(references, indices, axis=0) - query[None]
    distances = jnp.linalg.norm(offsets, axis=-1)
    order = jnp.argsort(distances)
    return distances[order], indices[order]

  return jax.lax.map(one, queries, batch_size=block_size)


@_full_precision
def manifold(
  real: Array, fake: Array, k: int = 5, block_size: int = 256
) -> NeighbourScores:
  """Compares two samples by balls around their points.

  The radius r of a ball is the distance to the k-th nearest neighbour within
  the same sample.

    precision: fraction of fake y with |y - x| <= r(x) for any real x
    recall:    fraction of real x with |x - y| <= r(y) for any fake y
    density:   1/(k m) sum_y #{x: |y - x| <= r(x)}
    coverage:  fraction of real x with |y - x| <= r(x) for any fake y

  If both samples have the same distribution, density is 1 on average and
  coverage 1 - prod_{j=1..k} (n - j) / (n + m - j), about 1 - 2^-k for n = m.

  Args:
    real: [n, d], n > k.
    fake: [m, d], m > k.
    k: number of neighbours.
    block_size: points that are compared with all others at the same time.

  References:
    Kynkaanniemi et al., Improved Precision and Recall Metric for Assessing
      Generative Models, arXiv 1904.06991, equations 1 and 2.
    Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models,
      arXiv 2002.09797, equations 3 and 4.
  """
  n, d = real.shape
  chex.assert_shape(fake, (None, d))
  chex.assert_scalar_in(k, 1, min(n, len(fake)) - 1)

  def squared_radii(points):
    # The nearest neighbour is the point itself or a duplicate.
    distances, _ = nearest(points, points, k + 1, block_size)
    return jnp.square(distances[:, k])

  radii_real, radii_fake = squared_radii(real), squared_radii(fake)
  # Centred for the same reason as in `nearest`.
  centre = jnp.mean(real, axis=0)
  real, fake = real - centre[None], fake - centre[None]

  def squared_distances(point, others):
    norms = jnp.sum(jnp.square(others), axis=-1) + jnp.sum(jnp.square(point))
    # Balls are closed. Subtracting the rounding error keeps points at exactly
    # the radius inside.
    rounding = 4 * jnp.finfo(norms.dtype).eps
    return norms * (1 - rounding) - 2 * others @ point

  def count_balls(point):
    return jnp.sum(squared_distances(point, real) <= radii_real)

  def compare_with_fake(row):
    point, radius = row
    squares = squared_distances(point, fake)
    return jnp.any(squares <= radii_fake), jnp.any(squares <= radius)

  num_balls = jax.lax.map(count_balls, fake, batch_size=block_size)
  recalled, covered = jax.lax.map(
    compare_with_fake, (real, radii_real), batch_size=block_size
  )
  return NeighbourScores(
    precision=jnp.mean(num_balls > 0, dtype=real.dtype),
    recall=jnp.mean(recalled, dtype=real.dtype),
    density=jnp.mean(num_balls, dtype=real.dtype) / k,
    coverage=jnp.mean(covered, dtype=real.dtype),
  )
