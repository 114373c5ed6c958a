"""The fused loop: chunks, populations, failures."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from gan_jax import games, losses, steps, training
from gan_jax.data import densities, latents
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players, TrainState


def ring_problem(learning_rate=1e-2):
  game = games.adversarial(
    MLP(hidden=(8,), features=2),
    MLP(hidden=(8,), features=1),
    losses.non_saturating(),
    latents.normal(2),
  )
  optimizers = Players(optax.adam(learning_rate), optax.adam(learning_rate))
  density = densities.ring()
  return training.Problem(
    init=lambda key: steps.init_state(game, optimizers, key),
    sample_batch=lambda key, data: density.sample(key, 16),
    step=steps.simultaneous(game, optimizers),
    evaluate=lambda state, key, data: {
      "mean": jnp.mean(game.sample(state.params, state.variables, key, 8))
    },
    snapshot=lambda state, key: {
      "samples": game.sample(state.params, state.variables, key, 4)
    },
    reference={},
  )


def keys_of(seeds):
  return jax.vmap(training.member_keys)(jnp.asarray(seeds, jnp.uint32))


def train(problem, seeds, stops, devices=1):
  """Trains members, stopping at each of `stops`."""
  population = training.population(
    problem, len(seeds), jax.devices()[:devices], num_drawn=1
  )
  keys = keys_of(seeds)
  progress = population.init(keys)
  start = 0
  for stop in stops:
    progress = population.advance(
      progress, keys, jnp.int32(start), jnp.int32(stop)
    )
    start = stop
  return progress, population.evaluate(progress, keys)


class TrainingTest(parameterized.TestCase):
  def test_the_same_seed_gives_the_same_bits(self):
    problem = ring_problem()
    chex.assert_trees_all_equal(
      train(problem, [5], [20]), train(problem, [5], [20])
    )

  def test_chunks_do_not_matter_to_the_last_bit(self):
    problem = ring_problem()
    whole = train(problem, [5], [20])
    for stops in ([1, 2, 3, 20], [19, 20]):
      chex.assert_trees_all_equal(whole, train(problem, [5], stops))

  def test_seeds_differ(self):
    progress, metrics = train(ring_problem(), [1, 2], [3])
    kernels = progress.state.params.generator["Dense_0"]["kernel"]
    self.assertGreater(jnp.abs(kernels[0] - kernels[1]).max(), 0.1)
    chex.assert_shape(metrics["mean"], (2,))

  def test_a_loop_equals_steps_taken_one_by_one(self):
    problem = ring_problem()
    progress, _ = train(problem, [5], [6])
    keys = training.member_keys(5)
    state = problem.init(keys.init)
    for index in range(6):
      batch_key, step_key = jax.random.split(
        jax.random.fold_in(keys.train, index)
      )
      state, _ = problem.step(
        state, problem.sample_batch(batch_key, ()), step_key
      )
    alone = jax.tree.map(lambda x: x[0], progress.state)
    chex.assert_trees_all_close(alone, state, atol=1e-5)

  @parameterized.parameters(1, 2)
  def test_a_member_has_the_bits_of_one_alone(self, devices):
    together, _ = train(ring_problem(), [3, 1, 4, 6], [20], devices)
    for index, seed in enumerate([3, 1, 4, 6]):
      alone, _ = train(ring_problem(), [seed], [20])
      chex.assert_trees_all_equal(
        jax.tree.map(lambda x, index=index: x[index], together.state),
        jax.tree.map(lambda x: x[0], alone.state),
      )

  def test_a_member_keeps_the_data_that_its_seed_draws(self):
    # It adds four numbers in [0, 1], which depend on the seed, to 10.
    def record(state, batch, key):
      del key
      params = state.params._replace(
        generator=jnp.minimum(state.params.generator, jnp.min(batch)),
        discriminator=jnp.maximum(state.params.discriminator, jnp.max(batch)),
      )
      costs = {"generator_cost": 0.0, "discriminator_cost": 0.0}
      return state.replace(params=params), costs

    problem = ring_problem()._replace(
      init=lambda key: TrainState(
        step=jnp.int32(0),
        params=Players(jnp.float32(jnp.inf), jnp.float32(-jnp.inf)),
        variables=Players({}, {}),
        optimizer_states=Players({}, {}),
      ),
      sample_batch=lambda key, data: jax.random.choice(key, data, (64,)),
      step=record,
      evaluate=lambda state, key, data: {
        "least": jnp.min(data),
        "greatest": jnp.max(data),
      },
      member_data=lambda key, data: data + jax.random.uniform(key, (4,)),
      data=jnp.float32(10),
    )
    together, metrics = jax.device_get(
      train(problem, [3, 1], [2, 5, 20], devices=2)
    )
    for index, seed in enumerate([3, 1]):
      alone, measured = train(problem, [seed], [20])
      for progress, drawn, row in (
        (together, metrics, index),
        (alone, measured, 0),
      ):
        # 1,280 draws meet all four numbers, and no others.
        self.assertEqual(
          progress.state.params.generator[row], drawn["least"][row]
        )
        self.assertEqual(
          progress.state.params.discriminator[row], drawn["greatest"][row]
        )
      self.assertEqual(metrics["least"][index], measured["least"][0])
    self.assertGreater(metrics["least"].min(), 10)
    self.assertNotEqual(metrics["least"][0], metrics["least"][1])

  def test_members_must_divide_among_devices(self):
    with self.assertRaisesRegex(ValueError, "3 members cannot be divided"):
      train(ring_problem(), [1, 2, 3], [1], devices=2)

  def test_advance_traces_once_whatever_the_chunks(self):
    chex.clear_trace_counter()
    problem = ring_problem()
    once: Any = chex.assert_max_traces(n=1)
    problem = problem._replace(step=once(problem.step))
    train(problem, [5, 6], [1, 4, 20])

  def test_the_first_failure_is_noted_and_the_healthy_go_on(self):
    # A member whose key draws an odd number has a generator whose cost is
    # infinite at steps 3 and 5.
    def init(key):
      odd = jax.random.bits(key) % jnp.uint32(2)
      never = jnp.zeros((), jnp.int32)
      return TrainState(
        never, Players(odd, odd), Players({}, {}), Players((), ())
      )

    def step(state, batch, key):
      bad = (state.params.generator == 1) & (
        (state.step == 3) | (state.step == 5)
      )
      return state.replace(step=state.step + 1), {
        "generator_cost": jnp.where(bad, jnp.inf, 1.0),
        "discriminator_cost": jnp.ones(()),
      }

    problem = training.Problem(
      init,
      lambda key, data: None,
      step,
      lambda state, key, data: {"step": state.step},
      lambda state, key: {},
      {},
    )
    seeds = list(range(8))
    progress, metrics = train(problem, seeds, [4, 9])
    odd = np.asarray(progress.state.params.generator) == 1
    self.assertIn(sum(odd), range(1, 8))
    np.testing.assert_array_equal(
      progress.failed_at.generator, np.where(odd, 3, training.NEVER)
    )
    np.testing.assert_array_equal(
      progress.failed_at.discriminator, training.NEVER
    )
    np.testing.assert_array_equal(metrics["step"], 9)


class VariedPopulationTest(parameterized.TestCase):
  def test_a_member_equals_one_alone_with_its_value(self):
    rates, seeds = [1e-2, 1e-3, 1e-3, 3e-3], [3, 3, 4, 4]
    population = training.varied_population(
      ring_problem, jnp.asarray(rates), 4, jax.devices()[:2], num_drawn=1
    )
    keys = keys_of(seeds)
    progress = population.advance(
      population.init(keys), keys, jnp.int32(0), jnp.int32(20)
    )
    # A rate that is an argument of the program is not folded into it, which
    # rounds in another place. Adam moves a parameter by about the rate a step:
    # another member's rate would be seen at 0.04 or more.
    for index in (1, 3):
      alone, _ = train(ring_problem(rates[index]), [seeds[index]], [20])
      chex.assert_trees_all_close(
        jax.tree.map(lambda x, index=index: x[index], progress.state.params),
        jax.tree.map(lambda x: x[0], alone.state.params),
        atol=1e-4,
      )

  @parameterized.parameters(1, 2)
  def test_every_function_has_the_values(self, devices):
    # The generator starts at `start` and moves by `rate` a step.
    def make_problem(values):
      def step(state, batch, key):
        moved = state.params.generator + values["rate"]
        return state.replace(params=Players(moved, ())), {
          "generator_cost": jnp.zeros(()),
          "discriminator_cost": jnp.zeros(()),
        }

      return training.Problem(
        lambda key: TrainState(
          jnp.zeros((), jnp.int32),
          Players(values["start"], ()),
          Players({}, {}),
          Players((), ()),
        ),
        lambda key, data: None,
        step,
        lambda state, key, data: {
          "moved": state.params.generator - values["start"]
        },
        lambda state, key: {"rate": values["rate"]},
        {},
      )

    starts, rates = np.arange(12.0).reshape(6, 2), np.arange(6.0)
    population = training.varied_population(
      make_problem,
      {"start": jnp.float32(starts), "rate": jnp.float32(rates)},
      6,
      jax.devices()[:devices],
      num_drawn=4,
    )
    keys = keys_of(range(6))
    progress = population.init(keys)
    np.testing.assert_array_equal(progress.state.params.generator, starts)
    progress = population.advance(progress, keys, jnp.int32(0), jnp.int32(5))
    np.testing.assert_array_equal(
      progress.state.params.generator, starts + 5 * rates[:, None]
    )
    np.testing.assert_array_equal(
      population.evaluate(progress, keys)["moved"],
      np.tile(5 * rates[:, None], 2),
    )
    np.testing.assert_array_equal(
      population.snapshot(progress, keys)["rate"], rates[:4]
    )

  def test_a_value_for_each_member(self):
    with self.assertRaises(AssertionError):
      training.varied_population(
        ring_problem, jnp.ones(3), 4, jax.devices()[:1], num_drawn=1
      )


if __name__ == "__main__":
  absltest.main()
