"""The training loop: takes steps, evaluates, and calls callbacks.

The devices take a chunk of steps in one call. Between chunks the host asks for
evaluations, keeps logs and calls callbacks, which alone write files.
"""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils

from gan_jax import sharding, statistics
from gan_jax.training.logs import (
  Failure,
  Log,
  add_failures,
  list_failures,
  stack_logs,
)
from gan_jax.training.population import (
  Keys,
  Population,
  Progress,
  population,
  varied_population,
)
from gan_jax.training.problems import Problem
from gan_jax.training.schedule import Schedule, Stopwatch
from gan_jax.types import Array, Condition, Device, TrainState

MAX_DRAWN_MEMBERS = 8


class Checkpoint(NamedTuple):
  """Everything that the next steps depend on, apart from the problem.

  Attributes:
    step: steps taken.
    progress: NumPy arrays [num_seeds, ...].
    num_logs: number of logs up to this step.
    num_frames: number of these logs that have a frame.
    num_failed: number of members that have failed.
    seconds: time that the training took, without compilation.
  """

  step: int
  progress: Progress
  num_logs: int
  num_frames: int
  num_failed: int
  seconds: float


class Variation(NamedTuple):
  """Members that differ in settings as well as in seeds.

  Attributes:
    roots: the seed of each member's random keys, [members].
    make_problem: values of one member -> its problem, as in
      `varied_population`.
    values: a pytree of arrays [members, ...].
  """

  roots: Sequence[int]
  make_problem: Callable[[Any], Problem]
  values: Any


class Callback:
  """Base class of callbacks; override the methods that you need."""

  def on_steps(self, step: int, steps_per_second: float) -> None:
    """Is called a few times a second with the number of steps taken.

    It is called first when the loop has compiled, and before `on_log`.
    `steps_per_second` is the rate until now, as in `Result`.
    """

  def on_log(self, log: Log) -> None:
    """Is called after every evaluation."""

  def on_checkpoint(self, checkpoint: Checkpoint) -> None:
    """Is called when a checkpoint is due, and at the end.

    If the step has a log, `on_log` comes first.
    """

  def should_stop(self) -> bool:
    """Returns whether to stop here; is asked after every chunk of steps."""
    return False


class Result(NamedTuple):
  """A training that has finished, was stopped, or whose members all failed.

  Attributes:
    problem: the problem of all members.
    seeds: [num_seeds].
    steps: the logged steps, [num_logs].
    history: metrics, each [num_seeds, num_logs]; NaN where not measured.
    snapshots: arrays to draw: the problem's reference, `step` [num_frames], and
      each frame array [drawn members, num_frames, ...].
    failures: in order of step.
    checkpoint: the end of the training.
    stopped: whether a callback stopped it.
    steps_per_second: training steps of one member, from the end of the
      compilation to now, with all evaluations but the first, which compiles. A
      training that resumes counts the steps since then, if it takes any.
  """

  problem: Problem
  seeds: tuple[int, ...]
  steps: np.ndarray
  history: dict[str, np.ndarray]
  snapshots: dict[str, np.ndarray]
  failures: tuple[Failure, ...]
  checkpoint: Checkpoint
  stopped: bool
  steps_per_second: float

  @property
  def states(self) -> TrainState:
    """The state of every seed at the end, NumPy arrays [num_seeds, ...]."""
    return self.checkpoint.progress.state

  @property
  def metrics(self) -> dict[str, statistics.Mean]:
    """The last value of every metric: mean, 95 % interval, and per seed."""
    return {
      name: statistics.mean_and_interval(values[:, -1])
      for name, values in self.history.items()
    }

  def samples(
    self, num_samples: int, seed: int = 0, condition: Condition | None = None
  ) -> Array:
    """Draws samples [num_seeds, num_samples, ...] of every generator.

    Args:
      num_samples: number of samples of each generator.
      seed: seed of the latents, which all generators share.
      condition: of the samples, in a game with conditions; None draws it.
    """
    sample = self.problem.sample
    if sample is None:
      raise ValueError("the problem has no `sample` function")
    key = jax.random.key(seed)
    given = () if condition is None else (condition,)
    return jax.jit(
      jax.vmap(lambda state: sample(state, key, num_samples, *given))
    )(self.states)


def train(
  problem: Problem,
  seeds: Sequence[int],
  steps: int | Schedule,
  devices: Sequence[Device] | None = None,
  callbacks: Sequence[Callback] = (),
  start: Checkpoint | None = None,
  last_log: int = -1,
  variation: Variation | None = None,
  axis: str = sharding.MEMBERS,
  keep_logs: bool = True,
  score: Callable[[Log], Mapping[str, np.ndarray]] = lambda log: {},
) -> Result:
  """Trains one member per seed.

  If there are several processes, each calls this function. All of them follow
  the clock of process 0, and a callback of any process can stop them all.

  Args:
    problem: what to train.
    seeds: one per member. With a variation they are only names of the members
      in failures and results; `variation.roots` seeds their random keys.
    steps: a number of steps, logged about 100 times, or a `Schedule`.
    devices: of all processes; None for those of JAX's default platform, at most
      one per seed.
    callbacks: called after chunks of steps, at logs and at checkpoints.
    start: the checkpoint to continue from; None to start at step 0.
    last_log: with `start`, the last step that was logged already.
    variation: what members differ in apart from their seeds. Frames then hold
      all members, otherwise the first `MAX_DRAWN_MEMBERS`.
    axis: what the devices divide, as in `population`.
    keep_logs: whether the result has the logs. A long training need not keep
      in memory what a callback writes to a file.
    score: computes more metrics, each [num_seeds], from those of a log.

  Returns:
    The result. `steps`, `history` and `snapshots` cover this call only, and are
    empty unless `keep_logs`.
  """
  seeds = tuple(seeds)
  if isinstance(steps, Schedule):
    schedule = steps
  else:
    schedule = Schedule(steps, max(1, steps // 100))
  devices = list(devices or jax.devices()[: len(seeds)])
  members, keys, progress, seed_indices = _set_up(
    problem, seeds, devices, variation, axis
  )
  step, saved, seconds = 0, -1, 0.0
  num_logs = num_frames = 0
  failures, checkpoint = (), start
  if start is not None:
    step = saved = start.step
    seconds = start.seconds
    num_logs, num_frames = start.num_logs, start.num_frames
    progress = _to_devices(start.progress, seed_indices, like=progress)
    failures = list_failures(start.progress.failed_at, seeds)
  # Zero steps compile the loop before the stopwatch starts.
  progress = members.advance(progress, keys, np.int32(0), np.int32(0))
  stopwatch, compiles = Stopwatch(step, seconds), True
  saved_at = time.monotonic()
  logs: list[Log] = []

  while True:
    log = None
    if schedule.logs_at(step) and step > last_log:
      with stopwatch.paused() if compiles else contextlib.nullcontext():
        progress, log = _evaluate(
          members, progress, keys, seeds, schedule, step
        )
      log = log._replace(metrics={**log.metrics, **score(log)})
      last_log, failures, compiles = step, log.failures, False
    rate = stopwatch.rate(step)
    for callback in callbacks:
      callback.on_steps(step, rate)
    if log is not None:
      num_logs, num_frames = num_logs + 1, num_frames + (log.frame is not None)
      if keep_logs:
        logs.append(log)
      for callback in callbacks:
        callback.on_log(log)
    stops, all_failed, saves, chunk_steps = _agree(
      step < schedule.num_steps and any(c.should_stop() for c in callbacks),
      len(failures) == len(seeds),
      schedule.saves_at(step, time.monotonic() - saved_at),
      min(stopwatch.num_steps, schedule.num_steps),
    )
    ends = stops or step == schedule.num_steps or all_failed
    if step > saved and (ends or saves):
      host_progress = _to_host(progress, len(seeds))
      # Some members may have failed since the last log.
      num_failed = len(list_failures(host_progress.failed_at, seeds))
      checkpoint = Checkpoint(
        step, host_progress, num_logs, num_frames, num_failed, stopwatch.seconds
      )
      for callback in callbacks:
        callback.on_checkpoint(checkpoint)
      saved, saved_at = step, time.monotonic()
    if ends:
      break
    stop = min(step + chunk_steps, schedule.next_stop(step))
    with stopwatch.chunk(stop - step):
      progress = members.advance(progress, keys, np.int32(step), np.int32(stop))
      jax.block_until_ready(progress)
    step = stop

  assert checkpoint is not None  # Whenever the loop ends, it has saved one.
  logged, history, snapshots = stack_logs(logs, seeds, problem.reference)
  return Result(
    problem,
    seeds,
    logged,
    history,
    snapshots,
    failures,
    checkpoint,
    bool(stops),
    rate,
  )


def _set_up(
  problem: Problem,
  seeds: Sequence[int],
  devices: Sequence[Device],
  variation: Variation | None,
  axis: str,
) -> tuple[Population, Keys, Progress, np.ndarray]:
  """Compiles the population and initialises its members.

  Returns:
    The population, the members' keys and progress, and the index of each
    member's seed. Seeds repeat at the end if the devices need equal shares.
  """
  num_members = len(seeds)
  if axis == sharding.MEMBERS:
    num_members = -(-len(seeds) // len(devices)) * len(devices)
  seed_indices = np.arange(num_members) % len(seeds)
  if variation is None:
    roots = seeds
    members = population(
      problem, num_members, devices, min(len(seeds), MAX_DRAWN_MEMBERS), axis
    )
  else:
    roots = variation.roots
    members = varied_population(
      variation.make_problem,
      jax.tree.map(lambda values: values[seed_indices], variation.values),
      num_members,
      devices,
      num_drawn=len(seeds),
      data=problem.data,
      axis=axis,
    )
  keys = members.keys(np.asarray(roots, np.uint32)[seed_indices])
  return members, keys, members.init(keys), seed_indices


def _agree(
  stops: bool, all_failed: bool, saves: bool, num_steps: int
) -> tuple[bool, bool, bool, int]:
  """Makes one decision in all processes: any can stop, process 0 decides."""
  if jax.process_count() == 1:
    return stops, all_failed, saves, num_steps
  found = multihost_utils.process_allgather(
    np.array([stops, all_failed, saves, num_steps], np.int32)
  )
  _, all_failed, saves, num_steps = found[0]
  return bool(found[:, 0].any()), bool(all_failed), bool(saves), int(num_steps)


def _to_devices(
  progress: Progress, seed_indices: np.ndarray, like: Progress
) -> Progress:
  """Copies the seeds' progress to the devices, sharded like `like`."""
  # Another placement would compile the loop again.
  return sharding.placed(
    jax.tree.map(lambda x: np.asarray(x)[seed_indices], progress),
    jax.tree.map(lambda x: x.sharding, like),
  )


def _to_host(progress: Progress, num_seeds: int) -> Progress:
  """Copies the seeds' progress to NumPy; the next chunk overwrites it."""
  return jax.tree.map(lambda x: x[:num_seeds], sharding.on_host(progress))


def _evaluate(
  members: Population,
  progress: Progress,
  keys: Keys,
  seeds: Sequence[int],
  schedule: Schedule,
  step: int,
) -> tuple[Progress, Log]:
  """Evaluates members; adds failures that this shows to their progress."""
  metrics = members.evaluate(progress, keys)
  if schedule.measures_at(step):
    metrics |= members.measure(progress, keys)
  metrics = {
    name: value.astype(float)
    for name, value in sharding.on_host(metrics).items()
  }
  before = progress.failed_at
  failed_at = add_failures(sharding.on_host(before), metrics, step)
  progress = progress._replace(
    failed_at=sharding.placed(
      failed_at, jax.tree.map(lambda x: x.sharding, before)
    )
  )
  failures = list_failures(failed_at, seeds)
  failed = np.isin(seeds, [failure.seed for failure in failures])
  metrics = {
    name: np.where(failed, np.nan, value[: len(seeds)])
    for name, value in metrics.items()
  }
  frame = None
  if schedule.draws_at(step):
    frame = sharding.on_host(members.snapshot(progress, keys))
  return progress, Log(step, metrics, failures, frame)
