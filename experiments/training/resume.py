"""Finds the checkpoint and the logs from which a run continues."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.cli import console
from experiments.configs.settings import Settings
from experiments.datasets import data_record
from experiments.errors import RunFolderError, SettingError
from experiments.run_folder import results, run_logs
from experiments.training import checkpoints
from experiments.training.callbacks import RunMembers
from experiments.training.checkpoints import Loaded
from experiments.training.request import MAY_CHANGE
from experiments.training.run_config import RunSettings
from gan_jax import training
from gan_jax.training import Checkpoint, Failure, Log, Problem


def describe_runs(
  runs: Sequence[RunSettings], problem: Problem
) -> dict[str, Any]:
  """Describes what a checkpoint belongs to, as JSON reads it back."""
  content = {
    "experiment": runs[0].experiment.name,
    "settings": dataclasses.asdict(runs[0].settings),
    "seeds": list(runs[0].seeds),
    "protocol": dict(problem.protocol),
  }
  if len(runs) > 1:
    content["trials"] = [dataclasses.asdict(run.settings) for run in runs]
  return json.loads(json.dumps(content))


class StartingPoint(NamedTuple):
  """Where runs that train together start or continue.

  Attributes:
    checkpoint: to continue from; None to begin.
    logs: of each run, up to the checkpoint.
    wall_seconds: that the runs have taken.
    changed_data: how the data differs from that of the steps before; "" if it
      is the same.
    faults: what the logs until the checkpoint lack.
    jump: what another number of steps changes at once; "" if nothing.
  """

  checkpoint: Checkpoint | None
  logs: tuple[tuple[Log, ...], ...]
  wall_seconds: float
  changed_data: str = ""
  faults: Sequence[str] = ()
  jump: str = ""

  @property
  def step(self) -> int:
    """The number of steps taken."""
    return self.checkpoint.step if self.checkpoint else 0

  @property
  def last_log(self) -> int:
    """The last logged step; -1 if there is none."""
    return self.logs[0][-1].step if self.logs and self.logs[0] else -1


def find_start(
  folder: Path,
  runs: Sequence[RunSettings],
  workdirs: Sequence[Path],
  members: Sequence[RunMembers],
  problem: Problem,
  allow_changed_data: bool = False,
) -> StartingPoint:
  """Finds the newest intact checkpoint, and removes what was logged after it.

  Args:
    folder: that holds the checkpoints.
    runs: that train together.
    workdirs: their run folders. Those that have finished stay as they are.
    members: of each run.
    problem: of the first run.
    allow_changed_data: whether the run may go on with other data.

  Raises:
    RunFolderError: if the data is other, or the checkpoints are gone or
      unusable.
    SettingError: if the runs have taken more steps than they should.
  """
  unfinished = [each for each in workdirs if not results.is_finished(each)]
  if len(workdirs) == 1:
    unfinished = list(workdirs)  # A finished run may train for longer.
  changed_data = ""
  for workdir in workdirs:
    # A trial of a sweep may not have begun.
    if not changed_data and (workdir / results.SETTINGS).exists():
      changed_data = _changed_data(workdir, problem, allow_changed_data)
  if not checkpoints.steps(folder):
    # A sweep keeps the checkpoints of trials elsewhere while they train.
    if folder in workdirs:
      _check_not_lost(folder)
    checkpoints.discard_after(folder, -1)
    for workdir in unfinished:
      run_logs.cut_logs(workdir, -1)
    return StartingPoint(None, ((),) * len(runs), 0.0, changed_data)
  num_members = sum(len(run.seeds) for run in runs)
  structure = training.structure(problem.init, num_members)
  newest = checkpoints.load_newest(folder, structure)
  _check_same_runs(folder, newest.description, describe_runs(runs, problem))
  settings = runs[0].settings
  if newest.checkpoint.step > settings.steps:
    raise SettingError(
      f"--steps={settings.steps} is less than the "
      f"{newest.checkpoint.step:,} steps that {folder} has taken"
    )
  # Read everything that is needed before anything is removed.
  (checkpoint, found), logs, faults = _with_logs(
    checkpoints.load_intact(folder, structure), runs, workdirs, problem
  )
  wall_seconds = found["wall_seconds"]
  checkpoints.discard_after(folder, checkpoint.step)
  for workdir, logs_of_run in zip(workdirs, logs, strict=True):
    if workdir in unfinished:
      run_logs.cut_logs(workdir, checkpoint.step, logs_of_run)
  jump = _jump(found["settings"]["steps"], settings)
  if jump:
    console.say(f"warning: {jump}")
  numbers = [number for each in members for number in each.numbers]
  failures = training.list_failures(checkpoint.progress.failed_at, numbers)
  return StartingPoint(
    checkpoint,
    tuple(
      _with_failures(logs_of_run, each.failures(failures), each.seeds)
      for logs_of_run, each in zip(logs, members, strict=True)
    ),
    wall_seconds,
    changed_data,
    faults,
    jump,
  )


def _changed_data(workdir: Path, problem: Problem, allowed: bool) -> str:
  """Says how the data differs from that of a run; raises unless allowed."""
  old = results.read_json(workdir / results.SETTINGS).get("data")
  if not old or not problem.data_record:
    return ""
  with results.reading(workdir):
    changed = data_record.difference(old, problem.data_record)
  if changed and not allowed:
    raise RunFolderError(
      f"{workdir} was trained on other data: {changed}; --allow_changed_data "
      "trains on the new data"
    )
  return changed


def _check_not_lost(workdir: Path) -> None:
  """Raises RunFolderError if a run without checkpoints had some."""
  saved = any(
    event.get("kind") == run_logs.SAVED
    for event in results.read_rows(workdir / results.EVENTS).rows
  )
  if saved or results.is_finished(workdir):
    raise RunFolderError(
      f"the checkpoints of {workdir} are gone, so it cannot resume; "
      "--overwrite begins the run anew"
    )


def _with_logs(
  found: Iterable[Loaded],
  runs: Sequence[RunSettings],
  workdirs: Sequence[Path],
  problem: Problem,
) -> tuple[Loaded, list[tuple[Log, ...]], list[str]]:
  """Chooses the newest checkpoint before which no run has lost a log.

  If all have, it is the newest, and the metrics have gaps.

  Returns:
    The checkpoint, the logs of each run until then, and what they lack.
  """
  choices = []
  for loaded in found:
    checkpoint, logs, faults = loaded.checkpoint, [], []
    checksums = loaded.description.get("metrics_sha256", {})
    for index, (run, workdir) in enumerate(zip(runs, workdirs, strict=True)):
      read = run_logs.read_logs(
        workdir, run.seeds, checkpoint.step, problem.reference
      )
      logs.append(read.logs)
      faults += read.faults
      if checksums.get(str(index), read.checksum) != read.checksum:
        faults.append(f"{workdir / results.METRICS} has changed")
      num_frames = sum(log.frame is not None for log in read.logs)
      for what, number, wanted in (
        ("logged steps", len(read.logs), checkpoint.num_logs),
        ("frames", num_frames, checkpoint.num_frames),
      ):
        if number != wanted:
          faults.append(f"{workdir} has {number} of {wanted} {what}")
    choices.append((loaded, logs, faults))
    if not faults:
      break
  chosen = min(choices, key=lambda choice: bool(choice[2]))
  newest, _, faults = choices[0]
  if faults:
    step = chosen[0].checkpoint.step
    what = f"going back to the checkpoint of step {step:,}"
    if step == newest.checkpoint.step:
      what = "the metrics will have a gap"
    console.say(f"{faults[0]}; {what}")
  return chosen


def _with_failures(
  logs: Sequence[Log], failures: Sequence[Failure], seeds: Sequence[int]
) -> tuple[Log, ...]:
  """Adds to each log the failures so far: failed seeds have no costs."""
  return tuple(
    log._replace(
      failures=tuple(
        failure
        for failure in failures
        if np.isnan(log.metrics["generator_cost"][seeds.index(failure.seed)])
      )
    )
    for log in logs
  )


def _jump(steps_before: int, settings: Settings) -> str:
  """Says what jumps if --steps has changed, since it decays over all steps."""
  falls = settings.learning_rate_decay != "none" or (
    settings.instance_noise > 0 and settings.instance_noise_decay != "none"
  )
  if not falls or settings.steps == steps_before:
    return ""
  return (
    "the settings that decay over the run now decay over "
    f"{settings.steps:,} steps instead of {steps_before:,}, so they jump at "
    f"this step; a run of {settings.steps:,} steps from the start would differ"
  )


def _check_same_runs(
  folder: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
  """Raises RunFolderError if a checkpoint belongs to other runs.

  Args:
    folder: that holds the checkpoint.
    found: what the checkpoint says that it belongs to.
    wanted: what `describe_runs` returns.
  """
  for name in ("experiment", "seeds"):
    if found.get(name) != wanted[name]:
      raise RunFolderError(
        f"{folder} has a checkpoint of another run: its {name} "
        f"{'is' if name == 'experiment' else 'are'} {found.get(name)}, not "
        f"{wanted[name]}"
      )
  old, new = found["settings"], wanted["settings"]
  for name in sorted({*old, *new} - set(MAY_CHANGE)):
    if old.get(name) != new.get(name):
      raise RunFolderError(
        f"{folder} has a checkpoint of another run: its {name} was "
        f"{old.get(name)}, not {new.get(name)}"
      )
  if found.get("trials") != wanted.get("trials"):
    raise RunFolderError(f"{folder} has a checkpoint of other trials")
  # A classifier trained on another machine may differ in its last digits.
  old, new = found["protocol"], wanted["protocol"]
  for name in sorted({*old, *new}):
    if old.get(name) != new.get(name):
      console.say(
        f"warning: metrics are measured differently from here on: {name} was "
        f"{old.get(name)} and is now {new.get(name)}"
      )
