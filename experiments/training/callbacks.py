"""Writes down how a training goes, while it goes."""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from experiments.cli import console
from experiments.training import checkpoints, run_logs
from experiments.training.monitor import Guard, Trouble
from experiments.training.run_config import RunSettings
from experiments.training.tensorboard import Board
from experiments.training.trainer import Checkpoint, Listener, Log, Start


class Recording(NamedTuple):
  """What a run writes beside its results, and when it gives up.

  Attributes:
    checkpoint_every: steps between checkpoints; 0 for about one a minute.
    keeping: which of them stay.
    stops_on_failure: whether a run ends once all of its members have failed or
      are in trouble; else it ends once none has finite numbers.
    tensorboard: whether event files are written.
  """

  checkpoint_every: int = 0
  keeping: checkpoints.Keeping = checkpoints.Keeping()
  stops_on_failure: bool = False
  tensorboard: bool = False


DEFAULT_RECORDING = Recording()


class Record:
  """Writes down the rows, the events and the troubles of one run.

  Attributes:
    workdir: the run folder.
    guard: what it has shown.
  """

  def __init__(
    self,
    workdir: Path,
    seeds: Sequence[int],
    logs: Iterable[Log],
    seconds_before: float,
  ):
    """Prepares to write.

    Args:
      workdir: the run folder.
      seeds: of the run.
      logs: that are written already.
      seconds_before: that the run took until there.
    """
    self.workdir = workdir
    self.guard = Guard(seeds)
    for log in logs:
      self.guard.observe(log)
    self._began = time.perf_counter() - seconds_before

  def wall_seconds(self) -> float:
    """Returns how long the run has taken, without what was lost."""
    return time.perf_counter() - self._began

  def event(self, kind: str, step: int, message: str) -> None:
    """Writes an event of the whole run."""
    run_logs.append_event(self.workdir, kind, step, message)

  def log(self, log: Log) -> tuple[Trouble, ...]:
    """Writes a row of metrics for each seed; returns and writes troubles."""
    run_logs.append(self.workdir, self.guard.seeds, log)
    troubles = self.guard.observe(log)
    for step, seed, kind, message in troubles:
      run_logs.append_event(self.workdir, kind, step, message, seed)
    return troubles

  def num_troubled(self, num_failed: int) -> int:
    """Counts the members that are in trouble, or have failed since a row."""
    return max(num_failed, int(self.guard.troubled.sum()))

  def finish(self, step: int) -> None:
    """Writes the rest, when the run's figures are there."""


class Recorder(Record):
  """Hears a training and writes to its run folder."""

  def __init__(
    self,
    workdir: Path,
    run: RunSettings,
    description: Mapping[str, Any],
    recording: Recording,
    start: Start,
    seconds_before: float,
  ):
    """Prepares to record.

    Args:
      workdir: the run folder.
      run: what is trained.
      description: of what the checkpoints belong to.
      recording: what is written.
      start: where the training goes on.
      seconds_before: that it took until there.
    """
    super().__init__(workdir, run.seeds, start.logs, seconds_before)
    self._run = run
    self._recording = recording
    self._first_step = start.checkpoint.step if start.checkpoint else 0
    self._description = description
    self._contexts = contextlib.ExitStack()

  def __enter__(self) -> Self:
    with contextlib.ExitStack() as stack:
      self._writer = stack.enter_context(
        checkpoints.Writer(
          self.workdir, self._recording.keeping, self._description
        )
      )
      self._board = None
      if self._recording.tensorboard:
        self._board = stack.enter_context(
          Board(self.workdir, self._run.seeds, self._first_step)
        )
      self._progress = stack.enter_context(
        console.progress(
          self._run.experiment.name,
          self._run.settings.steps,
          self._first_step,
        )
      )
      self._contexts = stack.pop_all()
    return self

  def __exit__(self, *exception: Any) -> None:
    self._contexts.__exit__(*exception)

  def listener(self, should_stop: Callable[[], bool]) -> Listener:
    """Returns what hears the training.

    Args:
      should_stop: whether it is told to, by anyone else.
    """
    return Listener(
      on_chunk=self._progress.advance,
      on_log=self._log,
      on_checkpoint=self._checkpoint,
      should_stop=lambda: should_stop() or self._gives_up(),
    )

  def _gives_up(self) -> bool:
    lost = bool(self.guard.troubled.all())
    return lost and self._recording.stops_on_failure

  def _log(self, log: Log) -> None:
    self._progress.log(log, self.log(log))
    if self._board:
      self._board.log(log)

  def _checkpoint(self, checkpoint: Checkpoint) -> None:
    self._writer.save(
      checkpoint,
      self.num_troubled(checkpoint.num_failed),
      self.wall_seconds(),
    )
    if self._board:
      self._board.checkpoint(checkpoint)

  def finish(self, step: int) -> None:
    self._writer.wait()
    if self._board:
      self._board.finish(step)
