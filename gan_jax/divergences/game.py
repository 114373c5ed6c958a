"""The minimax game of two distributions that are known exactly.

V(D) = E_p log D + E_q log(1 - D),  p the data and q the generator.
"""

import chex
import jax
import jax.numpy as jnp
from jax import Array

from gan_jax.divergences import _terms, information


def optimal_discriminator(p: Array, q: Array) -> Array:
  """Computes D* = p / (p + q), the probability that a sample is real.

  Args:
    p: [...], p >= 0, the data's density.
    q: [...], q >= 0, the generator's.

  Returns:
    [...]; 1/2, the prior, where neither has a sample and any D is as good.

  References:
    Goodfellow et al., Generative Adversarial Nets, arXiv 1406.2661, eq. 2.
  """
  chex.assert_equal_shape([p, q])
  has_p, has_q = _terms.is_positive(p), _terms.is_positive(q)
  both = jax.nn.sigmoid(_terms.log(p) - _terms.log(q))
  return jnp.where(has_p == has_q, both, has_p.astype(both.dtype))


def value(
  p: Array, q: Array, discriminator: Array, weights: Array | None = None
) -> Array:
  """Computes V(D) = E_p log D + E_q log(1 - D), which D maximises.

  Args:
    p: [n], p >= 0, the data's probabilities or density.
    q: [n], q >= 0, the generator's.
    discriminator: [n], D in [0, 1] at the same points.
    weights: [n], of a quadrature rule; 1 if None.

  Returns:
    A scalar, -inf where D is sure of what is wrong: 0 where p > 0, or 1 where
    q > 0. In float32 D rounds to 1 from 1 - 3e-8 on; `optimal_value` has no
    such limit.

  References:
    Goodfellow et al., Generative Adversarial Nets, arXiv 1406.2661, eq. 1.
  """
  real = information.cross_entropy(p, discriminator, weights)
  fake = information.cross_entropy(q, 1 - discriminator, weights)
  return -(real + fake)


def optimal_value(p: Array, q: Array, weights: Array | None = None) -> Array:
  """Computes V(D*) = max over D of V(D) = -log 4 + 2 JSD(p, q).

  Args:
    p: [n], p >= 0, the data's probabilities or density.
    q: [n], q >= 0, the generator's.
    weights: [n], of a quadrature rule; 1 if None.

  Returns:
    A scalar, from -log 4 (p = q) to 0 (disjoint supports).

  References:
    Goodfellow et al., Generative Adversarial Nets, arXiv 1406.2661, eq. 4-6.
  """
  return information.f_divergence("gan", p, q, weights)
