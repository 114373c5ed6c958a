"""Histograms of critic weights: clipping pushes weights to the limits.

The critics are those of the Swiss roll in `value_surfaces`. A weight whose
gradient keeps its sign moves to the limit c and stays there; clipped weights
start uniformly within the limits. The weights that remain inside belong to
units that no sample activates. Penalised weights keep a bell shape, and nearly
all of them are beyond the limits of clipping.

Source: Gulrajani et al., Improved Training of Wasserstein GANs, arXiv
1704.00028, section 3 and figure 1b, right.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.checks import at_least, at_most, covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.wgangp2017 import toys

DATA = "Swiss roll"
CLOSE = 1e-3
"""Relative distance from a limit at which a weight counts as being at it."""


def _share_at(limit: float | np.ndarray, weights: np.ndarray) -> np.ndarray:
  """Computes the share [seeds] of weights [seeds, n] at +-limit."""
  return np.mean(np.abs(weights) >= (1 - CLOSE) * limit, axis=1)


def compute(inputs: Inputs) -> Computed:
  """Trains two critics for each seed, or uses the cached ones."""
  drawn = {
    method: toys.trained_critics(DATA, method, inputs.seed).kernels
    for method in toys.METHODS
  }
  clipped, penalised = drawn[toys.CLIPPED], drawn[toys.PENALISED]
  sizes = np.abs(penalised)
  return Computed(
    [
      at_least(
        "clipped: share of weights at the limits",
        _share_at(toys.LIMIT, clipped),
        0.5,
        "the publication's figure: most",
        margin=0.1,
      ),
      covers(
        "clipped: largest weight",
        np.abs(clipped).max(axis=1),
        toys.LIMIT,
        1e-6,
        "closed form: c",
      ),
      at_most(
        "penalised: share of weights at their extremes",
        _share_at(sizes.max(axis=1, keepdims=True), penalised),
        0.0005,
        "a bell has its fewest weights there",
        margin=0.0005,
      ),
      covers(
        "penalised: share of weights within one standard deviation",
        np.mean(sizes <= penalised.std(axis=1, keepdims=True), axis=1),
        float(2 * stats.norm.cdf(1) - 1),
        0.08,
        "closed form: 2 Phi(1) - 1",
      ),
      at_least(
        "penalised: share of weights beyond the limits",
        np.mean(sizes > toys.LIMIT, axis=1),
        0.9,
        "the publication's figure: nearly all",
        margin=0.05,
      ),
    ],
    drawn,
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws a histogram over all seeds for each of the two methods."""
  figure, panels = curves.grid(2, 2, (10, 4.2))
  pictures.headline(
    figure,
    "weights of the Swiss roll's critics: at the limits if clipped, a bell if "
    f"penalised (dashed: +-{toys.LIMIT}, the limits)",
  )
  for axes, (method, weights) in zip(panels, drawn.items(), strict=True):
    reach = (
      toys.LIMIT if method == toys.CLIPPED else np.quantile(abs(weights), 0.995)
    )
    bins = np.linspace(-1.1 * reach, 1.1 * reach, 90)
    axes.hist(
      weights.ravel(),
      bins.tolist(),
      weights=np.full(weights.size, 100 / weights.size),
      color=curves.DISCRIMINATOR,
    )
    for limit in (-toys.LIMIT, toys.LIMIT):
      axes.axvline(limit, color=curves.DATA, zorder=0.5, **curves.REFERENCE)
    axes.set_title(method, fontsize=10)
    axes.set(xlabel="weight", ylabel="weights (% per bin)")
  return figure


REPRODUCTION = Reproduction(
  id="wgangp_weights",
  source="WGAN-GP 2017, arXiv 1704.00028, figure 1b, right",
  summary="clipped weights end at the limits, penalised ones form a bell",
  minutes=6,
  compute=compute,
  draw=draw,
  trains=True,
)
