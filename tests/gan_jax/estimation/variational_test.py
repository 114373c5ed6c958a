"""Tests variational autoencoders against integrals and probabilistic PCA."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from absl.testing import absltest, parameterized
from flax import linen as nn
from scipy import integrate, special, stats

from gan_jax import games, steps
from gan_jax.estimation import ppca, variational
from gan_jax.networks import MLP, dcgan
from gan_jax.types import Players

KEY = jax.random.key(0)
PLANE = (np.array([[2.0], [1.0]]), np.array([1.0, -0.5]), 0.6)
SPACE = (
  np.array([[2.0, 0.5], [0.0, 1.5], [-1.0, 0.5], [0.5, -1.0], [1.0, 0.0]]),
  np.array([1.0, 0.0, -1.0, 2.0, 0.5]),
  0.5,
)


def make_data(model):
  """The data of the figure `ppca`, [1000, d]."""
  weights, mean, stddev = model
  rng = np.random.default_rng(0)
  latents = rng.normal(size=(1000, weights.shape[1]))
  noise = rng.normal(size=(1000, len(mean)))
  return latents @ weights.T + mean + stddev * noise


def linear(dim, latent_dim):
  # Large weights of log v would make variances that take long to shrink.
  small = nn.initializers.normal(0.1)
  return variational.autoencoder(
    MLP((), dim, kernel_init=small),
    MLP((), 2 * latent_dim, kernel_init=small),
    variational.gaussian(learned=True),
    latent_dim,
  )


def dense(kernel, bias):
  return {"Dense_0": {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}}


def exact_posterior(model):
  """Returns W^T (x - mu) -> mean, as a matrix, and the covariance, in NumPy."""
  weights = np.asarray(model.weights)
  noise_variance = float(model.noise_variance)
  inverse = np.linalg.inv(
    weights.T @ weights + noise_variance * np.eye(weights.shape[1])
  )
  return inverse @ weights.T, noise_variance * inverse


def networks_of(model, shift=0.0, scale=1.0):
  """Makes linear networks of PPCA, with a posterior that may be changed.

  Its means are moved by `shift`, and its variances multiplied by `scale`.
  """
  to_mean, covariance = exact_posterior(model)
  log_variance = np.log(scale * np.diag(covariance))
  kernel = np.concatenate([to_mean.T, np.zeros_like(to_mean.T)], axis=1)
  bias = np.concatenate([-to_mean @ model.mean + shift, log_variance])
  decoder = {
    "decoder": dense(model.weights.T, model.mean),
    "likelihood": {"log_stddev": 0.5 * jnp.log(model.noise_variance)},
  }
  return Players(decoder, dense(kernel, bias))


def log_prob(model, data):
  weights = np.asarray(model.weights)
  covariance: Any = weights @ weights.T + float(model.noise_variance) * np.eye(
    len(weights)
  )
  return stats.multivariate_normal.logpdf(
    data, np.asarray(model.mean), covariance
  )


class PartsTest(parameterized.TestCase):
  def test_divergence(self):
    mean, stddev = np.array([[0.3, -1.2], [0, 2]]), np.array([[0.5, 1.7]] * 2)

    def term(x, m, s):
      log_q = stats.norm.logpdf(x, m, s)
      return np.exp(log_q) * (log_q - stats.norm.logpdf(x))

    expected = [
      sum(
        integrate.quad(term, m - 12 * s, m + 12 * s, (m, s))[0]
        for m, s in zip(*row, strict=True)
      )
      for row in zip(mean, stddev, strict=True)
    ]
    with jax.enable_x64(True):
      posterior = variational.Posterior(
        jnp.asarray(mean), jnp.asarray(2 * np.log(stddev))
      )
      values = np.asarray(variational.divergence(posterior))
    np.testing.assert_allclose(values, expected, rtol=1e-8)

  def test_divergence_of_the_prior(self):
    zeros = jnp.zeros((3, 2))
    values = variational.divergence(variational.Posterior(zeros, zeros))
    np.testing.assert_array_equal(np.asarray(values), np.zeros(3))

  def test_sample(self):
    posterior = variational.Posterior(
      jnp.array([[1.0, -2.0]]), jnp.log(jnp.array([[4.0, 0.25]]))
    )
    z = variational.sample(posterior, jnp.array([[1.0, -2.0]]))
    np.testing.assert_allclose(np.asarray(z), [[3.0, -3.0]], rtol=1e-6)

  @parameterized.parameters(False, True)
  def test_gaussian(self, learned):
    likelihood = variational.gaussian(0.4, learned)
    params, stddev = likelihood.init(), 0.4
    if learned:
      self.assertAlmostEqual(float(params["log_stddev"]), np.log(0.4), places=6)
      params, stddev = {"log_stddev": jnp.log(0.7)}, 0.7
    x, means = np.random.default_rng(0).normal(size=(2, 3, 2, 2, 1))
    expected = stats.norm.logpdf(x, means, stddev).sum(axis=(1, 2, 3))
    values = likelihood.log_prob(params, jnp.asarray(means), jnp.asarray(x))
    np.testing.assert_allclose(np.asarray(values), expected, rtol=1e-5)

  def test_bernoulli(self):
    rng = np.random.default_rng(0)
    x, logits = rng.integers(0, 2, (3, 4)), 3 * rng.normal(size=(3, 4))
    expected = stats.bernoulli.logpmf(x, special.expit(logits)).sum(axis=1)
    likelihood = variational.bernoulli()
    values = likelihood.log_prob(
      likelihood.init(), jnp.asarray(logits), jnp.asarray(x, jnp.float32)
    )
    np.testing.assert_allclose(np.asarray(values), expected, rtol=1e-5)

  def test_bernoulli_bound(self):
    # One latent z, three bits with logits a z + b, and q = N(m, v).
    x, a = np.array([[1.0, 0.0, 1.0]]), np.array([1.5, -0.7, 0.4])
    b, m, v = np.array([0.2, 0.5, -1.0]), 0.8, 0.3

    def log_joint(z):
      p = special.expit(a * z + b)
      return stats.bernoulli.logpmf(x[0], p).sum() + stats.norm.logpdf(z)

    evidence = integrate.quad(lambda z: np.exp(log_joint(z)), -12, 12)[0]

    def gap(z):
      log_q = stats.norm.logpdf(z, m, np.sqrt(v))
      return np.exp(log_q) * (log_q - log_joint(z) + np.log(evidence))

    expected = np.log(evidence) - integrate.quad(gap, -9, 9)[0]
    noise = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    with jax.enable_x64(True):
      value = variational.elbo(
        lambda z: variational.bernoulli().log_prob(
          {}, z * a[None] + b[None], jnp.asarray(x)
        ),
        variational.Posterior(jnp.full((1, 1), m), jnp.full((1, 1), np.log(v))),
        jnp.asarray(noise).reshape(-1, 1, 1),
      )
    np.testing.assert_allclose(np.asarray(value), [expected], atol=1e-5)

  def test_moment_points(self):
    points = np.asarray(variational.moment_points(3, 2))
    chex.assert_shape(points, (6, 2, 3))
    for each in points.swapaxes(0, 1):
      np.testing.assert_allclose(each.mean(axis=0), 0, atol=1e-6)
      np.testing.assert_allclose(each.T @ each / 6, np.eye(3), atol=1e-6)


class LinearTest(parameterized.TestCase):
  @parameterized.parameters((PLANE, -3.15378), (SPACE, -6.60825))
  def test_best_bound_is_the_likelihood(self, truth, expected):
    data = make_data(truth)
    dim, k = truth[0].shape
    with jax.enable_x64(True):
      model = ppca.closed_form(jnp.asarray(data), k)
      values = np.asarray(
        linear(dim, k).elbo(
          networks_of(model),
          Players({}, {}),
          jnp.asarray(data),
          variational.moment_points(k, len(data)),
        )
      )
    np.testing.assert_allclose(values, log_prob(model, data), atol=1e-9)
    self.assertAlmostEqual(values.mean(), expected, delta=5e-6)

  @parameterized.parameters((0.3, 1.0), (0.0, 2.0), (0.0, 0.5), (-0.2, 1.5))
  def test_gap_is_the_divergence_to_the_posterior(self, shift, scale):
    data = make_data(SPACE)[:5]
    with jax.enable_x64(True):
      model = ppca.closed_form(jnp.asarray(make_data(SPACE)), 2)
      values = np.asarray(
        linear(5, 2).elbo(
          networks_of(model, shift, scale),
          Players({}, {}),
          jnp.asarray(data),
          variational.moment_points(2, 5),
        )
      )
    _, covariance = exact_posterior(model)
    precision = np.linalg.inv(covariance)
    gap = 0.5 * (
      scale * np.trace(precision @ covariance)
      + shift**2 * precision.sum()
      - 2
      - 2 * np.log(scale)
    )
    self.assertGreater(gap, 0)
    np.testing.assert_allclose(values, log_prob(model, data) - gap, atol=1e-9)

  def test_cost_is_the_negative_bound(self):
    data = make_data(PLANE)[:50]
    model = ppca.closed_form(jnp.asarray(data, jnp.float32), 1)
    autoencoder, params = linear(2, 1), networks_of(model, 0.1, 1.3)
    variables, x = Players({}, {}), jnp.asarray(data, jnp.float32)
    noise = variational.moment_points(1, 50)
    expected = -np.mean(autoencoder.elbo(params, variables, x, noise))
    costs, (_, metrics) = jax.vmap(
      lambda key: autoencoder.game.costs(params, variables, x, key)
    )(jax.random.split(KEY, 4000))
    for cost in costs:
      error = np.std(cost) / np.sqrt(len(cost))
      self.assertAlmostEqual(np.mean(cost), expected, delta=4 * error)
      self.assertLess(error, 0.01)
    np.testing.assert_allclose(
      costs.generator, metrics["divergence"] - metrics["log_likelihood"], 1e-5
    )

  def test_one_backward_pass_has_both_gradients(self):
    autoencoder = linear(5, 2)
    params, variables = autoencoder.game.init(KEY)
    x = jnp.asarray(make_data(SPACE)[:8], jnp.float32)
    assert autoencoder.game.gradients is not None
    chex.assert_trees_all_close(
      autoencoder.game.gradients(params, variables, x, KEY),
      games.pullbacks(autoencoder.game.costs)(params, variables, x, KEY),
      rtol=1e-5,
    )

  @pytest.mark.slow
  def test_training_reaches_the_likelihood(self):
    data = jnp.asarray(make_data(PLANE), jnp.float32)
    autoencoder = linear(2, 1)
    schedule = optax.cosine_decay_schedule(0.03, 3000)
    optimizers = Players(optax.adam(schedule), optax.adam(schedule))
    step = steps.simultaneous(autoencoder.game, optimizers)

    def train(key):
      state = steps.init_state(autoencoder.game, optimizers, key)
      state = jax.lax.fori_loop(
        0,
        3000,
        lambda i, state: step(state, data, jax.random.fold_in(key, i))[0],
        state,
      )
      noise = variational.moment_points(1, len(data))
      return jnp.mean(
        autoencoder.elbo(state.params, state.variables, data, noise)
      )

    values = jax.jit(jax.vmap(train))(jax.random.split(KEY, 3))
    np.testing.assert_allclose(np.asarray(values), -3.15378, atol=2e-3)


class NetworksTest(absltest.TestCase):
  def test_generator_and_discriminator_of_images(self):
    autoencoder = variational.autoencoder(
      dcgan.Generator(size=8, channels=1, depth=1, filters=2),
      dcgan.Discriminator(depth=2, filters=2, features=6),
      variational.gaussian(),
      latent_dim=3,
    )
    params, variables = autoencoder.game.init(KEY)
    x = jax.random.uniform(KEY, (4, 8, 8, 1), minval=-1)
    posterior = autoencoder.encode(params, variables, x)
    chex.assert_shape([*posterior], (4, 3))
    decoded = autoencoder.decode(params, variables, posterior.mean)
    chex.assert_shape(decoded, x.shape)
    samples = autoencoder.game.sample(params, variables, KEY, 5)
    chex.assert_shape(samples, (5, 8, 8, 1))
    latents = jax.random.normal(KEY, (5, 3))
    chex.assert_trees_all_close(
      samples, autoencoder.decode(params, variables, latents)
    )
    _, (updated, _) = autoencoder.game.costs(params, variables, x, KEY)
    # The batch statistics of both networks move.
    for old, new in zip(variables, updated, strict=True):
      chex.assert_trees_all_equal_shapes(old, new)
      moved = jax.tree.map(lambda a, b: jnp.any(a != b), old, new)
      self.assertTrue(all(jax.tree.leaves(moved)))

  def test_exchanged_networks_are_refused(self):
    autoencoder = variational.autoencoder(
      MLP((), 4), MLP((), 5), variational.gaussian(), latent_dim=2
    )
    params, variables = autoencoder.game.init(KEY)
    with self.assertRaises(AssertionError):
      autoencoder.game.costs(params, variables, jnp.zeros((3, 4)), KEY)


if __name__ == "__main__":
  absltest.main()
