"""Means and intervals of metrics, as text and as ends of error bars."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.run_folder import metric_table
from gan_jax import statistics

SCORE = "score"
"""Name of the score among the metrics of a run."""
DIFFERENCE = "difference"
"""Name of the difference of two scores."""
ABSENT = "-"
"""Text of a number that is not known."""


def limits(name: str) -> tuple[float, float]:
  """Returns the least and the greatest value that a metric can have."""
  if name == DIFFERENCE:
    return -1.0, 1.0
  return metric_table.describe(name).limits


def ends(values: np.ndarray, name: str) -> tuple[float, float]:
  """Returns the ends of the interval of a mean over seeds.

  They are those of the 95 % confidence interval within the limits of the
  metric. Two seeds have their two values instead, because Student's t of so few
  is a statement about almost any number.

  Args:
    values: [num_seeds]; NaN where a seed has none.
    name: of the metric.

  Returns:
    NaN for both where there is no interval.
  """
  mean, ci95, n = statistics.mean_and_interval(values)
  if mean is None or ci95 is None:
    return math.nan, math.nan
  if n == 2:
    return float(np.nanmin(values)), float(np.nanmax(values))
  return _within(mean, ci95, name)


def _within(mean: float, ci95: float, name: str) -> tuple[float, float]:
  """Returns the ends of mean +- ci95 within the limits of a metric."""
  least, greatest = limits(name)
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
  """
  if entry["mean"] is None:
    return ABSENT
  mean, ci95 = float(entry["mean"]), entry["ci95"]
  known = sorted(float(x) for x in entry["per_seed"] if x is not None)
  shown = f"{mean:{digits}}"
  if ci95 is not None and len(known) == 2:
    shown += f" ({known[0]:{digits}} and {known[1]:{digits}})"
  elif ci95 is not None:
    shown += _around(mean, ci95, name, digits, half_digits)
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
    difference.mean, difference.ci95, DIFFERENCE, ".4g", ".2g"
  )


def _around(
  mean: float, ci95: float, name: str, digits: str, half_digits: str
) -> str:
  """Writes the interval of a mean, within the limits of its metric."""
  low, high = _within(mean, ci95, name)
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
