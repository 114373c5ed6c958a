"""Wasserstein distances and optimal transport plans."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from gan_jax.types import PRNGKey


def wasserstein_1(x: Array, y: Array) -> Array:
  """Computes the Wasserstein-1 distance of two one-dimensional samples.

  W(x, y) = int_0^1 |X(u) - Y(u)| du, with X and Y the quantile functions of
  x [n] and y [m]. For n = m this is 1/n sum_i |x_(i) - y_(i)|, as the optimal
  plan moves the i-th smallest point onto the i-th smallest. It is exact.

  Raises:
    ValueError: there are no samples.

  References:
    Peyre and Cuturi, Computational Optimal Transport, arXiv 1803.00567,
    remarks 2.28 and 2.30.
  """
  chex.assert_rank([x, y], 1)
  n, m = len(x), len(y)
  if not (n and m):
    raise ValueError("x and y must have samples, and one of them has none")
  # Integer samples are converted, as their weights are fractions.
  dtype = jnp.result_type(x, y, 1.0)
  x, y = jnp.asarray(x, dtype), jnp.asarray(y, dtype)
  # The levels at which a quantile function jumps, in units of 1 / (n m).
  levels = np.union1d(np.arange(n + 1) * m, np.arange(m + 1) * n)
  shares = jnp.asarray(np.diff(levels) / (n * m), dtype)
  x, y = jnp.sort(x)[levels[:-1] // m], jnp.sort(y)[levels[:-1] // n]
  return jnp.sum(shares * jnp.abs(x - y))


def wasserstein_1_on_line(
  p: Array, q: Array, x: Array, weights: Array | None = None
) -> Array:
  """Computes the Wasserstein-1 distance of two distributions on a grid.

  W(p, q) = int |P(x) - Q(x)| dx, with P and Q the cumulative distributions.

  It is exact for point masses. For smooth densities the error is of second
  order in the step size.

  Args:
    p: [n], masses at x, or densities.
    q: [n], masses or densities of the same total.
    x: [n], increasing; steps may differ, and may be zero.
    weights: [n], the weights of a quadrature rule, if p and q are densities.

  References:
    Peyre and Cuturi, Computational Optimal Transport, arXiv 1803.00567,
    remark 2.30.
  """
  masses = p - q if weights is None else weights * (p - q)
  chex.assert_rank([p, q, x, masses], 1)
  chex.assert_equal_shape([p, q, x, masses])
  return jnp.sum(jnp.abs(jnp.cumsum(masses)[:-1]) * jnp.diff(x))


def sliced_wasserstein_1(
  x: Array, y: Array, key: PRNGKey, num_projections: int
) -> Array:
  """Estimates the sliced Wasserstein-1 distance.

  SW(x, y) = E over directions v, |v| = 1, of W(x v, y v),

  with x [n, d] and y [m, d], by the mean over random directions.

  References:
    Bonneel et al., Sliced and Radon Wasserstein Barycenters of Measures, 2015,
      definition 2.
  """
  chex.assert_rank([x, y], 2)
  chex.assert_equal_shape_suffix([x, y], 1)
  directions = jax.random.normal(key, (x.shape[1], num_projections), x.dtype)
  directions /= jnp.linalg.norm(directions, axis=0, keepdims=True)
  # By default accelerators round matrix products to fewer bits.
  projected = [jnp.matmul(a, directions, precision="highest") for a in (x, y)]
  return jnp.mean(jax.vmap(wasserstein_1, in_axes=1)(*projected))


def optimal_plan(
  p: ArrayLike, q: ArrayLike, cost: ArrayLike
) -> tuple[np.ndarray, float]:
  """Finds the optimal transport plan of p onto q, exactly, in NumPy float64.

  min over T >= 0 of sum_ij T_ij C_ij,  sum_j T_ij = p_i,  sum_i T_ij = q_j.

  It solves a linear program and is not differentiable.

  Args:
    p: [n], masses, p >= 0.
    q: [m], masses, q >= 0, with the same total up to a relative 1e-5.
    cost: [n, m], the cost of moving a unit of mass from i to j.

  Returns:
    The plan, [n, m], and its cost.

  Raises:
    ValueError: a shape is wrong, a mass is negative or not finite, or the
      totals differ.

  References:
    Peyre and Cuturi, Computational Optimal Transport, arXiv 1803.00567,
    eq. 2.11.
  """
  # Imported here because it is slow to import.
  from scipy import optimize, sparse

  p, q, cost = (np.asarray(a, np.float64) for a in (p, q, cost))
  if p.ndim != 1 or q.ndim != 1 or cost.shape != (p.size, q.size):
    raise ValueError(
      "p, q and cost must have shapes [n], [m] and [n, m], not "
      f"{p.shape}, {q.shape} and {cost.shape}"
    )
  for name, masses in (("p", p), ("q", q)):
    if not np.all((masses >= 0) & np.isfinite(masses)):
      raise ValueError(f"a mass in {name} is negative or not finite")
  totals = np.sum(p), np.sum(q)
  if not np.isclose(*totals, rtol=1e-5, atol=0.0):
    raise ValueError(f"p and q must have equal totals, not {totals}")
  # A rounding difference of the totals would make the program infeasible.
  scale = totals[0] or 1.0
  p, q = p / scale, q / (totals[1] or 1.0)
  constraints = sparse.vstack(
    [
      sparse.kron(sparse.eye_array(p.size), np.ones((1, q.size))),
      sparse.kron(np.ones((1, p.size)), sparse.eye_array(q.size)),
    ]
  )
  result = optimize.linprog(
    cost.ravel(),
    A_eq=constraints.tocsr(),
    b_eq=np.concatenate([p, q]),
    method="highs",
  )
  if not result.success:
    raise RuntimeError(result.message)
  return scale * result.x.reshape(cost.shape), float(scale * result.fun)
