"""This library plays the toy game: the fused loop, for one seed or many."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import toy_game
from benchmarks.timing import Training
from gan_jax import games, losses, steps, training
from gan_jax.data import densities, latents
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players, Step


def _problem(
  batch_size: int, update: Callable[[games.Game, steps.Optimizers], Step]
) -> training.Problem:
  game = games.adversarial(
    MLP(hidden=toy_game.HIDDEN, features=2),
    MLP(hidden=toy_game.HIDDEN, features=1),
    losses.non_saturating(),
    latents.normal(toy_game.LATENTS),
  )
  ring = densities.ring(toy_game.NUM_MODES, toy_game.RADIUS, toy_game.STDDEV)
  adam = optax.adam(
    toy_game.LEARNING_RATE, b1=toy_game.BETA1, b2=toy_game.BETA2
  )
  optimizers = Players(adam, adam)
  return training.Problem(
    init=lambda key: steps.init_state(game, optimizers, key),
    sample_batch=lambda key: ring.sample(key, batch_size),
    step=update(game, optimizers),
    evaluate=lambda state, key: {},
    snapshot=lambda state, key: {
      "samples": game.sample(
        state.params, state.variables, key, toy_game.NUM_GENERATED
      )
    },
    reference={},
  )


def _start(
  batch_size: int,
  update: Callable[[games.Game, steps.Optimizers], Step],
  num_seeds: int,
) -> Training:
  """Starts a population, on as many devices as can share it equally."""
  devices = jax.devices()
  num_devices = max(n for n in range(1, len(devices) + 1) if num_seeds % n == 0)
  population = training.population(
    _problem(batch_size, update),
    num_seeds,
    devices[:num_devices],
    num_drawn=num_seeds,
  )
  keys = jax.vmap(training.member_keys)(jnp.arange(num_seeds, dtype=jnp.uint32))
  progress = population.init(keys)

  def num_steps():
    return int(progress.state.step[0])

  def take(count):
    nonlocal progress
    start = num_steps()
    progress = population.advance(
      progress, keys, jnp.int32(start), jnp.int32(start + count)
    )
    jax.block_until_ready(progress)

  def generate():
    samples = population.snapshot(progress, keys)["samples"]
    return np.asarray(samples).reshape(-1, 2)

  return Training(take, num_steps, generate)


def simultaneous(batch_size: int, num_seeds: int = 1) -> Training:
  """Starts seeds of the simultaneous update."""
  return _start(batch_size, steps.simultaneous, num_seeds)


def alternating(batch_size: int) -> Training:
  """Starts one seed of the alternating update."""
  return _start(batch_size, steps.alternating, 1)
