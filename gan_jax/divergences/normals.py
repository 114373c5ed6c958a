"""Closed forms of divergences between normal distributions.

Means and standard deviations are scalars, or [d] for d independent coordinates;
standard deviations are positive. Results are scalars, in nats, and defined as
in `gan_jax.divergences.f_divergences`.
"""

import math

import chex
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike


def _arrays(*values: ArrayLike) -> list[Array]:
  """Returns values of one shape, [d] or [], as arrays of one dtype."""
  dtype = jnp.result_type(*values, 1.0)
  arrays = [jnp.asarray(value, dtype) for value in values]
  chex.assert_rank(arrays, {0, 1})
  chex.assert_equal_shape(arrays)
  return arrays


def normal_entropy(stddev: ArrayLike) -> Array:
  """Computes the differential entropy H = sum_i log s_i + 1/2 log(2 pi e)."""
  (stddev,) = _arrays(stddev)
  return jnp.sum(jnp.log(stddev) + 0.5 * math.log(2 * math.pi * math.e))


def normal_kl(
  mean_p: ArrayLike, stddev_p: ArrayLike, mean_q: ArrayLike, stddev_q: ArrayLike
) -> Array:
  """Computes KL(p || q) = int p log(p / q).

  KL = 1/2 sum_i [r_i - 1 - log r_i + (m_p - m_q)_i^2 / s_qi^2],
  r = s_p^2 / s_q^2.
  """
  mean_p, stddev_p, mean_q, stddev_q = _arrays(
    mean_p, stddev_p, mean_q, stddev_q
  )
  log_ratio = 2 * (jnp.log(stddev_p) - jnp.log(stddev_q))
  shift = jnp.square((mean_p - mean_q) / stddev_q)
  return 0.5 * jnp.sum(jnp.expm1(log_ratio) - log_ratio + shift)


def normal_jeffrey(
  mean_p: ArrayLike, stddev_p: ArrayLike, mean_q: ArrayLike, stddev_q: ArrayLike
) -> Array:
  """Computes J = KL(p || q) + KL(q || p)."""
  forward = normal_kl(mean_p, stddev_p, mean_q, stddev_q)
  return forward + normal_kl(mean_q, stddev_q, mean_p, stddev_p)


def normal_squared_hellinger(
  mean_p: ArrayLike, stddev_p: ArrayLike, mean_q: ArrayLike, stddev_q: ArrayLike
) -> Array:
  """Computes H^2 = int (sqrt p - sqrt q)^2 = 2 - 2 int sqrt(p q).

  int sqrt(p q) = prod_i sqrt(2 s_p s_q / v)_i exp(-(m_p - m_q)_i^2 / (4 v_i)),
  v = s_p^2 + s_q^2.
  """
  mean_p, stddev_p, mean_q, stddev_q = _arrays(
    mean_p, stddev_p, mean_q, stddev_q
  )
  variance = jnp.square(stddev_p) + jnp.square(stddev_q)
  # 2 s_p s_q / v = 1 - (s_p - s_q)^2 / v does not cancel if they are close.
  log_widths = jnp.log1p(-jnp.square(stddev_p - stddev_q) / variance)
  shift = jnp.square(mean_p - mean_q) / variance
  return -2 * jnp.expm1(jnp.sum(0.5 * log_widths - 0.25 * shift))


def normal_pearson(
  mean_p: ArrayLike, stddev_p: ArrayLike, mean_q: ArrayLike, stddev_q: ArrayLike
) -> Array:
  """Computes the chi-square divergence int (p - q)^2 / q = int p^2 / q - 1.

  int p^2 / q = prod_i s_q^2 / (s_p sqrt v)_i exp((m_p - m_q)_i^2 / v_i),
  v = 2 s_q^2 - s_p^2.

  It is +inf if v <= 0, where the tails of q are too light.
  """
  mean_p, stddev_p, mean_q, stddev_q = _arrays(
    mean_p, stddev_p, mean_q, stddev_q
  )
  # v / s_q^2, without cancellation if the two are close.
  r = stddev_p / stddev_q
  variance = 2 - jnp.square(r)
  converges = variance > 0
  variance = jnp.where(converges, variance, 1.0)
  shift = jnp.square((mean_p - mean_q) / stddev_q) / variance
  log_terms = shift - jnp.log(r) - 0.5 * jnp.log(variance)
  return jnp.where(jnp.all(converges), jnp.expm1(jnp.sum(log_terms)), jnp.inf)


def normal_total_variation(
  mean_p: ArrayLike, mean_q: ArrayLike, stddev: ArrayLike
) -> Array:
  """Computes TV = 1/2 int |p - q| of two normals of equal stddev s.

  TV = 2 Phi(delta / 2) - 1,  delta^2 = sum_i (m_p - m_q)_i^2 / s_i^2.
  """
  mean_p, mean_q, stddev = _arrays(mean_p, mean_q, stddev)
  delta = _norm((mean_p - mean_q) / stddev)
  return lax.erf(delta / math.sqrt(8))


def normal_wasserstein_2(
  mean_p: ArrayLike, stddev_p: ArrayLike, mean_q: ArrayLike, stddev_q: ArrayLike
) -> Array:
  """Computes the Wasserstein-2 distance W_2, in its Bures form.

  W_2^2 = |m_p - m_q|^2 + |s_p - s_q|^2.

  References:
    Peyre and Cuturi, Computational Optimal Transport, arXiv 1803.00567,
    remark 2.31.
  """
  mean_p, stddev_p, mean_q, stddev_q = _arrays(
    mean_p, stddev_p, mean_q, stddev_q
  )
  return _norm(jnp.stack([mean_p - mean_q, stddev_p - stddev_q]))


def _norm(x: Array) -> Array:
  """Returns the Euclidean norm, with a slope of 0 at 0."""
  square = jnp.sum(jnp.square(x))
  positive = square > 0
  return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)
