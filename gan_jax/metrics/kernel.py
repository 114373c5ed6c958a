"""The kernel distance between features of real and of generated images.

It is the KID of the literature if the features are those of Inception.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import Array


class KernelDistance(NamedTuple):
  """An estimate with its standard error.

  Attributes:
    value: [], unbiased, so it may be negative.
    standard_error: [], its standard deviation over both samples.
  """

  value: Array
  standard_error: Array


@jax.default_matmul_precision("highest")
def kernel_distance(
  real: Array, fake: Array, block_size: int = 256
) -> KernelDistance:
  """Estimates the squared maximum mean discrepancy of a cubic kernel.

  MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y),  k(x, y) = (x.y / d + 1)^3,

  by the means of k over all pairs of different samples, a U-statistic. With
  g(x) = E k(x, x') - E k(x, y), the same for h(y), and v the variance of k
  minus its means over each argument, its variance is

    4 Var g / n + 4 Var h / m                                  (first order)
    + 2 v_xx / n (n - 1) + 2 v_yy / m (m - 1) + 4 v_xy / n m   (second order).

  The first order vanishes if the distributions are equal. The paper reports the
  standard deviation of estimates from 100 subsets of 1,000 samples. That is the
  error of one subset, not of the mean over subsets, which overlap. The mean
  over subsets has a larger variance than the estimate from all pairs.

  Args:
    real: [n, d], n > 1.
    fake: [m, d], m > 1.
    block_size: samples that are compared with all others at the same time; a
      few arrays [block_size, max(n, m)] are in memory.

  References:
    Binkowski et al., Demystifying MMD GANs, arXiv 1801.01401, section 4.
    Serfling, Approximation Theorems of Mathematical Statistics, 1980, section
      5.2.1, for the variance of a U-statistic.
    Sutherland and Deka, Unbiased Estimators for the Variance of MMD Estimators,
      arXiv 1906.02104.
  """
  (n, d), m = real.shape, len(fake)
  chex.assert_shape(fake, (m, d))
  chex.assert_scalar_positive(min(n, m) - 1)
  # The distance is the same for k(x, y) - k(x, c) - k(c, y) + k(c, c) with any
  # c. k itself is much larger than the distance, which would be lost in its
  # rounding error. With c the centre of the samples this kernel is small, and
  # with x = c + a, y = c + b the expansion of the four cubes below has no
  # cancellation.
  centre = (jnp.mean(real, axis=0) + jnp.mean(fake, axis=0)) / 2
  real, fake = real - centre[None], fake - centre[None]
  base = 1 + centre @ centre / d

  def row_means(a, b, is_same):
    """Returns the means over b of k [len(a)] and of k^2 []."""
    along_b = b @ centre / d

    def one(row):
      index, x = row
      along_x = x @ centre / d
      product = b @ x / d
      plain = base + along_x + along_b
      full = plain + product
      values = product * (full**2 + full * plain + plain**2)
      values += 3 * along_x * along_b * (plain + base)
      if is_same:
        values = jnp.where(jnp.arange(len(b)) == index, 0, values)
      return jnp.sum(values), jnp.sum(values**2)

    sums, squares = jax.lax.map(
      one, (jnp.arange(len(a)), a), batch_size=block_size
    )
    num_pairs = len(b) - is_same
    return sums / num_pairs, jnp.mean(squares) / num_pairs

  means_xx, square_xx = row_means(real, real, True)
  means_yy, square_yy = row_means(fake, fake, True)
  means_xy, square_xy = row_means(real, fake, False)
  means_yx, _ = row_means(fake, real, False)

  def remainder(square, means, other_means):
    parts = jnp.var(means, ddof=1) + jnp.var(other_means, ddof=1)
    return jnp.maximum(square - parts - jnp.mean(means) ** 2, 0)

  second_order = (
    2 * remainder(square_xx, means_xx, means_xx) / (n * (n - 1))
    + 2 * remainder(square_yy, means_yy, means_yy) / (m * (m - 1))
    + 4 * remainder(square_xy, means_xy, means_yx) / (n * m)
  )
  g, h = means_xx - means_xy, means_yy - means_yx
  observed = 4 * (jnp.var(g, ddof=1) / n + jnp.var(h, ddof=1) / m)
  # g and h are means over finite samples, which adds twice the second order to
  # their observed variance.
  first_order = jnp.maximum(observed - 2 * second_order, 0)
  return KernelDistance(
    jnp.mean(g) + jnp.mean(h), jnp.sqrt(first_order + second_order)
  )
