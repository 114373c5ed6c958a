"""Real and generated samples during training: figures 5, 6, 12, 13, 18 and 19.

Each figure shows ridges of histograms with the step on the vertical axis and
the last histogram in front, as TensorBoard draws them. The data does not change
(5, 12, 18). The samples of four generators approach a normal distribution (6;
the article's caption calls it real data by mistake). With two modes a linear
generator puts samples between them (13), and a multilayer perceptron finds both
(19). In the article's single run of each, the most regularised discriminator
did best in 19. Over the seeds here dropout harms: its divergence misses the
bound of 19, which was set before the run.

TensorBoard chose a scale for each figure. Here x and the heights have the same
scale for real and generated samples. A ridge above 2.5 times the data's peak is
cut. The ridges show seed 0; the numbers are means over all seeds and the last
quarter.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from experiments.configs import toy_1d
from experiments.configs.habr import NEAR_JSD
from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.checks import (
  Check,
  at_most,
  close,
  covers,
  observed,
)
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.habr2018 import article, equilibrium, run_checks
from experiments.reproduce.habr2018.article import (
  NEAR,
  NEAR_STDDEV,
  NORMAL_MEAN,
  NORMAL_STDDEV,
  Runs,
)
from experiments.reproduce.habr2018.run_checks import BETWEEN
from experiments.run_folder.results import Results

NUM_RIDGES = 13
NUM_BINS = 50
PEAK = 1.5
"""Height of the data's peak, in distances between ridges."""
HIGHEST = 2.5
"""Height at which a ridge is cut, in multiples of the data's peak."""
DATA_BETWEEN = float(np.diff(stats.norm.cdf([-BETWEEN, BETWEEN], NEAR[0]))[0])
"""Share of the near modes' data between them; both modes have the same."""


def _share_between(stddev: float) -> float:
  """Returns the share of N(0, stddev^2) between the near modes."""
  return float(1 - 2 * stats.norm.cdf(-BETWEEN / stddev))


def _scales(experiment: str) -> dict[str, Any]:
  """Returns the ends of the x axis and the peak of the data's density."""

  # Compiling the many operations together is faster than running each alone.
  @jax.jit
  def ends_and_peak():
    density = toy_1d.data_density(article.settings_of(experiment))
    x = toy_1d.drawn_points(density)
    return x[jnp.array([0, -1])], jnp.exp(density.log_prob(x[:, None]).max())

  ends, peak = ends_and_peak()
  return {"ends": np.asarray(ends), "peak": float(peak)}


def _draw_ridges(
  axes: Axes,
  steps: np.ndarray,
  samples: np.ndarray,
  drawn: Mapping[str, Any],
  color: str,
) -> float:
  """Draws histograms above one another, with the last one lowest and in front.

  Early ridges are paler.

  Args:
    axes: the axes to draw on.
    steps: [ridges], increasing.
    samples: [ridges, n].
    drawn: has the `ends` of the x axis and the `peak` of the data.
    color: colour of the ridges.

  Returns:
    The drawn height of a density of 1, in steps.
  """
  height = PEAK * (steps[-1] - steps[0]) / (len(steps) - 1) / drawn["peak"]
  axes.grid(False)
  for index, (step, values) in enumerate(zip(steps, samples, strict=True)):
    counts, edges = np.histogram(values, bins=NUM_BINS, range=drawn["ends"])
    density = counts / (len(values) * np.diff(edges))
    top = step - height * np.minimum(density, HIGHEST * drawn["peak"])
    for style in (
      {"baseline": step, "fill": True, "color": "white"},
      {
        "baseline": step,
        "fill": True,
        "color": color,
        "alpha": 0.25 + 0.5 * index / (len(steps) - 1),
        "lw": 0,
        "label": "samples" if step == steps[-1] else None,
      },
      {"baseline": None, "color": color, "lw": 0.8},
    ):
      axes.stairs(top, edges, zorder=index + 2, **style)
  axes.margins(x=0, y=0.03)
  axes.set_yticks(steps[::3])
  axes.yaxis.set_major_formatter("{x:,.0f}")
  return height


def _real(
  figure: int,
  experiment: str,
  summary: str,
  check: Callable[[np.ndarray], list[Check]],
) -> Reproduction:
  """Describes a figure of real samples [ridges, n]."""

  def compute(inputs: Inputs) -> Computed:
    shape = NUM_RIDGES, toy_1d.NUM_DRAWN_SAMPLES
    settings = article.settings_of(experiment)
    sample = jax.jit(
      lambda key: toy_1d.data_density(settings).sample(key, shape[0] * shape[1])
    )
    key = jax.random.key(inputs.seed + figure)
    samples = np.asarray(sample(key), float).reshape(shape)
    return Computed(check(samples), {"samples": samples, **_scales(experiment)})

  def draw(drawn: Mapping[str, Any], last_step: int) -> Figure:
    picture, (axes,) = curves.grid(1, 1, (8, 5))
    steps = np.linspace(0, last_step, NUM_RIDGES)
    _draw_ridges(axes, steps, drawn["samples"], drawn, curves.DATA)
    axes.set(xlabel="x", ylabel="step")
    axes.invert_yaxis()
    pictures.headline(
      picture,
      f"{experiment}: real samples, drawn afresh at every step from one "
      "distribution",
    )
    return picture

  def make(is_published: bool) -> Reproduction:
    last_step = (
      article.PUBLISHED_STEPS
      if is_published
      else article.settings_of(experiment).steps
    )
    return Reproduction(
      id=f"habr_fig{figure:02d}",
      source=article.source(figure),
      summary=summary,
      compute=compute,
      draw=lambda drawn: draw(drawn, last_step),
    )

  return article.with_published(make)


def _check_data(samples: np.ndarray, mean: float, stddev: float) -> list[Check]:
  """Checks the moments of the draws, and that they differ by chance only."""
  # Four standard errors of a normal's moments.
  error = 4 * stddev / np.sqrt(samples.size)
  ordered = np.sort(samples, axis=1)
  return [
    close("mean of the samples", samples.mean(), mean, error, "the settings"),
    close(
      "standard deviation of the samples",
      samples.std(),
      stddev,
      error / np.sqrt(2),
      "the settings; with two modes the variance is 1 + 3^2",
    ),
    at_most(
      "largest Wasserstein-1 from the first draw (units of x)",
      np.abs(ordered - ordered[0]).mean(axis=1).max(),
      0.15 * stddev,
      "the article: does not change",
    ),
  ]


def _check_near_data(samples: np.ndarray) -> list[Check]:
  """Checks that the draws come from both near modes."""
  return [
    *_check_data(samples, 0.0, NEAR_STDDEV),
    close(
      "share of the left mode",
      np.mean(samples < 0),
      0.5,
      0.02,
      "closed form: 1/2",
    ),
    close(
      "share between the modes",
      np.mean(np.abs(samples) < BETWEEN),
      DATA_BETWEEN,
      0.006,
      "closed form: Phi(4) - Phi(2)",
    ),
  ]


def _generated(
  figure: int,
  experiment: str,
  summary: str,
  check: Callable[[Results], list[Check]],
  **arguments: Any,
) -> Reproduction:
  """Describes a figure of the samples of four generators.

  `arguments` are those of `article.of_runs`.
  """
  return article.of_runs(
    figure,
    experiment,
    summary,
    check,
    _draw_generated,
    prepare=lambda: _scales(experiment),
    **arguments,
  )


def _draw_generated(drawn: Mapping[str, Any]) -> Figure:
  """Draws the samples of the first seed of each discriminator."""
  picture, panels = curves.grid(4, 4, (12, 5.6), sharex=True, sharey=True)
  curves.title(
    picture,
    drawn["runs"]["plain"],
    f"generated samples of seed {drawn['runs']['plain'].seeds[0]}, for four "
    "discriminators",
  )
  for axes, (name, run) in zip(panels, drawn["runs"].items(), strict=True):
    steps = run.snapshots["step"]
    frames = curves.choose_frames(len(steps), NUM_RIDGES)
    samples = run.snapshots["samples"][0, frames, :, 0]
    height = _draw_ridges(axes, steps[frames], samples, drawn, curves.GENERATED)
    # The data's density is drawn on the last histogram, in the same units.
    axes.plot(
      run.snapshots["x"],
      steps[-1] - height * run.snapshots["data_density"],
      color=curves.DATA,
      lw=1.2,
      label="data density",
      zorder=NUM_RIDGES + 3,
    )
    axes.set_title(f"discriminator: {name}", fontsize=10)
  panels[0].invert_yaxis()
  curves.label_outer(panels, 4, "x", "step")
  return curves.legend(picture)


def _check_normal(run: Results) -> list[Check]:
  """Checks that the samples of a normal distribution are those of the data."""
  return [
    run_checks.ends_at(
      run, metric, 0.0, margin, "the article: indistinguishable from the data"
    )
    for metric, margin in (
      ("wasserstein_1", 0.1 * NORMAL_STDDEV),
      ("jensen_shannon", 0.01),
    )
  ]


def _check_linear(run: Results) -> list[Check]:
  """Checks that a linear generator of two modes fills the gap between them."""
  rest = equilibrium.non_saturating(NEAR)
  return [
    covers(
      "share between the modes",
      run_checks.valley(run),
      _share_between(rest.stddev),
      0.05,
      "closed form: of the normal at rest",
    ),
    *run_checks.at_rest(run, "jensen_shannon"),
  ]


def _check_perceptron(run: Results) -> list[Check]:
  """Checks that a perceptron finds both modes and leaves a gap."""
  return [
    at_most(
      "share between the modes",
      run_checks.valley(run),
      (DATA_BETWEEN + _share_between(3.120)) / 2,
      "closed form: halfway from the data to the best linear generator",
      margin=0.05,
    ),
    *run_checks.finds_both_modes(run, NEAR, NEAR_JSD, 0.2, 0.2),
  ]


def _compare_regularised(runs: Runs) -> list[Check]:
  """Measures if the most regularised discriminator does best; judges not.

  The divergence of each regularised discriminator's run less that of the plain
  one's, over the seeds that both have.
  """
  plain = run_checks.late(runs["plain"], "jensen_shannon")
  return [
    observed(
      f"Jensen-Shannon divergence (nats) less the plain run's, {name}",
      run_checks.late(run, "jensen_shannon") - plain,
      "the article: the most regularised model is the best",
    )
    for name, run in runs.items()
    if name != "plain"
  ]


REPRODUCTIONS = (
  _real(
    5,
    "normal",
    "samples of a normal distribution, which does not change",
    lambda samples: _check_data(samples, NORMAL_MEAN, NORMAL_STDDEV),
  ),
  _generated(
    6,
    "normal",
    "samples of a linear generator approach a normal distribution",
    _check_normal,
  ),
  _real(
    12,
    "mixture_near",
    "samples of two near modes, which do not change",
    _check_near_data,
  ),
  _generated(
    13,
    "mixture_near",
    "samples of a linear generator fall between two modes",
    _check_linear,
  ),
  _real(
    18,
    "mixture_near_mlp",
    "samples of two near modes, which do not change",
    _check_near_data,
  ),
  _generated(
    19,
    "mixture_near_mlp",
    "samples of a perceptron come from both modes",
    _check_perceptron,
    compare=lambda runs, beside: _compare_regularised(runs),
  ),
)
