"""InfoGAN: the bound by enumeration, and who maximises it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from absl.testing import absltest, parameterized
from flax import linen as nn
from scipy import special, stats

from gan_jax import games, losses, steps
from gan_jax.data import densities, latents
from gan_jax.games.infogan import codes_prior, infer_codes, information
from gan_jax.games.replay import Replay
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players
from tests.gan_jax.games.affine_games import KEY

K, M = 3, 2
RNG = np.random.default_rng(0)
REAL = jnp.asarray(RNG.normal(size=(16, 2)), jnp.float32)
GENERATOR = MLP((6,), 2, activation=nn.tanh)
DISCRIMINATOR = MLP((7,), 1 + K + M, activation=nn.tanh)
LAST = "Dense_1"


def make(weight=1.0, loss=None, **options):
  return games.infogan(
    GENERATOR,
    DISCRIMINATOR,
    loss or losses.non_saturating(),
    latents.normal(2),
    K,
    M,
    weight,
    **options,
  )


def slopes_of(game, key=KEY):
  params, variables = game.init(jax.random.key(1))
  return jax.jit(steps.player_gradients(game))(params, variables, REAL, key)


def exact_information(joint):
  """Computes I(c; x) of a joint distribution [categories, samples]."""
  independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
  return np.sum(special.rel_entr(joint, independent))


class InformationTest(parameterized.TestCase):
  def enumerated(self):
    """Returns categories, samples and the joint distribution of all pairs.

    A category and one of 12 equally likely noises make one of 4 samples.
    """
    categories, noises = np.divmod(np.arange(12 * K), 12)
    samples = (categories + (noises % 5 == 0) + 2 * (noises == 7)) % 4
    joint = np.zeros((K, 4))
    np.add.at(joint, (categories, samples), 1 / len(samples))
    return categories, samples, joint

  def bound(self, q):
    """Computes the bound for log Q(c | x) = q[c, x], over all pairs."""
    categories, samples, _ = self.enumerated()
    bounds = information(
      jnp.asarray(q.T[samples], jnp.float32), jnp.eye(K)[categories], K
    )
    self.assertEqual(float(bounds.continuous), 0)
    return float(bounds.categories)

  def test_is_exact_with_the_posterior(self):
    _, _, joint = self.enumerated()
    with np.errstate(divide="ignore"):
      posterior = np.log(joint)
    posterior = np.maximum(posterior, -80)
    exact = exact_information(joint)
    self.assertBetween(exact, 0.3, np.log(K) - 0.1)
    self.assertAlmostEqual(self.bound(posterior), exact, delta=1e-5)

  def test_is_lower_by_the_divergence_from_the_posterior(self):
    _, _, joint = self.enumerated()
    q = RNG.normal(size=(K, 4))
    log_q = special.log_softmax(q, axis=0)
    divergence = np.sum(
      special.rel_entr(joint, joint.sum(0, keepdims=True) * np.exp(log_q))
    )
    self.assertGreater(divergence, 0.1)
    self.assertAlmostEqual(
      self.bound(q), exact_information(joint) - divergence, delta=1e-5
    )

  def test_certain_codes_have_all_information(self):
    outputs = 80 * jnp.eye(K)
    self.assertAlmostEqual(
      float(information(outputs, jnp.eye(K), K).categories), np.log(K), places=6
    )

  def test_continuous_codes(self):
    codes = RNG.uniform(-1, 1, (5, M))
    outputs = RNG.normal(size=(5, M))
    # H(c) = log 2 for each.
    expected = stats.norm.logpdf(codes - outputs).sum(1).mean() + M * np.log(2)
    zeros, one = jnp.zeros((5, 1)), jnp.ones((5, 1))
    bounds = information(
      jnp.concatenate([zeros, outputs], 1), jnp.concatenate([one, codes], 1), 1
    )
    np.testing.assert_allclose(bounds.continuous, expected, rtol=1e-5)
    self.assertEqual(float(bounds.categories), 0)

  def test_prior(self):
    codes = np.asarray(codes_prior(K, M)(KEY, 3000))
    self.assertEqual(codes.shape, (3000, K + M))
    np.testing.assert_array_equal(codes[:, :K].sum(1), 1)
    np.testing.assert_allclose(codes[:, :K].mean(0), 1 / K, atol=0.05)
    # U(-1, 1) has the variance 1/3.
    np.testing.assert_allclose(codes[:, K:].var(0), 1 / 3, atol=0.03)


class GameTest(parameterized.TestCase):
  def assert_close(self, measured, expected):
    jax.tree.map(
      lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6),
      measured,
      expected,
    )

  @parameterized.parameters({}, {"replay": Replay(8, 0.5)})
  def test_gradients_are_those_of_the_costs(self, **options):
    game = make(0.7, **options)
    params, variables = game.init(KEY)
    expected, costs, (_, metrics) = jax.jit(games.pullbacks(game.costs))(
      params, variables, REAL, KEY
    )
    measured, values, (_, others) = jax.jit(steps.player_gradients(game))(
      params, variables, REAL, KEY
    )
    self.assert_close(measured, expected)
    self.assert_close(values, costs)
    self.assert_close(others, metrics)
    self.assertContainsSubset({"code_information", "code_error"}, metrics)

  def test_who_maximises_the_information(self):
    """With a loss of slope 0, a step along -gradient raises the bound."""
    nothing = losses.AdversarialLoss(
      lambda r, f: 0 * jnp.mean(f), lambda r, f: 0 * jnp.mean(r + f), True
    )
    game = make(0.5, nothing)
    params, variables = game.init(jax.random.key(1))
    slopes, costs, _ = jax.jit(steps.player_gradients(game))(
      params, variables, REAL, KEY
    )

    def bound(params):
      _, (_, metrics) = game.costs(params, variables, REAL, KEY)
      # The continuous bound up to constants.
      return metrics["code_information"] - M * metrics["code_error"] / 2

    constant = M * (np.log(2) - np.log(2 * np.pi) / 2)
    total = float(bound(params)) + constant
    self.assertAlmostEqual(float(costs.generator), -0.5 * total, places=5)
    self.assertAlmostEqual(float(costs.discriminator), -total, places=5)
    rise = jax.jit(jax.grad(bound))(params)
    self.assert_close(
      slopes.generator, jax.tree.map(lambda x: -0.5 * x, rise.generator)
    )
    self.assert_close(
      slopes.discriminator, jax.tree.map(jnp.negative, rise.discriminator)
    )
    for player in slopes:
      self.assertGreater(optax.tree.norm(player), 0.01)
    # The output that judges has no part in it.
    for leaf in slopes.discriminator[LAST].values():
      np.testing.assert_allclose(leaf[..., 0], 0, atol=1e-12)
      self.assertTrue(np.all(leaf[..., 1:] != 0))

  def test_without_weight_the_generator_plays_the_plain_game(self):
    game = make(0.0)
    params, variables = game.init(jax.random.key(1))
    slopes, _, _ = jax.jit(steps.player_gradients(game))(
      params, variables, REAL, KEY
    )

    def cost(generator):
      # The key of the adversarial game, and of its latents.
      key = jax.random.split(jax.random.split(KEY)[0], 4)[0]
      inputs = latents.joined(latents.normal(2), codes_prior(K, M))
      z = inputs(jax.random.split(key)[0], len(REAL))
      fake = GENERATOR.apply({"params": generator}, z)
      logits: Any = DISCRIMINATOR.apply({"params": params.discriminator}, fake)
      return jnp.mean(jax.nn.softplus(-logits[:, 0]))

    self.assert_close(
      slopes.generator, jax.jit(jax.grad(cost))(params.generator)
    )

  def test_discriminator_has_the_same_gradient_for_every_weight(self):
    first, second = (slopes_of(make(weight))[0] for weight in (0.0, 2.0))
    self.assert_close(first.discriminator, second.discriminator)
    change = jax.tree.map(jnp.subtract, first.generator, second.generator)
    self.assertGreater(optax.tree.norm(change), 0.01)

  def test_samples_have_the_codes_that_are_asked_for(self):
    game = make()
    params, variables = game.init(KEY)
    codes = codes_prior(K, M)(jax.random.key(5), 4)
    samples = game.sample(params, variables, KEY, 4, codes)
    z = jnp.concatenate([latents.normal(2)(KEY, 4), codes], axis=1)
    self.assert_close(samples, GENERATOR.apply({"params": params.generator}, z))
    self.assertEqual(game.sample(params, variables, KEY, 4).shape, (4, 2))

  def test_judging_and_inferring_are_parts_of_one_network(self):
    game = make(replay=Replay(8, 0.5))
    params, variables = game.init(KEY)
    outputs: Any = DISCRIMINATOR.apply({"params": params.discriminator}, REAL)
    assert game.discriminate is not None
    self.assert_close(game.discriminate(params, variables, REAL), outputs[:, 0])
    self.assert_close(
      infer_codes(
        DISCRIMINATOR, params.discriminator, variables.discriminator, REAL
      ),
      outputs[:, 1:],
    )

  def test_conditions_are_refused(self):
    with self.assertRaisesRegex(ValueError, "codes cannot be combined"):
      make(conditions=latents.classes(3))

  @pytest.mark.slow
  def test_each_code_is_a_mode_of_the_ring(self):
    ring = densities.ring()
    game = games.infogan(
      MLP((64, 64), 2),
      MLP((64, 64), 1 + 8),
      losses.non_saturating(),
      latents.normal(2),
      num_categories=8,
    )
    adam = optax.adam(1e-3, b1=0.5)
    optimizers = Players(adam, adam)
    step = steps.simultaneous(game, optimizers)

    def train(key):
      state = steps.init_state(game, optimizers, key)

      def advance(state, key):
        batch_key, step_key = jax.random.split(key)
        return step(state, ring.sample(batch_key, 64), step_key)

      state, metrics = jax.lax.scan(advance, state, jax.random.split(key, 2500))
      codes = jnp.repeat(jnp.eye(8), 50, axis=0)
      samples = game.sample(state.params, state.variables, key, 400, codes)
      return metrics["code_information"][-200:].mean(), samples

    keys = jax.random.split(jax.random.key(0), 3)
    bounds, samples = jax.jit(jax.vmap(train))(keys)
    np.testing.assert_allclose(bounds, np.log(8), atol=0.05)
    for each in np.asarray(samples).reshape(3, 8, 50, 2):
      offsets = each[:, :, None] - np.asarray(ring.modes)
      nearest = np.argmin(np.linalg.norm(offsets, axis=-1), axis=-1)
      modes = [np.bincount(row, minlength=8).argmax() for row in nearest]
      self.assertLen(set(modes), 8)
      self.assertGreater(np.mean(nearest == np.array(modes)[:, None]), 0.95)


if __name__ == "__main__":
  absltest.main()
