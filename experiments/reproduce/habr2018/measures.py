"""Measurements of a run: means over its seeds and its last quarter.

The players never quite come to rest, so the last logged step alone would be
random. A failed seed has NaN values, which makes these means NaN.
"""

from collections.abc import Callable

import numpy as np

from experiments.run_folder.results import Results

Measure = Callable[[Results], float]
"""Maps a run to a number."""
BETWEEN = 1.0
"""Half the width of the gap between the modes at -3 and 3."""


def last_quarter(values: np.ndarray) -> np.ndarray:
  """Returns the last quarter of values [seeds, logs, ...]."""
  return values[:, -(values.shape[1] // 4) :]


def metric(name: str) -> Measure:
  """Returns the measure of a metric."""
  return lambda run: last_quarter(run.metrics[name]).mean()


def discriminator_at(point: float) -> Measure:
  """Returns the measure of D at the grid point nearest to `point`."""

  def measure(run: Results) -> float:
    nearest = np.argmin(np.abs(run.snapshots["x"] - point))
    return last_quarter(run.snapshots["discriminator"])[..., nearest].mean()

  return measure


def lighter_mode(boundary: float) -> Measure:
  """Returns the measure of the share of the lighter of two modes.

  The lighter mode is chosen for each seed, so that seeds which lose different
  modes do not cancel.

  Args:
    boundary: the point between the modes.
  """

  def measure(run: Results) -> float:
    samples = last_quarter(run.snapshots["samples"])[..., 0]
    left = (samples < boundary).mean(axis=(1, 2))
    return np.minimum(left, 1 - left).mean()

  return measure


def valley(run: Results) -> float:
  """Returns the share of samples between the modes at -3 and 3."""
  samples = last_quarter(run.snapshots["samples"])
  return float(np.mean(np.abs(samples) < BETWEEN))
