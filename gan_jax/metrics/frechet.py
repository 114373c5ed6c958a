"""The Frechet distance between features of real and of generated images.

It is the FID of the literature only if the features are those of Inception.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import Array

# By default accelerators round matrix products to fewer bits.
_full_precision = jax.default_matmul_precision("highest")


class Moments(NamedTuple):
  """Mean [d] and covariance [d, d], with divisor n - 1, of features."""

  mean: Array
  covariance: Array


@_full_precision
def moments(features: Array) -> Moments:
  """Computes the mean and unbiased covariance of features [n, d], n > 1."""
  chex.assert_rank(features, 2)
  n = len(features)
  chex.assert_scalar_positive(n - 1)
  mean = jnp.mean(features, axis=0)
  centred = features - mean[None]
  return Moments(mean, centred.T @ centred / (n - 1))


def _factor(covariance: Array) -> Array:
  """Returns F with F F^T = S, for a positive semidefinite S [d, d]."""
  values, vectors = jnp.linalg.eigh(covariance)
  # Rounding can make eigenvalues that should be 0 slightly negative.
  return vectors * jnp.sqrt(jnp.maximum(values, 0))[None]


@_full_precision
def frechet_distance(a: Moments, b: Moments) -> Array:
  """Computes the squared Frechet distance between normal distributions.

  |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a^{1/2} S_b S_a^{1/2})^{1/2}),

  which is also their squared Wasserstein-2 distance. Covariances may be
  singular. For moments of n samples the distance is too large, by an amount of
  order tr(S) d / n that depends on the generator. Compare distances at equal n
  only, and state n.

  In float32 the error is about 1e-6 (tr S_a + tr S_b) if the covariances have
  the same null space or none. If both are singular with different null spaces
  it is up to 1e-3 (tr S_a + tr S_b), because an eigenvalue of 0 is computed as
  1e-7 of the largest and its square root enters.

  References:
    Dowson and Landau, The Frechet Distance between Multivariate Normal
      Distributions, Journal of Multivariate Analysis 12, 1982.
    Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a
      Local Nash Equilibrium, arXiv 1706.08500, equation 6.
    Chong and Forsyth, Effectively Unbiased FID and Inception Score and Where to
      Find Them, arXiv 1911.07023, for the bias.
  """
  (d,) = a.mean.shape
  chex.assert_shape([a.mean, b.mean], (d,))
  chex.assert_shape([a.covariance, b.covariance], (d, d))
  # With S = F F^T the last trace is the sum of the singular values of
  # F_a^T F_b. The eigenvalues of S_a^{1/2} S_b S_a^{1/2} are their squares;
  # taking roots would turn a relative error of 1e-7 into 3e-4.
  product = _factor(a.covariance).T @ _factor(b.covariance)
  cross = jnp.sum(jnp.linalg.svd(product, compute_uv=False))
  shift = jnp.sum(jnp.square(a.mean - b.mean))
  traces = jnp.trace(a.covariance) + jnp.trace(b.covariance)
  return jnp.maximum(shift + traces - 2 * cross, 0)
