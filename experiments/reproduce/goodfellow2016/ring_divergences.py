"""Samples of four divergences on a ring of Gaussians: equally sharp.

The tutorial shows that a GAN which minimises KL(p || q), the divergence of
maximum likelihood, has samples as sharp as one that minimises the
Jensen-Shannon divergence. So the divergence does not cause the sharpness. The
tutorial's data are bedrooms; here they are a ring of eight Gaussians. Four
games differ in the loss only, on eight seeds each:

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

from experiments.configs import toy_2d
from experiments.plots import curves
from experiments.reproduce.common import pictures, rings
from experiments.reproduce.common.checks import at_least, covers
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
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
NUM_SEEDS = 8
NUM_ROWS = 2
NUM_MODES = toy_2d.RING_MODES
ENOUGH = 0.7
"""A high-quality share that is ten times that of the normal."""


def _median_distances(results: Results) -> np.ndarray:
  """Measures median distances of samples to modes, relative to the data's.

  The distance of a data point to its mode has the median s sqrt(2 log 2).

  Returns:
    [seeds with snapshots].
  """
  samples, modes = (results.snapshots[name] for name in ("samples", "modes"))
  offsets = samples[:, -1, :, None] - modes
  nearest = np.min(np.linalg.norm(offsets, axis=-1), axis=-1)
  data_median = results.snapshots["mode_stddev"] * math.sqrt(2 * math.log(2))
  return np.median(nearest, axis=1) / data_median


def compute(inputs: Inputs) -> Computed:
  """Measures the samples of each game at the end of training."""
  runs = inputs.runs
  qualities, covered = (
    {name: runs[name].sampled(metric)[:, -1] for name in LOSSES}
    for metric in ("high_quality_fraction", "modes_covered")
  )
  checks = []
  for name in LOSSES:
    checks += [
      at_least(
        f"high quality, {name}",
        qualities[name],
        ENOUGH,
        "ten times that of the normal of the data's moments",
        margin=0.1,
      ),
      covers(
        f"distance from the modes, {name}",
        _median_distances(runs[name]),
        1.0,
        0.45,
        "median over samples; 1 is the data's, s sqrt(2 log 2)",
      ),
      at_least(
        f"modes, {name}",
        covered[name],
        NUM_MODES - 1,
        "all modes of the data, or all but one",
        margin=1.0,
      ),
    ]
    if name != "Jensen-Shannon":
      checks.append(
        covers(
          f"high quality, {name} over Jensen-Shannon",
          qualities[name] / qualities["Jensen-Shannon"].mean(),
          1.0,
          0.2,
          "the divergence makes no difference",
        )
      )
  return Computed(
    checks, {"runs": runs, "qualities": qualities, "covered": covered}
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
    rings.draw_samples(
      axes, snapshots["data_samples"], snapshots["samples"][row, -1], 2.5
    )
    axes.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal")
    score = (
      f"seed {row}: {drawn['covered'][name][row]:.0f} modes, "
      f"{100 * drawn['qualities'][name][row]:.0f} % of high quality"
    )
    axes.set_title(f"{name}\n{score}" if row == 0 else score, fontsize=9)
  curves.label_outer(panels, columns, "x", "y")
  return curves.legend(figure, markerscale=3)


REPRODUCTION = Reproduction(
  id="goodfellow2016_fig15",
  source="Goodfellow 2016, arXiv 1701.00160, figure 15",
  summary="samples of four divergences on a ring, all equally sharp",
  minutes=2,
  compute=compute,
  draw=draw,
  trainings={
    name: Training("ring", {"loss": loss, **SETTINGS}, NUM_SEEDS)
    for name, loss in LOSSES.items()
  },
)
