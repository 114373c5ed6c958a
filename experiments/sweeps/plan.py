"""The plan of a sweep: its trials, and the programs that train them together.

A trial is an experiment with its settings, for all seeds, in a run folder. A
program is compiled once and trains trials that differ only in numbers. The plan
is written before anything is trained, and never changed.
"""

import dataclasses
import hashlib
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.configs.fields import fields_of, is_on
from experiments.configs.registry import BY_NAME
from experiments.configs.settings import Settings, with_values
from experiments.errors import RunFolderError, SettingError
from experiments.run_folder import results, workdirs
from experiments.sweeps.search_space import Axis, format_grid, format_values
from experiments.training.run_config import RunSettings, with_tuples

PLAN, TRIALS, PROGRAMS = results.PLAN, results.TRIALS, "programs"
"""Names in the folder of a sweep."""

MANY_TRIALS = 10_000
"""A plan of more trials needs `--yes`."""

MAX_NAME = 120
"""Characters of a trial's name; file systems may limit names to 255 bytes."""


class Trial(NamedTuple):
  """One point of a sweep.

  Attributes:
    name: of its run folder.
    values: of the settings that the sweep varies, by name.
    run: its experiment, settings and seeds.
  """

  name: str
  values: dict[str, Any]
  run: RunSettings


class PlanOptions(NamedTuple):
  """Flags that cannot be read off the trials and programs of a plan.

  Attributes:
    random: what is drawn, as `--random` has it; "" for nothing.
    draws: how many points are drawn.
    max_members: the most seeds, of all trials together, in one program; 0 for
      any number.
  """

  random: str = ""
  draws: int = 0
  max_members: int = 0


class Plan(NamedTuple):
  """A sweep.

  Attributes:
    base: the experiment, the settings that all trials share, and their seeds.
    axes: of the grid.
    drawn: names of the settings that are drawn at random.
    trials: all of them.
    programs: the trials of each program, as indices of `trials`.
    left_out: number of invalid combinations that were left out.
    options: the other flags that planning the same again takes.
  """

  base: RunSettings
  axes: tuple[Axis, ...]
  drawn: tuple[str, ...]
  trials: tuple[Trial, ...]
  programs: tuple[tuple[int, ...], ...]
  left_out: int = 0
  options: PlanOptions = PlanOptions()

  def workdir(self, folder: Path, trial: int) -> Path:
    """Returns the run folder of a trial, in the folder of the sweep."""
    return folder / TRIALS / self.trials[trial].name

  def is_done(self, folder: Path, trial: int) -> bool:
    """Tells whether a trial has finished."""
    return (self.workdir(folder, trial) / results.SUMMARY).exists()

  def unfinished_programs(self, folder: Path) -> list[int]:
    """Lists the programs of which a trial has not finished."""
    return [
      index
      for index, trials in enumerate(self.programs)
      if not all(self.is_done(folder, trial) for trial in trials)
    ]

  def command(self) -> str:
    """Writes the shell command that plans and trains the same sweep.

    Flags that do not change the plan, such as `--engine`, are not in it.
    """
    experiment, settings, seeds = self.base
    random, draws, max_members = self.options
    flags = {"experiment": experiment.name}
    if self.axes:
      flags["grid"] = format_grid(self.axes, settings)
    if random:
      flags |= {"random": random, "trials": str(draws)}
    defaults = format_values(experiment.settings)
    for name, text in format_values(settings).items():
      if text != defaults[name]:
        flags[name] = text
    if seeds[0]:
      flags["seed"] = str(seeds[0])
    if len(seeds) > 1:
      flags["num_seeds"] = str(len(seeds))
    if max_members:
      flags["max_members"] = str(max_members)
    if self.left_out:
      flags["skip_invalid"] = "true"
    num_points = math.prod(len(axis.values) for axis in self.axes)
    if num_points * (draws or 1) > MANY_TRIALS:
      flags["yes"] = "true"
    return " ".join(
      [
        "python -m experiments.sweep",
        *(f"--{name}={shlex.quote(text)}" for name, text in flags.items()),
      ]
    )


def make_plan(
  base: RunSettings,
  axes: Sequence[Axis],
  points: Sequence[Mapping[str, Any]],
  options: PlanOptions,
  skips_invalid: bool,
) -> Plan:
  """Plans a sweep of which each point, values by name, is a trial.

  Raises:
    SettingError: for an invalid combination of settings, unless `skips_invalid`
      leaves it out, or if none is valid.
  """
  trials: dict[str, Trial] = {}
  left_out = 0
  for values in points:
    try:
      settings = with_values(base.settings, values)
    except SettingError as error:
      if not skips_invalid:
        raise SettingError(
          f"{_describe(base.settings, values)}: {error}; --skip_invalid leaves "
          "such combinations out"
        ) from error
      left_out += 1
      continue
    if not settings.evaluate:
      raise SettingError(
        "a sweep ranks its trials by their scores, so it cannot have "
        "--noevaluate"
      )
    name = _trial_name(base.settings, values)
    # The same point may be drawn twice; it is one trial.
    trials[name] = Trial(name, dict(values), base._replace(settings=settings))
  if not trials:
    raise SettingError("no combination of these values makes sense")
  axis_names = [axis.name for axis in axes]
  return Plan(
    base,
    tuple(axes),
    tuple(name for name in points[0] if name not in axis_names),
    tuple(trials.values()),
    _group_programs(tuple(trials.values()), options.max_members),
    left_out,
    options,
  )


def _describe(settings: Settings, values: Mapping[str, Any]) -> str:
  texts = format_values(settings, values)
  return ",".join(f"{name}={text}" for name, text in texts.items())


def _trial_name(settings: Settings, values: Mapping[str, Any]) -> str:
  """Names a trial's folder by what the sweep varies."""
  text = _describe(settings, values)
  name = re.sub(r"[^A-Za-z0-9_.,=+-]", "-", text)
  if name == text and len(name) <= MAX_NAME:
    return name
  digest = hashlib.sha256(text.encode()).hexdigest()[:8]
  return f"{name[: MAX_NAME - 9]}-{digest}"


def _structure(settings: Settings) -> tuple[Any, ...]:
  """Returns what two trials must have in common to share a program."""
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


def _group_programs(
  trials: Sequence[Trial], max_members: int
) -> tuple[tuple[int, ...], ...]:
  """Groups the trials of each program, in the order of their first trials."""
  groups: dict[tuple[Any, ...], list[int]] = {}
  for index, trial in enumerate(trials):
    groups.setdefault(_structure(trial.run.settings), []).append(index)
  size = len(trials)
  if max_members:
    size = max(1, max_members // len(trials[0].run.seeds))
  return tuple(
    tuple(group[start : start + size])
    for group in groups.values()
    for start in range(0, len(group), size)
  )


def write_plan(plan: Plan, folder: Path) -> None:
  """Writes a plan, and makes the run folders of its trials."""
  for index in range(len(plan.trials)):
    plan.workdir(folder, index).mkdir(parents=True, exist_ok=True)
  results.write_json(folder / PLAN, plan_json(plan))


def plan_json(plan: Plan) -> dict[str, Any]:
  """Returns what plan.json holds."""
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
    "told": plan.options._asdict(),
  }


def read_plan(folder: Path) -> Plan:
  """Reads the plan of a sweep.

  Raises:
    RunFolderError: if the folder has none that this version understands.
  """
  if not folder.is_dir():
    raise RunFolderError(workdirs.missing(folder))
  if not (folder / PLAN).exists():
    raise RunFolderError(f"{folder} is no folder of a sweep: it has no {PLAN}")
  content = results.read_json(folder / PLAN)
  with results.reading(folder):
    name = content["experiment"]
    if name not in BY_NAME:
      raise RunFolderError(f"{folder} is not the sweep of a known experiment")
    experiment = BY_NAME[name]
    settings = type(experiment.settings)(**with_tuples(content["settings"]))
    base = RunSettings(experiment, settings, tuple(content["seeds"]))
    trials = []
    for trial in content["trials"]:
      values = with_tuples(trial["values"])
      # The name is a folder, so it must not lead out of the sweep's.
      if trial["name"] != _trial_name(settings, values):
        raise RunFolderError(
          f"{folder / PLAN} is damaged: a trial is named {trial['name']!r}"
        )
      run = base._replace(settings=with_values(settings, values))
      trials.append(Trial(trial["name"], values, run))
    indices = sorted(i for program in content["programs"] for i in program)
    if indices != list(range(len(trials))):
      raise RunFolderError(
        f"{folder / PLAN} is damaged: its programs do not have each trial once"
      )
    return Plan(
      base,
      tuple(
        Axis(name, tuple(with_tuples(dict(enumerate(values))).values()))
        for name, values in content["axes"].items()
      ),
      tuple(content["drawn"]),
      tuple(trials),
      tuple(tuple(program) for program in content["programs"]),
      content["left_out"],
      PlanOptions(**content["told"]),
    )


def resume_command(folder: Path) -> str:
  """Returns the command that resumes a sweep."""
  return f"python -m experiments.sweep --workdir={shlex.quote(str(folder))}"


def plan_difference(old: Plan, new: Plan) -> str | None:
  """Says how the plan of a folder differs from a new one; None if it does not.

  The phrase follows "the folder has another sweep,". Plans with the same trials
  and programs are the same, whatever `options` they were made from.
  """
  old_base, new_base = (
    {
      "experiment": plan.base.experiment.name,
      "seeds": list(plan.base.seeds),
      **format_values(plan.base.settings),
    }
    for plan in (old, new)
  )
  for name, value in old_base.items():
    if value != new_base[name]:
      return f"with {name} {value}, not {new_base[name]}"
  if old._replace(options=new.options) != new:
    return (
      f"which varies other values: {len(old.trials):,} trials in "
      f"{len(old.programs):,} programs, not {len(new.trials):,} in "
      f"{len(new.programs):,}"
    )
  return None
