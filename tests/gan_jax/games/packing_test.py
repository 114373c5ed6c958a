"""Tests packs of samples, and the game on them, against NumPy."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax import games, losses, penalties
from gan_jax.data import latents
from gan_jax.games import packing
from gan_jax.networks.affine import Affine
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players

KEY = jax.random.key(4)
NOTHING = Players({}, {})


def softplus(x):
  return np.log1p(np.exp(x))


class PackTest(parameterized.TestCase):
  def test_neighbours_are_joined(self):
    x = jnp.asarray([[1, 2], [3, 4], [5, 6], [7, 8]])
    np.testing.assert_array_equal(
      packing.pack(x, 2), [[1, 2, 3, 4], [5, 6, 7, 8]]
    )

  def test_images_are_joined_along_channels(self):
    x = np.random.default_rng(0).normal(size=(6, 2, 4, 3))
    packs = np.asarray(packing.pack(jnp.asarray(x, jnp.float32), 3))
    for index in range(2):
      np.testing.assert_allclose(
        packs[index],
        np.concatenate(x[3 * index : 3 * index + 3], axis=-1),
        rtol=1e-6,
      )

  @parameterized.product(shape=((6, 2), (6, 2, 4, 3)), size=(1, 2, 3))
  def test_unpack_is_the_inverse(self, shape, size):
    x = jax.random.normal(KEY, shape)
    np.testing.assert_array_equal(
      packing.unpack(packing.pack(x, size), size), x
    )

  def test_indivisible_samples_are_refused(self):
    with self.assertRaisesRegex(ValueError, "packs of 2 do not divide 5"):
      packing.pack(jnp.zeros((5, 1)), 2)


class PackedTest(parameterized.TestCase):
  """G(z) = |s| z + m against the logit w . (x_1, x_2) + b of two samples."""

  def setUp(self):
    super().setUp()
    self.real = jnp.linspace(-1.0, 3.0, 6)[:, None]
    self.params = Players(
      generator={"mean": jnp.array([0.5]), "stddev": jnp.array([-2.0])},
      discriminator={
        "Dense_0": {
          "kernel": jnp.array([[0.7], [-0.2]]),
          "bias": jnp.array([-0.3]),
        }
      },
    )

  def game(self, **options):
    return packing.packed(
      Affine(),
      MLP(hidden=(), features=1),
      losses.non_saturating(),
      latents.normal(1),
      size=2,
      **options,
    )

  def logits(self, x):
    packs = np.asarray(x).reshape(3, 2)
    return packs @ np.array([0.7, -0.2]) - 0.3

  def test_params_are_those_of_the_two_modules(self):
    chex.assert_trees_all_equal_shapes(
      self.game().init(KEY), (self.params, NOTHING)
    )

  def test_costs(self):
    costs, _ = self.game().costs(self.params, NOTHING, self.real, KEY)
    # The latents, by the splits of `games.adversarial`.
    generator_key, _, _ = jax.random.split(KEY, 3)
    latents_key, _ = jax.random.split(generator_key)
    fake = 2.0 * np.asarray(latents.normal(1)(latents_key, 6)) + 0.5
    real_logits, fake_logits = self.logits(self.real), self.logits(fake)
    self.assertLen(fake_logits, 3)
    np.testing.assert_allclose(
      costs.generator, softplus(-fake_logits).mean(), rtol=1e-5
    )
    np.testing.assert_allclose(
      costs.discriminator,
      softplus(-real_logits).mean() + softplus(fake_logits).mean(),
      rtol=1e-5,
    )

  def test_penalties_take_a_pack_for_a_sample(self):
    # The slope of the linear logit is |w|, with |w|^2 = 0.49 + 0.04.
    game = self.game(penalty=penalties.r1(4.0))
    _, (_, metrics) = game.costs(self.params, NOTHING, self.real, KEY)
    np.testing.assert_allclose(metrics["penalty"], 2 * 0.53, rtol=1e-5)

  @parameterized.parameters(losses.non_saturating, losses.hinge)
  def test_one_pass_back_equals_two(self, loss):
    game = packing.packed(
      MLP(hidden=(8,), features=2),
      MLP(hidden=(8, 8), features=1),
      loss(),
      latents.normal(2),
      size=3,
      penalty=penalties.gradient_penalty(1.0),
    )
    params, variables = game.init(KEY)
    assert game.gradients is not None
    batch = jax.random.normal(KEY, (12, 2))
    one = jax.jit(game.gradients)(params, variables, batch, KEY)
    two = jax.jit(games.pullbacks(game.costs))(params, variables, batch, KEY)
    chex.assert_trees_all_close(one, two, rtol=1e-4, atol=1e-6)

  @parameterized.parameters(1, 4, 5)
  def test_samples_are_not_packed(self, n):
    samples = self.game().sample(self.params, NOTHING, KEY, n)
    chex.assert_shape(samples, (n, 1))
    z = latents.normal(1)(KEY, n + n % 2)[:n]
    np.testing.assert_allclose(samples, 2.0 * z + 0.5, rtol=1e-5)

  def test_packs_of_one_are_the_plain_game(self):
    arguments = (
      MLP(hidden=(4,), features=2),
      MLP(hidden=(4,), features=1),
      losses.wasserstein(),
      latents.normal(3),
    )
    plain = games.adversarial(*arguments)
    packed = packing.packed(*arguments, size=1)
    params, variables = plain.init(KEY)
    batch = jax.random.normal(KEY, (6, 2))
    chex.assert_trees_all_close(
      packed.costs(params, variables, batch, KEY),
      plain.costs(params, variables, batch, KEY),
      rtol=1e-6,
    )

  def test_a_lone_sample_has_no_logit(self):
    self.assertIsNone(self.game().discriminate)

  def test_indivisible_batch_is_refused(self):
    with self.assertRaisesRegex(ValueError, "packs of 2 do not divide 5"):
      self.game().costs(self.params, NOTHING, self.real[:5], KEY)


if __name__ == "__main__":
  absltest.main()
