"""Animated training of a one-dimensional GAN: figures 7, 14, 15, 20 and 21.

The data's density is fixed, the generated density moves, and the blue curve is
D(x). A linear generator moves to a normal distribution until D is the constant
1/2 (7). With two near modes it spreads over both, and D is fooled only where
the two densities cross (14). With two far modes it covers the mode it started
near and loses the other (15). A multilayer perceptron finds both modes, near
(20) or far (21).

The frames show seed 0; the numbers are means over all seeds.

The article reports for figure 15 a standard deviation that oscillates in
attempts to reach the other mode. The number below is its mean over the last
quarter.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import stats

from experiments.configs.habr import FAR_JSD, NEAR_JSD
from experiments.plots import toy_1d
from experiments.reproduce.common.figure import (
  Check,
  Computed,
  Reproduction,
  Training,
)
from experiments.reproduce.habr2018 import (
  best_normals,
  discriminators,
  equilibrium,
  measures,
)
from experiments.reproduce.habr2018.discriminators import settings_of
from experiments.reproduce.habr2018.measures import Measure
from experiments.run_folder.results import Results

NORMAL = settings_of("normal")
NEAR = settings_of("mixture_near").input_mean
FAR = settings_of("mixture_far").input_mean


def _distance_from_half(run: Results) -> float:
  """Returns the mean of |D(x) - 1/2| over the data at the end."""
  x, density = run.snapshots["x"], run.snapshots["data_density"]
  distance = np.abs(run.snapshots["discriminator"][:, -1] - 0.5)
  return np.trapezoid(density * distance, x, axis=-1).mean()


def _early_gap(run: Results) -> float:
  """Returns the largest E_p D - E_q D of the first twentieth of the steps.

  The result is a mean over seeds.
  """
  gap = run.metrics["discriminator_real"] - run.metrics["discriminator_fake"]
  return gap[:, : gap.shape[1] // 20].max(axis=1).mean()


def _best_discriminator_near(point: float) -> float:
  """Returns D* at a point for the generator at rest between the near modes."""
  rest = equilibrium.non_saturating(NEAR)
  p = np.mean([stats.norm.pdf(point, mode) for mode in NEAR])
  return float(p / (p + stats.norm.pdf(point, rest.mean, rest.stddev)))


def _rest(name: str) -> Callable[[], float]:
  """Returns a function for a number of the generator at rest."""
  return lambda: getattr(equilibrium.non_saturating(NEAR), name)


def _animation(
  figure: int,
  experiment: str,
  summary: str,
  numbers: Sequence[tuple[Check, Measure]],
  best: tuple[Check, ...] = (),
  measure_best: Callable[[], dict[str, float]] = dict,
) -> Reproduction:
  """Builds an animated figure.

  Args:
    figure: number of the figure in the article.
    experiment: name of the experiment.
    summary: one line that says what the figure shows.
    numbers: checks of the run, each with its measurement.
    best: checks of the best possible generator.
    measure_best: measures the numbers of `best`.
  """

  def compute(runs: Mapping[str, Results]) -> Computed:
    run = runs["plain"]
    return Computed(
      measured={
        **{check.name: measure(run) for check, measure in numbers},
        **measure_best(),
      },
      drawn={"run": run},
    )

  return Reproduction(
    id=f"habr_fig{figure:02d}",
    source=discriminators.source(figure),
    summary=summary,
    compute=compute,
    checks=(*(check for check, _ in numbers), *best),
    draw=lambda drawn: toy_1d.frames_1d(drawn["run"]),
    trainings={"plain": Training(experiment)},
    animate=lambda drawn: toy_1d.animation_1d(drawn["run"]),
  )


def _half(metric: str, tolerance: float) -> Check:
  """Returns the check that D = 1/2 on the samples of a metric."""
  return Check(
    f"mean of D, {metric}",
    0.5,
    tolerance,
    "the article: D converges to the constant 1/2",
    wrong={"distinguished": 0.62},
  )


def _perceptron(
  boundary: float, linear_jsd: float
) -> tuple[tuple[Check, Measure], ...]:
  """Returns the checks of a perceptron that finds both modes."""
  return (
    (
      Check(
        "share of the lighter mode",
        0.5,
        0.15,
        "closed form: both modes weigh 1/2; the article: roughly",
        wrong={"one mode alone": 0.0},
      ),
      measures.lighter_mode(boundary),
    ),
    (
      Check(
        "Jensen-Shannon divergence (nats)",
        linear_jsd,
        0.0,
        "quadrature: the least that a linear generator reaches",
        relation="at most",
        wrong={"one wide mode": 0.2554, "no overlap": math.log(2)},
      ),
      measures.metric("jensen_shannon"),
    ),
    # The article reports a noisy 1/2.
    (_half("discriminator_real", 0.1), measures.metric("discriminator_real")),
    (_half("discriminator_fake", 0.1), measures.metric("discriminator_fake")),
  )


REPRODUCTIONS = (
  _animation(
    7,
    "normal",
    "a normal distribution moves to another until D is 1/2",
    (
      (
        Check(
          "mean of the generated samples",
          NORMAL.input_mean[0],
          0.1 * NORMAL.input_stddev[0],
          "the article: that of the data",
          wrong={"not moved": 0.0},
        ),
        measures.metric("generated_mean"),
      ),
      (
        Check(
          "standard deviation of the generated samples",
          NORMAL.input_stddev[0],
          0.1 * NORMAL.input_stddev[0],
          "the article: that of the data",
          wrong={"not moved": 1.0},
        ),
        measures.metric("generated_stddev"),
      ),
      (
        Check(
          "early gap E_p D - E_q D",
          0.5,
          0.0,
          "the article: at first D tells the two apart very well",
          relation="at least",
          wrong={"cannot tell": 0.0, "as with two modes": 0.24},
        ),
        _early_gap,
      ),
      (
        Check(
          "mean |D(x) - 1/2| over the data at the end",
          0.0,
          0.05,
          "the article: D converges to the constant 1/2",
          wrong={"distinguished": 0.5, "1/2 on average only": 0.12},
        ),
        _distance_from_half,
      ),
    ),
  ),
  _animation(
    14,
    "mixture_near",
    "a normal distribution spreads over two modes; D detects the gap",
    (
      (
        Check(
          "standard deviation of the generated samples",
          _rest("stddev"),
          0.1 * math.sqrt(10),
          "quadrature: where the non-saturating cost is at rest",
          wrong={"one mode alone": 1.0, "that of the data": math.sqrt(10)},
        ),
        measures.metric("generated_stddev"),
      ),
      (
        Check(
          "Jensen-Shannon divergence (nats)",
          _rest("jsd"),
          0.02,
          "quadrature: where the non-saturating cost is at rest",
          wrong={"one mode alone": FAR_JSD, "fooled": 0.0},
        ),
        measures.metric("jensen_shannon"),
      ),
      *(
        (
          Check(
            f"D({mode:g}), at a mode",
            lambda mode=mode: _best_discriminator_near(mode),
            0.1,
            "closed form: p / (p + q) where the generator is at rest",
            wrong={"fooled": 0.5},
          ),
          measures.discriminator_at(mode),
        )
        for mode in NEAR
      ),
      (
        Check(
          "D(0), between the modes",
          lambda: _best_discriminator_near(0.0),
          0.1,
          "closed form: p / (p + q) where the generator is at rest",
          relation="at most",
          wrong={"fooled": 0.5},
        ),
        measures.discriminator_at(0.0),
      ),
    ),
    best_normals.NEAR_CHECKS,
    best_normals.measure_near,
  ),
  _animation(
    15,
    "mixture_far",
    "a normal distribution collapses onto one of two far modes",
    (
      (
        Check(
          "mean of the generated samples",
          FAR[0],
          0.1,
          "closed form: the left mode",
          wrong={"between the modes": 2.0, "the right mode": FAR[1]},
        ),
        measures.metric("generated_mean"),
      ),
      (
        Check(
          "standard deviation of the generated samples",
          1.0,
          0.1,
          "closed form: that of a mode",
          wrong={"over both modes": math.sqrt(26)},
        ),
        measures.metric("generated_stddev"),
      ),
      (
        Check(
          "Jensen-Shannon divergence (nats)",
          0.75 * math.log(4 / 3),
          0.02,
          "closed form: 3/4 log(4/3)",
          wrong={"the best over both modes": 0.2554},
        ),
        measures.metric("jensen_shannon"),
      ),
      (
        Check(
          "mean of D on real samples",
          2 / 3,
          0.05,
          "closed form: D* is 1/3 at the left mode, 1 at the right",
          wrong={"fooled": 0.5, "the left mode alone": 1 / 3},
        ),
        measures.metric("discriminator_real"),
      ),
      (
        Check(
          "mean of D on generated samples",
          1 / 3,
          0.05,
          "closed form: D* is (1/2) / (1/2 + 1) at the left mode",
          wrong={"fooled": 0.5},
        ),
        measures.metric("discriminator_fake"),
      ),
    ),
    best_normals.FAR_CHECKS,
    best_normals.measure_far,
  ),
  _animation(
    20,
    "mixture_near_mlp",
    "a perceptron finds both of two near modes",
    _perceptron(sum(NEAR) / 2, NEAR_JSD),
  ),
  _animation(
    21,
    "mixture_far_mlp",
    "a perceptron finds both of two far modes",
    _perceptron(sum(FAR) / 2, FAR_JSD),
  ),
)
