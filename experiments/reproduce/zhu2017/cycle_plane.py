"""A translation of rings: with cycle consistency it nearly is the true map.

A ring of eight Gaussians is translated to a ring that is turned and twice as
large. Samples are unpaired, so nothing tells the true map from its products
with the ring's symmetries, and errors are up to these. Without the cycle term
any map onto the right distribution costs the same: it may put modes in another
order, or divide one among two. With it the two generators are inverse to each
other.

The publication shows on photographs that translations without the cycle term
collapse or do not have the content of what they translate (sections 3.2 and
5.1.4).

Source: Zhu, Park, Isola and Efros, Unpaired Image-to-Image Translation using
Cycle-Consistent Adversarial Networks, arXiv 1703.10593.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.checks import at_least, at_most
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
  Reproduction,
  Training,
)

WITH, WITHOUT = "with the cycle term", "without it"
STEPS = 4000
NUM_SEEDS = 8
NUM_DRAWN = 4


def compute(inputs: Inputs) -> Computed:
  """Compares the last maps of all seeds with the true map."""
  errors, cycles, shares = (
    {game: run.sampled(name)[:, -1] for game, run in inputs.runs.items()}
    for name in ("map_error", "cycle", "high_quality_fraction")
  )
  drawn = {
    game: {
      "samples": run.snapshots["samples"][:NUM_DRAWN, -1],
      "translated_modes": run.snapshots["translated_modes"][:NUM_DRAWN, -1],
      "translated": run.snapshots["translated"],
      "modes": run.snapshots["modes"],
      "errors": errors[game],
    }
    for game, run in inputs.runs.items()
  }
  return Computed(
    [
      at_most(
        f"distance after translation to and fro, {WITH}",
        cycles[WITH],
        0.2,
        "what the term is for; of rings of radius 1 and 2",
        margin=0.15,
      ),
      at_least(
        f"distance after translation to and fro, {WITHOUT}, minus {WITH}",
        cycles[WITHOUT] - cycles[WITH],
        1.0,
        "nothing else makes the generators inverse to each other",
        margin=1.0,
      ),
      at_least(
        f"error of the map, {WITHOUT} minus {WITH}, of the radius",
        errors[WITHOUT] - errors[WITH],
        0.2,
        "the publication's claim",
        margin=0.15,
      ),
      at_least(
        f"samples of high quality, {WITH}",
        shares[WITH],
        0.9,
        "translations must be like the other set; 0.987 of the data are",
        margin=0.1,
      ),
    ],
    drawn,
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws where each mode is mapped, for some seeds with and without cycles."""
  figure, panels = curves.grid(2 * NUM_DRAWN, NUM_DRAWN, (12, 6.6))
  pictures.headline(
    figure, "a ring, translated to a larger one: samples, and ways of modes"
  )
  for row, (game, maps) in enumerate(drawn.items()):
    for seed in range(NUM_DRAWN):
      axes = panels[row * NUM_DRAWN + seed]
      axes.plot(
        *maps["modes"].T, "o", color=curves.DATA, markersize=9, alpha=0.4
      )
      axes.plot(
        *maps["samples"][seed].T, ".", color=curves.GENERATED, markersize=2
      )
      ends = zip(
        maps["translated"], maps["translated_modes"][seed], strict=True
      )
      for start, end in ends:
        axes.annotate(
          "", end, start, arrowprops={"arrowstyle": "->", "color": "#555555"}
        )
      limit = 1.4 * np.abs(maps["modes"]).max()
      axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
      error = maps["errors"][seed]
      axes.set_title(f"{game}: error {error:.2f}", fontsize=9)
  return figure


REPRODUCTION = Reproduction(
  id="cycle_plane",
  source="CycleGAN 2017, arXiv 1703.10593, sections 3.2 and 5.1.4",
  summary="a translation of rings, with and without cycle consistency",
  minutes=1,
  compute=compute,
  draw=draw,
  trainings={
    game: Training(
      "cycle_rings", {"cycle_weight": weight, "steps": STEPS}, NUM_SEEDS
    )
    for game, weight in ((WITH, 10.0), (WITHOUT, 0.0))
  },
)
