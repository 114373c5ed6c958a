"""Tests class-conditional games."""

import chex
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from flax import linen as nn

from gan_jax import games, losses, penalties
from gan_jax.data import latents
from gan_jax.types import Labelled, Players
from tests.gan_jax.games.affine_games import (
  KEY,
  both_gradients,
)


class ByClass(nn.Module):
  """z + m_y as a generator, or x w_y as a discriminator."""

  num_classes: int
  multiplies: bool

  @nn.compact
  def __call__(self, x, train=False, labels=None):
    del train
    table = self.param("table", nn.initializers.normal(1), (self.num_classes,))
    embedding = table[labels][:, None]
    return x * embedding if self.multiplies else x + embedding


class ConditionalTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.game = games.adversarial(
      ByClass(3, multiplies=False),
      ByClass(3, multiplies=True),
      losses.wasserstein(),
      lambda key, n: jnp.linspace(-1.0, 1.0, n)[:, None],
      num_classes=3,
    )
    self.batch = Labelled(
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

  def test_a_penalty_judges_with_the_classes(self):
    # R1 of weight 2: mean over data of the squared slope w_y^2.
    game = games.adversarial(
      ByClass(3, multiplies=False),
      ByClass(3, multiplies=True),
      losses.wasserstein(),
      latents.normal(1),
      penalty=penalties.r1(2.0),
      num_classes=3,
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
    self.assertIsNone(self.game.discriminate)

  def test_init_knows_the_classes(self):
    params, _ = self.game.init(KEY)
    chex.assert_tree_shape_prefix(params, (3,))


if __name__ == "__main__":
  absltest.main()
