"""Tests the game of a Laplacian pyramid against its levels' games."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from absl.testing import absltest
from scipy import stats

from gan_jax import games, losses, penalties, steps, training
from gan_jax.data import latents, pyramids
from gan_jax.games.laplacian_pyramid import sample_levels
from gan_jax.networks import dcgan, image_to_image
from gan_jax.types import Conditional, Players
from tests.gan_jax.games.affine_games import KEY, both_gradients

COARSEST = 4
SIZES = (8, 16)


def coarsest_game(**options):
  return games.adversarial(
    dcgan.Generator(COARSEST, 1, depth=1, filters=2),
    dcgan.Discriminator(depth=1, filters=2, normalize=None),
    losses.non_saturating(),
    latents.normal(3),
    **options,
  )


def band_game(size, **options):
  return games.adversarial(
    image_to_image.Generator(1, depth=1, filters=2, activation=None),
    image_to_image.Discriminator(
      dcgan.Discriminator(depth=2, filters=2, normalize=dcgan.batch_normalized)
    ),
    losses.non_saturating(),
    latents.normal(size**2),
    conditions=lambda key, n: jnp.zeros((n, size, size, 1)),
    **options,
  )


def level_games(**options):
  return [
    coarsest_game(**options),
    *(band_game(size, **options) for size in SIZES),
  ]


NAMES = ("level_2", "level_1", "level_0")


def of_level(name, params, variables):
  """Returns the parameters and the variables of a level."""
  return (
    Players(*(each[name] for each in params)),
    Players(
      *(
        {k: v[name] for k, v in each.items() if name in v} for each in variables
      )
    ),
  )


class LaplacianPyramidTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.levels = level_games(penalty=penalties.r1(2.0))
    self.game = games.laplacian_pyramid(self.levels)
    self.images = jax.random.uniform(KEY, (6, 16, 16, 1), minval=-1)
    self.params, self.variables = self.game.init(KEY)

  def level_batches(self):
    """The batch of each level, by the pyramid's definition."""
    middle = pyramids.down(self.images)
    coarse = pyramids.down(middle)
    return (
      coarse,
      Conditional(middle - pyramids.up(coarse), pyramids.up(coarse)),
      Conditional(self.images - pyramids.up(middle), pyramids.up(middle)),
    )

  def of_level(self, name):
    return of_level(name, self.params, self.variables)

  def test_costs_and_gradients_are_those_of_the_levels(self):
    key = jax.random.key(7)
    keys = jax.random.split(key, 3)
    expected: Any = [
      both_gradients(game)[0](*self.of_level(name), batch, level_key)
      for game, name, batch, level_key in zip(
        self.levels, NAMES, self.level_batches(), keys, strict=True
      )
    ]
    for gradients in both_gradients(self.game):
      slopes, costs, (variables, metrics) = gradients(
        self.params, self.variables, self.images, key
      )
      for player in Players._fields:
        np.testing.assert_allclose(
          getattr(costs, player),
          sum(getattr(level[1], player) for level in expected),
          rtol=1e-5,
        )
        for name, level in zip(NAMES, expected, strict=True):
          chex.assert_trees_all_close(
            getattr(slopes, player)[name],
            getattr(level[0], player),
            rtol=1e-3,
            atol=1e-5,
          )
      chex.assert_trees_all_equal_structs(variables, self.variables)
      # Batch statistics are those of the level's networks.
      chex.assert_trees_all_close(
        variables.discriminator["batch_stats"]["level_0"],
        expected[2][2][0].discriminator["batch_stats"],
        rtol=1e-4,
        atol=1e-6,
      )
      penalty = [level[2][1]["penalty"] for level in expected]
      np.testing.assert_allclose(
        metrics["penalty"], np.mean(penalty), rtol=1e-4
      )
      np.testing.assert_allclose(
        metrics["penalty_level_0"], penalty[2], rtol=1e-4
      )

  def test_samples_are_drawn_from_coarse_to_fine(self):
    keys = jax.random.split(KEY, 3)
    images = self.levels[0].sample(*self.of_level("level_2"), keys[0], 5)
    expected = [images]
    for game, name, key in zip(
      self.levels[1:], NAMES[1:], keys[1:], strict=True
    ):
      coarse = pyramids.up(images)
      images = coarse + game.sample(*self.of_level(name), key, 5, coarse)
      expected.append(images)
    samples = self.game.sample(self.params, self.variables, KEY, 5)
    np.testing.assert_allclose(samples, images, atol=1e-6)
    chex.assert_shape(samples, (5, 16, 16, 1))
    drawn = sample_levels(self.levels, self.params, self.variables, KEY, 5)
    chex.assert_trees_all_close(drawn, expected, atol=1e-6)

  def test_samples_are_in_the_range_of_images(self):
    large = jax.tree.map(lambda x: 1e4 * x, self.params)
    samples = self.game.sample(large, self.variables, KEY, 5)
    np.testing.assert_allclose(jnp.abs(samples).max(), 1, rtol=1e-6)

  def test_levels_do_not_mix(self):
    # Other parameters of the finest level change its gradients alone.
    changed = jax.tree.map(lambda x: x, self.params)
    for each in changed:
      each["level_0"] = jax.tree.map(lambda x: x + 0.1, each["level_0"])
    assert self.game.gradients is not None
    before, _, _ = self.game.gradients(
      self.params, self.variables, self.images, KEY
    )
    after, _, _ = self.game.gradients(changed, self.variables, self.images, KEY)
    for one, other in zip(before, after, strict=True):
      for name in ("level_2", "level_1"):
        chex.assert_trees_all_close(one[name], other[name], rtol=1e-6)
      differences = jax.tree.map(
        lambda x, y: jnp.abs(x - y).max(), one["level_0"], other["level_0"]
      )
      self.assertGreater(max(jax.tree.leaves(differences)), 1e-4)

  def test_an_average_of_the_generator_keeps_its_statistics(self):
    adam = optax.adam(1e-3)
    optimizers = Players(adam, adam)
    step = steps.averaged(steps.simultaneous(self.game, optimizers), 0.5)
    start = steps.init_state(self.game, optimizers, KEY, average=True)
    state, _ = jax.jit(step)(start, self.images, KEY)
    averaged = steps.with_average(state)
    # Half of the first state and half of the second.
    for field in ("params", "variables"):
      chex.assert_trees_all_close(
        getattr(averaged, field).generator,
        jax.tree.map(
          lambda x, y: (x + y) / 2,
          getattr(start, field).generator,
          getattr(state, field).generator,
        ),
        rtol=1e-5,
        atol=1e-7,
      )

  def test_images_that_cannot_be_halved(self):
    with self.assertRaisesRegex(ValueError, "^level 1 of the pyramid: 9 x 9 "):
      self.game.costs(
        self.params, self.variables, jnp.zeros((2, 18, 18, 1)), KEY
      )


class TrainedPyramidTest(absltest.TestCase):
  """Images a (0.6 + 0.4 t), with a ~ U(-1, 1) and t = 1 and -1 by turns.

  The filter (1, 3, 3, 1) removes t but for the border, so the coarser image
  shows a and the band is nearly 0.4 a t: its condition tells its texture.
  """

  TEXTURE = np.where(np.indices((8, 8)).sum(0) % 2, -1.0, 1.0)[..., None]
  NUM_SEEDS = 5
  NUM_IMAGES = 200

  def images(self, key, n):
    a = jax.random.uniform(key, (n, 1, 1, 1), minval=-1)
    return a * (0.6 + 0.4 * jnp.asarray(self.TEXTURE, jnp.float32)[None])

  def textures(self, bands):
    """The amplitude [n] of t in bands [n, 8, 8, 1]."""
    return np.mean(np.asarray(bands) * self.TEXTURE, axis=(1, 2, 3))

  @pytest.mark.slow
  def test_a_level_uses_its_condition(self):
    levels = [
      games.adversarial(
        dcgan.Generator(4, 1, depth=1, filters=8),
        dcgan.Discriminator(depth=1, filters=8),
        losses.non_saturating(),
        latents.normal(4),
      ),
      games.adversarial(
        image_to_image.Generator(1, depth=1, filters=8, activation=None),
        image_to_image.Discriminator(dcgan.Discriminator(depth=1, filters=8)),
        losses.non_saturating(),
        latents.normal(64),
        conditions=lambda key, n: jnp.zeros((n, 8, 8, 1)),
      ),
    ]
    adam = optax.adam(2e-3, b1=0.5)
    game = games.laplacian_pyramid(levels)
    problem = training.problem(
      game, Players(adam, adam), self.images, batch_size=32
    )
    result = training.train(
      problem, range(self.NUM_SEEDS), training.Schedule(300, 300)
    )
    real = self.images(jax.random.key(9), self.NUM_IMAGES)
    coarse = pyramids.up(pyramids.down(real))
    others = jnp.roll(coarse, 1, axis=0)
    measured = []
    for seed in range(self.NUM_SEEDS):
      state = jax.tree.map(lambda x, seed=seed: x[seed], result.states)
      level = of_level("level_0", state.params, state.variables)
      bands = levels[1].sample(*level, KEY, self.NUM_IMAGES, coarse)
      textures = self.textures(bands)
      assert levels[1].discriminate is not None
      own, other = (
        levels[1].discriminate(*level, real - coarse, condition).mean()
        for condition in (coarse, others)
      )
      samples = game.sample(state.params, state.variables, KEY, self.NUM_IMAGES)
      means = np.mean(samples, axis=(1, 2, 3))
      measured.append(
        {
          "own": np.corrcoef(textures, coarse.mean((1, 2, 3)))[0, 1],
          "other": np.corrcoef(textures, others.mean((1, 2, 3)))[0, 1],
          "gap": own - other,
          "samples": np.corrcoef(self.textures(samples), means)[0, 1],
        }
      )
    low, high = {}, {}
    for name in measured[0]:
      values = np.array([each[name] for each in measured], float)
      low[name], high[name] = stats.t.interval(
        0.95, len(values) - 1, values.mean(), stats.sem(values)
      )
    # The texture of a generated band is that of its coarser image, and of no
    # other: 200 independent pairs have a correlation of deviation 0.07.
    self.assertGreater(low["own"], 0.9)
    self.assertGreater(low["other"], -0.3)
    self.assertLess(high["other"], 0.3)
    self.assertGreater(low["samples"], 0.9)
    # The discriminator finds real bands less likely under another condition.
    self.assertGreater(low["gap"], 0.2)


if __name__ == "__main__":
  absltest.main()
