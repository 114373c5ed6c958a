"""Numbers of discriminator and generator steps in a round of the minimax game.

"If G is updated too often it only makes the one output that pleases D most; if
D is, no output of the generator satisfies it." A round has k discriminator
steps and then j generator steps. The data is a ring of eight Gaussians. All
cells of the grid play the same number of rounds, so each player takes at least
as many steps as in the cell k = j = 1, and no failure is due to too few steps.

The two extremes behave as the text says. Another claim of the text does not
reproduce: here G may take more steps than D (25 to 5), and the ring is learnt
better than with one step each. With 25 steps of both the samples are as sharp
but lose a mode or two in some seeds.

The extremes depend on the settings, which were chosen to show them. The loss is
minimax, as in the text. With the non-saturating loss many steps of D dropped
modes instead of stalling G, and many steps of G collapsed it at one pair of
learning rates and helped it at another. With ReLU units G moved far away from
the data instead of collapsing near it. At 16 steps of G to one of D some seeds
kept more than one mode; at 25 none of eight did.

References:
  Wang Haoran, The mathematics of GANs (cnblogs, 2020, in Chinese), the
    algorithm.
  Goodfellow et al., Generative Adversarial Nets, arXiv 1406.2661, algorithm 1
    and section 6.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.configs.toy_2d import RING_MODES
from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.figure import (
  Check,
  Computed,
  Reproduction,
  Training,
)
from experiments.run_folder.results import Results

COUNTS = (1, 5, 25)
ROUNDS = 500
NUM_SEEDS = 3
NUM_DRAWN = 500
REACH = 2.2
"""Panels show the plane from -REACH to REACH; a stalled generator is beyond."""


def _cell(discriminator_steps: int, generator_steps: int) -> str:
  return f"k={discriminator_steps}, j={generator_steps}"


CELLS = {_cell(k, j): (k, j) for k in COUNTS for j in COUNTS}

TRAININGS = {
  name: Training(
    "ring",
    {
      "loss": "minimax",
      "update": "alternating",
      "discriminator_steps": k,
      "generator_steps": j,
      "steps": ROUNDS,
      "log_every": ROUNDS // 2,
      "generator_average": 0.0,
      "generator_learning_rate": 2e-3,
      "discriminator_learning_rate": 2e-3,
      # A discriminator with tanh is flat far from the data, so the generator
      # stays inside the picture.
      "generator_activation": "tanh",
      "discriminator_activation": "tanh",
    },
    NUM_SEEDS,
  )
  for name, (k, j) in CELLS.items()
}

EVEN, MANY_G, MANY_D, MANY_BOTH = (
  _cell(1, 1),
  _cell(1, 25),
  _cell(25, 1),
  _cell(25, 25),
)


def compute(runs: Mapping[str, Results]) -> Computed:
  """Reads the metrics and samples at the end of each cell."""

  def last(name, metric):
    return float(np.mean(runs[name].metrics[metric][:, -1]))

  samples = {
    name: results.snapshots["samples"][0, -1] for name, results in runs.items()
  }
  spreads = {
    name: float(np.mean(np.std(results.snapshots["samples"][:, -1], axis=-2)))
    for name, results in runs.items()
  }
  return Computed(
    measured={
      f"modes covered, {EVEN}": last(EVEN, "modes_covered"),
      f"reverse KL of the modes, {MANY_G}": last(MANY_G, "reverse_kl"),
      f"spread of the samples, {MANY_G}": spreads[MANY_G],
      f"D of the samples, {MANY_D}": last(MANY_D, "discriminator_fake"),
      f"high quality, {MANY_D}": last(MANY_D, "high_quality_fraction"),
      f"high quality, {EVEN}": last(EVEN, "high_quality_fraction"),
      f"modes covered, {MANY_BOTH}": last(MANY_BOTH, "modes_covered"),
      f"D of the samples, {MANY_BOTH}": last(MANY_BOTH, "discriminator_fake"),
    },
    drawn={
      "samples": samples,
      "data": runs[EVEN].snapshots["data_samples"],
      "modes": {name: last(name, "modes_covered") for name in runs},
      "quality": {name: last(name, "high_quality_fraction") for name in runs},
      "fake": {name: last(name, "discriminator_fake") for name in runs},
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the samples of each cell, with its scores above them."""
  figure, panels = curves.grid(
    len(CELLS), len(COUNTS), (9, 10.6), sharex=True, sharey=True
  )
  pictures.headline(
    figure,
    "many steps of G collapse G onto a point, many steps of D stall G: minimax "
    f"game, {ROUNDS} rounds\n"
    f"samples of seed 0; numbers are means over {NUM_SEEDS} seeds",
  )
  for axes, (name, (k, j)) in zip(panels, CELLS.items(), strict=True):
    axes.plot(
      *drawn["data"].T, ".", color="#A8A8A8", markersize=3, label="data"
    )
    axes.plot(
      *drawn["samples"][name][:NUM_DRAWN].T,
      ".",
      color=curves.GENERATED,
      markersize=3,
      label="generated samples",
    )
    axes.set_title(
      f"{drawn['modes'][name]:.1f} modes, D(G(z)) = {drawn['fake'][name]:.2f}\n"
      f"{100 * drawn['quality'][name]:.0f} % of high quality",
      fontsize=9,
    )
    axes.set(
      xlim=(-REACH, REACH),
      ylim=(-REACH, REACH),
      aspect="equal",
      xlabel=f"{j} step{'s' if j > 1 else ''} of G" if k == COUNTS[-1] else "",
      ylabel=f"{k} step{'s' if k > 1 else ''} of D" if j == COUNTS[0] else "",
    )
    axes.locator_params(nbins=5)
  return curves.legend(figure, markerscale=3)


CHECKS = (
  Check(
    f"modes covered, {EVEN}",
    RING_MODES,
    1.0,
    "all eight, one step each: algorithm 1 of GAN 2014",
    wrong={"collapse": 1.0},
  ),
  Check(
    f"reverse KL of the modes, {MANY_G}",
    math.log(RING_MODES),
    0.3,
    "the text: G makes the one output that pleases D most; closed form: log 8, "
    "as one of eight modes is the nearest to every sample",
    wrong={"two modes": math.log(RING_MODES / 2), "all modes": 0.0},
  ),
  Check(
    f"spread of the samples, {MANY_G}",
    0.25,
    0.0,
    "a third of that of the ring, whose deviation along an axis is "
    "sqrt(1/2) = 0.707",
    relation="at most",
    wrong={"that of the ring": math.sqrt(0.5)},
  ),
  Check(
    f"D of the samples, {MANY_D}",
    0.1,
    0.0,
    "the text: no output of the generator satisfies D",
    relation="at most",
    wrong={"D cannot tell": 0.5},
  ),
  Check(
    f"high quality, {MANY_D}",
    0.1,
    0.0,
    "the text: G is harder to optimise; one step each reaches more",
    relation="at most",
    wrong={"as one step each": 0.15},
  ),
  Check(
    f"high quality, {EVEN}",
    0.15,
    0.0,
    "1.5 times the bound for many steps of D",
    relation="at least",
    wrong={"many steps of D": 0.1},
  ),
  Check(
    f"modes covered, {MANY_BOTH}",
    5.0,
    0.0,
    "far from the one mode of as many steps of G alone: the ratio decides",
    relation="at least",
    wrong={"collapse": 1.0},
  ),
  Check(
    f"D of the samples, {MANY_BOTH}",
    0.5,
    0.06,
    "closed form: D* = 1/2 at the equilibrium",
    wrong={"D is sure": 0.05},
  ),
)

REPRODUCTION = Reproduction(
  id="steps_ratio",
  source="The mathematics of GANs 2020, the algorithm",
  summary="too many steps of G collapse G, too many steps of D stall G",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trainings=TRAININGS,
)
