"""Entropy and divergences estimated from samples, in nats.

Functions named `_from_samples` use distances to nearest neighbours. Functions
named `_from_log_ratios` average over the log density ratio r = log p / q at
each sample, which is the logit of an optimal discriminator.
"""

import math

import chex
import jax
import jax.numpy as jnp
from jax import Array

from gan_jax.divergences import f_divergences
from gan_jax.numerics import softplus

# Coordinate differences in memory at the same time: 32 MiB in float32.
_CHUNK = 2**23


def _log_distances(x: Array, points: Array, k: int) -> Array:
  """Returns log distances [n] from x [n, d] to the k-th nearest of points.

  A lower bound, the rounding error at that x, keeps the logarithm finite where
  samples coincide.
  """
  info = jnp.finfo(x.dtype)

  def log_distance(row):
    # Not |x|^2 - 2 x.y + |y|^2, which would cancel near a neighbour.
    squares = jnp.sum(jnp.square(points - row[None]), axis=-1)
    nearest, _ = jax.lax.top_k(-squares, k)
    resolved = jnp.square(info.eps) * jnp.sum(jnp.square(row)) + info.tiny
    return 0.5 * jnp.log(jnp.maximum(-nearest[-1], resolved))

  rows = max(1, min(len(x), _CHUNK // points.size))
  return jax.lax.map(log_distance, x, batch_size=rows)


def entropy_from_samples(x: Array, k: int = 3) -> Array:
  """Estimates the differential entropy by nearest neighbours.

  H = psi(n) - psi(k) + log V_d + d/n sum_i log rho_i,

  with rho_i the distance of x_i to its k-th neighbour, V_d the volume of the
  unit ball and psi the digamma function. Larger k trades variance for bias. The
  result is very low but finite if more than k samples coincide.

  Args:
    x: [n, d].
    k: 1 <= k < n.

  Raises:
    ValueError: k is out of range.

  References:
    Kozachenko and Leonenko, Sample Estimate of the Entropy of a Random Vector,
      1987.
    Kraskov, Stögbauer and Grassberger, Estimating Mutual Information,
      cond-mat/0305641, eq. 20.
  """
  chex.assert_rank(x, 2)
  n, d = x.shape
  if not 1 <= k < n:
    raise ValueError(f"k must be from 1 to n - 1 = {n - 1}, not {k}")
  # psi(n) - psi(k), as psi(j + 1) = psi(j) + 1 / j.
  digammas = math.fsum(1 / j for j in range(k, n))
  log_volume = 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d + 1)
  # The nearest of all is x_i itself.
  return digammas + log_volume + d * jnp.mean(_log_distances(x, x, k + 1))


def kl_from_samples(x: Array, y: Array, k: int = 3) -> Array:
  """Estimates KL(p || q) from samples of both, by nearest neighbours.

  KL = d/n sum_i log(nu_i / rho_i) + log(m / (n - 1)),

  with nu_i the distance of x_i to its k-th neighbour in y, and rho_i to that
  among the other x. The estimate may be negative. It is large but finite if
  samples of p coincide away from q. The densities count as equal at an x_i that
  coincides with k samples of both x and y.

  Args:
    x: [n, d], drawn from p.
    y: [m, d], drawn from q independently.
    k: 1 <= k < n and k <= m.

  Raises:
    ValueError: k is out of range.

  References:
    Wang, Kulkarni and Verdu, Divergence Estimation for Multidimensional
      Densities Via k-Nearest-Neighbor Distances, 2009, section II.
  """
  chex.assert_rank([x, y], 2)
  chex.assert_equal_shape_suffix([x, y], 1)
  (n, d), m = x.shape, len(y)
  if not 1 <= k <= min(n - 1, m):
    raise ValueError(f"k must be from 1 to {min(n - 1, m)}, not {k}")
  logs = _log_distances(x, y, k) - _log_distances(x, x, k + 1)
  return d * jnp.mean(logs) + math.log(m / (n - 1))


def kl_from_log_ratios(at_p: Array) -> Array:
  """Estimates KL(p || q) = E_p[r], r = log p / q, from r [n] at samples of p.

  At samples of q, minus the mean estimates the reverse divergence.
  """
  chex.assert_rank(at_p, 1)
  return jnp.mean(at_p)


def jensen_shannon_from_log_ratios(at_p: Array, at_q: Array) -> Array:
  """Estimates the Jensen-Shannon divergence.

  JSD = log 2 + 1/2 E_p log D + 1/2 E_q log(1 - D),  D = sigmoid(r).

  If r is not exactly log p / q, the expectation is a lower bound.

  Args:
    at_p: [n], r = log p / q at samples of p.
    at_q: [m], r at samples of q.

  References:
    Goodfellow et al., Generative Adversarial Nets, arXiv 1406.2661, eq. 4-6.
  """
  chex.assert_rank([at_p, at_q], 1)
  cost = jnp.mean(softplus(-at_p)) + jnp.mean(softplus(at_q))
  return math.log(2) - 0.5 * cost


def f_divergence_from_log_ratios(name: str, at_q: Array) -> Array:
  """Estimates D_f(p || q) = E_q[f(e^r)], r = log p / q.

  Its variance is large or infinite if q has few samples in regions where p has
  many. It does not include the contribution of p where q = 0.

  Args:
    name: a key of `F_DIVERGENCES`.
    at_q: [n], r at samples of q.

  Raises:
    ValueError: no divergence has that name.
  """
  chex.assert_rank(at_q, 1)
  # The largest finite number instead of infinity, as 0 * inf would be NaN.
  ratio = jnp.minimum(jnp.exp(at_q), jnp.finfo(at_q.dtype).max)
  terms = f_divergences.named(name).perspective(
    ratio, jnp.ones_like(ratio), at_q
  )
  return jnp.mean(terms)
