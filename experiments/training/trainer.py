"""Trains an experiment's members and measures them as they go; draws nothing.

The work is done on the device, a chunk of steps at a time; the host only logs.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.devices import multihost
from experiments.training.pace import Clock, Pace
from gan_jax import sharding, training
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
  before: Players[np.ndarray], metrics: Mapping[str, np.ndarray], step: int
) -> Players[np.ndarray]:
  """Adds the failures that an evaluation shows to those of the loop.

  The last step before it may have spoilt the parameters, or what an optimizer
  remembers of the gradients, although its own costs, measured before the
  update, were finite.

  Args:
    before: as the loop has it, each [members].
    metrics: each [members].
    step: of the evaluation.

  Returns:
    For each player, the step at which each member failed, [members].
  """
  return Players(
    *(
      np.where(
        (failed == training.NEVER)
        & ~np.isfinite(metrics[f"{player}_cost"] + metrics[f"{player}_norm"]),
        np.int32(step),
        failed,
      )
      for player, failed in zip(Players._fields, before, strict=True)
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
  axis: str = sharding.MEMBERS,
) -> Outcome:
  """Trains one member per seed.

  Where there are several processes, each calls this, and all do what the clock
  of the first says; a wish to stop may come from any.

  Args:
    problem: what to train.
    seeds: of the members; with a variation, numbers that name them.
    pace: how far, and what is done on the way.
    devices: where, of all processes.
    listener: who hears how it goes.
    start: where to go on.
    variation: what the members differ in beside their seeds; all of them are
      then drawn. None for nothing.
    axis: what the devices divide, as of `training.population`.

  Returns:
    The outcome.
  """
  num_members = len(seeds)
  if axis == sharding.MEMBERS:
    # Devices hold equally many; the last ones may be there to fill up.
    num_members = -(-len(seeds) // len(devices)) * len(devices)
  filled = np.arange(num_members) % len(seeds)
  if variation is None:
    roots = seeds
    num_drawn = min(len(seeds), MAX_DRAWN_MEMBERS)
    population = training.population(
      problem, num_members, devices, num_drawn, axis
    )
  else:
    roots = variation.roots
    population = training.varied_population(
      variation.make_problem,
      jax.tree.map(lambda own: own[filled], variation.values),
      num_members,
      devices,
      num_drawn=len(seeds),
      data=problem.data,
      axis=axis,
    )
  keys = population.keys(np.asarray(roots, np.uint32)[filled])
  progress = population.init(keys)
  step, clock, logs, saved = 0, Clock(0.0), list(start.logs), -1
  failures = ()
  if start.checkpoint is not None:
    step = saved = start.checkpoint.step
    clock = Clock(start.checkpoint.seconds)
    progress = _placed(start.checkpoint.progress, filled, like=progress)
    failures = failures_of(start.checkpoint.progress.failed_at, seeds)
  # No steps: this compiles, so that the clock sees training alone.
  progress = population.advance(progress, keys, np.int32(0), np.int32(0))
  saved_at = time.monotonic()

  while True:
    if pace.logs(step) and (not logs or logs[-1].step < step):
      progress, log = _log(population, progress, keys, seeds, pace, step)
      logs.append(log)
      listener.on_log(log)
      failures = log.failures
    wishes = multihost.of_all(
      (
        step < pace.num_steps and listener.should_stop(),
        len(failures) == len(seeds),
        pace.saves(step, time.monotonic() - saved_at),
        min(clock.num_steps, pace.num_steps),
      )
    )
    stopped = bool(wishes[:, 0].any())
    _, all_failed, saves, affordable = map(int, wishes[0])
    ends = stopped or step == pace.num_steps or all_failed
    if step > saved and (ends or saves):
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
    stop = min(step + affordable, pace.next_stop(step))
    with clock.chunk(stop - step):
      progress = population.advance(
        progress, keys, np.int32(step), np.int32(stop)
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
  return sharding.placed(
    jax.tree.map(lambda own: np.asarray(own)[filled], progress),
    jax.tree.map(lambda there: there.sharding, like),
  )


def _on_host(progress: training.Progress, num_seeds: int) -> training.Progress:
  """Copies the progress of the seeds, which the next chunk overwrites."""
  return jax.tree.map(lambda x: x[:num_seeds], sharding.on_host(progress))


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
  metrics = {
    name: value.astype(float)
    for name, value in sharding.on_host(metrics).items()
  }
  before = progress.failed_at
  failed_at = _failed_at(sharding.on_host(before), metrics, step)
  # An evaluation's failure is remembered with the loop's.
  progress = progress._replace(
    failed_at=sharding.placed(
      failed_at, jax.tree.map(lambda own: own.sharding, before)
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
    frame = sharding.on_host(population.snapshot(progress, keys))
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
