"""Probabilistic principal component analysis.

  x = W z + mu + s e,  z ~ N(0, I_k),  e ~ N(0, I_d),

so x ~ N(mu, C) with C = W W^T + s^2 I: a linear generator whose likelihood is
known. W is determined up to a rotation of the latents. Except in `closed_form`,
no d x d matrix is formed: the k x k M = W^T W + s^2 I is used instead of C.

References:
  Tipping and Bishop, Probabilistic Principal Component Analysis, Journal of the
    Royal Statistical Society B 61(3), 1999.
"""

import math
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve

from gan_jax.types import Array, PRNGKey

# By default accelerators round the inputs of matrix products to fewer bits. The
# error would exceed a noise variance much smaller than the data's variance.
_full_precision = jax.default_matmul_precision("highest")


class PPCA(NamedTuple):
  """The parameters of the model.

  Attributes:
    mean: [d], mu.
    weights: [d, k], W.
    noise_variance: [], s^2 > 0.
  """

  mean: Array
  weights: Array
  noise_variance: Array


def _check(data: Array, num_components: int) -> None:
  chex.assert_rank(data, 2)
  n, d = data.shape
  if not 1 <= num_components < d:
    raise ValueError(
      f"{num_components} components do not lie between 1 and {d - 1}, one less "
      "than the data's dimension"
    )
  # k + 1 points lie in a k-plane, so the likelihood is unbounded as s -> 0.
  if n < num_components + 2:
    raise ValueError(
      f"{n} points are too few for {num_components} components, which take at "
      f"least {num_components + 2}"
    )


def _check_model(model: PPCA, data: Array) -> None:
  d, _ = model.weights.shape
  chex.assert_shape(model.mean, (d,))
  chex.assert_shape(model.noise_variance, ())
  chex.assert_shape(data, (None, d))


def _cholesky(model: PPCA) -> tuple[Array, bool]:
  """Factors M = W^T W + s^2 I."""
  identity = jnp.eye(model.weights.shape[1], dtype=model.weights.dtype)
  return cho_factor(
    model.weights.T @ model.weights + model.noise_variance * identity,
    lower=True,
  )


@_full_precision
def closed_form(data: Array, num_components: int) -> PPCA:
  """Fits the model to data [n, d] by maximum likelihood, in closed form.

  s^2 = mean of the d - k smallest eigenvalues of the data's covariance,
  W = U (L - s^2 I)^(1/2) R,  R = I,

  with k = `num_components`, and L and U the k largest eigenvalues, in
  decreasing order, and their eigenvectors. The covariance is the
  maximum-likelihood one, with divisor n. The entry of largest magnitude in each
  column of W is positive.

  Raises:
    ValueError: unless 1 <= k < d and n > k + 1.

  References:
    Tipping and Bishop, 1999, eqs. 7-8.
  """
  _check(data, num_components)
  mean = jnp.mean(data, axis=0)
  centred = data - mean[None]
  eigenvalues, eigenvectors = jnp.linalg.eigh(centred.T @ centred / len(data))
  noise_variance = jnp.mean(eigenvalues[:-num_components])
  largest = eigenvalues[::-1][:num_components]
  # If all eigenvalues are equal, rounding may make a difference negative.
  scales = jnp.sqrt(jnp.maximum(largest - noise_variance, 0))
  weights = scales[None] * eigenvectors[:, ::-1][:, :num_components]
  longest = jnp.argmax(jnp.abs(weights), axis=0, keepdims=True)
  negative = jnp.take_along_axis(weights, longest, axis=0) < 0
  return PPCA(mean, jnp.where(negative, -weights, weights), noise_variance)


@_full_precision
def expectation_maximization(
  data: Array, num_components: int, num_steps: int, key: PRNGKey
) -> tuple[PPCA, Array]:
  """Fits the model by expectation maximisation.

  With z_i = M^-1 W^T (x_i - mu), the posterior means, and V = s^2 M^-1, the
  posterior covariance, a step takes

    W   <- [sum_i (x_i - mu) z_i^T] [n V + sum_i z_i z_i^T]^-1,
    s^2 <- [sum_i |x_i - mu - W z_i|^2 + n tr(W V W^T)] / (n d)

  with the new W in the second line. No step lowers the likelihood. A step costs
  O(n d k), as the d x d covariance is never formed. The mean is always that of
  the data. The smaller s^2 is compared with the largest eigenvalue of the
  covariance, the more steps are needed.

  Args:
    data: [n, d].
    num_components: k.
    num_steps: number of steps.
    key: draws the first W, in the scale of the data.

  Returns:
    The model and [num_steps], the `log_likelihood` after each step.

  Raises:
    ValueError: unless 1 <= k < d and n > k + 1.

  References:
    Tipping and Bishop, 1999, appendix B. The paper's shorter form of the two
      updates subtracts s^2 from a larger number, which loses precision.
  """
  _check(data, num_components)
  n, d = data.shape
  mean = jnp.mean(data, axis=0)
  centred = data - mean[None]
  variance = jnp.mean(centred**2)
  weights = jax.random.normal(key, (d, num_components), data.dtype)
  identity = jnp.eye(num_components, dtype=data.dtype)

  def step(model, _):
    latents = infer(model, data)
    covariance = cho_solve(_cholesky(model), model.noise_variance * identity)
    second_moment = covariance + latents.T @ latents / n
    weights = cho_solve(cho_factor(second_moment), latents.T @ centred / n).T
    residuals = centred - latents @ weights.T
    noise_variance = (
      jnp.mean(residuals**2) + jnp.sum(weights @ covariance * weights) / d
    )
    model = PPCA(mean, weights, noise_variance)
    return model, log_likelihood(model, data)

  model = PPCA(mean, jnp.sqrt(variance) * weights, variance)
  return jax.lax.scan(step, model, length=num_steps)


@_full_precision
def log_likelihood(model: PPCA, data: Array) -> Array:
  """Computes the mean log-likelihood of a data point, in nats.

  1/n sum_i log N(x_i; mu, C) = -1/2 (d log(2 pi) + log|C| + mean_i q_i),
  log|C| = (d - k) log s^2 + log|M|,
  q = (x - mu)^T C^-1 (x - mu) = |x - mu - W z|^2 / s^2 + |z|^2,

  with data x [n, d] and z = M^-1 W^T (x - mu). No term cancels for small s^2.
  The likelihood in the paper is n times this mean.

  References:
    Tipping and Bishop, 1999, eq. 4.
  """
  latents = infer(model, data)
  d, k = model.weights.shape
  residuals = data - model.mean[None] - latents @ model.weights.T
  distances = jnp.sum(residuals**2, axis=1) / model.noise_variance + jnp.sum(
    latents**2, axis=1
  )
  factor, _ = _cholesky(model)
  log_determinant = (d - k) * jnp.log(model.noise_variance) + 2 * jnp.sum(
    jnp.log(jnp.diagonal(factor))
  )
  return -0.5 * (
    d * math.log(2 * math.pi) + log_determinant + jnp.mean(distances)
  )


@_full_precision
def infer(model: PPCA, data: Array) -> Array:
  """Computes the posterior means [n, k] of the latents of data [n, d].

  E[z | x] = M^-1 W^T (x - mu).

  References:
    Tipping and Bishop, 1999, eq. 6.
  """
  _check_model(model, data)
  projections = (data - model.mean[None]) @ model.weights
  return cho_solve(_cholesky(model), projections.T).T


@_full_precision
def sample(model: PPCA, key: PRNGKey, n: int) -> Array:
  """Draws samples [n, d] from the model."""
  d, k = model.weights.shape
  latents_key, noise_key = jax.random.split(key)
  latents = jax.random.normal(latents_key, (n, k), model.weights.dtype)
  noise = jax.random.normal(noise_key, (n, d), model.weights.dtype)
  return (
    model.mean[None]
    + latents @ model.weights.T
    + jnp.sqrt(model.noise_variance) * noise
  )
