"""Measurements and checks of a run: one number for each seed.

The players never quite come to rest, so most numbers are means over the last
quarter of the logs. A failed seed has NaN, and its check fails. The bounds were
set before the runs that they judge.
"""

import numpy as np

from experiments.reproduce.common.checks import (
  Check,
  at_least,
  at_most,
  covers,
  lower_end,
)
from experiments.reproduce.habr2018 import equilibrium
from experiments.reproduce.habr2018.article import (
  NEAR,
  NEAR_STDDEV,
  NORMAL_MOMENTS,
  NORMAL_STDDEV,
  Runs,
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


NOISIER = 2.0
"""The article calls D's noise against a perceptron much greater; this factor is
ours."""
WOBBLE = 0.01
"""Least deviation of the far mode's standard deviation, as a share of it."""
CROSSINGS = 5
"""A drift crosses its mean once; what oscillates crosses it more often."""
SMALLER_GAP = 0.01
"""Least difference of two gaps between D on real and on generated samples."""


def last_quarter(values: np.ndarray) -> np.ndarray:
  """Returns the last quarter of values [seeds, logs, ...]."""
  return values[:, -(values.shape[1] // 4) :]


def late(run: Results, metric: str) -> np.ndarray:
  """Averages a metric over the last quarter, [seeds]."""
  return last_quarter(run.metrics[metric]).mean(axis=1)


def second_half(run: Results, metric: str) -> np.ndarray:
  """Returns a metric in the second half of the logs, [seeds, logs]."""
  values = run.metrics[metric]
  return values[:, values.shape[1] // 2 :]


def noise(run: Results, metric: str) -> np.ndarray:
  """Returns a metric's deviation over the second half, [seeds].

  All logs of a run measure the same samples of noise, so that what varies are
  the players.
  """
  return second_half(run, metric).std(axis=1)


def crossings(run: Results, metric: str) -> np.ndarray:
  """Counts crossings of a metric's mean over the second half, [seeds]."""
  values = second_half(run, metric)
  above = values > values.mean(axis=1, keepdims=True)
  return np.sum(above[:, 1:] != above[:, :-1], axis=1)


def gap(run: Results) -> np.ndarray:
  """Averages E_p D - E_q D over the last quarter, [seeds]."""
  return late(run, "discriminator_real") - late(run, "discriminator_fake")


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


def noisier(runs: Runs, others: Runs, metric: str) -> list[Check]:
  """Checks that D is much noisier in runs than in others.

  The lower end of one interval is compared with the upper end of the other.
  """
  return [
    at_least(
      f"noise of the {SUBJECTS[metric]} (lower end), {name}",
      lower_end(noise(run, metric)),
      -NOISIER * lower_end(-noise(others[name], metric)),
      f"the article: much noisier; {NOISIER:g} times that of a linear "
      "generator of a normal distribution (upper end)",
    )
    for name, run in runs.items()
  ]


def oscillates(run: Results) -> list[Check]:
  """Checks that the generated standard deviation does not come to rest."""
  metric = "generated_stddev"
  share = noise(run, metric) / second_half(run, metric).mean(axis=1)
  origin = "the article: it oscillates in the second half"
  return [
    at_least(
      "wobble of the standard deviation as a share of it (lower end)",
      lower_end(share),
      WOBBLE,
      origin,
    ),
    at_least(
      "times that the standard deviation crosses its mean (lower end)",
      lower_end(crossings(run, metric)),
      CROSSINGS,
      origin,
    ),
  ]


def smaller_gap(runs: Runs) -> list[Check]:
  """Checks that dropout narrows the gap between D on real and generated.

  The runs have the same seeds, whose differences are averaged.
  """
  return [
    at_least(
      f"gap E_p D - E_q D of plain less that of {name} (lower end)",
      lower_end(gap(runs["plain"]) - gap(runs[name])),
      SMALLER_GAP,
      "the article: regularised models are much better",
    )
    for name in ("dropout", "L2 and dropout")
  ]


def finds_both_modes(
  run: Results,
  modes: tuple[float, ...],
  linear_jsd: float,
  most: float,
  margin: float,
) -> list[Check]:
  """Checks that a perceptron does better than a linear generator.

  Its divergence is at most a share of the best linear generator's.
  """
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
      most,
      "less than 1; the best linear generator's is by quadrature",
      margin=margin,
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
