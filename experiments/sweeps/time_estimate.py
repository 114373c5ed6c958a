"""About how long a sweep takes, from a few steps of one of its programs."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.cli import console
from experiments.devices import environment
from experiments.sweeps import vectorize
from experiments.sweeps.plan import Plan
from gan_jax import training

_SECONDS = 0.5
"""How long to time steps."""
_START_SECONDS = 3.0
"""About how long a process takes to start."""


def print_time(plan: Plan, platform: str, num_parallel: int) -> None:
  """Times the first program, and prints about how long the whole sweep takes.

  Other programs may have larger networks or minibatches; the estimate takes
  their time to be proportional to their steps.

  Args:
    plan: plan of the sweep.
    platform: value of `--platform`.
    num_parallel: programs that train at a time.
  """
  run = plan.trials[0].run
  num_seeds = len(plan.base.seeds)
  num_members = len(plan.programs[0]) * num_seeds
  devices = environment.choose_devices(platform, num_members)
  console.say("timing a few steps of the first program")
  problem = vectorize.builder(run)(run.settings)
  began = time.perf_counter()
  population = training.population(problem, len(devices), devices, 1)
  keys = jax.vmap(training.member_keys)(
    jnp.asarray(np.arange(len(devices)), jnp.uint32)
  )
  zero = jnp.int32(0)
  state = population.advance(population.init(keys), keys, zero, zero)
  jax.block_until_ready((state, population.evaluate(state, keys)))
  to_compile = time.perf_counter() - began
  count, seconds = 1, 0.0
  while seconds < _SECONDS:
    count *= 2
    state, seconds = _timed(
      population.advance, state, keys, zero, jnp.int32(count)
    )
  _, row_seconds = _timed(population.evaluate, state, keys)
  training_seconds = 0.0
  for trials in plan.programs:
    settings = plan.trials[trials[0]].run.settings
    num_rows = -(-settings.steps // settings.log_interval()) + 1
    each = settings.steps * seconds / count + num_rows * row_seconds
    # Members that devices take in turn.
    training_seconds += -(-len(trials) * num_seeds // len(devices)) * each
  # Programs that train at a time share the cores that were timed.
  at_a_time = 1 if devices[0].platform == "cpu" else num_parallel
  rounds = -(-len(plan.programs) // num_parallel)
  total = training_seconds / at_a_time + rounds * (to_compile + _START_SECONDS)
  print(
    f"about {console.duration(total)} on {len(devices)} x "
    f"{devices[0].device_kind}, {num_parallel} "
    f"{'program' if num_parallel == 1 else 'programs'} at a time: "
    f"{console.milliseconds(seconds / count)} for a step, {to_compile:.0f} s "
    "to compile"
  )


def _timed(call: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
  """Returns the result of a call, and the seconds that it took."""
  began = time.perf_counter()
  result = jax.block_until_ready(call(*arguments))
  return result, time.perf_counter() - began
