"""Samples of four divergences on a ring of Gaussians: equally sharp.

The tutorial shows that a GAN which minimises KL(p || q), the divergence of
maximum likelihood, has samples as sharp as one that minimises the
Jensen-Shannon divergence. So the divergence does not cause the sharpness. The
tutorial's data are bedrooms; here they are a ring of eight Gaussians. Four
games differ in the loss only, on four seeds each:

  KL                  the f-GAN game whose value is KL(p || q)
  maximum likelihood  J_G = -E exp(logit D), KL(p || q) at the best D
  Jensen-Shannon      the f-GAN game whose value is 2 JSD(p, q)
  reverse KL          the f-GAN game whose value is KL(q || p).

A model that cannot be sharp would minimise KL by the normal of the data's
moments. Of its samples 7 % are within 3 standard deviations of a mode; of the
data 98.9 % are. The tutorial adds that these games choose few modes, whatever
the divergence. That half of the claim does not reproduce here: with these
networks every game finds all modes of the ring.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, section 3.2.5, figure 15; its games are of Nowozin, Cseke and
Tomioka, f-GAN, arXiv 1606.00709.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import special

from experiments.configs import toy_2d
from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.figure import (
  Check,
  Computed,
  Reproduction,
  Training,
)
from experiments.run_folder.results import Results

LOSSES = {
  "KL": "f_kl",
  "maximum likelihood": "maximum_likelihood",
  "Jensen-Shannon": "f_jensen_shannon",
  "reverse KL": "f_reverse_kl",
}
SETTINGS = {
  # With the ring's defaults, ReLU and four times these rates, the two games of
  # KL end with less than 2 % of their samples near a mode: their gradient is an
  # exponential of the logit.
  "generator_learning_rate": 1e-3,
  "discriminator_learning_rate": 1e-3,
  "generator_activation": "tanh",
  "discriminator_activation": "tanh",
  "steps": 3000,
}
NUM_SEEDS = 4
NUM_ROWS = 2
MODE_STDDEV = 0.05
NUM_MODES = toy_2d.RING_MODES


def _median_distance(results: Results) -> float:
  """Measures the median distance of samples to modes, relative to the data's.

  The distance of a data point to its mode has the median s sqrt(2 log 2).
  """
  samples, modes = (results.snapshots[name] for name in ("samples", "modes"))
  offsets = samples[:, -1, :, None] - modes
  nearest = np.min(np.linalg.norm(offsets, axis=-1), axis=-1)
  data_median = results.snapshots["mode_stddev"] * math.sqrt(2 * math.log(2))
  return float(np.median(nearest) / data_median)


def compute(runs: Mapping[str, Results]) -> Computed:
  """Averages the metrics at the end of the runs over seeds."""
  qualities = {
    name: runs[name].sampled("high_quality_fraction")[:, -1] for name in LOSSES
  }
  covered = {
    name: runs[name].sampled("modes_covered")[:, -1] for name in LOSSES
  }
  measured = {}
  for name in LOSSES:
    quality = qualities[name].mean()
    measured |= {
      f"high quality, {name}": quality,
      f"distance from the modes, {name}": _median_distance(runs[name]),
      f"fewest modes of a seed, {name}": covered[name].min(),
    }
    if name != "Jensen-Shannon":
      measured[f"high quality, {name} over Jensen-Shannon"] = (
        quality / qualities["Jensen-Shannon"].mean()
      )
  return Computed(
    measured, {"runs": runs, "qualities": qualities, "covered": covered}
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws samples of two seeds of each game on top of the data."""
  columns = len(LOSSES)
  figure, panels = curves.grid(columns * NUM_ROWS, columns, (12, 6.6))
  pictures.headline(
    figure,
    "samples of games with four divergences are about equally sharp",
  )
  for index, axes in enumerate(panels):
    row, column = divmod(index, columns)
    name = list(LOSSES)[column]
    snapshots = drawn["runs"][name].snapshots
    axes.plot(
      *snapshots["data_samples"].T,
      ".",
      color="#A8A8A8",
      markersize=3,
      label="data",
    )
    axes.plot(
      *snapshots["samples"][row, -1].T,
      ".",
      color=curves.GENERATED,
      markersize=2.5,
      label="generated samples",
    )
    axes.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal")
    score = (
      f"seed {row}: {drawn['covered'][name][row]:.0f} modes, "
      f"{100 * drawn['qualities'][name][row]:.0f} % of high quality"
    )
    axes.set_title(f"{name}\n{score}" if row == 0 else score, fontsize=9)
  curves.label_outer(panels, columns, "x", "y")
  return curves.legend(figure, markerscale=3)


def _blurred_quality() -> float:
  """Computes the high-quality share of the normal of the data's moments.

  Its variance is 1/2 + s^2 in each direction. The squared distance of a sample
  from a mode, divided by that variance, is noncentral chi-square.
  """
  variance = 0.5 + MODE_STDDEV**2
  one_mode = special.chndtr((3 * MODE_STDDEV) ** 2 / variance, 2, 1 / variance)
  return float(NUM_MODES * one_mode)


ENOUGH = 0.7
"""A high-quality share that is ten times that of the normal."""
CHECKS = (
  *(
    Check(
      f"high quality, {name}",
      ENOUGH,
      0.0,
      "ten times that of the normal of the data's moments; mean of 4 seeds",
      relation="at least",
      wrong={"that normal": _blurred_quality, "half as sharp": ENOUGH / 2},
    )
    for name in LOSSES
  ),
  *(
    Check(
      f"high quality, {name} over Jensen-Shannon",
      1.0,
      0.2,
      "the divergence makes no difference",
      wrong={"that normal": lambda: _blurred_quality() / ENOUGH},
    )
    for name in LOSSES
    if name != "Jensen-Shannon"
  ),
  *(
    Check(
      f"distance from the modes, {name}",
      1.0,
      0.45,
      "median over samples and seeds; 1 is the data's, s sqrt(2 log 2)",
    )
    for name in LOSSES
  ),
  *(
    Check(
      f"fewest modes of a seed, {name}",
      NUM_MODES,
      1.0,
      "all modes of the data, or all but one",
      wrong={"few modes": 3.0},
    )
    for name in LOSSES
  ),
)

REPRODUCTION = Reproduction(
  id="goodfellow2016_fig15",
  source="Goodfellow 2016, arXiv 1701.00160, figure 15",
  summary="samples of four divergences on a ring, all equally sharp",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trainings={
    name: Training("ring", {"loss": loss, **SETTINGS}, NUM_SEEDS)
    for name, loss in LOSSES.items()
  },
)
