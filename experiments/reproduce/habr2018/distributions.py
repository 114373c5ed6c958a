"""Real and generated samples during training: figures 5, 6, 12, 13, 18 and 19.

Each figure shows ridges of histograms with the step on the vertical axis and
the last histogram in front, as TensorBoard draws them. The data does not change
(5, 12, 18). The samples of four generators approach a normal distribution (6;
the article's caption calls it real data by mistake). With two modes a linear
generator puts samples between them (13), and a multilayer perceptron finds both
(19). In the article's single run of each, the most regularised discriminator
did best in 19. Over the seeds here L2 helps and dropout harms.

TensorBoard chose a scale for each figure. Here x and the heights have the same
scale for real and generated samples. A ridge above 2.5 times the data's peak is
cut. The ridges show seed 0; the numbers are means over all seeds and the last
quarter.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from experiments.configs.habr import FAR_JSD, NEAR_JSD
from experiments.configs.toy_1d import (
  NUM_DRAWN_SAMPLES,
  OneDimensionalSettings,
  data_density,
  drawn_points,
)
from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.reproduce.habr2018 import (
  discriminators,
  equilibrium,
  measures,
  ridges,
)
from experiments.reproduce.habr2018.discriminators import settings_of
from experiments.reproduce.habr2018.measures import BETWEEN, Measure
from experiments.run_folder.results import Results

NUM_RIDGES = 13

OfSamples = Callable[[np.ndarray], float]
"""Maps samples [draws, samples of each draw] to a number."""


def _data(settings: OneDimensionalSettings) -> tuple[np.ndarray, float]:
  """Returns the ends of the x axis and the peak of the data's density."""

  # Compiling the many operations together is faster than running each alone.
  @jax.jit
  def ends_and_peak():
    density = data_density(settings)
    x = drawn_points(density)
    return x[jnp.array([0, -1])], jnp.exp(density.log_prob(x[:, None]).max())

  ends, peak = ends_and_peak()
  return np.asarray(ends), float(peak)


def _between(samples: np.ndarray) -> float:
  """Returns the share of samples between the near modes."""
  return float(np.mean(np.abs(samples) < BETWEEN))


def _drift(samples: np.ndarray) -> float:
  """Returns the largest Wasserstein-1 distance of a draw from the first."""
  ordered = np.sort(samples, axis=1)
  return float(np.abs(ordered - ordered[0]).mean(axis=1).max())


def _real(
  figure: int,
  experiment: str,
  summary: str,
  numbers: Sequence[tuple[Check, OfSamples]],
) -> Reproduction:
  """Builds a figure of real samples."""
  settings = settings_of(experiment)

  def compute(runs: Mapping[str, Results]) -> Computed:
    del runs
    sample = jax.jit(
      lambda key: data_density(settings).sample(
        key, NUM_RIDGES * NUM_DRAWN_SAMPLES
      )
    )
    samples = np.asarray(sample(jax.random.key(figure)))
    samples = samples.reshape(NUM_RIDGES, NUM_DRAWN_SAMPLES)
    ends, peak = _data(settings)
    return Computed(
      measured={check.name: measure(samples) for check, measure in numbers},
      drawn={"samples": samples, "ends": ends, "peak": peak},
    )

  def draw(drawn: Mapping[str, Any]) -> Figure:
    picture, (axes,) = curves.grid(1, 1, (8, 5))
    steps = np.linspace(0, settings.steps, NUM_RIDGES)
    ridges.draw_ridges(axes, steps, drawn["samples"], drawn, curves.DATA)
    axes.set(xlabel="x", ylabel="step")
    axes.invert_yaxis()
    pictures.headline(
      picture,
      f"{experiment}: real samples, drawn afresh at every step from one "
      "distribution",
    )
    return picture

  return Reproduction(
    id=f"habr_fig{figure:02d}",
    source=discriminators.source(figure),
    summary=summary,
    compute=compute,
    checks=tuple(check for check, _ in numbers),
    draw=draw,
  )


def _generated(
  figure: int,
  experiment: str,
  summary: str,
  numbers: Sequence[tuple[Check, Measure]],
) -> Reproduction:
  """Builds a figure of the samples of four generators."""

  def compute(runs: Mapping[str, Results]) -> Computed:
    ends, peak = _data(settings_of(experiment))
    return Computed(
      measured={
        f"{check.name}, {name}": measure(run)
        for check, measure in numbers
        for name, run in runs.items()
      },
      drawn={"runs": runs, "ends": ends, "peak": peak},
    )

  def draw(drawn: Mapping[str, Any]) -> Figure:
    picture, panels = curves.grid(4, 4, (12, 5.6), sharex=True, sharey=True)
    curves.title(
      picture,
      drawn["runs"]["plain"],
      "generated samples of seed 0, for four discriminators",
    )
    for axes, (name, run) in zip(panels, drawn["runs"].items(), strict=True):
      steps = run.snapshots["step"]
      frames = curves.choose_frames(len(steps), NUM_RIDGES)
      samples = run.snapshots["samples"][0, frames, :, 0]
      ridges.draw_ridges(axes, steps[frames], samples, drawn, curves.GENERATED)
      # The data's density is drawn on the last histogram, in the same units.
      x, density = run.snapshots["x"], run.snapshots["data_density"]
      height = ridges.height_of_one(steps[frames], drawn["peak"])
      axes.plot(
        x,
        steps[-1] - height * density,
        color=curves.DATA,
        lw=1.2,
        label="data density",
        zorder=NUM_RIDGES + 3,
      )
      axes.set_title(f"discriminator: {name}", fontsize=10)
    panels[0].invert_yaxis()
    curves.label_outer(panels, 4, "x", "step")
    return curves.legend(picture)

  return Reproduction(
    id=f"habr_fig{figure:02d}",
    source=discriminators.source(figure),
    summary=summary,
    compute=compute,
    checks=tuple(
      check._replace(name=f"{check.name}, {name}")
      for check, _ in numbers
      for name in discriminators.DISCRIMINATORS
    ),
    draw=draw,
    trainings=discriminators.trainings(experiment),
  )


NORMAL = settings_of("normal")
(NORMAL_MEAN,), (NORMAL_STDDEV,) = NORMAL.input_mean, NORMAL.input_stddev
NEAR = settings_of("mixture_near").input_mean


def _unchanged(stddev: float) -> tuple[Check, OfSamples]:
  """Returns the check that draws differ by chance only."""
  return (
    Check(
      "Wasserstein-1 from the first draw (units of x)",
      0.0,
      0.15 * stddev,
      "the article: does not change",
      relation="at most",
      wrong={"half a deviation off": 0.5 * stddev},
    ),
    _drift,
  )


def _share_between(stddev: float) -> float:
  """Returns the share of N(0, stddev^2) between the near modes."""
  return float(1 - 2 * stats.norm.cdf(-BETWEEN / stddev))


def _data_between() -> float:
  """Returns the share of the near modes' data between them."""
  # Both modes have the same share, by symmetry.
  low, high = stats.norm.cdf(np.array([-BETWEEN, BETWEEN]) - NEAR[0])
  return float(high - low)


# The tolerances are at least four standard errors of 13 draws of 1,000.
_NEAR_DATA = (
  (
    Check(
      "mean of the samples",
      0.0,
      0.12,
      "closed form: by symmetry",
      wrong={"one mode alone": -3.0, "weights 0.45 and 0.55": 0.3},
    ),
    lambda samples: float(samples.mean()),
  ),
  (
    Check(
      "standard deviation of the samples",
      math.sqrt(10),
      0.05,
      "closed form: variance 1 + 3^2",
      wrong={"one mode alone": 1.0, "width forgotten": 3.0},
    ),
    lambda samples: float(samples.std()),
  ),
  (
    Check("share of the left mode", 0.5, 0.02, "closed form: 1/2"),
    lambda samples: float((samples < 0).mean()),
  ),
  (
    Check(
      "share between the modes",
      _data_between,
      0.006,
      "closed form: Phi(4) - Phi(2)",
      wrong={"of a normal": lambda: _share_between(math.sqrt(10))},
    ),
    _between,
  ),
  _unchanged(math.sqrt(10)),
)

REPRODUCTIONS = (
  _real(
    5,
    "normal",
    "samples of a normal distribution, which does not change",
    (
      (
        Check("mean of the samples", NORMAL_MEAN, 0.25, "settings: the mean"),
        lambda samples: float(samples.mean()),
      ),
      (
        Check(
          "standard deviation of the samples",
          NORMAL_STDDEV,
          0.2,
          "settings: the standard deviation",
          wrong={"the variance": NORMAL_STDDEV**2},
        ),
        lambda samples: float(samples.std()),
      ),
      _unchanged(NORMAL_STDDEV),
    ),
  ),
  _generated(
    6,
    "normal",
    "samples of a linear generator approach a normal distribution",
    (
      (
        Check(
          "Wasserstein-1 from the data (units of x)",
          0.0,
          0.1 * NORMAL_STDDEV,
          "the article: indistinguishable from the data",
          relation="at most",
          wrong={
            "not moved": NORMAL_MEAN,
            # E|z| = sqrt(2 / pi) for the 6 that the deviations differ by.
            "moved but not widened": 6 * math.sqrt(2 / np.pi),
          },
        ),
        measures.metric("wasserstein_1"),
      ),
      (
        Check(
          "Jensen-Shannon divergence (nats)",
          0.0,
          0.01,
          "the article: indistinguishable from the data",
          relation="at most",
          wrong={"no overlap": math.log(2), "as with two modes": NEAR_JSD},
        ),
        measures.metric("jensen_shannon"),
      ),
    ),
  ),
  _real(
    12,
    "mixture_near",
    "samples of two near modes, which do not change",
    _NEAR_DATA,
  ),
  _generated(
    13,
    "mixture_near",
    "samples of a linear generator fall between two modes",
    (
      (
        Check(
          "share between the modes",
          lambda: _share_between(equilibrium.non_saturating(NEAR).stddev),
          0.05,
          "closed form: of the normal at rest",
          wrong={"of the data": _data_between},
        ),
        measures.valley,
      ),
      (
        Check(
          "Jensen-Shannon divergence (nats)",
          lambda: equilibrium.non_saturating(NEAR).jsd,
          0.02,
          "quadrature: where the non-saturating cost is at rest",
          wrong={"one mode alone": FAR_JSD, "fooled": 0.0},
        ),
        measures.metric("jensen_shannon"),
      ),
    ),
  ),
  _real(
    18,
    "mixture_near_mlp",
    "samples of two near modes, which do not change",
    _NEAR_DATA,
  ),
  _generated(
    19,
    "mixture_near_mlp",
    "samples of a perceptron come from both modes",
    (
      (
        Check(
          "share of the lighter mode",
          0.5,
          0.15,
          "closed form: both modes weigh 1/2; the article: roughly",
          wrong={"one mode alone": 0.0},
        ),
        measures.lighter_mode(0.0),
      ),
      (
        Check(
          "share between the modes",
          lambda: (_data_between() + _share_between(3.120)) / 2,
          0.0,
          "closed form: halfway from the data to the best linear generator",
          relation="at most",
          wrong={"a linear generator": lambda: _share_between(3.120)},
        ),
        measures.valley,
      ),
      (
        Check(
          "Jensen-Shannon divergence (nats)",
          NEAR_JSD,
          0.0,
          "quadrature: the least that a linear generator reaches",
          relation="at most",
          wrong={"one mode alone": FAR_JSD, "no overlap": math.log(2)},
        ),
        measures.metric("jensen_shannon"),
      ),
    ),
  ),
)
