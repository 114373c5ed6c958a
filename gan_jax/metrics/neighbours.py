"""Fidelity and variety of generated images, from nearest neighbours."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import Array

# Accelerators would round the products to fewer bits.
_full_precision = jax.default_matmul_precision("highest")


class NeighbourScores(NamedTuple):
  """Fidelity (precision, density) and variety (recall, coverage).

  Attributes:
    precision: [], the share of fakes within the ball of any real sample.
    recall: [], the share of real samples within the ball of any fake.
    density: [], the mean number of real balls that a fake is in, over k; it
      can exceed 1.
    coverage: [], the share of real samples with any fake in their ball.
  """

  precision: Array
  recall: Array
  density: Array
  coverage: Array


@_full_precision
def nearest(
  queries: Array, references: Array, k: int, block_size: int = 256
) -> tuple[Array, Array]:
  """Finds the nearest references of each query.

  Args:
    queries: [m, d].
    references: [n, d].
    k: how many, at most n.
    block_size: queries that are compared with all references at once; the
      memory is that of a few [block_size, n].

  Returns:
    Euclidean distances [m, k], ascending and 0 for an exact duplicate, and
    indices into the references [m, k], int32.
  """
  n, d = references.shape
  chex.assert_shape(queries, (None, d))
  chex.assert_scalar_in(k, 1, n)
  # Distances are differences of squared norms: about the centre those are not
  # much larger than the distances.
  centre = jnp.mean(references, axis=0)
  centred = references - centre[None]
  norms = jnp.sum(jnp.square(centred), axis=-1)

  def one(query):
    # Less |query|^2, which ranks nothing.
    squares = norms - 2 * centred @ (query - centre)
    _, indices = jax.lax.top_k(-squares, k)
    # The few that were found are measured without cancellation.
    offsets = jnp.take(references, indices, axis=0) - query[None]
    distances = jnp.linalg.norm(offsets, axis=-1)
    order = jnp.argsort(distances)
    return distances[order], indices[order]

  return jax.lax.map(one, queries, batch_size=block_size)


@_full_precision
def manifold(
  real: Array, fake: Array, k: int = 5, block_size: int = 256
) -> NeighbourScores:
  """Compares two samples by balls about their points.

  The ball of a point reaches to its k-th nearest neighbour in its own sample.

    precision: share of fakes y with |y - x| <= r(x) for any real x
    recall:    share of real x with |x - y| <= r(y) for any fake y
    density:   1/(k m) sum_y #{x: |y - x| <= r(x)}
    coverage:  share of real x with |y - x| <= r(x) for any fake y

  For samples of one distribution density is 1 on average, and coverage
  1 - prod_{j=1..k} (n - j) / (n + m - j), about 1 - 2^-k where n = m.

  Args:
    real: [n, d], n > k.
    fake: [m, d], m > k.
    k: neighbours.
    block_size: points that are compared with all others at once.

  Returns:
    The four scores.

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
    # The nearest of all is the point itself, or a duplicate of it.
    distances, _ = nearest(points, points, k + 1, block_size)
    return jnp.square(distances[:, k])

  radii_real, radii_fake = squared_radii(real), squared_radii(fake)
  # As in `nearest`.
  centre = jnp.mean(real, axis=0)
  real, fake = real - centre[None], fake - centre[None]

  def squared_distances(point, others):
    norms = jnp.sum(jnp.square(others), axis=-1) + jnp.sum(jnp.square(point))
    # The balls are closed: less the rounding, what is at the radius is inside.
    rounding = 4 * jnp.finfo(norms.dtype).eps
    return norms * (1 - rounding) - 2 * others @ point

  def of_fake(point):
    return jnp.sum(squared_distances(point, real) <= radii_real)

  def of_real(row):
    point, radius = row
    squares = squared_distances(point, fake)
    return jnp.any(squares <= radii_fake), jnp.any(squares <= radius)

  num_balls = jax.lax.map(of_fake, fake, batch_size=block_size)
  recalled, covered = jax.lax.map(
    of_real, (real, radii_real), batch_size=block_size
  )
  return NeighbourScores(
    precision=jnp.mean(num_balls > 0, dtype=real.dtype),
    recall=jnp.mean(recalled, dtype=real.dtype),
    density=jnp.mean(num_balls, dtype=real.dtype) / k,
    coverage=jnp.mean(covered, dtype=real.dtype),
  )
