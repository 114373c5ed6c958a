"""What a sweep trains: trials, and the programs that train them together.

The plan is written before anything is trained, and never changed. A trial is an
experiment with its settings, for all seeds; it gets a run folder of its own. A
program trains the trials that differ in nothing but numbers.
"""

import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.configs.experiment import Experiment
from experiments.configs.fields import SettingError, fields_of, is_on
from experiments.configs.registry import BY_NAME
from experiments.configs.settings import Settings, with_values
from experiments.run_folder import results
from experiments.run_folder.results import RunFolderError
from experiments.sweeps.search_space import Axis
from experiments.training.run_config import RunSettings

PLAN, TRIALS, PROGRAMS = results.PLAN, results.TRIALS, "programs"
"""What is in the folder of a sweep, from the beginning."""

MANY_TRIALS = 10_000
"""More than these are made only when that is meant."""

MAX_NAME = 120
"""Characters of a trial's name, which a file system may limit to 255 bytes."""


class Trial(NamedTuple):
  """One point of a sweep.

  Attributes:
    name: of its folder.
    values: of the settings that the sweep varies, by name.
    run: its experiment, settings and seeds.
  """

  name: str
  values: dict[str, Any]
  run: RunSettings


class Told(NamedTuple):
  """What the command was told that trials and programs do not say.

  Attributes:
    random: what is drawn, as `--random` has it; "" for nothing.
    draws: how often.
    max_members: of a program; 0 for any.
  """

  random: str = ""
  draws: int = 0
  max_members: int = 0


class Plan(NamedTuple):
  """A sweep.

  Attributes:
    base: the experiment, what all trials share, and their seeds.
    axes: of the grid.
    drawn: names of the settings that are drawn at random.
    trials: all of them.
    programs: the trials of each program, as indices of `trials`.
    left_out: combinations that make no sense.
    told: what else it takes to plan the same again.
  """

  base: RunSettings
  axes: tuple[Axis, ...]
  drawn: tuple[str, ...]
  trials: tuple[Trial, ...]
  programs: tuple[tuple[int, ...], ...]
  left_out: int = 0
  told: Told = Told()

  def workdir(self, folder: Path, trial: int) -> Path:
    """Returns the run folder of a trial, in the folder of the sweep."""
    return folder / TRIALS / self.trials[trial].name

  def is_done(self, folder: Path, trial: int) -> bool:
    """Tells whether a trial has finished."""
    return (self.workdir(folder, trial) / results.SUMMARY).exists()

  def left(self, folder: Path) -> list[int]:
    """Lists the programs of which a trial has not finished."""
    return [
      index
      for index, trials in enumerate(self.programs)
      if not all(self.is_done(folder, trial) for trial in trials)
    ]


def make(
  base: RunSettings,
  axes: Sequence[Axis],
  points: Sequence[Mapping[str, Any]],
  told: Told,
  skips_invalid: bool,
) -> Plan:
  """Plans a sweep.

  Args:
    base: the experiment, what all trials share, and their seeds.
    axes: of the grid.
    points: the values of each trial by name.
    told: what the points were drawn from, and how many members a program may
      have, that is seeds of all its trials.
    skips_invalid: whether combinations of settings that make no sense are left
      out rather than refused.

  Returns:
    The plan.

  Raises:
    SettingError: for a combination that makes no sense, or for none at all.
  """
  trials: dict[str, Trial] = {}
  left_out = 0
  for values in points:
    try:
      settings = with_values(base.settings, values)
    except SettingError as error:
      if not skips_invalid:
        raise SettingError(
          f"{describe(base.settings, values)}: {error}; --skip_invalid leaves "
          "such combinations out"
        ) from error
      left_out += 1
      continue
    name = _name(base.settings, values)
    # Few numbers may be drawn twice.
    trials[name] = Trial(name, dict(values), base._replace(settings=settings))
  if not trials:
    raise SettingError("no combination of these values makes sense")
  in_order = tuple(trials.values())
  axis_names = [axis.name for axis in axes]
  return Plan(
    base,
    tuple(axes),
    tuple(name for name in points[0] if name not in axis_names),
    in_order,
    _programs(in_order, told.max_members),
    left_out,
    told,
  )


def describe(settings: Settings, values: Mapping[str, Any]) -> str:
  """Writes values of settings as flags take them, without dashes."""
  fields = {field.name: field for field in fields_of(type(settings))}
  return ",".join(
    f"{name}={fields[name].format(value)}" for name, value in values.items()
  )


def _name(settings: Settings, values: Mapping[str, Any]) -> str:
  """Names a trial by what it varies, as a folder's name."""
  text = describe(settings, values)
  name = re.sub(r"[^A-Za-z0-9_.,=+-]", "-", text)
  if name == text and len(name) <= MAX_NAME:
    return name
  digest = hashlib.sha256(text.encode()).hexdigest()[:8]
  return f"{name[: MAX_NAME - 9]}-{digest}"


def _structure(settings: Settings) -> tuple[Any, ...]:
  """Returns what two trials of one program must agree in."""
  parts = []
  for field in fields_of(type(settings)):
    value = getattr(settings, field.name)
    if not field.metadata["varies"]:
      parts.append(value)
    elif isinstance(value, tuple):
      parts.append(len(value))
    else:
      parts.append(not field.metadata["zero_is_off"] or is_on(value))
  return tuple(parts)


def _programs(
  trials: Sequence[Trial], max_members: int
) -> tuple[tuple[int, ...], ...]:
  """Groups trials that one program trains, in the order of their first."""
  groups: dict[tuple[Any, ...], list[int]] = {}
  for index, trial in enumerate(trials):
    groups.setdefault(_structure(trial.run.settings), []).append(index)
  at_once = max(1, max_members // len(trials[0].run.seeds))
  return tuple(
    tuple(group[start : start + (at_once if max_members else len(group))])
    for group in groups.values()
    for start in range(0, len(group), at_once if max_members else len(group))
  )


def write(plan: Plan, folder: Path) -> None:
  """Writes a plan into the folder of its sweep, and its trials' folders."""
  for index in range(len(plan.trials)):
    plan.workdir(folder, index).mkdir(parents=True, exist_ok=True)
  results.write_json(folder / PLAN, content(plan))


def content(plan: Plan) -> dict[str, Any]:
  """Writes a plan as JSON."""
  return {
    "experiment": plan.base.experiment.name,
    "settings": dataclasses.asdict(plan.base.settings),
    "seeds": list(plan.base.seeds),
    "axes": {name: list(values) for name, values in plan.axes},
    "drawn": list(plan.drawn),
    "trials": [
      {"name": trial.name, "values": trial.values} for trial in plan.trials
    ],
    "programs": [list(trials) for trials in plan.programs],
    "left_out": plan.left_out,
    "told": plan.told._asdict(),
  }


def difference(old: Plan, new: Plan) -> str | None:
  """Says in what a plan is another one; None if it is the same.

  Args:
    old: that a folder has.
    new: that is asked for.

  Returns:
    A phrase.
  """
  # What it is told may be put otherwise; what comes of it counts.
  was, now = (content(own._replace(told=Told())) for own in (old, new))
  for name in ("experiment", "seeds"):
    if was[name] != now[name]:
      return f"whose {name}: {was[name]}, not {now[name]}"
  fields = {field.name: field for field in fields_of(type(old.base.settings))}
  for name, field in fields.items():
    before, after = (
      field.format(getattr(own.base.settings, name)) for own in (old, new)
    )
    if before != after:
      return f"whose {name} was {before}, not {after}"
  if was != now:
    return (
      f"which varies otherwise: {len(old.trials):,} trials in "
      f"{len(old.programs):,} programs, not {len(new.trials):,} in "
      f"{len(new.programs):,}"
    )
  return None


def read(folder: Path) -> Plan:
  """Reads the plan of a sweep.

  Args:
    folder: of the sweep.

  Returns:
    The plan.

  Raises:
    RunFolderError: if there is none that this version knows.
  """
  if not (folder / PLAN).exists():
    raise RunFolderError(f"{folder} is no folder of a sweep: it has no {PLAN}")
  found = results.read_json(folder / PLAN)
  with results.reading(folder):
    name = found["experiment"]
    if name not in BY_NAME:
      raise RunFolderError(f"{folder} is not the sweep of a known experiment")
    experiment: Experiment = BY_NAME[name]
    settings = type(experiment.settings)(**_read_back(found["settings"]))
    base = RunSettings(experiment, settings, tuple(found["seeds"]))
    trials = []
    for own in found["trials"]:
      values = _read_back(own["values"])
      run = base._replace(settings=with_values(settings, values))
      trials.append(Trial(own["name"], values, run))
    return Plan(
      base,
      tuple(
        Axis(axis, tuple(_read_back({axis: own})[axis] for own in values))
        for axis, values in found["axes"].items()
      ),
      tuple(found["drawn"]),
      tuple(trials),
      tuple(tuple(own) for own in found["programs"]),
      found["left_out"],
      Told(**found["told"]),
    )


def _read_back(values: Mapping[str, Any]) -> dict[str, Any]:
  """Returns values that JSON kept: it has no tuples."""
  return {
    name: tuple(value) if isinstance(value, list) else value
    for name, value in values.items()
  }
