"""The minimax GAN's value and optimal discriminator for known densities.

V(D) = E_p log D + E_q log(1 - D),  p the data and q the generator. Arrays p, q
and D hold densities, or probabilities, and D in [0, 1] at the same points;
`weights` are those of a quadrature rule, or 1 if None.
"""

import chex
import jax.numpy as jnp
from jax import Array

from gan_jax.divergences import _logarithms, information
from gan_jax.numerics import sigmoid


def optimal_discriminator(p: Array, q: Array) -> Array:
  """Computes D* = p / (p + q), the probability that a sample is real.

  Where p = q = 0 the result is 1/2.

  References:
    Goodfellow et al., Generative Adversarial Nets, arXiv 1406.2661, eq. 2.
  """
  chex.assert_equal_shape([p, q])
  has_p, has_q = _logarithms.is_positive(p), _logarithms.is_positive(q)
  both = sigmoid(_logarithms.log(p) - _logarithms.log(q))
  return jnp.where(has_p == has_q, both, has_p.astype(both.dtype))


def value(
  p: Array, q: Array, discriminator: Array, weights: Array | None = None
) -> Array:
  """Computes V(D) = E_p log D + E_q log(1 - D), which D maximises.

  It is -inf if D = 0 where p > 0, or D = 1 where q > 0. In float32 D rounds to
  1 above 1 - 3e-8; `optimal_value` does not have this limitation.

  References:
    Goodfellow et al., Generative Adversarial Nets, arXiv 1406.2661, eq. 1.
  """
  real = information.cross_entropy(p, discriminator, weights)
  fake = information.cross_entropy(q, 1 - discriminator, weights)
  return -(real + fake)


def optimal_value(p: Array, q: Array, weights: Array | None = None) -> Array:
  """Computes V(D*) = max over D of V(D) = -log 4 + 2 JSD(p, q).

  It ranges from -log 4 (p = q) to 0 (disjoint supports).

  References:
    Goodfellow et al., Generative Adversarial Nets, arXiv 1406.2661, eq. 4-6.
  """
  return information.f_divergence("gan", p, q, weights)
