"""Callbacks of the training loop: logs, checkpoints, progress and stopping."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.cli import console
from experiments.run_folder import results, run_logs
from experiments.training import checkpoints
from experiments.training.monitor import HealthWarning, Monitor
from experiments.training.run_config import RunSettings
from gan_jax import training
from gan_jax.training import MAX_DRAWN_MEMBERS, Checkpoint, Failure, Log


class RunMembers(NamedTuple):
  """Tells which of the members that train together belong to one run.

  Attributes:
    seeds: of the run.
    indices: of the run's members.
    numbers: the seeds that the training loop uses for these members; they
      differ from the run's if several runs train together.
  """

  seeds: tuple[int, ...]
  indices: slice
  numbers: Sequence[int]

  def log(self, log: Log) -> Log:
    """Returns the part of a log that is about this run's members."""
    frame = log.frame
    if frame is not None:
      frame = {
        name: values[self.indices][:MAX_DRAWN_MEMBERS]
        for name, values in frame.items()
      }
    return Log(
      log.step,
      {name: values[self.indices] for name, values in log.metrics.items()},
      self.failures(log.failures),
      frame,
    )

  def failures(self, failures: Sequence[Failure]) -> tuple[Failure, ...]:
    """Returns the failures of this run's members, by the run's seeds."""
    seeds = dict(zip(self.numbers, self.seeds, strict=True))
    return tuple(
      failure._replace(seed=seeds[failure.seed])
      for failure in failures
      if failure.seed in seeds
    )


class RunLogger(training.Callback):
  """Writes the rows, frames, events and warnings of one run to its folder.

  Attributes:
    index: of the run among those that train together.
    workdir: the run folder.
    run: its settings and seeds.
    members: the run's part of the members that train together.
    monitor: of the run's seeds.
    warnings: of the last log.
  """

  def __init__(
    self,
    index: int,
    workdir: Path,
    run: RunSettings,
    members: RunMembers,
    earlier_logs: Sequence[Log],
    wall_seconds: Callable[[], float],
  ):
    """Continues the logs of a run, of which some may be on disk already."""
    self._wall_seconds = wall_seconds
    self.index = index
    self.workdir = workdir
    self.run = run
    self.members = members
    self.monitor = Monitor(members.seeds)
    self.warnings: tuple[HealthWarning, ...] = ()
    for log in earlier_logs:
      self.monitor.observe(log)
    earlier = results.read_metrics(workdir / results.METRICS, run.seeds)
    self._rows = hashlib.sha256(earlier.text(run.seeds).encode())

  def checksum(self) -> str:
    """Returns the checksum of the rows of metrics, which are on the disk."""
    run_logs.sync(self.workdir)
    return self._rows.hexdigest()

  def event(self, kind: str, step: int, message: str) -> None:
    """Writes an event of the whole run."""
    run_logs.append_event(self.workdir, kind, step, message)

  def on_log(self, log: Log) -> None:
    log = self.members.log(log)
    text = run_logs.append_log(
      self.workdir, self.members.seeds, log, self._wall_seconds()
    )
    self._rows.update(text.encode())
    self.warnings = self.monitor.observe(log)
    for step, seed, kind, message in self.warnings:
      run_logs.append_event(self.workdir, kind, step, message, seed)


class Logger(training.Callback):
  """Writes a run in another format too; base class of loggers.

  `Options.loggers` of the trainer lists them, and `experiments.run` has a flag
  for each.
  """

  def __init__(self, workdir: Path, seeds: Sequence[int], first_step: int):
    """Starts, or continues the files of a run that resumes.

    Args:
      workdir: the run folder.
      seeds: of the run.
      first_step: steps that the run has taken; what was logged after them is
        void, and is logged again.
    """

  def write_figures(self, step: int) -> None:
    """Is called when the figures of the last step are in the run folder."""

  def close(self) -> None:
    """Is called at the end, also of a run that stops or fails."""


class CheckpointSaver(training.Callback):
  """Saves checkpoints in the background."""

  def __init__(
    self,
    writer: checkpoints.Writer,
    loggers: Sequence[RunLogger],
    wall_seconds: Callable[[], float],
  ):
    self._writer = writer
    self._loggers = loggers
    self._wall_seconds = wall_seconds

  def on_checkpoint(self, checkpoint: Checkpoint) -> None:
    num_warned = sum(int(each.monitor.warned.sum()) for each in self._loggers)
    # Some members may have failed since the last log.
    self._writer.save(
      checkpoint,
      max(checkpoint.num_failed, num_warned),
      self._wall_seconds(),
      {str(each.index): each.checksum() for each in self._loggers},
    )


class ProgressBar(training.Callback):
  """Shows the progress, costs and warnings of a run on the terminal."""

  def __init__(self, bar: console.TrainingProgress, logger: RunLogger):
    self._bar = bar
    self._logger = logger

  def on_steps(self, step: int, steps_per_second: float) -> None:
    self._bar.advance(step, steps_per_second)

  def on_log(self, log: Log) -> None:
    self._bar.log(log, self._logger.warnings)


class StopWhen(training.Callback):
  """Stops when a condition holds, such as an interruption."""

  def __init__(self, condition: Callable[[], bool]):
    self._condition = condition

  def should_stop(self) -> bool:
    return self._condition()
