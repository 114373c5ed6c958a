"""Tests averages of known iterates."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from gan_jax import games, steps
from gan_jax.types import Players

KEY = jax.random.key(0)
BATCH = jnp.zeros((4, 1))


def counting_game():
  """J_G = -x and J_D = y: at rate 1, x climbs and y falls by 1 a step."""

  def costs(params, variables, batch, key):
    del batch, key
    return Players(-params.generator, params.discriminator), (variables, {})

  return games.Game(
    init=lambda key: (
      Players(jnp.float32(1.0), jnp.float32(20.0)),
      Players({}, {}),
    ),
    costs=costs,
    sample=lambda params, variables, key, n: jnp.full((n, 1), params.generator),
  )


def play(num_steps, decay, **averages):
  game, optimizers = counting_game(), Players(optax.sgd(1.0), optax.sgd(1.0))
  state = steps.init_state(game, optimizers, KEY, **averages)
  step = jax.jit(steps.averaged(steps.simultaneous(game, optimizers), decay))
  for _ in range(num_steps):
    state, _ = step(state, BATCH, KEY)
  # x = 1 + t and y = 20 - t: averaging takes no part in the play.
  np.testing.assert_allclose(state.params, (1.0 + num_steps, 20.0 - num_steps))
  return state.averages


class AveragedTest(parameterized.TestCase):
  def test_exponential_average_follows_the_generator(self):
    # x = 1, 2, 3, 4: ((1 * .75 + 2 * .25) * .75 + 3 * .25) * .75 + 4 * .25.
    average = play(3, 0.75, average=True)
    np.testing.assert_allclose(average, 2.265625, rtol=1e-6)

  def test_no_decay_copies_the_generator(self):
    np.testing.assert_allclose(play(3, 0.0, average=True), 4.0)

  @parameterized.parameters(1, 2, 9)
  def test_uniform_average_is_the_mean_from_the_start(self, num_steps):
    # The mean of 1, ..., 1 + t is 1 + t / 2; that of 20, ..., 20 - t, 20 - t/2.
    both = play(num_steps, steps.uniform_decay, average_both=True)
    self.assertIsInstance(both, Players)
    np.testing.assert_allclose(
      both, (1.0 + num_steps / 2, 20.0 - num_steps / 2), rtol=1e-6
    )
    generator = play(num_steps, steps.uniform_decay, average=True)
    np.testing.assert_allclose(generator, 1.0 + num_steps / 2, rtol=1e-6)

  def test_any_step_can_be_averaged_in_a_loop(self):
    game = counting_game()
    optimizers = Players(optax.adam(0.1), optax.sgd(1.0))
    state = steps.init_state(game, optimizers, KEY, average_both=True)
    step = steps.averaged(
      steps.extragradient(game, optimizers), steps.uniform_decay
    )
    looped = jax.lax.fori_loop(
      0, 2, lambda _, state: step(state, BATCH, KEY)[0], state
    )
    second = step(step(state, BATCH, KEY)[0], BATCH, KEY)[0]
    chex.assert_trees_all_close(looped, second)


if __name__ == "__main__":
  absltest.main()
