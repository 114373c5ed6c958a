"""Distances between two parallel lines: only Wasserstein has a slope.

P is uniform on the segment {0} x [0, 1] and Q on {theta} x [0, 1]. Each is
represented by points of equal mass. The divergences compare distributions on
the union of the points; Wasserstein-1 comes from an optimal plan that moves one
set onto the other.

Source: Arjovsky, Chintala and Bottou, Wasserstein GAN, arXiv 1701.07875,
example 1 and figure 1.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves as plots
from experiments.reproduce.common import pictures
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results
from gan_jax import divergences

NUM_POINTS = 20
OFFSETS = np.linspace(-1, 1, 21)
TOP = 1.1
"""Height at which the picture draws infinite values."""
_DOTS: dict[str, Any] = {"color": plots.GENERATED, "ms": 5, "ls": ""}
NAMES = ("wasserstein", "jensen_shannon", "kl", "total_variation")


def _distances(theta: float) -> dict[str, float]:
  """Computes the four distances of the two segments."""
  heights = (np.arange(NUM_POINTS) + 0.5) / NUM_POINTS
  # Distances between the points of the segments, by Pythagoras.
  cost = np.hypot(theta, heights[:, None] - heights)
  mass = np.full(NUM_POINTS, 1 / NUM_POINTS)
  _, moved = divergences.optimal_plan(mass, mass, cost)
  # Masses on the union of the points, which coincide only if theta is 0.
  absent = np.zeros(NUM_POINTS if theta else 0)
  with jax.enable_x64(True):
    p = jnp.asarray(np.concatenate([mass, absent]))
    q = jnp.asarray(np.concatenate([absent, mass]))
    return {
      "wasserstein": moved,
      "jensen_shannon": float(divergences.jensen_shannon(p, q)),
      "kl": float(divergences.kl(p, q)),
      "total_variation": float(divergences.total_variation(p, q)),
    }


def compute(runs: Mapping[str, Results]) -> Computed:
  """Computes the distances for each offset theta."""
  rows = [_distances(theta) for theta in OFFSETS]
  curves = {name: np.array([row[name] for row in rows]) for name in NAMES}
  apart, together = _distances(0.5), _distances(0.0)
  return Computed(
    measured={
      **{f"{name} at theta = 0.5": apart[name] for name in NAMES},
      **{f"{name} at theta = 0": together[name] for name in NAMES},
      "wasserstein at theta = -1": curves["wasserstein"][0],
    },
    drawn=curves,
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws each distance against the offset."""
  titles = {
    "wasserstein": ("W grows with the distance", "Wasserstein-1"),
    "jensen_shannon": ("JS is log 2, or 0", "Jensen-Shannon (nats)"),
    "kl": ("KL is infinite, or 0", "KL (nats)"),
    "total_variation": ("TV is 1, or 0", "total variation"),
  }
  figure, panels = plots.grid(4, 4, (12, 3.6), sharex=True, sharey=True)
  pictures.headline(
    figure, "two parallel segments at distance theta: the slope that only W has"
  )
  for axes, (name, (title, label)) in zip(panels, titles.items(), strict=True):
    values = drawn[name]
    if name == "wasserstein":
      axes.plot(OFFSETS, values, color=plots.GENERATED)
    elif name == "kl":
      for side in (OFFSETS < 0, OFFSETS > 0):
        axes.plot(OFFSETS[side], np.full(side.sum(), TOP), "^", **_DOTS)
      axes.text(0, TOP - 0.1, "infinite", ha="center", fontsize=9)
    else:
      for side in (OFFSETS < 0, OFFSETS > 0):
        ends = np.where(side, OFFSETS, 0)[[0, -1]]
        axes.plot(ends, [values[side][0]] * 2, color=plots.GENERATED)
      # The value at 0 is not the limit.
      axes.plot(0, values[0], "o", **_DOTS, mfc="white")
    axes.plot(0, values[OFFSETS == 0], "o", **_DOTS)
    axes.set_title(title, fontsize=10)
    axes.set(
      xlabel="theta",
      ylabel=label,
      xlim=(-1.05, 1.05),
      ylim=(-0.05, TOP + 0.05),
    )
  return figure


CHECKS = (
  Check("wasserstein at theta = 0.5", 0.5, 1e-9, "closed form: |theta|"),
  Check(
    "jensen_shannon at theta = 0.5", math.log(2), 1e-9, "closed form: log 2"
  ),
  Check(
    "kl at theta = 0.5",
    math.inf,
    0.0,
    "closed form: infinite",
    wrong={"finite": 1e9},
  ),
  Check("total_variation at theta = 0.5", 1.0, 1e-9, "closed form: 1"),
  Check(
    "wasserstein at theta = 0",
    0.0,
    1e-9,
    "closed form: 0",
    wrong={"of another theta": 0.1},
  ),
  Check(
    "jensen_shannon at theta = 0",
    0.0,
    1e-9,
    "closed form: 0",
    wrong={"log 2 less": -math.log(2)},
  ),
  Check(
    "kl at theta = 0",
    0.0,
    1e-9,
    "closed form: 0",
    wrong={"an entropy": math.log(NUM_POINTS)},
  ),
  Check(
    "total_variation at theta = 0",
    0.0,
    1e-9,
    "closed form: 0",
    wrong={"of disjoint supports": 1.0},
  ),
  Check("wasserstein at theta = -1", 1.0, 1e-9, "closed form: |theta|"),
)

REPRODUCTION = Reproduction(
  id="disjoint_lines",
  source="WGAN 2017, example 1 and figure 1",
  summary="W grows with the distance of two lines; JS, KL and TV jump",
  compute=compute,
  checks=CHECKS,
  draw=draw,
)
