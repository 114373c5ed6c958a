"""Means and intervals of metrics, as text and as ends of error bars."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from experiments.run_folder import metric_table
from gan_jax import statistics

SCORE = "score"
"""Name of the score among the metrics of a run."""
NOT_SCORED = "not_scored"
"""Key of a protocol: why the score of samples is NaN. Metrics are measured."""
DIFFERENCE = "difference"
"""Name of the difference of two scores."""
ABSENT = "-"
"""Text of a number that is not known."""


NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})


def limits(
  name: str, settings: Mapping[str, Any] = NO_SETTINGS
) -> tuple[float, float]:
  """Returns the least and the greatest value that a metric can have.

  The `settings` of the run say how many modes the data have, if any.
  """
  if name == DIFFERENCE:
    return -1.0, 1.0
  metric = metric_table.describe(name)
  least, greatest = metric.limits
  if metric.counts_modes:
    greatest = _num_modes(settings)
  return least, greatest


def _num_modes(settings: Mapping[str, Any]) -> float:
  """Returns the number of modes of the data; infinity if no setting says it."""
  if "grid_side" in settings:
    return settings["grid_side"] ** 2
  return settings.get("num_modes", math.inf)


def ends(
  values: np.ndarray, name: str, settings: Mapping[str, Any] = NO_SETTINGS
) -> tuple[float, float]:
  """Returns the ends of the interval of a mean over seeds.

  They are those of the 95 % confidence interval within the limits of the
  metric. Two seeds have their two values instead, because Student's t of so few
  is a statement about almost any number.

  Args:
    values: [num_seeds]; NaN where a seed has none.
    name: of the metric.
    settings: of the run.

  Returns:
    NaN for both where there is no interval.
  """
  mean, ci95, n = statistics.mean_and_interval(values)
  if mean is None or ci95 is None:
    return math.nan, math.nan
  if n == 2:
    return float(np.nanmin(values)), float(np.nanmax(values))
  return _within(mean, ci95, limits(name, settings))


def _within(
  mean: float, ci95: float, limits: tuple[float, float]
) -> tuple[float, float]:
  """Returns the ends of mean +- ci95 within the limits of a metric."""
  least, greatest = limits
  # Rounding may put the mean of a distance just below 0.
  return (
    min(max(mean - ci95, least), mean),
    max(min(mean + ci95, greatest), mean),
  )


def text(
  entry: Mapping[str, Any],
  name: str,
  digits: str = ".4g",
  half_digits: str = ".2g",
  settings: Mapping[str, Any] = NO_SETTINGS,
) -> str:
  """Writes the mean over seeds of a metric with its interval.

  It is "0.9 ± 0.02"; "0.9 (0.7 to 1)" where the 95 % interval would leave the
  limits of the metric; "0.9 (0.85 and 0.95)" with the values of two seeds; and
  "0.9" of one seed. Where seeds have no value, because they failed, it ends
  with the number of those that have one.

  Args:
    entry: `mean`, `ci95` and `per_seed`, as in summary.json.
    name: of the metric.
    digits: format of the mean and of values.
    half_digits: format of half the width of an interval.
    settings: of the run.
  """
  if entry["mean"] is None:
    return ABSENT
  mean, ci95 = float(entry["mean"]), entry["ci95"]
  known = sorted(float(x) for x in entry["per_seed"] if x is not None)
  shown = f"{mean:{digits}}"
  if ci95 is not None and len(known) == 2:
    shown += f" ({known[0]:{digits}} and {known[1]:{digits}})"
  elif ci95 is not None:
    shown += _around(mean, ci95, limits(name, settings), digits, half_digits)
  num_seeds = len(entry["per_seed"])
  if len(known) < num_seeds:
    shown += f", {len(known)} of {num_seeds} seeds"
  return shown


def difference_text(difference: statistics.Difference) -> str:
  """Writes the difference of two scores with its interval."""
  if difference.mean is None:
    return ABSENT
  shown = f"{difference.mean:.4g}"
  if difference.ci95 is None:
    return shown
  return shown + _around(
    difference.mean, difference.ci95, limits(DIFFERENCE), ".4g", ".2g"
  )


def _around(
  mean: float,
  ci95: float,
  limits: tuple[float, float],
  digits: str,
  half_digits: str,
) -> str:
  """Writes the interval of a mean, within the limits of its metric."""
  low, high = _within(mean, ci95, limits)
  if (low, high) == (mean - ci95, mean + ci95):
    return f" ± {ci95:{half_digits}}"
  return f" ({low:{digits}} to {high:{digits}})"


def heading(num_seeds: int) -> str:
  """Says what `text` writes for so many seeds, in parentheses."""
  if num_seeds == 1:
    return ""
  return "(mean, both seeds)" if num_seeds == 2 else "(mean ± 95 %)"


def band_label(num_seeds: int) -> str:
  """Says what a curve with its band, or a bar with its error bar, shows."""
  return "mean and range" if num_seeds == 2 else "mean and 95 % interval"
