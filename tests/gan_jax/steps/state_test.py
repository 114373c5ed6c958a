"""Tests the initial state and compiled steps."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from gan_jax import steps
from gan_jax.games import closed_form
from gan_jax.types import Players

KEY = jax.random.key(0)
BATCH = jnp.zeros((4, 1))


def bilinear_game():
  return closed_form.bilinear(Players(jnp.float32(1), jnp.float32(2)))


class StateTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("none", {}, None),
    ("generator", {"average": True}, 1.0),
    ("both", {"average_both": True}, Players(1.0, 2.0)),
    (
      "both_and_one",
      {"average": True, "average_both": True},
      Players(1.0, 2.0),
    ),
  )
  def test_averages_start_at_the_parameters(self, averages, expected):
    optimizers = Players(optax.adam(0.1), optax.sgd(0.1))
    state = steps.init_state(bilinear_game(), optimizers, KEY, **averages)
    self.assertEqual(state.step, 0)
    chex.assert_trees_all_close(state.params, Players(1.0, 2.0))
    chex.assert_trees_all_close(state.averages, expected)

  @parameterized.parameters({"average": True}, {"average_both": True})
  def test_compiled_traces_once_and_donates(self, **averages):
    game, optimizers = bilinear_game(), Players(optax.sgd(0.1), optax.sgd(0.1))
    chex.clear_trace_counter()
    once: Any = chex.assert_max_traces(n=1)
    step = steps.compiled(
      steps.averaged(once(steps.simultaneous(game, optimizers)), 0.5)
    )
    state = steps.init_state(game, optimizers, KEY, **averages)
    old = state.params.generator
    for index in range(5):
      state, _ = step(state, BATCH, jax.random.fold_in(KEY, index))
    self.assertTrue(old.is_deleted())
    self.assertEqual(state.step, 5)
    np.testing.assert_equal(np.asarray(state.step).dtype, np.int32)


if __name__ == "__main__":
  absltest.main()
