"""Trains one program of a sweep into the run folders of its trials."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.devices import environment
from experiments.sweeps import batches, progress, vectorize
from experiments.sweeps.plan import Plan, Trial
from experiments.training import (
  checkpoints,
  resume,
  run_config,
  run_logs,
  run_training,
  trainer,
)
from experiments.training.callbacks import Record
from experiments.training.pace import MAX_FRAMES, Pace
from experiments.training.trainer import (
  Checkpoint,
  Failure,
  Log,
  Outcome,
  Start,
)
from gan_jax import training
from gan_jax.types import Device

_KEPT = checkpoints.Keeping(newest=1)


def train(
  plan: Plan,
  index: int,
  folder: Path,
  scratch: Path,
  devices: Sequence[Device],
  checkpoint_every: int = 0,
  draws: bool = False,
  should_stop: Callable[[], bool] = lambda: False,
) -> bool:
  """Trains the trials of a program that have not finished.

  They train together, as many at a time as fit into memory. A trial that has
  finished is never touched again.

  Args:
    plan: of the sweep.
    index: of the program.
    folder: of the sweep, in which the trials have their run folders.
    scratch: a folder of the program's own, claimed by this process, for its
      checkpoints and its progress.
    devices: where; members are divided among them.
    checkpoint_every: steps between checkpoints; 0 for about one a minute.
    draws: whether the trials' pictures are drawn.
    should_stop: asked several times a second.

  Returns:
    Whether all trials have finished; if not, they were told to stop, and saved.

  Raises:
    RunFolderError: if what is there cannot be gone on with.
    SettingError: if the problem cannot be built, or a trial does not fit.
    OSError: if something cannot be written.
  """
  trials = [plan.trials[own] for own in plan.programs[index]]
  workdirs = [plan.workdir(folder, own) for own in plan.programs[index]]
  build = vectorize.builder(trials[0].run)
  sizes = batches.sizes(scratch, trials, build, devices)
  machine = environment.describe(devices)
  done = 0
  for number, size in enumerate(sizes):
    together = slice(done, done + size)
    round_ = _Round(
      trials[together],
      workdirs[together],
      scratch / str(number),
      build,
      machine,
      draws,
      progress.Meter(scratch, done, size, trials[0].run),
    )
    if not round_.train(devices, checkpoint_every, should_stop):
      return False
    # Every trial has its own part of what is in there.
    shutil.rmtree(scratch / str(number), ignore_errors=True)
    done += size
  return True


class _Round:
  """Trials that are the members of one population.

  Its members are numbered in the order of the trials and their seeds.
  """

  def __init__(
    self,
    trials: Sequence[Trial],
    workdirs: Sequence[Path],
    scratch: Path,
    build: Callable[[Any], training.Problem],
    machine: dict[str, Any],
    draws: bool,
    meter: progress.Meter,
  ):
    self._trials = trials
    self._workdirs = workdirs
    self._scratch = scratch
    self._build = build
    self._machine = machine
    self._draws = draws
    self._meter = meter
    self._seeds = trials[0].run.seeds
    self._members = range(len(trials) * len(self._seeds))
    self._records: list[Record] = []
    self._last: Checkpoint | None = None

  def _own(self, trial: int) -> slice:
    """Returns the members of a trial."""
    num_seeds = len(self._seeds)
    return slice(trial * num_seeds, (trial + 1) * num_seeds)

  def _is_done(self) -> bool:
    return all(run_training.is_finished(workdir) for workdir in self._workdirs)

  def train(
    self,
    devices: Sequence[Device],
    checkpoint_every: int,
    should_stop: Callable[[], bool],
  ) -> bool:
    """Trains; returns whether it came to the end."""
    if self._is_done():
      return True
    runs = [trial.run for trial in self._trials]
    settings = runs[0].settings
    problem = self._build(settings)
    self._scratch.mkdir(exist_ok=True)
    for workdir in self._workdirs:
      # Somebody may have removed one, to have it trained again.
      workdir.mkdir(parents=True, exist_ok=True)
    start, seconds_before = self._start(problem)
    for run, workdir in zip(runs, self._workdirs, strict=True):
      if not run_training.is_finished(workdir):
        run_config.write(workdir, run, self._machine)
    self._records = [
      Record(workdir, self._seeds, (), seconds_before)
      for workdir in self._workdirs
    ]
    for trial, record in enumerate(self._records):
      for log in start.logs:
        record.guard.observe(self._of_trial(log, trial))
      self._tell(
        trial,
        "began" if start.checkpoint is None else "resumed",
        0 if start.checkpoint is None else start.checkpoint.step,
        f"on {self._machine['device']}, jax "
        f"{self._machine['versions']['jax']}, as one of {len(runs)} trials",
      )
    with checkpoints.Writer(
      self._scratch, _KEPT, self._description(problem)
    ) as writer:
      outcome = trainer.train(
        problem,
        self._members,
        Pace(
          settings.steps,
          settings.log_interval(),
          settings.evaluation_interval(),
          checkpoint_every,
          MAX_FRAMES if self._draws else 1,
        ),
        devices,
        trainer.Listener(
          on_chunk=self._meter.step,
          on_log=self._log,
          on_checkpoint=lambda own: self._checkpoint(own, writer),
          should_stop=should_stop,
        ),
        start,
        vectorize.pack(runs, self._build),
      )
    if outcome.stopped:
      for trial in range(len(runs)):
        self._tell(trial, "stopped", outcome.step, "was told to")
      return False
    self._last = self._last or start.checkpoint
    for trial, workdir in enumerate(self._workdirs):
      if should_stop():
        return False
      try:
        if not run_training.is_finished(workdir):
          self._finish(trial, outcome, should_stop)
      except run_training.StoppedError:
        return False
    return True

  def _tell(self, trial: int, kind: str, step: int, message: str) -> None:
    if not run_training.is_finished(self._workdirs[trial]):
      self._records[trial].event(kind, step, message)

  def _description(self, problem: training.Problem) -> dict[str, Any]:
    """Describes what the round's checkpoints belong to."""
    described = resume.description(self._trials[0].run, problem)
    return {
      **described,
      "seeds": list(self._members),
      "trials": [trial.name for trial in self._trials],
    }

  def _start(self, problem: training.Problem) -> tuple[Start, float]:
    """Finds where the round goes on; cuts off what was logged after it."""
    if not checkpoints.steps(self._scratch):
      checkpoints.discard_after(self._scratch, -1)
      for workdir in self._workdirs:
        if not run_training.is_finished(workdir):
          run_logs.cut(workdir, -1)
      return trainer.BEGINNING, 0.0
    structure = training.structure(problem, len(self._members))
    checkpoint, found = checkpoints.load_newest(self._scratch, structure)
    wall_seconds = found.pop("wall_seconds")
    resume.refuse_others(self._scratch, found, self._description(problem))
    # A trial that has finished has no frames of single steps any more.
    of_trials = [
      run_logs.read(workdir, self._seeds, checkpoint.step)
      if run_training.is_finished(workdir)
      else resume.logs_until(workdir, self._seeds, checkpoint)
      for workdir in self._workdirs
    ]
    checkpoints.discard_after(self._scratch, checkpoint.step)
    for workdir in self._workdirs:
      if not run_training.is_finished(workdir):
        run_logs.cut(workdir, checkpoint.step)
    failures = trainer.failures_of(checkpoint.progress.failed_at, self._members)
    logs = resume.with_failures(
      [_side_by_side(own) for own in zip(*of_trials, strict=True)],
      failures,
      self._members,
    )
    return Start(checkpoint, logs), wall_seconds

  def _of_trial(self, log: Log, trial: int) -> Log:
    """Takes a trial's part of a log."""
    own = self._own(trial)
    frame = log.frame
    return Log(
      log.step,
      {name: value[own] for name, value in log.metrics.items()},
      self._failures(log.failures, trial),
      frame and {name: value[own] for name, value in frame.items()},
    )

  def _failures(
    self, failures: Sequence[Failure], trial: int
  ) -> tuple[Failure, ...]:
    """Takes a trial's failures, of its seeds instead of members."""
    own = self._own(trial)
    return tuple(
      failure._replace(seed=self._seeds[failure.seed - own.start])
      for failure in failures
      if own.start <= failure.seed < own.stop
    )

  def _log(self, log: Log) -> None:
    for trial, record in enumerate(self._records):
      if not run_training.is_finished(self._workdirs[trial]):
        record.log(self._of_trial(log, trial))

  def _checkpoint(
    self, checkpoint: Checkpoint, writer: checkpoints.Writer
  ) -> None:
    self._last = checkpoint
    writer.save(
      checkpoint,
      max(
        checkpoint.num_failed,
        sum(int(record.guard.troubled.sum()) for record in self._records),
      ),
      self._records[0].wall_seconds(),
    )

  def _finish(
    self,
    trial: int,
    outcome: Outcome,
    should_stop: Callable[[], bool],
  ) -> None:
    """Writes what a trial has come to, and where it may go on from."""
    run, record = self._trials[trial].run, self._records[trial]
    assert self._last is not None
    problem = self._build(run.settings)
    failures = self._failures(outcome.failures, trial)
    # A process that ended before the summary was written may have left one.
    checkpoints.discard_after(record.workdir, -1)
    with checkpoints.Writer(
      record.workdir, _KEPT, resume.description(run, problem)
    ) as writer:
      own = self._own(trial)
      writer.save(
        self._last._replace(
          progress=jax.tree.map(lambda x: x[own], self._last.progress),
          num_failed=len(failures),
        ),
        record.num_troubled(len(failures)),
        record.wall_seconds(),
      )
    logs = [
      log._replace(
        frame=log.frame
        and {
          name: value[: trainer.MAX_DRAWN_MEMBERS]
          for name, value in log.frame.items()
        }
      )
      for log in run_logs.read(record.workdir, self._seeds)
    ]
    run_training.finish(
      run,
      problem,
      trainer.outcome(
        problem,
        self._seeds,
        outcome.step,
        logs,
        failures,
        self._last.seconds,
        outcome.stopped,
      ),
      self._machine,
      record,
      should_stop,
      self._draws,
    )


def _side_by_side(logs: Sequence[Log]) -> Log:
  """Puts the logs of all trials at one step together."""
  frames = [log.frame for log in logs if log.frame is not None]
  return Log(
    logs[0].step,
    {
      name: np.concatenate([log.metrics[name] for log in logs])
      for name in logs[0].metrics
    },
    (),
    {
      name: np.concatenate([frame[name] for frame in frames])
      for name in frames[0]
    }
    if len(frames) == len(logs)
    else None,
  )
