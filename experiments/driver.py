"""Trains an experiment's members and measures them as they go; draws nothing.

The work is done on the device, a chunk of steps at a time; the host only logs.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.pace import Clock, Pace
from gan_jax import training
from gan_jax.types import Device, Players

MAX_DRAWN_MEMBERS = 8


class Failure(NamedTuple):
  """A cost, gradient or parameter that stopped being finite."""

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
    frame: arrays to draw, each [drawn members, ...]; None in most logs of a
      long training.
  """

  step: int
  metrics: dict[str, np.ndarray]
  failures: tuple[Failure, ...]
  frame: dict[str, np.ndarray] | None


class Checkpoint(NamedTuple):
  """All that the next steps of a training depend on, beside its settings.

  Attributes:
    step: steps taken.
    progress: of the members, NumPy arrays [num_seeds, ...].
    num_logs: logs up to this step.
    num_frames: those of them that have a frame.
    num_failed: members that have failed.
    seconds: spent on these steps.
  """

  step: int
  progress: training.Progress
  num_logs: int
  num_frames: int
  num_failed: int
  seconds: float


class Start(NamedTuple):
  """Where a training goes on; without arguments, it begins.

  Attributes:
    checkpoint: to go on from.
    logs: up to it.
  """

  checkpoint: Checkpoint | None = None
  logs: tuple[Log, ...] = ()


BEGINNING = Start()


class Variation(NamedTuple):
  """Members that differ in more than their seeds.

  Attributes:
    roots: the seed that each member's keys are of, [members].
    make_problem: values of one member -> its problem, as
      `training.varied_population` has it.
    values: a pytree of arrays [members, ...].
  """

  roots: Sequence[int]
  make_problem: Callable[[Any], training.Problem]
  values: Any


class Outcome(NamedTuple):
  """A training that has finished, wholly failed or been stopped.

  Attributes:
    step: steps taken.
    steps: logged steps, [num_logs].
    metrics: each [num_seeds, num_logs]; NaN where not measured.
    snapshots: arrays to draw, as `results.Results` describes them.
    failures: of members, in order of step.
    steps_per_second: steps of one member, compilation and evaluation excluded.
    stopped: whether it was told to stop before its end.
  """

  step: int
  steps: np.ndarray
  metrics: dict[str, np.ndarray]
  snapshots: dict[str, np.ndarray]
  failures: tuple[Failure, ...]
  steps_per_second: float
  stopped: bool


class Listener(NamedTuple):
  """Who hears how a training goes; by default nobody.

  Attributes:
    on_chunk: called with the number of steps taken, a few times a second.
    on_log: called after every evaluation.
    on_checkpoint: called when one is due, after the log of its step if there is
      one, and at the end.
    should_stop: asked after every chunk.
  """

  on_chunk: Callable[[int], None] = lambda step: None
  on_log: Callable[[Log], None] = lambda log: None
  on_checkpoint: Callable[[Checkpoint], None] = lambda checkpoint: None
  should_stop: Callable[[], bool] = lambda: False


NOBODY = Listener()


def failures_of(
  failed_at: Players[Any], seeds: Sequence[int]
) -> tuple[Failure, ...]:
  """Lists each member that failed, and when, and whose cost showed it.

  Args:
    failed_at: of each player, [members], of which the first are the seeds'.
    seeds: of the members.

  Returns:
    The failures in order of step.
  """
  failures = []
  of_members = np.stack(failed_at, axis=1)[: len(seeds)]
  for seed, steps in zip(seeds, of_members, strict=True):
    failed = steps != training.NEVER
    if failed.any():
      first = steps[failed].min()
      players = tuple(np.array(Players._fields)[steps == first].tolist())
      failures.append(Failure(seed, int(first), players))
  return tuple(sorted(failures, key=lambda failure: failure.step))


def _failed_at(
  progress: training.Progress, metrics: Mapping[str, np.ndarray], step: int
) -> Players[np.ndarray]:
  """Adds the failures that an evaluation shows to those of the loop.

  The last step before it may have spoilt the parameters, or what an optimizer
  remembers of the gradients, although its own costs, measured before the
  update, were finite.

  Args:
    progress: of the members.
    metrics: each [members].
    step: of the evaluation.

  Returns:
    For each player, the step at which each member failed, [members].
  """
  return Players(
    *(
      np.where(
        (np.asarray(failed) == training.NEVER)
        & ~np.isfinite(metrics[f"{player}_cost"] + metrics[f"{player}_norm"]),
        np.int32(step),
        np.asarray(failed),
      )
      for player, failed in zip(
        Players._fields, progress.failed_at, strict=True
      )
    )
  )


def train(
  problem: training.Problem,
  seeds: Sequence[int],
  pace: Pace,
  devices: Sequence[Device],
  listener: Listener = NOBODY,
  start: Start = BEGINNING,
  variation: Variation | None = None,
) -> Outcome:
  """Trains one member per seed.

  Args:
    problem: what to train.
    seeds: of the members; with a variation, numbers that name them.
    pace: how far, and what is done on the way.
    devices: where; members are divided among them.
    listener: who hears how it goes.
    start: where to go on.
    variation: what the members differ in beside their seeds; all of them are
      then drawn. None for nothing.

  Returns:
    The outcome.
  """
  # Devices hold equally many members; the last ones may be there to fill up.
  num_members = -(-len(seeds) // len(devices)) * len(devices)
  filled = np.arange(num_members) % len(seeds)
  if variation is None:
    roots = seeds
    num_drawn = min(len(seeds), MAX_DRAWN_MEMBERS)
    population = training.population(problem, num_members, devices, num_drawn)
  else:
    roots = variation.roots
    population = training.varied_population(
      variation.make_problem,
      jax.tree.map(lambda own: own[filled], variation.values),
      num_members,
      devices,
      num_drawn=len(seeds),
      data=problem.data,
    )
  keys = jax.vmap(training.member_keys)(
    jnp.asarray(np.asarray(roots, np.uint32)[filled])
  )
  progress = population.init(keys)
  step, clock, logs, saved = 0, Clock(0.0), list(start.logs), -1
  failures = ()
  if start.checkpoint is not None:
    step = saved = start.checkpoint.step
    clock = Clock(start.checkpoint.seconds)
    progress = _placed(start.checkpoint.progress, filled, like=progress)
    failures = failures_of(start.checkpoint.progress.failed_at, seeds)
  # No steps: this compiles, so that the clock sees training alone.
  progress = population.advance(progress, keys, jnp.int32(0), jnp.int32(0))
  saved_at = time.monotonic()

  while True:
    if pace.logs(step) and (not logs or logs[-1].step < step):
      progress, log = _log(population, progress, keys, seeds, pace, step)
      logs.append(log)
      listener.on_log(log)
      failures = log.failures
    stopped = step < pace.num_steps and listener.should_stop()
    ends = stopped or step == pace.num_steps or len(failures) == len(seeds)
    if step > saved and (ends or pace.saves(step, time.monotonic() - saved_at)):
      progress_of_seeds = _on_host(progress, len(seeds))
      listener.on_checkpoint(
        Checkpoint(
          step,
          progress_of_seeds,
          len(logs),
          sum(log.frame is not None for log in logs),
          # Some may have failed since the last log.
          len(failures_of(progress_of_seeds.failed_at, seeds)),
          clock.seconds,
        )
      )
      saved, saved_at = step, time.monotonic()
    if ends:
      break
    stop = min(step + clock.num_steps, pace.next_stop(step))
    with clock.chunk(stop - step):
      progress = population.advance(
        progress, keys, jnp.int32(step), jnp.int32(stop)
      )
      jax.block_until_ready(progress)
    step = stop
    listener.on_chunk(step)
  return outcome(problem, seeds, step, logs, failures, clock.seconds, stopped)


def _placed(
  progress: training.Progress, filled: np.ndarray, like: training.Progress
) -> training.Progress:
  """Brings the progress of the seeds to the devices of all members.

  Args:
    progress: of the seeds, [num_seeds, ...].
    filled: the index of the seed of each member, [members].
    like: a progress of the members, where it is to be.

  Returns:
    The progress of the members.
  """
  # As the loop's own is placed, or the loop would be compiled again.
  return jax.tree.map(
    lambda own, there: jax.device_put(np.asarray(own)[filled], there.sharding),
    progress,
    like,
  )


def _on_host(progress: training.Progress, num_seeds: int) -> training.Progress:
  """Copies the progress of the seeds, which the next chunk overwrites."""
  return jax.tree.map(lambda x: np.array(x)[:num_seeds], progress)


def _log(
  population: training.Population,
  progress: training.Progress,
  keys: training.Keys,
  seeds: Sequence[int],
  pace: Pace,
  step: int,
) -> tuple[training.Progress, Log]:
  """Evaluates the members; returns what failures make of the progress."""
  metrics = population.evaluate(progress, keys)
  if pace.measures(step):
    metrics |= population.measure(progress, keys)
  metrics = {name: np.array(value, float) for name, value in metrics.items()}
  failed_at = _failed_at(progress, metrics, step)
  # An evaluation's failure is remembered with the loop's.
  progress = progress._replace(
    failed_at=jax.tree.map(
      lambda now, before: jax.device_put(now, before.sharding),
      failed_at,
      progress.failed_at,
    )
  )
  failures = failures_of(failed_at, seeds)
  failed = np.isin(seeds, [failure.seed for failure in failures])
  metrics = {
    name: np.where(failed, np.nan, value[: len(seeds)])
    for name, value in metrics.items()
  }
  frame = None
  if pace.draws(step):
    frame = jax.device_get(population.snapshot(progress, keys))
  return progress, Log(step, metrics, failures, frame)


def outcome(
  problem: training.Problem,
  seeds: Sequence[int],
  step: int,
  logs: Sequence[Log],
  failures: tuple[Failure, ...],
  seconds: float,
  stopped: bool,
) -> Outcome:
  """Puts the logs of a training side by side.

  Args:
    problem: that was trained.
    seeds: of the members.
    step: steps taken.
    logs: at least one.
    failures: all of them, since the last log too.
    seconds: that the steps took.
    stopped: whether it was told to stop before its end.

  Returns:
    The outcome.
  """
  absent = np.full(len(seeds), np.nan)
  drawn = [(log.step, log.frame) for log in logs if log.frame is not None]
  names = drawn[0][1] if drawn else ()
  return Outcome(
    step=step,
    steps=np.asarray([log.step for log in logs]),
    metrics={
      name: np.stack([log.metrics.get(name, absent) for log in logs], axis=1)
      for name in logs[0].metrics
    },
    snapshots={
      **jax.device_get(problem.reference),
      "step": np.asarray([frame_step for frame_step, _ in drawn]),
      **{
        name: np.stack([frame[name] for _, frame in drawn], axis=1)
        for name in names
      },
    },
    failures=failures,
    steps_per_second=step / seconds if seconds else 0.0,
    stopped=stopped,
  )
