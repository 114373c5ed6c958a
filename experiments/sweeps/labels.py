"""How pages, pictures and the terminal put settings and scores of a sweep."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.configs.fields import fields_of
from experiments.configs.settings import Settings
from experiments.sweeps.plan import Plan
from experiments.sweeps.ranking import Place

ONE_SEED = "one seed: no intervals; differences may be noise"
_DECADE = 10


def counted(count: int, what: str) -> str:
  """Writes `1 trial`, or `2 trials`."""
  return f"{count:,} {what if count == 1 else f'{what}s'}"


def phrase(name: str) -> str:
  """Writes the name of a setting or of a metric in words."""
  return name.replace("_", " ")


def texts(settings: Settings, values: Mapping[str, Any]) -> dict[str, str]:
  """Writes values of settings by name, each as its flag takes it."""
  fields = {field.name: field for field in fields_of(type(settings))}
  return {name: fields[name].format(value) for name, value in values.items()}


def number(value: Any) -> float | None:
  """Returns the number that a setting's value is; None if it is none.

  Args:
    value: of any setting. A tuple of one number is that number.
  """
  if isinstance(value, tuple) and len(value) == 1:
    (value,) = value
  if isinstance(value, int | float) and not isinstance(value, bool):
    return float(value)
  return None


def is_logarithmic(values: Sequence[float]) -> bool:
  """Tells whether numbers are better told apart on a logarithmic axis.

  They are where all are positive, the greatest is more than ten times the
  least, and their median is nearer to the middle of the logarithms than to that
  of the numbers: 1, 10, 100 but not 1, 2, ..., 20.

  Args:
    values: at least one.
  """
  low, high = min(values), max(values)
  if low <= 0 or high <= _DECADE * low:
    return False
  distinct = sorted(set(values))
  if len(distinct) == 2:
    return True
  middle = float(np.median(distinct))
  plain = (middle - low) / (high - low)
  logarithmic = math.log(middle / low) / math.log(high / low)
  return abs(logarithmic - 0.5) < abs(plain - 0.5)


def verdict(place: Place) -> str:
  """Says how a trial stands to the best one, with the difference's interval."""
  difference = place.difference
  if place.has_failed:
    return "failed"
  if difference is None:
    return "best"
  if difference.mean is None:
    return "-"
  if difference.ci95 is None:
    return f"{difference.mean:.3g}"
  told = f"{difference.mean:.3g} ± {difference.ci95:.2g}"
  return f"tie ({told})" if difference.tie else told


def extent(plan: Plan) -> str:
  """Says how much a sweep trains."""
  steps = {trial.run.settings.steps for trial in plan.trials}
  least, most = f"{min(steps):,}", f"{max(steps):,}"
  return (
    f"{counted(len(plan.trials), 'trial')} of "
    f"{counted(len(plan.base.seeds), 'seed')} in "
    f"{counted(len(plan.programs), 'compiled program')}, "
    f"{least if least == most else f'{least} to {most}'} steps each"
  )
