"""Entropy and divergences of known distributions, in nats.

Every result is a sum over n points. Arrays p, q >= 0 and weights are [n]:

- for discrete distributions p and q are probabilities, without weights;
- for densities they are values at the points of a quadrature rule, with its
  weights.

Zeros are treated as limits: a sum is +inf if and only if a point with a
positive weight makes it so. Points of weight 0 do not count.
"""

import chex
import jax.numpy as jnp
from jax import Array

from gan_jax.divergences import _logarithms, f_divergences
from gan_jax.divergences.f_divergences import (
  F_DIVERGENCES,
  FDivergence,
  Integrand,
)


def _sum(terms: Array, weights: Array | None) -> Array:
  if weights is None:
    return jnp.sum(terms)
  # A weight of 0 times an infinite term counts as 0.
  return jnp.sum(weights * jnp.where(weights == 0, 0.0, terms))


def _check(*arrays: Array | None) -> None:
  given = [array for array in arrays if array is not None]
  chex.assert_rank(given, 1)
  chex.assert_equal_shape(given)
  for array in given:
    # `_logarithms` replaces 0 by a number that is not small in float16.
    if not (
      jnp.issubdtype(array.dtype, jnp.floating)
      and jnp.finfo(array.dtype).minexp <= jnp.finfo(jnp.float32).minexp
    ):
      raise ValueError(
        "distributions must be floats of the range of float32 or more, not "
        f"{array.dtype}"
      )


def self_information(p: Array) -> Array:
  """Computes -log p, the information in an outcome of probability p.

  It takes any shape, and is +inf where p = 0.

  References:
    Shannon, A Mathematical Theory of Communication, 1948, section 6.
  """
  return jnp.where(_logarithms.is_positive(p), -_logarithms.log(p), jnp.inf)


def cross_entropy(p: Array, q: Array, weights: Array | None = None) -> Array:
  """Computes H(p, q) = -int p log q.

  H(p, q) = H(p) + KL(p || q), +inf if q = 0 < p at some point.
  """
  _check(p, q, weights)
  infinite = _logarithms.is_positive(p) & ~_logarithms.is_positive(q)
  return _sum(jnp.where(infinite, jnp.inf, -p * _logarithms.log(q)), weights)


def entropy(p: Array, weights: Array | None = None) -> Array:
  """Computes H(p) = -int p log p, the entropy or differential entropy.

  References:
    Shannon, A Mathematical Theory of Communication, 1948, sections 6 and 20.
  """
  return cross_entropy(p, p, weights)


def _divergence(
  divergence: FDivergence | Integrand, p: Array, q: Array, weights: Array | None
) -> Array:
  _check(p, q, weights)
  has_p, has_q = _logarithms.is_positive(p), _logarithms.is_positive(q)
  infinite = jnp.zeros_like(has_p)
  if divergence.at_zero == jnp.inf:
    infinite |= ~has_p & has_q
  if divergence.slope_at_infinity == jnp.inf:
    infinite |= has_p & ~has_q
  # A difference of logarithms, as the ratio could over- or underflow. Where the
  # term is infinite it is 0, so that the branch not taken has a finite slope.
  ratio = jnp.where(infinite, 0.0, _logarithms.log(p) - _logarithms.log(q))
  terms = divergence.perspective(p, q, ratio)
  return _sum(jnp.where(infinite, jnp.inf, terms), weights)


def f_divergence(
  name: str, p: Array, q: Array, weights: Array | None = None
) -> Array:
  """Computes the f-divergence of that name.

  D_f(p || q) = int over q > 0 of q f(p / q)  +  f'(inf) P(q = 0),

  where f'(inf) is the limit of f(u) / u. It is accurate also where p and q
  underflow or have disjoint supports. It is +inf if f(0) = inf and p = 0 < q at
  some point, or if f'(inf) = inf and q = 0 < p.

  `name` is a key of `F_DIVERGENCES`, which defines each divergence. Note that
  "jensen_shannon" there is twice `jensen_shannon` below.

  Raises:
    ValueError: no divergence has that name.

  References:
    Nowozin, Cseke and Tomioka, f-GAN: Training Generative Neural Samplers using
      Variational Divergence Minimization, arXiv 1606.00709, eq. 2.
    Liese and Vajda, On Divergences and Informations in Statistics and
      Information Theory, 2006, eq. 21.
  """
  return _divergence(f_divergences.named(name), p, q, weights)


def practical_divergence(
  name: str, p: Array, q: Array, weights: Array | None = None
) -> Array:
  """Computes the divergence that f-GAN's practical generator descends.

  D_h(p || q) = int q h(p / q),  u h'(u) - h(u) = f'(u).

  `name` is a key of `F_DIVERGENCES`, the divergence D_f that the discriminator
  estimates; its `practical` defines h. Where one of p and q is 0, h counts as f
  does in `f_divergence`.

  Raises:
    ValueError: no divergence has that name.

  References:
    Nowozin, Cseke and Tomioka, f-GAN: Training Generative Neural Samplers using
      Variational Divergence Minimization, arXiv 1606.00709, section 3.2.
  """
  return _divergence(f_divergences.named(name).practical, p, q, weights)


def kl(p: Array, q: Array, weights: Array | None = None) -> Array:
  """Computes KL(p || q) = int p log(p / q), +inf if q = 0 < p at some point.

  References:
    Kullback and Leibler, On Information and Sufficiency, 1951, eq. 2.4.
  """
  return _divergence(F_DIVERGENCES["kl"], p, q, weights)


def jensen_shannon(p: Array, q: Array, weights: Array | None = None) -> Array:
  """Computes the Jensen-Shannon divergence.

  JSD = 1/2 KL(p || m) + 1/2 KL(q || m),  m = (p + q) / 2.

  It ranges from 0 (p = q) to log 2 (disjoint supports).

  References:
    Lin, Divergence Measures Based on the Shannon Entropy, 1991, eq. 3.
  """
  return 0.5 * _divergence(F_DIVERGENCES["jensen_shannon"], p, q, weights)


def total_variation(p: Array, q: Array, weights: Array | None = None) -> Array:
  """Computes TV = 1/2 int |p - q|, from 0 (p = q) to 1 (disjoint supports).

  It is the largest difference between the two probabilities of an event.
  """
  return _divergence(F_DIVERGENCES["total_variation"], p, q, weights)
