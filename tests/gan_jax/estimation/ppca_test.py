"""Tests probabilistic PCA against dense float64 algebra in NumPy and SciPy."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from gan_jax.estimation import ppca

D, K, N = 6, 2, 400


def make_data(noise_stddev=0.5):
  """Draws [N, D] with a mean, K strong directions and noise."""
  random = np.random.default_rng(0)
  weights = random.normal(size=(D, K)) * [2.0, 1.0]
  data = (
    random.normal(size=(N, K)) @ weights.T
    + noise_stddev * random.normal(size=(N, D))
    + np.arange(D)
  )
  return jnp.asarray(data, jnp.float32)


def dense_fit(data, k):
  """Eigenvalues (descending), and the ML covariance C of rank k plus noise."""
  x = np.asarray(data, np.float64)
  eigenvalues, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
  noise = eigenvalues[:-k].mean()
  clipped = np.where(
    np.arange(len(eigenvalues)) < len(eigenvalues) - k, noise, eigenvalues
  )
  return eigenvalues[::-1], (vectors * clipped) @ vectors.T


def covariance(model) -> Any:
  weights = np.asarray(model.weights, np.float64)
  return weights @ weights.T + float(model.noise_variance) * np.eye(
    len(weights)
  )


def dense_log_likelihood(model, data):
  return stats.multivariate_normal.logpdf(
    np.asarray(data, np.float64),
    np.asarray(model.mean, np.float64),
    covariance(model),
  ).mean()


def some_model(noise_variance=0.3):
  """A model that fits nothing in particular."""
  random = np.random.default_rng(1)
  return ppca.PPCA(
    mean=jnp.asarray(random.normal(size=D), jnp.float32),
    weights=jnp.asarray(random.normal(size=(D, K)), jnp.float32),
    noise_variance=jnp.asarray(noise_variance, jnp.float32),
  )


class ClosedFormTest(parameterized.TestCase):
  @parameterized.parameters(1, 2, 5)
  def test_covariance(self, k):
    # C has the data's k largest eigenvalues and the mean of the others.
    data = make_data()
    model = ppca.closed_form(data, k)
    eigenvalues, expected = dense_fit(data, k)
    np.testing.assert_allclose(covariance(model), expected, atol=1e-4)
    np.testing.assert_allclose(
      model.noise_variance, eigenvalues[k:].mean(), rtol=1e-4
    )
    np.testing.assert_allclose(
      model.mean, np.asarray(data, np.float64).mean(0), atol=1e-5
    )
    chex.assert_shape(model.weights, (D, k))
    chex.assert_type(list(model), jnp.float32)

  def test_rotation_and_signs(self):
    # R = I: W^T W = L - s^2 I, diagonal and decreasing.
    data = make_data()
    model = ppca.closed_form(data, K)
    eigenvalues, _ = dense_fit(data, K)
    np.testing.assert_allclose(
      model.weights.T @ model.weights,
      np.diag(eigenvalues[:K] - eigenvalues[K:].mean()),
      atol=1e-3,
    )
    for column in np.asarray(model.weights).T:
      self.assertGreater(column[np.argmax(np.abs(column))], 0)

  def test_likelihood_is_that_of_the_spectrum(self):
    # At the maximum tr(C^-1 S) = d, so that the mean log-likelihood is
    # -1/2 (sum_{i <= k} log l_i + (d - k) log s^2 + d log(2 pi) + d).
    data = make_data()
    eigenvalues, _ = dense_fit(data, K)
    expected = -0.5 * (
      np.log(eigenvalues[:K]).sum()
      + (D - K) * np.log(eigenvalues[K:].mean())
      + D * np.log(2 * np.pi)
      + D
    )
    measured = ppca.log_likelihood(ppca.closed_form(data, K), data)
    np.testing.assert_allclose(measured, expected, atol=1e-4)

  @parameterized.parameters(1.0, 1.05, 1.15, 1.25, 1.35, 1.4)
  def test_equal_eigenvalues(self, scale):
    # The points +-a e_i in 8 dimensions have covariance a^2 / 8 I: W = 0. A
    # mean of seven equal numbers may round to more than the eighth.
    data = scale * jnp.concatenate([jnp.eye(8), -jnp.eye(8)])
    model = ppca.closed_form(data, 1)
    np.testing.assert_allclose(model.noise_variance, scale**2 / 8, rtol=1e-5)
    np.testing.assert_allclose(model.weights, np.zeros((8, 1)), atol=1e-3)

  @parameterized.parameters((10, 0), (10, D), (10, D + 1), (3, 2), (2, 2))
  def test_impossible_sizes_raise(self, n, k):
    data = jnp.zeros((n, D))
    for fit in (
      lambda: ppca.closed_form(data, k),
      lambda: ppca.expectation_maximization(data, k, 1, jax.random.key(0)),
    ):
      with self.assertRaisesRegex(ValueError, "components") as raised:
        fit()
      self.assertNotIn("\n", str(raised.exception))

  def test_fewest_points(self):
    model = ppca.closed_form(make_data()[: K + 2], K)
    self.assertGreater(model.noise_variance, 0)


class ExpectationMaximizationTest(absltest.TestCase):
  def test_reaches_the_closed_form(self):
    data = make_data()
    fit = jax.jit(ppca.expectation_maximization, static_argnums=(1, 2))
    model, log_likelihoods = fit(data, K, 1_000, jax.random.key(0))
    chex.assert_shape(log_likelihoods, (1_000,))
    chex.assert_type([log_likelihoods, *model], jnp.float32)
    best = ppca.closed_form(data, K)
    _, expected = dense_fit(data, K)
    np.testing.assert_allclose(covariance(model), expected, atol=2e-3)
    np.testing.assert_allclose(model.noise_variance, best.noise_variance, 1e-4)
    np.testing.assert_allclose(
      log_likelihoods[-1], dense_log_likelihood(best, data), atol=1e-4
    )
    # Rounding aside, no step lowers it; the first ones gain whole nats.
    gains = np.diff(log_likelihoods)
    self.assertGreater(gains.min(), -1e-5)
    self.assertGreater(log_likelihoods[-1] - log_likelihoods[0], 0.5)

  def test_one_step(self):
    # The paper's shorter form, eqs. 29-30, in float64 and from the same start:
    # W' = S W (s^2 I + M^-1 W^T S W)^-1, s'^2 = tr(S - S W M^-1 W'^T) / d.
    data, key = make_data(), jax.random.key(3)
    start, _ = ppca.expectation_maximization(data, K, 0, key)
    model, log_likelihoods = ppca.expectation_maximization(data, K, 1, key)
    s = np.cov(np.asarray(data, np.float64).T, bias=True)
    w, noise = np.asarray(start.weights, np.float64), start.noise_variance
    noise = float(noise)
    inverse = np.linalg.inv(w.T @ w + noise * np.eye(K))
    new = s @ w @ np.linalg.inv(noise * np.eye(K) + inverse @ w.T @ s @ w)
    np.testing.assert_allclose(model.weights, new, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
      model.noise_variance,
      np.trace(s - s @ w @ inverse @ new.T) / D,
      rtol=1e-4,
    )
    np.testing.assert_allclose(
      log_likelihoods, [dense_log_likelihood(model, data)], rtol=1e-5
    )

  def test_follows_the_scale_of_the_data(self):
    # x -> 100 x turns W into 100 W and s^2 into 1e4 s^2, step for step.
    data, key = make_data(), jax.random.key(0)
    model, _ = ppca.expectation_maximization(data, K, 3, key)
    scaled, _ = ppca.expectation_maximization(100 * data, K, 3, key)
    np.testing.assert_allclose(scaled.weights, 100 * model.weights, rtol=1e-3)
    np.testing.assert_allclose(
      scaled.noise_variance, 1e4 * model.noise_variance, rtol=1e-3
    )

  def test_small_noise(self):
    # s^2 is 1e-6 of the data's variance or less, where the difference of two
    # numbers of the size of the variance would have no correct digit left.
    data = make_data(noise_stddev=1e-3)
    centred = data - jnp.mean(data, axis=0, keepdims=True)
    model, _ = ppca.expectation_maximization(centred, K, 60, jax.random.key(0))
    eigenvalues, _ = dense_fit(centred, K)
    np.testing.assert_allclose(
      model.noise_variance, eigenvalues[K:].mean(), rtol=0.02
    )


class LogLikelihoodTest(parameterized.TestCase):
  @parameterized.parameters(1e-2, 0.3, 10.0)
  def test_against_scipy(self, noise_variance):
    model, data = some_model(noise_variance), make_data()
    np.testing.assert_allclose(
      ppca.log_likelihood(model, data),
      dense_log_likelihood(model, data),
      rtol=1e-5,
    )

  def test_small_noise(self):
    # |x|^2 / s^2 - |..|^2 / s^2 would be a difference of numbers of 1e7.
    model = some_model(1e-6)
    data = ppca.sample(model, jax.random.key(0), 100)
    np.testing.assert_allclose(
      ppca.log_likelihood(model, data),
      dense_log_likelihood(model, data),
      atol=0.01,
    )

  def test_gradient_vanishes_at_the_closed_form_alone(self):
    data = make_data()
    slope = jax.grad(ppca.log_likelihood)
    best = ppca.closed_form(data, K)
    chex.assert_trees_all_close(
      slope(best, data), jax.tree.map(jnp.zeros_like, best), atol=1e-3
    )
    # d/ds^2 of the mean log-likelihood is -1/2 tr(C^-1 - C^-1 S C^-1).
    other = best._replace(noise_variance=2 * best.noise_variance)
    inverse = np.linalg.inv(covariance(other))
    s = np.cov(np.asarray(data, np.float64).T, bias=True)
    np.testing.assert_allclose(
      slope(other, data).noise_variance,
      -0.5 * np.trace(inverse - inverse @ s @ inverse),
      rtol=1e-3,
    )

  def test_wrong_shapes_raise(self):
    model = some_model()
    for call in (ppca.log_likelihood, ppca.infer):
      with self.assertRaises(AssertionError):
        call(model, jnp.zeros((3, D + 1)))
      with self.assertRaises(AssertionError):
        call(model._replace(weights=model.weights.T), jnp.zeros((3, D)))


class InferTest(absltest.TestCase):
  def test_regression_of_latents_on_data(self):
    # (z, x) is jointly normal with Cov(z, x) = W^T, so that
    # E[z | x] = W^T C^-1 (x - mu).
    model, data = some_model(), make_data()
    centred = np.asarray(data, np.float64) - np.asarray(model.mean)
    expected = centred @ np.linalg.solve(
      covariance(model), np.asarray(model.weights, np.float64)
    )
    np.testing.assert_allclose(
      ppca.infer(model, data), expected, rtol=1e-3, atol=1e-4
    )


class SampleTest(absltest.TestCase):
  def test_moments(self):
    # Standard errors at n = 100,000 and C_ii <= 1: sqrt(C_ii / n) < 0.004 for
    # the mean and C_ii sqrt(2 / n) < 0.005 for the covariance.
    model = some_model()
    draws = ppca.sample(model, jax.random.key(0), 100_000)
    chex.assert_shape(draws, (100_000, D))
    draws = np.asarray(draws, np.float64)
    np.testing.assert_allclose(draws.mean(0), model.mean, atol=0.02)
    np.testing.assert_allclose(np.cov(draws.T), covariance(model), atol=0.02)


if __name__ == "__main__":
  absltest.main()
