"""Quadrature rules: points and weights for integrals on the line."""

import chex
import jax.numpy as jnp
from jax import Array
from numpy.polynomial.legendre import leggauss


def trapezoid(x: Array) -> Array:
  """Returns the weights of the trapezoidal rule on given points.

  sum_i w_i f(x_i) = sum_i (x_(i+1) - x_i) (f(x_i) + f(x_(i+1))) / 2.

  The points x [n] increase; steps may differ and may be zero.
  """
  chex.assert_rank(x, 1)
  halves = 0.5 * jnp.diff(x)
  return jnp.pad(halves, (0, 1)) + jnp.pad(halves, (1, 0))


def gauss_legendre(
  low: float | Array, high: float | Array, num_points: int, panels: int = 1
) -> tuple[Array, Array]:
  """Returns the points and weights of a composite Gauss-Legendre rule.

  The interval is divided into equal panels with `num_points` points each. On
  each panel the rule is exact for polynomials of degree 2 num_points - 1.

  Returns:
    The points, increasing, and the weights, both [panels * num_points].

  References:
    Davis and Rabinowitz, Methods of Numerical Integration, 1984, section 2.7.
  """
  chex.assert_rank([low, high], 0)
  dtype = jnp.result_type(low, high, float)
  roots, root_weights = (jnp.asarray(a, dtype) for a in leggauss(num_points))
  width = jnp.asarray(high - low, dtype) / panels
  starts = low + width * jnp.arange(panels, dtype=dtype)
  x = starts[:, None] + 0.5 * width * (1 + roots)[None]
  weights = jnp.tile(0.5 * width * root_weights, panels)
  return jnp.ravel(x), weights
