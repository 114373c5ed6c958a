"""Tests games with conditions: classes, and images with masks."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from flax import linen as nn

from gan_jax import games, losses, penalties
from gan_jax.data import latents
from gan_jax.networks import MLP, Affine
from gan_jax.types import Conditional, Players
from tests.gan_jax.games.affine_games import (
  KEY,
  both_gradients,
)


class ByClass(nn.Module):
  """z + m_y as a generator, or x w_y as a discriminator."""

  num_classes: int
  multiplies: bool

  @nn.compact
  def __call__(self, x, train=False, condition=None):
    del train
    table = self.param("table", nn.initializers.normal(1), (self.num_classes,))
    embedding = table[condition][:, None]
    return x * embedding if self.multiplies else x + embedding


class ConditionalTest(absltest.TestCase):
  def game_with(self, **options):
    return games.adversarial(
      ByClass(3, multiplies=False),
      ByClass(3, multiplies=True),
      losses.wasserstein(),
      lambda key, n: jnp.linspace(-1.0, 1.0, n)[:, None],
      conditions=latents.classes(3),
      **options,
    )

  def setUp(self):
    super().setUp()
    self.game = self.game_with()
    self.batch = Conditional(
      jnp.array([[2.0], [-1.0], [0.5], [4.0]]), jnp.array([0, 2, 1, 2])
    )
    self.params = Players(
      {"table": jnp.array([1.0, -2.0, 3.0])},
      {"table": jnp.array([0.5, 0.25, -2.0])},
    )
    self.variables = Players({}, {})

  def test_costs_and_gradients_by_hand(self):
    # x = (2, -1, 1/2, 4) and w_y = (1/2, -2, 1/4, -2): the critic is
    # (1, 2, 1/8, -8) on data. Samples z + m_y = (0, 8/3, -5/3, 4) of the same
    # classes: (0, -16/3, -5/12, -8).
    fake = (0 - 16 / 3 - 5 / 12 - 8) / 4
    for gradients in both_gradients(self.game):
      slopes, costs, _ = gradients(self.params, self.variables, self.batch, KEY)
      np.testing.assert_allclose(costs.generator, -fake, rtol=1e-5)
      np.testing.assert_allclose(
        costs.discriminator, fake - (1 + 2 + 1 / 8 - 8) / 4, rtol=1e-5
      )
      # dJ_G/dm_y = -(samples of class y) w_y / 4.
      np.testing.assert_allclose(
        slopes.generator["table"], [-1 / 8, -1 / 16, 1.0], rtol=1e-5
      )
      # dJ_D/dw_y = (sum of samples - sum of data of class y) / 4.
      np.testing.assert_allclose(
        slopes.discriminator["table"],
        [-2 / 4, (-5 / 3 - 0.5) / 4, (8 / 3 + 4 + 1 - 4) / 4],
        rtol=1e-5,
      )

  def test_reconstruction_by_hand(self):
    # Samples (0, 8/3, -5/3, 4) differ from x by (-2, 11/3, -13/6, 1).
    batch = self.batch._replace(samples=self.batch.samples.at[3].set(3.0))
    distance = (2 + 11 / 3 + 13 / 6 + 1) / 4

    def gradients_of(game_gradients, weight):
      game = self.game_with(reconstruction=weight)
      made = game.gradients if game_gradients else games.pullbacks(game.costs)
      assert made is not None
      return made(self.params, self.variables, batch, KEY)

    for game_gradients in (True, False):
      plain, costs, _ = gradients_of(game_gradients, None)
      # A traced weight, as in a sweep.
      more, more_costs, (_, metrics) = jax.jit(
        lambda weight, game_gradients=game_gradients: gradients_of(
          game_gradients, weight
        )
      )(10.0)
      np.testing.assert_allclose(metrics["reconstruction"], distance, rtol=1e-5)
      np.testing.assert_allclose(
        more_costs.generator - costs.generator, 10 * distance, rtol=1e-5
      )
      # d|x|/dm_y is the sum of signs of class y, here / 4 and times 10.
      np.testing.assert_allclose(
        more.generator["table"] - plain.generator["table"],
        [-10 / 4, -10 / 4, 20 / 4],
        rtol=1e-5,
      )
      chex.assert_trees_all_close(
        (more.discriminator, more_costs.discriminator),
        (plain.discriminator, costs.discriminator),
        rtol=1e-6,
      )

  def test_squared_reconstruction_by_hand(self):
    # Samples differ from x by (-2, 11/3, -13/6, 1), of classes 0, 2, 1 and 2;
    # d x^2/dm_y is twice the sum of the differences of class y.
    batch = self.batch._replace(samples=self.batch.samples.at[3].set(3.0))
    squared = self.game_with(reconstruction=10.0, distance=jnp.square)
    for more_gradients, plain_gradients in zip(
      both_gradients(squared), both_gradients(self.game_with()), strict=True
    ):
      inputs = (self.params, self.variables, batch, KEY)
      more, costs, _ = more_gradients(*inputs)
      plain, plain_costs, _ = plain_gradients(*inputs)
      np.testing.assert_allclose(
        costs.generator - plain_costs.generator,
        10 * (4 + 121 / 9 + 169 / 36 + 1) / 4,
        rtol=1e-5,
      )
      np.testing.assert_allclose(
        more.generator["table"] - plain.generator["table"],
        [-10, -65 / 6, 70 / 3],
        rtol=1e-4,
      )

  def test_reconstruction_needs_conditions(self):
    with self.assertRaisesRegex(ValueError, "reconstruction needs the cond"):
      games.adversarial(
        *(Affine(), MLP((), 1), losses.wasserstein(), latents.normal(1)),
        reconstruction=1.0,
      )

  def test_a_penalty_judges_with_the_classes(self):
    # R1 of weight 2: mean over data of the squared slope w_y^2.
    game = games.adversarial(
      ByClass(3, multiplies=False),
      ByClass(3, multiplies=True),
      losses.wasserstein(),
      latents.normal(1),
      penalty=penalties.r1(2.0),
      conditions=latents.classes(3),
    )
    _, (_, metrics) = game.costs(self.params, self.variables, self.batch, KEY)
    np.testing.assert_allclose(
      metrics["penalty"], (0.25 + 4 + 0.0625 + 4) / 4, rtol=1e-5
    )

  def test_samples_are_of_all_classes(self):
    samples = self.game.sample(self.params, self.variables, KEY, 300)
    shifts = np.asarray(samples[:, 0]) - np.linspace(-1, 1, 300)
    classes, counts = np.unique(shifts.round(3), return_counts=True)
    np.testing.assert_array_equal(classes, [-2, 1, 3])
    # A third of 300 each, of deviation 8.
    self.assertGreater(counts.min(), 60)
    asked = jnp.array([2, 0, 2])
    samples = self.game.sample(self.params, self.variables, KEY, 3, asked)
    np.testing.assert_allclose(samples[:, 0], [3 - 1, 1, 3 + 1], rtol=1e-6)

  def test_discriminate_by_hand(self):
    assert self.game.discriminate is not None
    logits = self.game.discriminate(self.params, self.variables, *self.batch)
    np.testing.assert_allclose(logits, [1, 2, 1 / 8, -8], rtol=1e-6)

  def test_a_condition_where_there_is_none_and_the_reverse(self):
    plain = games.adversarial(
      Affine(), MLP((), 1), losses.wasserstein(), latents.normal(1)
    )
    params, variables = plain.init(KEY)
    x, labels = self.batch
    takes = "a game without conditions takes no condition"
    needs = "a game with conditions needs the condition of samples"
    assert plain.discriminate is not None
    assert self.game.discriminate is not None
    for gradients in both_gradients(plain):
      with self.assertRaisesRegex(ValueError, takes):
        gradients(params, variables, self.batch, KEY)
    with self.assertRaisesRegex(ValueError, takes):
      plain.sample(params, variables, KEY, 4, labels)
    with self.assertRaisesRegex(ValueError, takes):
      plain.discriminate(params, variables, x, labels)
    for gradients in both_gradients(self.game):
      with self.assertRaisesRegex(ValueError, needs):
        gradients(self.params, self.variables, x, KEY)
    with self.assertRaisesRegex(ValueError, needs):
      self.game.discriminate(self.params, self.variables, x)
    with self.assertRaises(AssertionError):
      self.game.sample(self.params, self.variables, KEY, 3, labels)

  def test_what_a_condition_cannot_be_combined_with(self):
    networks = ByClass(3, multiplies=False), ByClass(3, multiplies=True)
    options = losses.wasserstein(), latents.normal(1)
    with self.assertRaisesRegex(ValueError, "replay memory have no conditions"):
      games.adversarial(
        *networks,
        *options,
        replay=games.Replay(4),
        conditions=latents.classes(3),
      )
    with self.assertRaisesRegex(ValueError, "pack .* no single condition"):
      games.packed(*networks, *options, size=2, conditions=latents.classes(3))

  def test_init_knows_the_classes(self):
    params, _ = self.game.init(KEY)
    chex.assert_tree_shape_prefix(params, (3,))


class Filled(nn.Module):
  """Fills the hole of an image x m with z + s, or judges by sum(x - c) s."""

  judges: bool

  @nn.compact
  def __call__(self, x, train=False, condition: Any = None):
    del train
    known, mask = condition["image"], condition["mask"]
    chex.assert_equal_shape([known, mask])
    scale = self.param("scale", nn.initializers.ones, ())
    if self.judges:
      return jnp.sum((x - known) * mask, axis=(1, 2))[:, :1] * scale
    return known * mask + (1 - mask) * (x[:, :, None, None] + scale)


class ImageConditionTest(absltest.TestCase):
  """Conditions that are a dictionary of images and masks."""

  def setUp(self):
    super().setUp()
    image = jax.random.normal(KEY, (4, 2, 3, 1))
    mask = (jax.random.uniform(jax.random.key(1), (4, 2, 3, 1)) < 0.5) * 1.0
    condition = {"image": image * mask, "mask": mask}
    self.batch = Conditional(image + 1.0, condition)
    self.game = games.adversarial(
      Filled(judges=False),
      Filled(judges=True),
      losses.wasserstein(),
      latents.normal(1),
      conditions=lambda key, n: jax.tree.map(lambda x: x[:n], condition),
    )

  def test_costs_and_samples(self):
    params, variables = self.game.init(KEY)
    mask = np.asarray(self.batch.condition["mask"])
    for gradients in both_gradients(self.game):
      slopes, costs, (_, metrics) = gradients(
        params, variables, self.batch, KEY
      )
      # Real images are 1 above the known pixels, generated ones equal them.
      np.testing.assert_allclose(
        metrics["critic_real"], mask.sum() / 4, rtol=1e-5
      )
      np.testing.assert_allclose(metrics["critic_fake"], 0.0, atol=1e-6)
      np.testing.assert_allclose(
        costs.discriminator, -mask.sum() / 4, rtol=1e-5
      )
      np.testing.assert_allclose(
        slopes.discriminator["scale"], -mask.sum() / 4, rtol=1e-5
      )
    samples = self.game.sample(params, variables, KEY, 3)
    condition = jax.tree.map(lambda x: x[:3], self.batch.condition)
    asked = self.game.sample(params, variables, KEY, 3, condition)
    np.testing.assert_array_equal(samples, asked)
    np.testing.assert_allclose(
      samples * mask[:3], condition["image"], rtol=1e-6
    )


if __name__ == "__main__":
  absltest.main()
