"""Trains seeds with this library's fused loop, as its commands do."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.timing import Training
from gan_jax import training


def start(problem: training.Problem, num_seeds: int = 1) -> Training:
  """Starts a population, on as many devices as can share it equally.

  Args:
    problem: its snapshot has `samples` [n, ...].
    num_seeds: size of the population.

  Returns:
    The training. It generates samples [num_seeds * n, ...].
  """
  devices = jax.devices()
  num_devices = max(n for n in range(1, len(devices) + 1) if num_seeds % n == 0)
  population = training.population(
    problem, num_seeds, devices[:num_devices], num_drawn=num_seeds
  )
  keys = jax.vmap(training.member_keys)(jnp.arange(num_seeds, dtype=jnp.uint32))
  progress = population.init(keys)

  def num_steps():
    return int(progress.state.step[0])

  def take_steps(count):
    nonlocal progress
    first = num_steps()
    progress = population.advance(
      progress, keys, jnp.int32(first), jnp.int32(first + count)
    )
    jax.block_until_ready(progress)

  def generate():
    samples = np.asarray(population.snapshot(progress, keys)["samples"])
    return samples.reshape(-1, *samples.shape[2:])

  return Training(take_steps, num_steps, generate)
