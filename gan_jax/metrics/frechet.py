"""The Frechet distance between features of real and of generated images.

It is the "FID" of the literature where the features are Inception's, and only
there.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import Array

# Accelerators would round the products to fewer bits.
_full_precision = jax.default_matmul_precision("highest")


class Moments(NamedTuple):
  """The first two moments of features.

  Attributes:
    mean: [d].
    covariance: [d, d], with the divisor n - 1.
  """

  mean: Array
  covariance: Array


@_full_precision
def moments(features: Array) -> Moments:
  """Computes the mean and the unbiased covariance of features.

  Args:
    features: [n, d], n > 1.

  Returns:
    The moments.
  """
  chex.assert_rank(features, 2)
  n = len(features)
  chex.assert_scalar_positive(n - 1)
  mean = jnp.mean(features, axis=0)
  centred = features - mean[None]
  return Moments(mean, centred.T @ centred / (n - 1))


def _factor(covariance: Array) -> Array:
  """Returns F with F F^T = S, for a positive semidefinite S [d, d]."""
  values, vectors = jnp.linalg.eigh(covariance)
  # Rounding makes eigenvalues that should be 0 slightly negative.
  return vectors * jnp.sqrt(jnp.maximum(values, 0))[None]


@_full_precision
def frechet_distance(a: Moments, b: Moments) -> Array:
  """Computes the squared Frechet distance between normal distributions.

  |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a^{1/2} S_b S_a^{1/2})^{1/2}),

  which is the squared Wasserstein-2 distance between them. For moments of n
  samples it is too large, by an amount of the order of tr(S) d / n that differs
  between generators: compare distances at equal n, and name it.

  In float32 the error is about 1e-6 (tr S_a + tr S_b) where the covariances
  have the same null space, whether it is empty or not. Where each is of low
  rank in directions of its own it is up to 1e-3 of that: an eigenvalue of 0
  comes out as 1e-7 of the largest, and counts with its root.

  Args:
    a: moments, mean [d] and covariance [d, d]; it may be singular.
    b: moments of the same shapes.

  Returns:
    A scalar, at least 0.

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
  # F_a^T F_b. Eigenvalues of S_a^{1/2} S_b S_a^{1/2} are their squares, whose
  # roots would turn a relative error of 1e-7 into one of 3e-4.
  product = _factor(a.covariance).T @ _factor(b.covariance)
  cross = jnp.sum(jnp.linalg.svd(product, compute_uv=False))
  shift = jnp.sum(jnp.square(a.mean - b.mean))
  traces = jnp.trace(a.covariance) + jnp.trace(b.covariance)
  return jnp.maximum(shift + traces - 2 * cross, 0)
