"""Heat maps: the score at each point of two numeric axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.plots import curves
from experiments.sweeps import labels
from experiments.sweeps.plan import Plan
from experiments.sweeps.plots import canvas
from experiments.sweeps.ranking import Place
from experiments.sweeps.search_space import Axis

MAX_WRITTEN = 100
"""Cells whose numbers are written into them."""
_MAX_WIDTH = 15.0
_MAX_TICKS = 30
_ABSENT = "#D8D8D8"
_MARKS: dict[str, dict[str, Any]] = {
  "best": {"edgecolor": canvas.BEST, "linewidth": 3.5, "zorder": 3},
  "tie with the best": {
    "edgecolor": canvas.BEST,
    "linewidth": 1.8,
    "linestyle": (0, (2, 1.5)),
    "zorder": 3,
  },
}


def heat_maps(
  plan: Plan,
  places: Sequence[Place],
  across: Axis,
  up: Axis,
  by: Axis | None = None,
) -> Figure:
  """Draws the mean final score at each point of a grid.

  Args:
    plan: of the sweep.
    places: of its trials, the best first.
    across: the horizontal axis, of numbers.
    up: the vertical axis, of numbers.
    by: the axis of the panels; None for one panel.

  Returns:
    A panel for each value of `by`, with one scale of colours. Up to 100 cells
    have mean and interval written in them. The best cell has a frame, and ties
    with it a broken one; points that no trial has are grey.
  """
  across, up = _sorted(across), _sorted(up)
  values = by.values if by else (None,)
  num_cells = len(across.values) * len(up.values) * len(values)
  written = num_cells <= MAX_WRITTEN
  cell = (0.95, 0.62) if written else (0.42, 0.36)
  largest = (10.0, 9.0) if by is None else (6.5, 6.0)
  width, height = (
    min(max(size * len(axis.values), 1.6), most)
    for size, axis, most in zip(cell, (across, up), largest, strict=True)
  )
  columns = min(len(values), max(1, int(_MAX_WIDTH / (width + 0.8))))
  rows = -(-len(values) // columns)
  columns = -(-len(values) // rows)
  figure, panels = curves.grid(
    len(values),
    columns,
    (
      max(columns * (width + 0.4) + 2.2, 6.5),
      rows * (height + (0.5 if by else 0.2)) + 1.9,
    ),
  )
  canvas.title(
    figure,
    plan,
    "mean final score of each trial"
    + (", ± 95 % interval" if written and len(plan.base.seeds) > 1 else ""),
    labels.ONE_SEED if len(plan.base.seeds) == 1 else "",
  )
  scale, extends = _scale(places)
  for axes, value in zip(panels, values, strict=True):
    own = {
      (place.trial.values[across.name], place.trial.values[up.name]): place
      for place in places
      if by is None or place.trial.values[by.name] == value
    }
    mesh = _panel(axes, plan, own, across, up, scale, written)
    if by is not None:
      text = labels.texts(plan.base.settings, {by.name: value})[by.name]
      axes.set_title(
        f"{labels.phrase(by.name)} {text}", loc="left", fontsize=10
      )
  curves.label_outer(
    panels, columns, labels.phrase(across.name), labels.phrase(up.name)
  )
  figure.colorbar(
    mesh,
    ax=panels,
    label=canvas.MEAN_LABEL,
    extend="min" if extends else "neither",
    extendfrac=0.04,
    aspect=3.4 * figure.get_figheight(),
  )
  canvas.legend(figure, _legend(places))
  return figure


def _panel(
  axes: Axes,
  plan: Plan,
  places: dict[tuple[Any, Any], Place],
  across: Axis,
  up: Axis,
  scale: Normalize,
  written: bool,
) -> Any:
  """Draws one map, and returns what its colours are read from."""
  axes.grid(False)
  axes.set_facecolor(_ABSENT)
  means = np.full((len(up.values), len(across.values)), np.nan)
  colors = colormaps["viridis"]
  for row, y in enumerate(up.values):
    for column, x in enumerate(across.values):
      place = places.get((x, y))
      if place is None:
        continue
      score = place.score
      means[row, column] = np.nan if score["mean"] is None else score["mean"]
      mark = _mark(place)
      if mark:
        # Within its cell, whose neighbour may be marked as well.
        axes.add_patch(
          Rectangle(
            (column - 0.46, row - 0.46),
            0.92,
            0.92,
            fill=False,
            **_MARKS[mark],
          )
        )
      if written and score["mean"] is not None:
        interval = "" if score["ci95"] is None else f"\n± {score['ci95']:.3f}"
        text = f"{score['mean']:.3f}{interval}"
        red, green, blue, _ = colors(scale(score["mean"]))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        axes.text(
          column,
          row,
          "failed" if place.has_failed else text,
          ha="center",
          va="center",
          fontsize=9,
          color="white" if dark else "black",
        )
  mesh = axes.pcolormesh(
    np.arange(len(across.values)),
    np.arange(len(up.values)),
    np.ma.masked_invalid(means),
    cmap=colors,
    norm=scale,
    shading="nearest",
    edgecolors="white",
    linewidth=0.5,
  )
  for axis, own in ((axes.xaxis, across), (axes.yaxis, up)):
    every = -(-len(own.values) // _MAX_TICKS)
    axis.set_ticks(
      np.arange(len(own.values))[::every],
      [
        labels.texts(plan.base.settings, {own.name: value})[own.name]
        for value in own.values[::every]
      ],
    )
  if not written:
    axes.tick_params(axis="x", labelrotation=90)
  axes.tick_params(length=0)
  axes.spines[["left", "bottom"]].set_visible(False)
  return mesh


def _scale(places: Sequence[Place]) -> tuple[Normalize, bool]:
  """Chooses the scores that colours tell apart.

  Few very bad trials, which failed for one, must not leave a single colour to
  all others: the scale ends twice as far below the median as the best is above
  it.

  Returns:
    The scale, and whether there are scores below it.
  """
  means = np.array([place.score["mean"] for place in places], float)
  known = means[np.isfinite(means)]
  if not known.size:
    return Normalize(0, 1), False
  least, high = float(known.min()), float(known.max())
  middle = float(np.median(known))
  low = max(least, middle - 2 * (high - middle))
  if high - low < 1e-9:
    return Normalize(high - 0.01, high + 0.01), least < high - 0.01
  return Normalize(low, high), least < low


def _sorted(axis: Axis) -> Axis:
  """Puts the values of a numeric axis in the order of their size."""
  return Axis(axis.name, tuple(sorted(axis.values)))


def _mark(place: Place) -> str | None:
  """Tells as what a trial is marked."""
  if place.has_failed:
    return None
  if place.difference is None:
    return "best"
  return "tie with the best" if place.difference.tie else None


def _legend(places: Sequence[Place]) -> list[Artist]:
  """Explains the marks that are there."""
  marks = {_mark(place) for place in places}
  return [
    Rectangle((0, 0), 1, 1, fill=False, label=name, **style)
    for name, style in _MARKS.items()
    if name in marks
  ]
