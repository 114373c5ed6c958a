"""Entropy and divergences of two distributions that are known exactly.

Everything is a sum over points, and one formula serves two cases:

- discrete distributions: probabilities that sum to 1, and no weights;
- densities at the points of a quadrature rule, and the rule's weights.

All is in nats. Zeros mean what they mean in the limit: a sum is +inf exactly
where a point with a positive weight makes it so. A density that underflows to 0
counts as 0. A point of weight 0 counts for nothing.
"""

import chex
import jax.numpy as jnp
from jax import Array

from gan_jax.divergences import _terms, f_divergences
from gan_jax.divergences.f_divergences import F_DIVERGENCES, FDivergence


def _sum(terms: Array, weights: Array | None) -> Array:
  if weights is None:
    return jnp.sum(terms)
  # 0 * inf is 0 here.
  return jnp.sum(weights * jnp.where(weights == 0, 0.0, terms))


def _check(*arrays: Array | None) -> None:
  given = [array for array in arrays if array is not None]
  chex.assert_rank(given, 1)
  chex.assert_equal_shape(given)
  for array in given:
    # The stand-in for the logarithm's argument at 0 is not small in float16.
    if not (
      jnp.issubdtype(array.dtype, jnp.floating)
      and jnp.finfo(array.dtype).minexp <= jnp.finfo(jnp.float32).minexp
    ):
      raise ValueError(
        "distributions must be floats of the range of float32 or more, not "
        f"{array.dtype}"
      )


def self_information(p: Array) -> Array:
  """Computes -log p, what an outcome of probability p tells.

  Args:
    p: [...], p >= 0.

  Returns:
    [...], +inf where p = 0.

  References:
    Shannon, A Mathematical Theory of Communication, 1948, section 6.
  """
  return jnp.where(_terms.is_positive(p), -_terms.log(p), jnp.inf)


def cross_entropy(p: Array, q: Array, weights: Array | None = None) -> Array:
  """Computes H(p, q) = -int p log q.

  H(p, q) = H(p) + KL(p || q).

  Args:
    p: [n], p >= 0.
    q: [n], q >= 0.
    weights: [n], of a quadrature rule; 1 if None.

  Returns:
    A scalar, +inf where q = 0 < p at some point.
  """
  _check(p, q, weights)
  infinite = _terms.is_positive(p) & ~_terms.is_positive(q)
  return _sum(jnp.where(infinite, jnp.inf, -p * _terms.log(q)), weights)


def entropy(p: Array, weights: Array | None = None) -> Array:
  """Computes H(p) = -int p log p.

  Args:
    p: [n], p >= 0.
    weights: [n], of a quadrature rule; 1 if None.

  Returns:
    A scalar: the entropy, or the differential entropy of a density, which may
    be negative.

  References:
    Shannon, A Mathematical Theory of Communication, 1948, sections 6 and 20.
  """
  return cross_entropy(p, p, weights)


def _divergence(
  divergence: FDivergence, p: Array, q: Array, weights: Array | None
) -> Array:
  _check(p, q, weights)
  has_p, has_q = _terms.is_positive(p), _terms.is_positive(q)
  infinite = jnp.zeros_like(has_p)
  if divergence.at_zero == jnp.inf:
    infinite |= ~has_p & has_q
  if divergence.slope_at_infinity == jnp.inf:
    infinite |= has_p & ~has_q
  # A difference of logarithms, as the ratio could over- or underflow.
  terms = divergence.perspective(p, q, _terms.log(p) - _terms.log(q))
  return _sum(jnp.where(infinite, jnp.inf, terms), weights)


def f_divergence(
  name: str, p: Array, q: Array, weights: Array | None = None
) -> Array:
  """Computes D_f(p || q), with the f of that name.

  D_f(p || q) = int over q > 0 of q f(p / q)  +  f'(inf) P(q = 0),

  where f'(inf) is the limit of f(u) / u. It is exact where p and q underflow
  or have no point in common.

  Args:
    name: a key of `f_divergences.F_DIVERGENCES`, which says what each one is:
      "jensen_shannon", for one, is twice `jensen_shannon` below.
    p: [n], p >= 0.
    q: [n], q >= 0.
    weights: [n], of a quadrature rule; 1 if None.

  Returns:
    A scalar; +inf where f(0) = inf and p = 0 < q at some point, or where
    f'(inf) = inf and q = 0 < p.

  Raises:
    ValueError: no divergence has that name.

  References:
    Nowozin, Cseke and Tomioka, f-GAN: Training Generative Neural Samplers using
      Variational Divergence Minimization, arXiv 1606.00709, eq. 2.
    Liese and Vajda, On Divergences and Informations in Statistics and
      Information Theory, 2006, eq. 21.
  """
  return _divergence(f_divergences.named(name), p, q, weights)


def kl(p: Array, q: Array, weights: Array | None = None) -> Array:
  """Computes KL(p || q) = int p log(p / q).

  Args:
    p: [n], p >= 0.
    q: [n], q >= 0; `kl(q, p)` is the reverse divergence.
    weights: [n], of a quadrature rule; 1 if None.

  Returns:
    A scalar, +inf where q = 0 < p at some point.

  References:
    Kullback and Leibler, On Information and Sufficiency, 1951, eq. 2.4.
  """
  return _divergence(F_DIVERGENCES["kl"], p, q, weights)


def jensen_shannon(p: Array, q: Array, weights: Array | None = None) -> Array:
  """Computes the Jensen-Shannon divergence.

  JSD = 1/2 KL(p || m) + 1/2 KL(q || m),  m = (p + q) / 2,

  from 0 (p = q) to log 2 (disjoint supports).

  Args:
    p: [n], p >= 0.
    q: [n], q >= 0.
    weights: [n], of a quadrature rule; 1 if None.

  Returns:
    A scalar.

  References:
    Lin, Divergence Measures Based on the Shannon Entropy, 1991, eq. 3.
  """
  return 0.5 * _divergence(F_DIVERGENCES["jensen_shannon"], p, q, weights)


def total_variation(p: Array, q: Array, weights: Array | None = None) -> Array:
  """Computes TV = 1/2 int |p - q|, the largest difference of an event's chance.

  Args:
    p: [n], p >= 0.
    q: [n], q >= 0.
    weights: [n], of a quadrature rule; 1 if None.

  Returns:
    A scalar, from 0 (p = q) to 1 (disjoint supports).
  """
  return _divergence(F_DIVERGENCES["total_variation"], p, q, weights)
