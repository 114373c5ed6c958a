"""Measurements and checks of a run: one number for each seed.

The players never quite come to rest, so most numbers are means over the last
quarter of the logs. A failed seed has NaN, and its check fails.
"""

import numpy as np

from experiments.reproduce.common.checks import Check, at_most, covers
from experiments.reproduce.habr2018 import equilibrium
from experiments.reproduce.habr2018.article import (
  NEAR,
  NEAR_STDDEV,
  NORMAL_MOMENTS,
  NORMAL_STDDEV,
)
from experiments.run_folder.results import Results

BETWEEN = 1.0
"""Half the width of the gap between the modes at -3 and 3."""
SUBJECTS = {
  "discriminator_real": "mean of D on real samples",
  "discriminator_fake": "mean of D on generated samples",
  "generated_mean": "mean of the generated samples",
  "generated_stddev": "standard deviation of the generated samples",
  "jensen_shannon": "Jensen-Shannon divergence (nats)",
  "wasserstein_1": "Wasserstein-1 from the data (units of x)",
}
"""What each metric is, in the names of checks and above pictures."""
AT_REST = {
  "discriminator_real": ("real", 0.05),
  "discriminator_fake": ("fake", 0.05),
  "generated_mean": ("mean", 0.1 * NEAR_STDDEV),
  "generated_stddev": ("stddev", 0.1 * NEAR_STDDEV),
  "jensen_shannon": ("jsd", 0.01),
}
"""Which number of `Equilibrium` each metric comes to, and the tolerance."""


def last_quarter(values: np.ndarray) -> np.ndarray:
  """Returns the last quarter of values [seeds, logs, ...]."""
  return values[:, -(values.shape[1] // 4) :]


def late(run: Results, metric: str) -> np.ndarray:
  """Averages a metric over the last quarter, [seeds]."""
  return last_quarter(run.metrics[metric]).mean(axis=1)


def discriminator_at(run: Results, point: float) -> np.ndarray:
  """Averages D at the grid point nearest to `point`, [seeds]."""
  nearest = np.argmin(np.abs(run.snapshots["x"] - point))
  values = last_quarter(run.snapshots["discriminator"])
  return values[..., nearest].mean(axis=1)


def lighter_mode(run: Results, boundary: float) -> np.ndarray:
  """Returns the share of the lighter of two modes, [seeds].

  The lighter mode is chosen for each seed, so that seeds which lose different
  modes do not cancel.

  Args:
    run: the run.
    boundary: the point between the modes.
  """
  samples = last_quarter(run.snapshots["samples"])[..., 0]
  left = (samples < boundary).mean(axis=(1, 2))
  return np.minimum(left, 1 - left)


def valley(run: Results) -> np.ndarray:
  """Returns the share of samples between the modes at -3 and 3, [seeds]."""
  samples = last_quarter(run.snapshots["samples"])[..., 0]
  return np.mean(np.abs(samples) < BETWEEN, axis=(1, 2))


def ends_at(
  run: Results, metric: str, expected: float, margin: float, origin: str
) -> Check:
  """Checks a metric's mean over the last quarter."""
  return covers(SUBJECTS[metric], late(run, metric), expected, margin, origin)


def normal(run: Results, metric: str) -> list[Check]:
  """Checks a linear generator of a normal distribution, and D."""
  if metric in NORMAL_MOMENTS:
    expected, margin = NORMAL_MOMENTS[metric], 0.1 * NORMAL_STDDEV
    origin = "the article: that of the data"
    return [ends_at(run, metric, expected, margin, origin)]
  return [fooled(run, metric, 0.02)]


def at_rest(run: Results, metric: str) -> list[Check]:
  """Checks a linear generator of two near modes, or D against it."""
  rest = equilibrium.non_saturating(NEAR)
  name, margin = AT_REST[metric]
  origin = "quadrature: where the non-saturating cost is at rest"
  return [ends_at(run, metric, getattr(rest, name), margin, origin)]


def finds_both_modes(
  run: Results, modes: tuple[float, ...], linear_jsd: float
) -> list[Check]:
  """Checks that a perceptron does better than a linear generator."""
  return [
    covers(
      "share of the lighter mode",
      lighter_mode(run, sum(modes) / 2),
      0.5,
      0.1,
      "closed form: both modes weigh 1/2; the article: roughly",
    ),
    at_most(
      "Jensen-Shannon divergence over the best linear generator's",
      late(run, "jensen_shannon") / linear_jsd,
      0.4,
      "less than 1; the best linear generator's is by quadrature",
      margin=0.4,
    ),
  ]


def fooled(run: Results, metric: str, margin: float) -> Check:
  """Checks that D is 1/2 on real or on generated samples.

  The mean of an untrained D is near 1/2 for many seeds together, but not for
  each: the interval over seeds is then wider than the tolerance.
  """
  return ends_at(
    run,
    metric,
    0.5,
    margin,
    "the article: D converges to 1/2; closed form: p / (p + q) at q = p",
  )
