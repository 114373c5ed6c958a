"""About how long a sweep takes, from a few steps of one of its programs."""

import time

import jax
import jax.numpy as jnp
import numpy as np

from experiments.cli import console
from experiments.devices import environment
from experiments.sweeps import vectorize
from experiments.sweeps.plan import Plan
from gan_jax import training

_SECONDS = 0.5
"""That steps are timed for."""
_START = 3.0
"""Seconds for a process to start, about."""


def print_time(plan: Plan, platform: str, num_parallel: int) -> None:
  """Times the first program, and prints what that makes of the whole sweep.

  Other programs may have larger networks or minibatches; their time is taken to
  be in proportion to their steps.

  Args:
    plan: of the sweep.
    platform: as `--platform` has it.
    num_parallel: programs that train at a time.
  """
  run = plan.trials[0].run
  num_seeds = len(plan.base.seeds)
  devices = environment.choose_devices(
    platform, len(plan.programs[0]) * num_seeds
  )
  console.say("timing a few steps of the first program")
  problem = vectorize.builder(run)(run.settings)
  began = time.perf_counter()
  population = training.population(problem, len(devices), devices, 1)
  keys = jax.vmap(training.member_keys)(
    jnp.asarray(np.arange(len(devices)), jnp.uint32)
  )
  progress = population.init(keys)
  zero = jnp.int32(0)
  progress = population.advance(progress, keys, zero, zero)
  jax.block_until_ready((progress, population.evaluate(progress, keys)))
  to_compile = time.perf_counter() - began
  count, seconds = 1, 0.0
  while seconds < _SECONDS:
    count *= 2
    began = time.perf_counter()
    progress = population.advance(progress, keys, zero, jnp.int32(count))
    jax.block_until_ready(progress)
    seconds = time.perf_counter() - began
  began = time.perf_counter()
  jax.block_until_ready(population.evaluate(progress, keys))
  of_row = time.perf_counter() - began
  training_seconds = 0.0
  for trials in plan.programs:
    settings = plan.trials[trials[0]].run.settings
    num_rows = -(-settings.steps // settings.log_interval()) + 1
    each = settings.steps * seconds / count + num_rows * of_row
    # Members that devices take in turn.
    training_seconds += -(-len(trials) * num_seeds // len(devices)) * each
  on_cores = devices[0].platform == "cpu"
  # Programs side by side share the cores that one alone would have.
  at_a_time = 1 if on_cores else num_parallel
  rounds = -(-len(plan.programs) // num_parallel)
  total = training_seconds / at_a_time + rounds * (to_compile + _START)
  print(
    f"about {_duration(total)} on {len(devices)} x {devices[0].device_kind}, "
    f"{num_parallel} {'program' if num_parallel == 1 else 'programs'} at a "
    f"time: {seconds / count * 1e3:.2g} ms for a step, {to_compile:.0f} s to "
    "compile"
  )


def _duration(seconds: float) -> str:
  """Writes a time in two units."""
  minutes, hours = seconds / 60, seconds / 3600
  if minutes < 2:
    return f"{seconds:.0f} s"
  if hours < 2:
    return f"{minutes:.0f} min"
  return f"{hours:.1f} h"
