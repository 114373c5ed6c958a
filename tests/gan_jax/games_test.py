"""The adversarial game against the same costs written out in NumPy."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized
from flax import linen as nn

from gan_jax import games, losses, steps
from gan_jax.data import latents
from gan_jax.networks.affine import Affine
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players

KEY = jax.random.key(3)


def affine_game(**kwargs):
  """G(z) = |s| z + m against the linear logit w x + b."""
  return games.adversarial(
    Affine(),
    MLP(hidden=(), features=1),
    **{
      "loss": losses.non_saturating(),
      "latents": latents.normal(1),
      **kwargs,
    },
  )


def softplus(x):
  return np.log1p(np.exp(x))


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def fixed_params(mean=0.5, stddev=-2.0, kernel=0.7, bias=-0.3):
  return Players(
    generator={"mean": jnp.array([mean]), "stddev": jnp.array([stddev])},
    discriminator={
      "Dense_0": {
        "kernel": jnp.array([[kernel]]),
        "bias": jnp.array([bias]),
      }
    },
  )


class AdversarialTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.real = jnp.linspace(-1.0, 3.0, 5)[:, None]
    self.params = fixed_params()
    self.variables = Players({}, {})

  def latents_of(self, key, n):
    """The latents that `costs` draws from a key, by its named splits."""
    generator_key, _ = jax.random.split(key)
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
    for scale in (1.0, 200.0):
      game = games.adversarial(
        MLP(hidden=(8,), features=2),
        MLP(hidden=(8, 8), features=1, dropout=0.25),
        loss(),
        latents.normal(2),
        discriminator_l2=0.01,
      )
      params, variables = game.init(KEY)
      params = params._replace(
        discriminator=jax.tree.map(
          lambda x, scale=scale: x * scale, params.discriminator
        )
      )
      batch = jax.random.normal(KEY, (16, 2))
      assert game.gradients is not None
      one = game.gradients(params, variables, batch, KEY)
      two = games.pullbacks(game.costs)(params, variables, batch, KEY)
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
    class Normalised(nn.Module):
      @nn.compact
      def __call__(self, x, train=False):
        return nn.BatchNorm(
          use_running_average=not train,
          momentum=0.0,
          use_bias=False,
          use_scale=False,
        )(x)

    game = games.adversarial(
      Affine(), Normalised(), losses.wasserstein(), latents.normal(1)
    )
    params, variables = game.init(KEY)
    params = params._replace(generator=self.params.generator)
    _, (variables, metrics) = game.costs(params, variables, self.real, KEY)
    # Apart, each minibatch is centred by its own mean; together they would be
    # centred by the mean of both.
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


if __name__ == "__main__":
  absltest.main()
