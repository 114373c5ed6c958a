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

from experiments.configs import registry
from experiments.configs.fields import fields_of, is_on
from experiments.configs.registry import BY_NAME
from experiments.configs.settings import Settings, with_values
from experiments.errors import RunFolderError, SettingError
from experiments.run_folder import results, workdirs
from experiments.sweeps.search_space import (
  EXPERIMENT,
  Axis,
  format_grid,
  format_values,
)
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
    base: the first experiment, the settings that its trials share, and the
      seeds of all trials.
    given: the settings that the command changed, by name.
    axes: of the grid; the first one is EXPERIMENT if there are several.
    drawn: names of the settings that are drawn at random.
    trials: all of them.
    programs: the trials of each program, as indices of `trials`.
    left_out: number of invalid combinations that were left out.
    options: the other flags that planning the same again takes.
  """

  base: RunSettings
  given: dict[str, Any]
  axes: tuple[Axis, ...]
  drawn: tuple[str, ...]
  trials: tuple[Trial, ...]
  programs: tuple[tuple[int, ...], ...]
  left_out: int = 0
  options: PlanOptions = PlanOptions()

  def bases(self) -> list[RunSettings]:
    """Lists its experiments with the settings that their trials share."""
    if not self.axes or self.axes[0].name != EXPERIMENT:
      return [self.base]
    return [
      _trial_run(self.base, self.given, {EXPERIMENT: name})
      for name in self.axes[0].values
    ]

  def title(self) -> str:
    """Names its experiments."""
    return ", ".join(each.experiment.name for each in self.bases())

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
    _, settings, seeds = self.base
    random, draws, max_members = self.options
    names = [each.experiment.name for each in self.bases()]
    flags = {"experiment": ",".join(names)}
    axes = [axis for axis in self.axes if axis.name != EXPERIMENT]
    if axes:
      flags["grid"] = format_grid(axes, settings)
    if random:
      flags |= {"random": random, "trials": str(draws)}
    flags |= format_values(settings, self.given)
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


def _trial_run(
  base: RunSettings, given: Mapping[str, Any], values: Mapping[str, Any]
) -> RunSettings:
  """Returns the run of a trial.

  Raises SettingError for an invalid combination, or if the experiment of
  `values` lacks a setting.
  """
  settings = {name: x for name, x in values.items() if name != EXPERIMENT}
  if values.get(EXPERIMENT, base.experiment.name) == base.experiment.name:
    return base._replace(settings=with_values(base.settings, settings))
  other = BY_NAME[values[EXPERIMENT]]
  changed = registry.change_settings(
    other, other.settings, {**given, **settings}
  )
  return base._replace(experiment=other, settings=changed)


def make_plan(
  base: RunSettings,
  given: Mapping[str, Any],
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
      run = _trial_run(base, given, values)
    except SettingError as error:
      if not skips_invalid:
        raise SettingError(
          f"{_describe(base.settings, values)}: {error}; --skip_invalid leaves "
          "such combinations out"
        ) from error
      left_out += 1
      continue
    if not run.settings.evaluate:
      raise SettingError(
        "a sweep ranks its trials by their scores, so it cannot have "
        "--noevaluate"
      )
    name = _trial_name(base.settings, values)
    # The same point may be drawn twice; it is one trial.
    trials[name] = Trial(name, dict(values), run)
  if not trials:
    raise SettingError("no combination of these values makes sense")
  axis_names = [axis.name for axis in axes]
  return Plan(
    base,
    dict(given),
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


def _structure(run: RunSettings) -> tuple[Any, ...]:
  """Returns what two trials must have in common to share a program."""
  settings = run.settings
  parts: list[Any] = [run.experiment.name]
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
    groups.setdefault(_structure(trial.run), []).append(index)
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
    "given": plan.given,
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
    # Older versions did not write it.
    defaults = dataclasses.asdict(experiment.settings)
    changed = {
      name: value
      for name, value in dataclasses.asdict(settings).items()
      if value != defaults[name]
    }
    given = with_tuples(content.get("given", changed))
    trials = []
    for trial in content["trials"]:
      values = with_tuples(trial["values"])
      # The name is a folder, so it must not lead out of the sweep's.
      if trial["name"] != _trial_name(settings, values):
        raise RunFolderError(
          f"{folder / PLAN} is damaged: a trial is named {trial['name']!r}"
        )
      run = _trial_run(base, given, values)
      trials.append(Trial(trial["name"], values, run))
    indices = sorted(i for program in content["programs"] for i in program)
    if indices != list(range(len(trials))):
      raise RunFolderError(
        f"{folder / PLAN} is damaged: its programs do not have each trial once"
      )
    for name in content["axes"].get(EXPERIMENT, ()):
      registry.find_experiment(name)
    return Plan(
      base,
      given,
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
