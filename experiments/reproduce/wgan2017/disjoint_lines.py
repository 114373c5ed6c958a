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

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.checks import close
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import divergences

NUM_POINTS = 20
OFFSETS = np.linspace(-1, 1, 21)
TOP = 1.1
"""Height at which the picture draws infinite values."""
_DOTS: dict[str, Any] = {"color": curves.GENERATED, "ms": 5, "ls": ""}
PANELS = {
  "wasserstein": ("W grows with the distance", "Wasserstein-1"),
  "jensen_shannon": ("JS is log 2, or 0", "Jensen-Shannon (nats)"),
  "kl": ("KL is infinite, or 0", "KL (nats)"),
  "total_variation": ("TV is 1, or 0", "total variation"),
}
"""Title and vertical label of each distance."""


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


def compute(inputs: Inputs) -> Computed:
  """Computes the distances for each offset theta."""
  del inputs
  rows = [_distances(theta) for theta in OFFSETS]
  checks = []
  for theta in (-1.0, 0.0, 0.5):
    distances = _distances(theta)
    checks += [
      close(
        f"{name} at theta = {theta:g}",
        distances[name],
        expected if theta else 0.0,
        1e-9,
        f"closed form: {PANELS[name][0]}",
      )
      for name, expected in (
        ("wasserstein", abs(theta)),
        ("jensen_shannon", math.log(2)),
        ("kl", math.inf),
        ("total_variation", 1.0),
      )
    ]
  return Computed(
    checks, {name: np.array([row[name] for row in rows]) for name in PANELS}
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws each distance against the offset."""
  figure, panels = curves.grid(4, 4, (12, 3.6), sharex=True, sharey=True)
  pictures.headline(
    figure, "two parallel segments at distance theta: the slope that only W has"
  )
  for axes, (name, (title, label)) in zip(panels, PANELS.items(), strict=True):
    values = drawn[name]
    if name == "wasserstein":
      axes.plot(OFFSETS, values, color=curves.GENERATED)
    elif name == "kl":
      axes.plot(OFFSETS[OFFSETS != 0], [TOP] * 20, "^", **_DOTS)
      axes.text(0, TOP - 0.1, "infinite", ha="center", fontsize=9)
    else:
      for end in (-1, 1):
        axes.plot([0, end], [values[0]] * 2, color=curves.GENERATED)
      # The value at 0 is not the limit.
      axes.plot(0, values[0], "o", **_DOTS, mfc="white")
    axes.plot(0, values[OFFSETS == 0], "o", **_DOTS)
    axes.set_title(title, fontsize=10)
    axes.set(
      xlabel="theta", ylabel=label, xlim=(-1.05, 1.05), ylim=(-0.05, TOP + 0.05)
    )
  return figure


REPRODUCTION = Reproduction(
  id="disjoint_lines",
  source="WGAN 2017, arXiv 1701.07875, example 1 and figure 1",
  summary="W grows with the distance of two lines; JS, KL and TV jump",
  compute=compute,
  draw=draw,
)
