"""The values a sweep tries: `--grid='a=1,2;b=x,y'`, `--random='a=log:1:9'`."""

import dataclasses
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.configs import registry
from experiments.configs.fields import Field, fields_of, setting
from experiments.configs.settings import Settings
from experiments.errors import SettingError

EXPERIMENT = "experiment"
"""Name of the axis of the experiments, if a sweep has several."""
_DIGITS = 4
"""Significant digits of a drawn number; they keep the names of trials short."""


@dataclasses.dataclass(frozen=True)
class _Experiment:
  experiment: str = setting("", "the experiment that is trained")


(_EXPERIMENT,) = fields_of(_Experiment)


class Axis(NamedTuple):
  """A setting and the values that it takes in a grid, in the order given."""

  name: str
  values: tuple[Any, ...]


def read_grid(text: str, settings: Settings) -> tuple[Axis, ...]:
  """Parses `--grid`.

  Args:
    text: axes separated by semicolons, `name=value,value,...` each. A value
      with commas is written in parentheses: `penalty=none,(r1,r2)`.
    settings: any of the experiment; their fields say what is allowed.

  Raises:
    SettingError: for an unknown setting, an empty or repeated axis, or a value
      that is not allowed.
  """
  axes = []
  for field, values_text in _assignments("grid", text, settings):
    _refuse_range(field, values_text)
    parts = _split_values("grid", field.name, values_text)
    values = tuple(field.parse(part) for part in parts)
    _refuse_repeated("grid", field.name, [field.format(x) for x in values])
    axes.append(Axis(field.name, values))
  return tuple(axes)


def read_experiments(names: Sequence[str]) -> Axis:
  """Makes the axis of several experiments; raises SettingError if it cannot."""
  for name in names:
    registry.find_experiment(name)
  _refuse_repeated(EXPERIMENT, "it", names)
  return Axis(EXPERIMENT, tuple(names))


def format_grid(axes: Sequence[Axis], settings: Settings) -> str:
  """Writes axes as `--grid` takes them."""
  texts = []
  for name, values in axes:
    parts = [format_value(settings, name, value) for value in values]
    parts = [f"({part})" if "," in part else part for part in parts]
    texts.append(f"{name}={','.join(parts)}")
  return ";".join(texts)


def draw_points(
  text: str, count: int, seed: int, settings: Settings
) -> tuple[dict[str, Any], ...]:
  """Draws `count` points at random, each the values of settings by name.

  Args:
    text: `--random`: settings separated by semicolons, `name=log:low:high`
      (uniform in the logarithm) or `name=uniform:low:high` for numbers,
      `name=value,value,...` for any setting.
    count: how many points to draw.
    seed: the same seed gives the same points.
    settings: any of the experiment; their fields say what is allowed.

  Raises:
    SettingError: for an unknown setting, or a range that it does not allow.
  """
  rng = np.random.default_rng(seed)
  columns = {
    field.name: _draw_values(field, values_text, count, rng)
    for field, values_text in _assignments("random", text, settings)
  }
  return tuple(
    dict(zip(columns, values, strict=True))
    for values in zip(*columns.values(), strict=True)
  )


def crossed(
  axes: Sequence[Axis], drawn: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
  """Combines every point of a grid with every drawn point, if there are any.

  The last axis varies fastest, and drawn points faster than the axes.
  """
  names = [axis.name for axis in axes]
  return [
    {**dict(zip(names, values, strict=True)), **point}
    for values in itertools.product(*(axis.values for axis in axes))
    for point in (drawn or ({},))
  ]


def fields_by_name(settings: Settings) -> dict[str, Field]:
  """Returns the fields of an experiment's settings."""
  return {field.name: field for field in fields_of(type(settings))}


def field_of(settings: Settings, name: str) -> Field:
  """Returns what a sweep varies: a field of the settings, or EXPERIMENT."""
  return _EXPERIMENT if name == EXPERIMENT else fields_by_name(settings)[name]


def format_value(settings: Settings, name: str, value: Any) -> str:
  """Writes a value of a setting as its flag takes it."""
  return field_of(settings, name).format(value)


def format_values(
  settings: Settings, values: Mapping[str, Any] | None = None
) -> dict[str, str]:
  """Writes values by name as flags take them; by default all settings."""
  if values is None:
    values = dataclasses.asdict(settings)
  return {
    name: format_value(settings, name, value) for name, value in values.items()
  }


def _draw_values(
  field: Field, text: str, count: int, rng: np.random.Generator
) -> list[Any]:
  """Draws values of one setting."""
  kind, *ends = text.split(":")
  assignment = f"--random: {field.name}={text}"
  if kind not in ("log", "uniform"):
    choices = [
      field.parse(part) for part in _split_values("random", field.name, text)
    ]
    return [choices[index] for index in rng.integers(len(choices), size=count)]
  if field.type not in (float, int):
    raise SettingError(
      f"--random: {field.name} is not a single number, which {kind} draws; "
      f"list its values: {field.name}=...,..."
    )
  try:
    low, high = (float(end) for end in ends)
  except ValueError:
    raise SettingError(
      f"{assignment} is not a range; write "
      f"--random='{field.name}={kind}:0.001:0.1'"
    ) from None
  if not (math.isfinite(low) and math.isfinite(high) and low < high):
    raise SettingError(
      f"{assignment} needs two finite numbers, the smaller first"
    )
  if kind == "log" and low <= 0:
    raise SettingError(f"{assignment} needs ends above 0")
  if kind == "log":
    numbers = np.exp(rng.uniform(math.log(low), math.log(high), count))
  else:
    numbers = rng.uniform(low, high, count)
  if field.type is int:
    values = [int(np.clip(round(x), low, high)) for x in numbers]
  else:
    values = [float(f"{x:.{_DIGITS}g}") for x in numbers]
  for value in values:
    field.check(value)
  return values


def _assignments(
  flag: str, text: str, settings: Settings
) -> list[tuple[Field, str]]:
  """Splits `a=...;b=...` into settings and the text of their values."""
  fields = fields_by_name(settings)
  assignments = []
  for part in filter(str.strip, text.split(";")):
    name, equals, values = part.partition("=")
    if not equals:
      raise SettingError(
        f"--{flag}: {part.strip()!r} is not a setting with values; write "
        "NAME=VALUE,VALUE;NAME=..."
      )
    name = name.strip().removeprefix("--")
    if name in ("seed", "num_seeds"):
      raise SettingError(
        f"{name} is not a setting: every trial has all seeds of --seed and "
        "--num_seeds"
      )
    if name == EXPERIMENT:
      raise SettingError(
        f"--{flag}: {name} is a flag; name several by "
        f"--experiment={values.strip() or 'NAME,NAME'}"
      )
    if name not in fields:
      raise SettingError(
        f"--{flag}: {registry.no_such_setting(settings, name)}"
      )
    _refuse_setting(flag, fields[name], values)
    assignments.append((fields[name], values.strip()))
  if not assignments:
    raise SettingError(f"--{flag} is empty; write NAME=VALUE,VALUE;NAME=...")
  names = [field.name for field, _ in assignments]
  _refuse_repeated(flag, "it", names)
  return assignments


def _split_values(flag: str, name: str, text: str) -> list[str]:
  """Splits values at the commas outside parentheses."""
  parts = [part.strip() for part in re.split(r",(?![^()]*\))", text)]
  if "" in parts:
    raise SettingError(f"--{flag}: {name} has no value, or an empty one")
  values = [re.sub(r"^\(([^()]*)\)$", r"\1", part) for part in parts]
  if re.search("[()]", "".join(values)):
    raise SettingError(
      f"--{flag}: {name}={text} cannot be read; a value with commas needs "
      "parentheses around it"
    )
  return values


def _refuse_setting(flag: str, field: Field, text: str) -> None:
  """Raises SettingError if a value looks like the next setting."""
  found = re.search(r"(?:^|,)\s*((?:--)?\w+=[^,]*)", text)
  if found and not field.metadata["is_path"]:
    raise SettingError(
      f"--{flag}: {found[1].strip()!r} is not a value of {field.name}; "
      "settings are separated by ;"
    )


def _refuse_range(field: Field, text: str) -> None:
  """Raises SettingError for a range, of which a grid has none."""
  number = r"([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)"
  found = re.fullmatch(
    rf"(log:|uniform:)?{number}\s*(?::|\.\.\.?|-)\s*{number}", text
  )
  if not found or field.type not in (float, int):
    return
  kind, low, high = found.groups()
  spans_decades = 0 < 10 * float(low) <= float(high)
  kind = kind or ("log:" if spans_decades else "uniform:")
  raise SettingError(
    f"--grid: {field.name}={text} is a range, and a grid has none; draw from "
    f"it with --random='{field.name}={kind}{low}:{high}' "
    "--trials=N"
  )


def _refuse_repeated(flag: str, name: str, texts: Sequence[str]) -> None:
  for text in texts:
    if texts.count(text) > 1:
      raise SettingError(f"--{flag}: {name} has {text} twice")
