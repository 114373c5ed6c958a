"""Every update rule with every loss and every penalty: the whole product.

One program for each rule: its members differ in a number that picks the loss
and in the weights of the penalties, all 0 but one, or all 0.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from experiments.configs import builders, choices
from experiments.configs.settings import Settings
from gan_jax import games, losses, penalties, steps
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players

LOSSES = {
  f"{name}, {objective}": make
  for objective, zoo in choices.GENERATOR_OBJECTIVES.items()
  for name, make in zoo.items()
}
PENALTIES = ("none", *choices.PENALTIES)
BATCH = 8
FAST = ("simultaneous",)


def latents(key, n):
  # Random bits would take most of the time to compile.
  del key
  return jnp.linspace(-1.0, 1.0, 2 * n).reshape(n, 2)


def train(settings, loss, weights):
  """Takes two steps; returns how far each player went, and what it paid."""
  game = games.adversarial(
    MLP((4,), 2),
    MLP((4,), 1, activation=jnp.tanh),
    losses.selected(loss, [make() for make in LOSSES.values()]),
    latents,
    penalty=penalties.combined(
      *(
        make(weight, settings)
        for make, weight in zip(
          choices.PENALTIES.values(), weights, strict=True
        )
      )
    ),
  )
  optimizers = builders.optimizers(settings)
  step = choices.UPDATES[settings.update].make(game, optimizers, settings)
  start = steps.init_state(game, optimizers, jax.random.key(1))
  batch = 2.0 + latents(None, BATCH)
  state, metrics = jax.lax.scan(
    lambda state, key: step(state, batch, key),
    start,
    jax.random.split(jax.random.key(2)),
  )
  moves = jax.tree.map(jnp.subtract, state.params, start.params)
  return moves, metrics


class CombinationsTest(parameterized.TestCase):
  @parameterized.named_parameters(*((name, name) for name in FAST))
  def test_two_steps(self, update):
    self.check_two_steps(update)

  @parameterized.named_parameters(
    *((name, name) for name in choices.UPDATES if name not in FAST)
  )
  @pytest.mark.slow
  def test_two_steps_of_the_others(self, update):
    self.check_two_steps(update)

  def check_two_steps(self, update):
    # A target that every slope exceeds: one-sided penalties are charged too.
    settings = Settings(
      update=update, optimizer="sgd", unrolled_steps=2, penalty_target=0.01
    )
    weights = np.eye(len(PENALTIES), dtype=np.float32)[:, 1:]
    over_penalties = jax.vmap(
      lambda loss, weights: train(settings, loss, weights), (None, 0)
    )
    over_both = jax.vmap(over_penalties, (0, None))
    moves, metrics = jax.jit(
      over_both, compiler_options={"xla_backend_optimization_level": 0}
    )(jnp.arange(len(LOSSES)), weights)
    # Each [losses, penalties, params].
    moves = Players(
      *(
        np.concatenate(
          [
            np.reshape(leaf, (len(LOSSES), len(PENALTIES), -1))
            for leaf in jax.tree.leaves(moved)
          ],
          axis=-1,
        )
        for moved in moves
      )
    )
    for i, loss in enumerate(LOSSES):
      for j, penalty in enumerate(PENALTIES):
        with self.subTest(loss=loss, penalty=penalty):
          for name, values in metrics.items():
            self.assertTrue(np.isfinite(values[i, j]).all(), name)
          for player, moved in zip(Players._fields, moves, strict=True):
            self.assertTrue(np.isfinite(moved[i, j]).all(), player)
            self.assertGreater(np.abs(moved[i, j]).max(), 1e-6, player)
          if penalty != "none":
            difference = moves.discriminator[i, j] - moves.discriminator[i, 0]
            self.assertGreater(np.abs(difference).max(), 1e-7)


if __name__ == "__main__":
  absltest.main()
