"""Tests averages of known iterates."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized
from flax import linen as nn

from gan_jax import games, losses, steps
from gan_jax.data import latents
from gan_jax.networks import mlp
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


def normalised_game():
  """Two networks with batch normalisation."""
  network = mlp.MLP((3,), 2, normalize=mlp.batch_normalized)
  return games.adversarial(
    network, network.clone(features=1), losses.hinge(), latents.normal(2)
  )


class BatchStatisticsTest(parameterized.TestCase):
  @parameterized.product(
    uniform=(False, True), name=("average", "average_both")
  )
  def test_they_are_averaged_as_the_parameters_are(self, uniform, name):
    game = normalised_game()
    optimizers = Players(optax.sgd(0.5), optax.sgd(0.5))
    state = steps.init_state(game, optimizers, KEY, **{name: True})
    step = jax.jit(
      steps.averaged(
        steps.simultaneous(game, optimizers),
        steps.uniform_decay if uniform else 0.75,
      )
    )
    history = []
    for index in range(6):
      # The data moves, so that the statistics of the discriminator do too.
      batch = jax.random.normal(jax.random.key(index), (8, 2)) + index
      history.append(jax.device_get((state.params, state.variables)))
      state, _ = step(state, batch, jax.random.fold_in(KEY, index))
    history.append(jax.device_get((state.params, state.variables)))

    def expected(*values):
      if uniform:
        return np.mean(values, axis=0)
      average = values[0]
      for value in values[1:]:
        average = 0.75 * average + 0.25 * value
      return average

    params, variables = jax.tree.map(expected, *history)
    found = jax.device_get(steps.with_average(state))
    last_params, last_variables = history[-1]
    if name == "average":
      params = params._replace(discriminator=last_params.discriminator)
      variables = variables._replace(discriminator=last_variables.discriminator)
    chex.assert_trees_all_close(found.params, params, rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(
      found.variables, variables, rtol=1e-5, atol=1e-6
    )
    # The average is another one than the last value.
    difference = jax.tree.map(
      lambda a, b: np.abs(a - b).max(),
      found.variables.generator,
      last_variables.generator,
    )
    self.assertGreater(min(jax.tree.leaves(difference)), 1e-4)

  def test_the_average_normalises_with_its_statistics(self):
    """A generator without parameters shows the statistics it is given."""

    class Centred(nn.Module):
      """Normalises latents and has no parameters."""

      @nn.compact
      def __call__(self, inputs, train=False):
        return nn.BatchNorm(
          use_running_average=not train,
          momentum=0.0,
          epsilon=0.0,
          use_bias=False,
          use_scale=False,
        )(inputs)

    game = games.adversarial(
      Centred(),
      mlp.MLP((), 1),
      losses.hinge(),
      lambda key, n: jnp.arange(n, dtype=jnp.float32)[:, None],
    )
    optimizers = Players(optax.sgd(0.0), optax.sgd(0.0))
    state = steps.init_state(game, optimizers, KEY, average=True)
    step = steps.averaged(steps.simultaneous(game, optimizers), 0.5)
    state, _ = step(state, jnp.zeros((3, 1)), KEY)
    # Latents 0, 1, 2 have the mean 1 and the variance 2/3; at first these are 0
    # and 1, and the averages 1/2 and 5/6.
    state = steps.with_average(state)
    samples = game.sample(state.params, state.variables, KEY, 3)
    np.testing.assert_allclose(
      samples[:, 0], (np.arange(3) - 0.5) / np.sqrt(5 / 6), rtol=1e-5
    )

  def test_other_variables_are_those_of_the_state(self):
    game = normalised_game()
    optimizers = Players(optax.sgd(0.5), optax.sgd(0.5))
    state = steps.init_state(game, optimizers, KEY, average=True)
    memory = {"memory": jnp.arange(3)}
    state = state.replace(
      variables=state.variables._replace(
        generator={**state.variables.generator, **memory}
      )
    )
    found = steps.with_average(state).variables.generator
    chex.assert_trees_all_equal(found["memory"], memory["memory"])
    self.assertNotIn("memory", state.average_statistics)

  def test_networks_without_them_keep_nothing(self):
    for name in ("average", "average_both"):
      state = steps.init_state(
        counting_game(),
        Players(optax.sgd(1.0), optax.sgd(1.0)),
        KEY,
        **{name: True},
      )
      self.assertEmpty(jax.tree.leaves(state.average_statistics))


if __name__ == "__main__":
  absltest.main()
