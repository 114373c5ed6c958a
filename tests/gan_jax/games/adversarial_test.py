"""Tests the adversarial game against the same costs in NumPy."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from gan_jax import games, losses, penalties, steps
from gan_jax.data import latents
from gan_jax.games import replay
from gan_jax.games.replay import Replay
from gan_jax.networks.affine import Affine
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players
from tests.gan_jax.games.affine_games import (
  KEY,
  Normalised,
  affine_game,
  both_gradients,
  fixed_params,
  sigmoid,
  softplus,
)


class AdversarialTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.real = jnp.linspace(-1.0, 3.0, 5)[:, None]
    self.params = fixed_params()
    self.variables = Players({}, {})

  def latents_of(self, key, n):
    """The latents that `costs` draws from a key, by its named splits."""
    generator_key, _, _ = jax.random.split(key, 3)
    latents_key, _ = jax.random.split(generator_key)
    return np.asarray(latents.normal(1)(latents_key, n))

  def test_costs_and_metrics(self):
    game = affine_game(discriminator_l2=0.1)
    costs, (_, metrics) = game.costs(
      self.params, self.variables, self.real, KEY
    )
    fake = 2.0 * self.latents_of(KEY, 5) + 0.5
    real_logits, fake_logits = 0.7 * self.real - 0.3, 0.7 * fake - 0.3
    np.testing.assert_allclose(
      costs.generator, softplus(-fake_logits).mean(), rtol=1e-5
    )
    np.testing.assert_allclose(
      costs.discriminator,
      softplus(-real_logits).mean()
      + softplus(fake_logits).mean()
      + 0.05 * 0.7**2,
      rtol=1e-5,
    )
    np.testing.assert_allclose(
      metrics["discriminator_real"], sigmoid(real_logits).mean(), rtol=1e-5
    )
    np.testing.assert_allclose(
      metrics["discriminator_fake"], sigmoid(fake_logits).mean(), rtol=1e-5
    )

  def test_critic_metrics_are_values(self):
    game = affine_game(loss=losses.wasserstein())
    _, (_, metrics) = game.costs(self.params, self.variables, self.real, KEY)
    np.testing.assert_allclose(
      metrics["critic_real"], (0.7 * self.real - 0.3).mean(), rtol=1e-5
    )
    self.assertNotIn("discriminator_real", metrics)

  def test_simultaneous_gradients(self):
    # Non-saturating, with D' = D(fake): dJ_G/dm = -E[(1 - D') w],
    # dJ_G/ds = -E[(1 - D') w z] sign(s); dJ_D/dw = -E[(1 - D(x)) x]
    # + E[D' fake] + l2 w, dJ_D/db = -E[1 - D(x)] + E[D'].
    game, rate = affine_game(discriminator_l2=0.1), 0.5
    optimizers = Players(optax.sgd(rate), optax.sgd(rate))
    state = steps.init_state(game, optimizers, KEY).replace(params=self.params)
    new, _ = steps.simultaneous(game, optimizers)(state, self.real, KEY)
    z = self.latents_of(KEY, 5)
    fake = 2.0 * z + 0.5
    d_real, d_fake = sigmoid(0.7 * self.real - 0.3), sigmoid(0.7 * fake - 0.3)
    gradients = jax.tree.map(
      lambda old, new: (old - new) / rate, self.params, new.params
    )
    np.testing.assert_allclose(
      gradients.generator["mean"], [(-(1 - d_fake) * 0.7).mean()], rtol=1e-4
    )
    np.testing.assert_allclose(
      gradients.generator["stddev"],
      [(-(1 - d_fake) * 0.7 * z).mean() * -1.0],
      rtol=1e-4,
    )
    dense = gradients.discriminator["Dense_0"]
    np.testing.assert_allclose(
      dense["kernel"],
      [
        [
          (-(1 - d_real) * self.real).mean()
          + (d_fake * fake).mean()
          + 0.1 * 0.7
        ]
      ],
      rtol=1e-4,
    )
    np.testing.assert_allclose(
      dense["bias"], [-(1 - d_real).mean() + d_fake.mean()], rtol=1e-4
    )

  @parameterized.parameters(
    losses.minimax,
    losses.non_saturating,
    losses.maximum_likelihood,
    losses.least_squares,
    losses.hinge,
    losses.wasserstein,
    losses.bounded_linear,
    losses.relativistic_average,
    losses.relativistic_pairing,
    lambda: losses.f_divergence("jeffrey"),
    lambda: losses.f_divergence("total_variation"),
  )
  def test_one_pass_back_equals_two(self, loss):
    # With logits of about 1, and with some of them beyond -88, where the
    # slope of the cross-entropy underflows.
    game = games.adversarial(
      MLP(hidden=(8,), features=2),
      MLP(hidden=(8, 8), features=1, dropout=0.25),
      loss(),
      latents.normal(2),
      discriminator_l2=0.01,
    )
    batch = jax.random.normal(KEY, (16, 2))
    gradients, pullbacks = both_gradients(game)
    initial, variables = game.init(KEY)
    for scale in (1.0, 200.0):
      params = initial._replace(
        discriminator=jax.tree.map(
          lambda x, scale=scale: x * scale, initial.discriminator
        )
      )
      one = gradients(params, variables, batch, KEY)
      two = pullbacks(params, variables, batch, KEY)
      jax.tree.map(
        lambda a, b: np.testing.assert_allclose(
          a, b, rtol=1e-4, atol=1e-5 * float(jnp.max(jnp.abs(b))) + 1e-12
        ),
        one,
        two,
      )
      largest = max(jnp.max(jnp.abs(x)) for x in jax.tree.leaves(one[0]))
      self.assertGreater(largest, 1e-3)

  def test_sample_and_discriminate(self):
    game = affine_game()
    samples = game.sample(self.params, self.variables, KEY, 7)
    np.testing.assert_allclose(
      samples, 2.0 * latents.normal(1)(KEY, 7) + 0.5, rtol=1e-6
    )
    assert game.discriminate is not None
    np.testing.assert_allclose(
      game.discriminate(self.params, self.variables, samples),
      (0.7 * samples - 0.3)[:, 0],
      rtol=1e-5,
    )

  def test_dropout_only_while_training(self):
    game = games.adversarial(
      Affine(),
      MLP(hidden=(16,), features=1, dropout=0.5),
      losses.non_saturating(),
      latents.normal(1),
    )
    params, variables = game.init(KEY)
    keys = jax.random.split(KEY)
    one, two = (
      game.costs(params, variables, self.real, key)[1][1]["discriminator_real"]
      for key in keys
    )
    self.assertNotEqual(one, two)
    assert game.discriminate is not None
    chex.assert_trees_all_equal(
      *(game.discriminate(params, variables, self.real) for _ in range(2))
    )

  def test_a_discriminator_that_mixes_samples_sees_real_and_fake_apart(self):
    game = games.adversarial(
      Affine(), Normalised(), losses.wasserstein(), latents.normal(1)
    )
    params, variables = game.init(KEY)
    params = params._replace(generator=self.params.generator)
    _, (variables, metrics) = game.costs(params, variables, self.real, KEY)
    # In separate passes each minibatch is centred by its mean; in one pass both
    # would be centred by their common mean.
    np.testing.assert_allclose(metrics["critic_real"], 0.0, atol=1e-5)
    np.testing.assert_allclose(metrics["critic_fake"], 0.0, atol=1e-5)
    fake = 2.0 * self.latents_of(KEY, 5) + 0.5
    statistics = variables.discriminator["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(statistics["mean"], [fake.mean()], rtol=1e-5)

  def test_wrong_shapes_are_refused(self):
    game = affine_game()
    with self.assertRaises(AssertionError):
      game.costs(self.params, self.variables, jnp.zeros((5, 2)), KEY)
    wide = games.adversarial(
      Affine(),
      MLP(hidden=(), features=2),
      losses.wasserstein(),
      latents.normal(1),
    )
    params, variables = wide.init(KEY)
    with self.assertRaises(AssertionError):
      wide.costs(params, variables, self.real, KEY)


class AugmentTest(absltest.TestCase):
  def test_both_sides_are_augmented_and_the_gradient_passes(self):
    # T(x) = 2 x + 1 before the logit w x + b; J_G = -E f and so
    # dJ_G/dm = -2 w.
    game = affine_game(
      loss=losses.wasserstein(), augment=lambda key, x: 2.0 * x + 1.0
    )
    params, variables, real = fixed_params(), Players({}, {}), jnp.ones((4, 1))
    _, (_, metrics) = game.costs(params, variables, real, KEY)
    np.testing.assert_allclose(metrics["critic_real"], 0.7 * 3 - 0.3, rtol=1e-5)
    for gradients in both_gradients(game):
      slopes, _, _ = gradients(params, variables, real, KEY)
      np.testing.assert_allclose(slopes.generator["mean"], [-1.4], rtol=1e-5)

  def test_real_and_fake_samples_have_different_keys(self):
    seen = []

    def augment(key, x):
      seen.append(jax.random.key_data(key))
      return x

    affine_game(augment=augment).costs(
      fixed_params(), Players({}, {}), jnp.ones((4, 1)), KEY
    )
    self.assertLen(seen, 2)
    self.assertTrue(np.any(seen[0] != seen[1]))


class ReplayTest(absltest.TestCase):
  def test_old_samples_cost_the_discriminator_alone(self):
    # Remembered are samples at 9; half of the fake minibatch is from there.
    # With the logit x and Wasserstein costs, J_G = -E fake and
    # J_D = -E real + (E kept + 9) / 2.
    game = affine_game(
      loss=losses.wasserstein(), replay=Replay(size=4, share=0.5)
    )
    params = fixed_params(kernel=1.0, bias=0.0)
    _, variables = game.init(KEY)
    memory = variables.discriminator["memory"]
    variables = variables._replace(
      discriminator={"memory": replay.store(memory, jnp.full((4, 1), 9.0))}
    )
    real = jnp.zeros((6, 1))
    generator_key = jax.random.split(KEY, 4)[0]
    latents_key, _ = jax.random.split(generator_key)
    z = np.asarray(latents.normal(1)(latents_key, 6))
    fake = 2.0 * z + 0.5
    for gradients in both_gradients(game):
      slopes, costs, (updated, _) = gradients(params, variables, real, KEY)
      np.testing.assert_allclose(costs.generator, -fake.mean(), rtol=1e-5)
      shown = (fake[:3].sum() + 27.0) / 6
      np.testing.assert_allclose(costs.discriminator, shown, rtol=1e-5)
      np.testing.assert_allclose(slopes.generator["mean"], [-1.0], rtol=1e-5)
      np.testing.assert_allclose(
        slopes.discriminator["Dense_0"]["kernel"], [[shown]], rtol=1e-5
      )
      # The three that were displaced are remembered in the oldest places.
      np.testing.assert_allclose(
        updated.discriminator["memory"].samples,
        [*fake[3:], [9.0]],
        rtol=1e-5,
      )
    assert game.discriminate is not None
    np.testing.assert_allclose(game.discriminate(params, variables, real), 0.0)


class SpectralNormTest(absltest.TestCase):
  def test_one_pass_back_equals_two(self):
    # It has variables, but mixes no samples.
    game = games.adversarial(
      MLP(hidden=(8,), features=2),
      MLP(hidden=(8, 8), features=1, spectral_norm=True),
      losses.hinge(),
      latents.normal(2),
      penalty=penalties.r1(0.5),
      mixes_samples=False,
    )
    params, variables = game.init(KEY)
    real = jax.random.normal(KEY, (16, 2))
    one, two = (
      gradients(params, variables, real, KEY)
      for gradients in both_gradients(game)
    )
    chex.assert_trees_all_close(one, two, rtol=1e-4, atol=1e-6)
    moved = jax.tree.map(
      lambda old, new: np.any(old != new),
      variables.discriminator,
      one[2][0].discriminator,
    )
    self.assertTrue(any(jax.tree.leaves(moved)))


if __name__ == "__main__":
  absltest.main()
