"""Reads what a sweep varies: `--grid='a=1,2;b=x,y'`, `--random='a=log:1:9'`."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.configs.fields import Field, SettingError, fields_of, unknown
from experiments.configs.settings import Settings

_DIGITS = 4
"""Significant ones of a drawn number, so that names of trials stay short."""


class Axis(NamedTuple):
  """A setting, and the values that it takes in a grid.

  Attributes:
    name: of the setting.
    values: of the setting's type, in the order given.
  """

  name: str
  values: tuple[Any, ...]


def read_grid(text: str, settings: Settings) -> tuple[Axis, ...]:
  """Reads a grid.

  Args:
    text: axes separated by semicolons, `name=value,value,...` each. A value
      that has commas itself stands in parentheses: `penalty=none,(r1,r2)`.
    settings: of the experiment, which say what is allowed.

  Returns:
    The axes.

  Raises:
    SettingError: for an unknown setting, an empty or repeated axis, or a value
      that is not allowed.
  """
  axes = []
  for name, rest in _assignments("grid", text):
    field = _field(name, settings)
    values = tuple(field.parse(part) for part in _parts("grid", name, rest))
    _refuse_repeated("grid", name, [field.format(own) for own in values])
    axes.append(Axis(name, values))
  _refuse_repeated("grid", "settings", [axis.name for axis in axes])
  return tuple(axes)


def draw(
  text: str, count: int, seed: int, settings: Settings
) -> tuple[dict[str, Any], ...]:
  """Draws random values of settings.

  Args:
    text: settings separated by semicolons, `name=log:low:high` (uniform in the
      logarithm) or `name=uniform:low:high` for numbers, `name=value,value,...`
      for any.
    count: how many to draw.
    seed: of the draws: the same gives the same.
    settings: of the experiment.

  Returns:
    The values by name of each draw.

  Raises:
    SettingError: for an unknown setting, or a range that it does not allow.
  """
  named = _assignments("random", text)
  _refuse_repeated("random", "settings", [name for name, _ in named])
  rng = np.random.default_rng(seed)
  drawn: list[dict[str, Any]] = [{} for _ in range(count)]
  for name, rest in named:
    field = _field(name, settings)
    values = _draw_values(field, rest, count, rng)
    for own, value in zip(drawn, values, strict=True):
      own[name] = value
  return tuple(drawn)


def _draw_values(
  field: Field, text: str, count: int, rng: np.random.Generator
) -> list[Any]:
  """Draws values of one setting."""
  kind, *ends = text.split(":")
  if kind not in ("log", "uniform"):
    choices = [field.parse(part) for part in _parts("random", field.name, text)]
    return [choices[index] for index in rng.integers(len(choices), size=count)]
  scalar = {(float,): float, (int,): int}.get((field.type,))
  example = f"--random='{field.name}={kind}:0.001:0.1'"
  if scalar is None:
    raise SettingError(
      f"--random: {field.name} is no single number, which {kind} draws; list "
      f"its values: {field.name}=...,..."
    )
  try:
    low, high = (float(end) for end in ends)
  except ValueError:
    raise SettingError(
      f"--random: {field.name}={text} is no range; write {example}"
    ) from None
  if not (math.isfinite(low) and math.isfinite(high) and low < high):
    raise SettingError(
      f"--random: {field.name}={text} needs two finite numbers, the smaller "
      "first"
    )
  if kind == "log" and low <= 0:
    raise SettingError(f"--random: {field.name}={text} needs ends above 0")
  if kind == "log":
    numbers = np.exp(rng.uniform(math.log(low), math.log(high), count))
  else:
    numbers = rng.uniform(low, high, count)
  if scalar is int:
    values = [int(np.clip(round(x), low, high)) for x in numbers]
  else:
    values = [float(f"{x:.{_DIGITS}g}") for x in numbers]
  for value in values:
    field.check(value)
  return values


def _assignments(flag: str, text: str) -> list[tuple[str, str]]:
  """Splits `a=...;b=...`."""
  assignments = []
  for part in text.split(";"):
    if not part.strip():
      continue
    name, equals, rest = part.partition("=")
    if not equals:
      raise SettingError(
        f"--{flag}: {part.strip()!r} is no setting with values; write "
        "NAME=VALUE,VALUE;NAME=..."
      )
    assignments.append((name.strip().removeprefix("--"), rest.strip()))
  if not assignments:
    raise SettingError(f"--{flag} is empty; write NAME=VALUE,VALUE;NAME=...")
  return assignments


def _parts(flag: str, name: str, text: str) -> list[str]:
  """Splits values at the commas outside of parentheses."""
  parts = re.findall(r"\s*(\([^()]*\)|[^,()]*)\s*(?:,|$)", text)
  # The pattern matches once more, nothing, at the end of the text.
  parts = [own.strip() for own in (parts if text.endswith(",") else parts[:-1])]
  if not text or "" in parts:
    raise SettingError(f"--{flag}: {name} has no value, or an empty one")
  joined = ",".join(parts)
  if re.sub(r"\s", "", joined) != re.sub(r"\s", "", text):
    raise SettingError(
      f"--{flag}: {name}={text} cannot be read; a value with commas stands in "
      "parentheses by itself"
    )
  return [own.removeprefix("(").removesuffix(")") for own in parts]


def _field(name: str, settings: Settings) -> Field:
  """Finds the field of a setting."""
  fields = {field.name: field for field in fields_of(type(settings))}
  if name in ("seed", "num_seeds"):
    raise SettingError(
      f"{name} is no setting: every trial has all seeds of --seed and "
      "--num_seeds"
    )
  if name not in fields:
    raise SettingError(unknown("setting", name, fields))
  return fields[name]


def _refuse_repeated(flag: str, name: str, texts: Sequence[str]) -> None:
  """Raises SettingError if something is named twice."""
  for text in texts:
    if list(texts).count(text) > 1:
      raise SettingError(f"--{flag}: {name} has {text} twice")


def crossed(
  axes: Sequence[Axis], drawn: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
  """Combines every point of a grid with every draw.

  Args:
    axes: of the grid; the last varies fastest.
    drawn: values by name of each draw; none is like one of nothing.

  Returns:
    The values by name of each trial.
  """
  points: list[dict[str, Any]] = [{}]
  for name, values in axes:
    points = [{**point, name: value} for point in points for value in values]
  return [{**point, **own} for point in points for own in (drawn or ({},))]
