"""The library's integrals on the line, and the normal nearest to a density."""

import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from scipy import optimize

from gan_jax import divergences
from gan_jax.data import densities

LIMIT = 20.0
"""Default end of the axis."""


@functools.partial(jax.jit, static_argnums=0)
def axis(limit: float = LIMIT) -> tuple[jax.Array, jax.Array]:
  """Returns points and weights of a quadrature rule on [-limit, limit]."""
  return divergences.gauss_legendre(-limit, limit, 16, 60)


@jax.jit
def normal(
  x: jax.Array, mean: float | jax.Array, stddev: float | jax.Array
) -> jax.Array:
  """Evaluates a normal density [n] at x [n]."""
  return jnp.exp(densities.normal(mean, stddev).log_prob(x[:, None]))


def best_normal(
  divergence: Callable[[jax.Array], jax.Array],
  start: Sequence[float],
  limit: float = LIMIT,
) -> tuple[float, float, float]:
  """Finds the normal of least divergence by a derivative-free search.

  Args:
    divergence: the normal's density at the points of `axis(limit)` -> scalar.
    start: mean and logarithm of the standard deviation to start from.
    limit: end of the axis.

  Returns:
    Mean, standard deviation and divergence of the best normal.
  """
  x, _ = axis(limit)

  @jax.jit
  def objective(parameters):
    mean, log_stddev = parameters
    return divergence(normal(x, mean, jnp.exp(log_stddev)))

  result = optimize.minimize(
    objective,
    start,
    method="Nelder-Mead",
    options={"xatol": 1e-6, "fatol": 1e-12},
  )
  return float(result.x[0]), math.exp(result.x[1]), float(result.fun)
