"""Distances between distributions."""

import math

import chex
import jax.numpy as jnp
from jax import Array


def wasserstein_1(x: Array, y: Array) -> Array:
  """Computes the Wasserstein-1 distance of two one-dimensional samples.

  W(x, y) = 1/n sum_i |x_(i) - y_(i)|, which is exact: on the line the cheapest
  plan moves the i-th smallest point onto the i-th smallest.

  Args:
    x: [n].
    y: [n].

  Returns:
    The distance, a scalar.

  References:
    Peyre and Cuturi, Computational Optimal Transport, arXiv 1803.00567,
    remark 2.28.
  """
  chex.assert_rank([x, y], 1)
  chex.assert_equal_shape([x, y])
  return jnp.mean(jnp.abs(jnp.sort(x) - jnp.sort(y)))


def jensen_shannon(p: Array, q: Array, x: Array) -> Array:
  """Computes the Jensen-Shannon divergence of two densities on the line.

  JSD = 1/2 integral of p log(2 p / (p + q)) + q log(2 q / (p + q)) dx, by the
  trapezoidal rule; in nats, from 0 (p = q) to log 2 (disjoint supports).

  Args:
    p: [n], one density at x; zeros are allowed.
    q: [n], the other.
    x: [n], increasing; steps may differ, and may be zero.

  Returns:
    The divergence, a scalar.

  References:
    Lin, Divergence Measures Based on the Shannon Entropy, 1991, eq. 3.
  """
  chex.assert_rank([p, q, x], 1)
  chex.assert_equal_shape([p, q, x])
  total = p + q

  def contribution(density):
    # The limit at 0 is 0. Below the smallest normal number the terms do not
    # matter, and arithmetic may flush them to 0 in one place and not in
    # another. A difference of logarithms, as the ratio could underflow.
    positive = density >= jnp.finfo(density.dtype).tiny
    ratio = jnp.log(jnp.where(positive, density, 1)) - jnp.log(
      jnp.where(positive, total, 1)
    )
    return density * (math.log(2) + ratio)

  return 0.5 * jnp.trapezoid(contribution(p) + contribution(q), x)
