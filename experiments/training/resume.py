"""Goes on with a run where its newest whole checkpoint is."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.cli import console
from experiments.configs.fields import SettingError, fields_of
from experiments.configs.settings import Settings, with_values
from experiments.run_folder.results import RunFolderError
from experiments.training import checkpoints, run_logs, trainer
from experiments.training.run_config import RunSettings
from experiments.training.trainer import (
  BEGINNING,
  Checkpoint,
  Failure,
  Log,
  Start,
)
from gan_jax import training
from gan_jax.training import Problem

MAY_CHANGE = (
  "steps",
  "log_every",
  "evaluate_every",
  "data_dir",
  "inception_weights",
)
"""Settings that say how far to train, when to look, and where files are."""


def changed(
  found: RunSettings,
  given: Mapping[str, str],
  experiment: str | None,
  seeds: Sequence[int] | None,
) -> RunSettings:
  """Applies what was given on the command line to the settings of a run.

  Args:
    found: of the run folder.
    given: settings by name, as text.
    experiment: that was named, if any.
    seeds: that were named, if any.

  Returns:
    What to go on with.

  Raises:
    SettingError: if that would be another run; it says which setting differs.
  """
  if experiment is not None and experiment != found.experiment.name:
    raise _cannot_change(
      found.settings, "experiment", found.experiment.name, experiment
    )
  if seeds is not None and tuple(seeds) != found.seeds:
    raise SettingError(
      f"--resume cannot change the seeds: they are {_of(found.seeds)}, not "
      f"{_of(seeds)}"
    )
  settings = with_values(found.settings, given)
  _refuse_changes(found.settings, settings)
  return found._replace(settings=settings)


def _of(seeds: Sequence[int]) -> str:
  first, last = seeds[0], seeds[-1]
  return str(first) if first == last else f"{first} to {last}"


def _cannot_change(
  settings: Settings, name: str, old: Any, new: Any
) -> SettingError:
  allowed = [f"--{own}" for own in MAY_CHANGE if hasattr(settings, own)]
  return SettingError(
    f"--resume cannot change --{name} from {old} to {new}, which would be "
    f"another run; it can change {', '.join(allowed)}"
  )


def _refuse_changes(old: Settings, new: Settings) -> None:
  """Raises SettingError for a setting that alters the mathematics."""
  for field in fields_of(type(old)):
    before, after = getattr(old, field.name), getattr(new, field.name)
    if before != after and field.name not in MAY_CHANGE:
      raise _cannot_change(
        old, field.name, field.format(before), field.format(after)
      )


def _tell_of_jumps(steps_before: int, settings: Settings) -> None:
  """Says so if something depends on how many steps a run has."""
  falls = settings.learning_rate_decay != "none" or (
    settings.instance_noise > 0 and settings.instance_noise_decay != "none"
  )
  if falls and settings.steps != steps_before:
    console.say(
      f"what falls over the run now falls over {settings.steps:,} steps "
      f"instead of {steps_before:,}: it jumps here, and is not what a run of "
      "so many steps would have had"
    )


def description(run: RunSettings, problem: Problem) -> dict[str, Any]:
  """Describes what a checkpoint belongs to, as JSON reads it back."""
  content = {
    "experiment": run.experiment.name,
    "settings": dataclasses.asdict(run.settings),
    "seeds": list(run.seeds),
    "protocol": dict(problem.protocol),
  }
  return json.loads(json.dumps(content))


def start(
  workdir: Path, run: RunSettings, problem: Problem
) -> tuple[Start, float]:
  """Finds where a run goes on, and removes what was logged after it.

  Args:
    workdir: the run folder, claimed.
    run: what to go on with.
    problem: that it makes.

  Returns:
    Where to go on, the beginning if no checkpoint was written yet; and the
    seconds that the run has taken until there.

  Raises:
    RunFolderError: if the checkpoints, or what was logged before them, cannot
      be used.
  """
  if not checkpoints.steps(workdir):
    checkpoints.discard_after(workdir, -1)
    run_logs.cut(workdir, -1)
    return BEGINNING, 0.0
  structure = training.structure(problem, len(run.seeds))
  checkpoint, found = checkpoints.load_newest(workdir, structure)
  wall_seconds = found.pop("wall_seconds")
  refuse_others(workdir, found, description(run, problem))
  if checkpoint.step > run.settings.steps:
    raise SettingError(
      f"--steps={run.settings.steps} is less than the {checkpoint.step:,} "
      f"steps that {workdir} has taken"
    )
  # Nothing is removed before all that is needed has been found.
  run_logs.restore_frames(workdir, problem.reference)
  logs = logs_until(workdir, run.seeds, checkpoint)
  checkpoints.discard_after(workdir, checkpoint.step)
  run_logs.cut(workdir, checkpoint.step)
  _tell_of_jumps(found["settings"]["steps"], run.settings)
  failures = trainer.failures_of(checkpoint.progress.failed_at, run.seeds)
  logs = with_failures(logs, failures, run.seeds)
  return Start(checkpoint, logs), wall_seconds


def logs_until(
  workdir: Path, seeds: Sequence[int], checkpoint: Checkpoint
) -> tuple[Log, ...]:
  """Reads what a run logged until a checkpoint, all of it.

  Args:
    workdir: the run folder.
    seeds: of the run.
    checkpoint: that says how much that is.

  Returns:
    The logs, without failures.

  Raises:
    RunFolderError: if something is missing.
  """
  logs = run_logs.read(workdir, seeds, until=checkpoint.step)
  num_frames = sum(log.frame is not None for log in logs)
  for what, number, wanted in (
    ("rows of metrics", len(logs), checkpoint.num_logs),
    ("frames", num_frames, checkpoint.num_frames),
  ):
    if number != wanted:
      raise RunFolderError(
        f"{workdir} has {number} of the {wanted} {what} that were logged until "
        f"step {checkpoint.step:,}; --overwrite begins the run anew"
      )
  return logs


def with_failures(
  logs: Sequence[Log], failures: Sequence[Failure], seeds: Sequence[int]
) -> tuple[Log, ...]:
  """Adds to each log the members that had failed by then: they have no costs.

  Args:
    logs: without failures.
    failures: all there are.
    seeds: of the members, in the order of the logs' metrics.

  Returns:
    The logs.
  """
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


def refuse_others(
  workdir: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
  """Raises RunFolderError for a checkpoint of something else.

  Args:
    workdir: the folder that it is in.
    found: what it says it belongs to.
    wanted: what `description` says of the run.
  """
  for name in ("experiment", "seeds"):
    if found.get(name) != wanted[name]:
      raise RunFolderError(
        f"{workdir} has a checkpoint of another run: its {name} "
        f"{'is' if name == 'experiment' else 'are'} {found.get(name)}, not "
        f"{wanted[name]}"
      )
  old, new = found["settings"], wanted["settings"]
  for name in sorted({*old, *new} - set(MAY_CHANGE)):
    if old.get(name) != new.get(name):
      raise RunFolderError(
        f"{workdir} has a checkpoint of another run: its {name} was "
        f"{old.get(name)}, not {new.get(name)}"
      )
  # A classifier that another machine trained may differ in its last digits.
  old, new = found["protocol"], wanted["protocol"]
  for name in sorted({*old, *new}):
    if old.get(name) != new.get(name):
      console.say(
        f"metrics are measured otherwise from here: {name} was "
        f"{old.get(name)}, and is {new.get(name)}"
      )
