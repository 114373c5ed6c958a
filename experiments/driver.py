"""Trains an experiment's members and measures them as they go; draws nothing.

The work is done on the device, a chunk of steps at a time; the host only logs.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import training
from gan_jax.types import Device, Players

MAX_FRAMES = 101
MAX_DRAWN_MEMBERS = 8
SECONDS_PER_CHUNK = 0.5


class Failure(NamedTuple):
  """A cost that stopped being finite."""

  seed: int
  step: int
  players: tuple[str, ...]


class Log(NamedTuple):
  """What is known after a logged step.

  Attributes:
    step: steps taken.
    metrics: each [num_seeds]; NaN for members that have failed. Dear ones are
      not in every log.
    failures: all failures so far.
  """

  step: int
  metrics: dict[str, np.ndarray]
  failures: tuple[Failure, ...]


class Outcome(NamedTuple):
  """A finished (or wholly failed) training.

  Attributes:
    steps: logged steps, [num_logs].
    metrics: each [num_seeds, num_logs]; NaN where not measured.
    snapshots: arrays to draw, as `results.Results` describes them.
    failures: of members, in order of step.
    steps_per_second: steps of one member, compilation and evaluation excluded.
    progress: what each member ended with, [num_seeds, ...].
  """

  steps: np.ndarray
  metrics: dict[str, np.ndarray]
  snapshots: dict[str, np.ndarray]
  failures: tuple[Failure, ...]
  steps_per_second: float
  progress: training.Progress


def _failures(
  failed_at: Players[np.ndarray], seeds: Sequence[int]
) -> tuple[Failure, ...]:
  """Lists each member whose cost was not finite, and when, and whose."""
  failures = []
  for seed, steps in zip(seeds, np.stack(failed_at, axis=1), strict=True):
    failed = steps != training.NEVER
    if failed.any():
      first = steps[failed].min()
      players = tuple(np.array(Players._fields)[steps == first].tolist())
      failures.append(Failure(seed, int(first), players))
  return tuple(sorted(failures, key=lambda failure: failure.step))


def _now_or_before(
  failed_at: Players[np.ndarray], costs: Players[np.ndarray], step: int
) -> Players[np.ndarray]:
  """Adds the failures that an evaluation shows to those of the loop.

  The last step before it may have spoilt the parameters although its own costs,
  measured before the update, were finite.
  """
  return jax.tree.map(
    lambda failed, cost: np.where(
      (failed == training.NEVER) & ~np.isfinite(cost), step, failed
    ),
    failed_at,
    costs,
  )


def train(
  problem: training.Problem,
  seeds: Sequence[int],
  num_steps: int,
  log_every: int,
  measure_every: int,
  devices: Sequence[Device],
  on_chunk: Callable[[int], None],
  on_log: Callable[[Log], None],
) -> Outcome:
  """Trains one member per seed.

  Args:
    problem: what to train.
    seeds: of the members.
    num_steps: steps to take, unless every member fails earlier.
    log_every: steps between evaluations; the first is before any step and the
      last after all of them.
    measure_every: steps between measurements of the problem's dear metrics:
      at the first row of metrics, the last, and the next after so many steps.
    devices: where; members are divided among them.
    on_chunk: called with the number of steps taken, a few times a second.
    on_log: called after every evaluation.

  Returns:
    The outcome.
  """
  # Devices hold equally many members; the last ones may be there to fill up.
  num_members = -(-len(seeds) // len(devices)) * len(devices)
  num_drawn = min(len(seeds), MAX_DRAWN_MEMBERS)
  population = training.population(problem, num_members, devices, num_drawn)
  keys = jax.vmap(training.member_keys)(
    jnp.asarray([seeds[i % len(seeds)] for i in range(num_members)], jnp.uint32)
  )
  progress = population.init(keys)
  # No steps: this compiles, so that the clock below sees training alone.
  progress = population.advance(progress, keys, jnp.int32(0), jnp.int32(0))

  num_logs = -(-num_steps // log_every) + 1
  frame_every = -(-num_logs // MAX_FRAMES)
  steps, rows, frame_steps, frames = [], [], [], []
  failures, remembered = (), None
  measured = -1
  step, seconds = 0, 0.0
  chunk = 1
  for index in range(num_logs):
    target = min(index * log_every, num_steps)
    while step < target:
      stop = min(step + chunk, target)
      started = time.perf_counter()
      progress = population.advance(
        progress, keys, jnp.int32(step), jnp.int32(stop)
      )
      jax.block_until_ready(progress)
      elapsed = time.perf_counter() - started
      seconds += elapsed
      rate = (stop - step) / elapsed
      chunk = int(np.clip(rate * SECONDS_PER_CHUNK, 1, 2 * chunk))
      step = stop
      on_chunk(step)
    metrics = population.evaluate(progress, keys)
    if step == num_steps or step // measure_every > measured:
      measured = step // measure_every
      metrics |= population.measure(progress, keys)
    metrics = {
      name: np.array(value[: len(seeds)], float)
      for name, value in metrics.items()
    }
    failed_at = _now_or_before(
      jax.tree.map(lambda x: np.asarray(x[: len(seeds)]), progress.failed_at),
      Players(metrics["generator_cost"], metrics["discriminator_cost"]),
      step,
    )
    # An evaluation's failure is not in the loop's memory, so it is kept here.
    remembered = jax.tree.map(
      lambda before, now: np.where(before == training.NEVER, now, before),
      remembered or failed_at,
      failed_at,
    )
    failures = _failures(remembered, seeds)
    failed = np.isin(seeds, [failure.seed for failure in failures])
    for values in metrics.values():
      values[failed] = np.nan
    steps.append(step)
    rows.append(metrics)
    if index % frame_every == 0 or index == num_logs - 1:
      frame_steps.append(step)
      frames.append(jax.device_get(population.snapshot(progress, keys)))
    on_log(Log(step, metrics, failures))
    if failed.all():
      break
  absent = np.full(len(seeds), np.nan)
  return Outcome(
    steps=np.asarray(steps),
    metrics={
      name: np.stack([row.get(name, absent) for row in rows], axis=1)
      for name in rows[0]
    },
    snapshots={
      **jax.device_get(problem.reference),
      "step": np.asarray(frame_steps),
      **{
        name: np.stack([frame[name] for frame in frames], axis=1)
        for name in frames[0]
      },
    },
    failures=failures,
    steps_per_second=step / seconds if seconds else 0.0,
    progress=jax.tree.map(lambda x: x[: len(seeds)], jax.device_get(progress)),
  )
