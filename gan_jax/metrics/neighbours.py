"""Precision, recall, density and coverage, from nearest neighbours."""

import math
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import Array


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


# By default accelerators round matrix products to fewer bits.
@jax.default_matmul_precision("highest")
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


def manifold(
  real: Array, fake: Array, k: int = 5, block_size: int = 256
) -> NeighbourScores:
  """Compares two samples by balls around their points.

  The radius r of a ball is the distance to the k-th nearest neighbour within
  the same sample, and points at exactly this distance are outside.

    precision: fraction of fake y with |y - x| < r(x) for any real x
    recall:    fraction of real x with |x - y| < r(y) for any fake y
    density:   1/(k m) sum_y #{x: |y - x| < r(x)}
    coverage:  fraction of real x with |y - x| < r(x) for any fake y

  If both samples have the same distribution, density is 1 on average and
  coverage `expected_coverage`. Recall and coverage grow with m, whatever the
  fake samples are: `equal_manifold` compares equal numbers.

  All scores are NaN if a feature is not finite.

  Args:
    real: [n, d], n > k.
    fake: [m, d], m > k.
    k: number of neighbours.
    block_size: points that are compared with all others at the same time.

  References:
    Kynkaanniemi et al., Improved Precision and Recall Metric for Assessing
      Generative Models, arXiv 1904.06991, equations 1 and 2, whose balls are
      closed.
    Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models,
      arXiv 2002.09797, equations 3 and 4, and their package prdc, whose balls
      are open.
  """
  n, d = real.shape
  chex.assert_shape(fake, (None, d))
  chex.assert_scalar_in(k, 1, min(n, len(fake)) - 1)

  def squared_radii(points):
    # The nearest neighbour is the point itself or a duplicate.
    distances, _ = nearest(points, points, k + 1, block_size)
    # The distance of the k-th neighbour may be rounded differently here and
    # below, by up to two units in the last place. It must not get inside.
    rounding = 8 * jnp.finfo(distances.dtype).eps
    return jnp.square(distances[:, k]) * (1 - rounding)

  radii_real, radii_fake = squared_radii(real), squared_radii(fake)

  def squared_distances(point, others):
    # No expanded square, which would move points across a radius where some
    # are much nearer to each other than to the centre.
    return jnp.sum(jnp.square(others - point[None]), axis=-1)

  def count_balls(point):
    return jnp.sum(squared_distances(point, real) < radii_real)

  def compare_with_fake(row):
    point, radius = row
    squares = squared_distances(point, fake)
    return jnp.any(squares < radii_fake), jnp.any(squares < radius)

  num_balls = jax.lax.map(count_balls, fake, batch_size=block_size)
  recalled, covered = jax.lax.map(
    compare_with_fake, (real, radii_real), batch_size=block_size
  )
  scores = NeighbourScores(
    precision=jnp.mean(num_balls > 0, dtype=real.dtype),
    recall=jnp.mean(recalled, dtype=real.dtype),
    density=jnp.mean(num_balls, dtype=real.dtype) / k,
    coverage=jnp.mean(covered, dtype=real.dtype),
  )
  # Comparisons with NaN are false, which would look like a bad score.
  finite = jnp.all(jnp.isfinite(real)) & jnp.all(jnp.isfinite(fake))
  return jax.tree.map(lambda score: jnp.where(finite, score, jnp.nan), scores)


def equal_manifold(
  real: Array, fake: Array, k: int = 5, block_size: int = 256
) -> NeighbourScores:
  """Averages `manifold` over comparisons of equally many real and fake samples.

  The larger sample is divided into disjoint subsets of the size of the smaller
  one, in their order, and each is compared with the smaller sample. Samples
  that do not fill a subset are left out.

  Args:
    real: [n, d], n > k.
    fake: [m, d], m > k.
    k: number of neighbours.
    block_size: points that are compared with all others at the same time.

  Returns:
    Means over max(n, m) // min(n, m) comparisons.
  """
  d = real.shape[1]
  chex.assert_shape(fake, (None, d))
  size = min(len(real), len(fake))

  def subsets(points):
    return points[: len(points) // size * size].reshape(-1, size, d)

  reals, fakes = subsets(real), subsets(fake)
  num_pairs = max(len(reals), len(fakes))
  pairs = (
    jnp.broadcast_to(reals, (num_pairs, size, d)),
    jnp.broadcast_to(fakes, (num_pairs, size, d)),
  )
  scores = jax.lax.map(
    lambda pair: manifold(pair[0], pair[1], k, block_size), pairs
  )
  return jax.tree.map(lambda values: jnp.mean(values, axis=0), scores)


def expected_coverage(n: int, m: int, k: int = 5) -> float:
  """Computes the mean coverage if real and fake have the same distribution.

    1 - prod_{j=1..k} (n - j) / (n + m - j),  about 1 - 2^-k for n = m.

  A real sample is not covered if its k nearest among the n + m - 1 others are
  all real.

  Args:
    n: number of real samples, n > k.
    m: number of fake samples.
    k: number of neighbours.

  References:
    Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models,
      arXiv 2002.09797, equation 8.
  """
  chex.assert_scalar_in(k, 1, n - 1)
  chex.assert_scalar_positive(m)
  return 1 - math.prod((n - j) / (n + m - j) for j in range(1, k + 1))
