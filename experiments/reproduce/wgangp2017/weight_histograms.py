"""Histograms of critic weights: clipping pushes weights to the limits.

The critics are those of the Swiss roll in `value_surfaces`. A weight whose
gradient keeps its sign moves to the limit c and stays there. Here clipped
weights start uniformly within the limits, so only training takes them to the
limits. The weights that remain inside belong to units that no sample activates,
so they have no gradient. Penalised weights keep a bell shape, and nearly all of
them are beyond the limits of clipping.

Source: Gulrajani et al., Improved Training of Wasserstein GANs, arXiv
1704.00028, section 3 and figure 1b, right; `toys` lists which settings are the
paper's.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.reproduce.wgangp2017 import toys
from experiments.run_folder.results import Results

CLIPPED, PENALISED = toys.METHODS
DATA = "Swiss roll"
CLOSE = 1e-3
"""Relative distance from a limit at which a weight counts as being at it."""
_BELL = float(stats.norm.cdf(1) - stats.norm.cdf(-1))


def _share_at(limit: float | np.ndarray, weights: np.ndarray) -> np.ndarray:
  """Computes the share [seeds] of weights [seeds, n] at +-limit."""
  return np.mean(np.abs(weights) >= (1 - CLOSE) * limit, axis=1)


def compute(runs: Mapping[str, Results]) -> Computed:
  """Trains two critics for each seed, or uses the cached ones."""
  weights = {
    method: toys.trained_critics(DATA, method).kernels
    for method in toys.METHODS
  }
  clipped, penalised = weights[CLIPPED], weights[PENALISED]
  extreme = np.abs(penalised).max(axis=1, keepdims=True)
  return Computed(
    {
      "clipped: least share of weights at the limits": (
        _share_at(toys.LIMIT, clipped).min()
      ),
      "clipped: largest weight": np.abs(clipped).max(),
      "penalised: largest share of weights at their extremes": (
        _share_at(extreme, penalised).max()
      ),
      "penalised: share of weights within one standard deviation": (
        np.mean(np.abs(penalised) <= penalised.std(axis=1, keepdims=True))
      ),
      "penalised: least share of weights beyond the limits": (
        np.mean(np.abs(penalised) > toys.LIMIT, axis=1).min()
      ),
    },
    weights,
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
      toys.LIMIT if method == CLIPPED else np.quantile(abs(weights), 0.995)
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


CHECKS = (
  Check(
    "clipped: least share of weights at the limits",
    0.5,
    0.0,
    "the publication's figure: most; all seeds",
    relation="at least",
    wrong={"as they start": CLOSE, "penalised": 0.0},
  ),
  Check(
    "clipped: largest weight",
    toys.LIMIT,
    1e-6,
    "closed form: c",
    wrong={"not clipped": 1.0},
  ),
  Check(
    "penalised: largest share of weights at their extremes",
    0.001,
    0.0,
    "a bell has its fewest weights there; all seeds",
    relation="at most",
    wrong={"clipped": 0.5, "uniform, as within limits at first": 2 * CLOSE},
  ),
  Check(
    "penalised: share of weights within one standard deviation",
    _BELL,
    0.1,
    "closed form: 2 Phi(1) - 1; mean of seeds",
    wrong={"at two values": 0.0, "uniform": 3**-0.5},
  ),
  Check(
    "penalised: least share of weights beyond the limits",
    0.8,
    0.0,
    "the publication's figure: nearly all; all seeds",
    relation="at least",
    wrong={"clipped": 0.0},
  ),
)

REPRODUCTION = Reproduction(
  id="wgangp_weights",
  source="WGAN-GP 2017, arXiv 1704.00028, figure 1b, right",
  summary="clipped weights end at the limits, penalised ones form a bell",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trains=True,
)
