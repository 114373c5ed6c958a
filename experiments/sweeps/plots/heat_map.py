"""Heat maps: the score at each point of two numeric axes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.plots import curves
from experiments.run_folder import intervals
from experiments.run_folder.intervals import SCORE
from experiments.sweeps import labels
from experiments.sweeps.plan import Plan
from experiments.sweeps.plots import style
from experiments.sweeps.ranking import RankedTrial
from experiments.sweeps.search_space import Axis, format_value

MAX_WRITTEN = 100
"""With more cells than this, no numbers are written into them."""
_ALL_TIE = (
  "tie with the best: colours have the whole range of scores, so as not to "
  "show noise"
)
_MAX_WIDTH = 15.0
_MAX_TICKS = 30
_ABSENT = "#D8D8D8"
_COLORS = colormaps["viridis"]
_FRAMES: dict[str, dict[str, Any]] = {
  "best": {"edgecolor": style.BEST, "linewidth": 3.5, "zorder": 3},
  "tie with the best": {
    "edgecolor": style.BEST,
    "linewidth": 1.8,
    "linestyle": (0, (2, 1.5)),
    "zorder": 3,
  },
}


def heat_maps(
  plan: Plan,
  ranked: Sequence[RankedTrial],
  across: Axis,
  up: Axis,
  by: Axis | None = None,
) -> Figure:
  """Draws the mean final score at each point of a grid.

  Args:
    plan: of the sweep.
    ranked: its trials, the best first.
    across: the horizontal axis, of numbers.
    up: the vertical axis, of numbers.
    by: the axis of the panels; None for one panel.

  Returns:
    A panel for each value of `by`, with one colour scale. Up to 100 cells have
    mean and interval written in them. The best cell has a frame, and ties with
    it a broken one. Trials that failed are dark grey, and points without a
    trial or a score are light grey.
  """
  across, up = (
    Axis(name, tuple(sorted(values))) for name, values in (across, up)
  )
  panel_values = by.values if by else (None,)
  num_panels = len(panel_values)
  writes = len(across.values) * len(up.values) * num_panels <= MAX_WRITTEN
  figure, panels, columns = _panels(across, up, num_panels, writes)
  subject = "final score of each trial"
  if writes and len(plan.base.seeds) > 1:
    subject += f" {intervals.heading(len(plan.base.seeds))}"
  scale, is_cut, note = _scale(ranked)
  style.title(figure, plan, ranked, subject, note)
  for axes, value in zip(panels, panel_values, strict=True):
    cells = {
      (each.trial.values[up.name], each.trial.values[across.name]): each
      for each in ranked
      if by is None or each.trial.values[by.name] == value
    }
    _draw_panel(axes, cells, across, up, scale, writes)
    _value_ticks(axes, plan, across, up, writes)
    if by is not None:
      text = format_value(plan.base.settings, by.name, value)
      axes.set_title(
        f"{labels.phrase(by.name)} {text}", loc="left", fontsize=10
      )
  curves.label_outer(
    panels, columns, labels.phrase(across.name), labels.phrase(up.name)
  )
  figure.colorbar(
    panels[-1].collections[0],
    ax=panels,
    label=style.MEAN_LABEL,
    extend="min" if is_cut else "neither",
    extendfrac=0.04,
    aspect=3.4 * figure.get_figheight(),
  )
  kinds = {style.kind(each) for each in ranked}
  handles = [
    Rectangle((0, 0), 1, 1, fill=False, label=kind, **frame)
    for kind, frame in _FRAMES.items()
    if kind in kinds
  ]
  if "failed" in kinds:
    handles.append(Rectangle((0, 0), 1, 1, color=style.FAILED, label="failed"))
  style.legend(figure, handles)
  return figure


def _panels(
  across: Axis, up: Axis, num_panels: int, writes: bool
) -> tuple[Figure, list[Axes], int]:
  """Makes a figure with room for the cells; returns its columns as well."""
  cell_width, cell_height = (1.3, 0.62) if writes else (0.42, 0.36)
  max_width, max_height = (10.0, 9.0) if num_panels == 1 else (6.5, 6.0)
  width = min(max(cell_width * len(across.values), 1.6), max_width)
  height = min(max(cell_height * len(up.values), 1.6), max_height)
  columns = min(num_panels, max(1, int(_MAX_WIDTH / (width + 0.8))))
  rows = -(-num_panels // columns)
  # The same number of rows may need fewer columns.
  columns = -(-num_panels // rows)
  title_height = 0.2 if num_panels == 1 else 0.5
  size = (
    max(columns * (width + 0.4) + 2.2, 6.5),
    rows * (height + title_height) + 1.9,
  )
  return *curves.grid(num_panels, columns, size), columns


def _draw_panel(
  axes: Axes,
  cells: Mapping[tuple[Any, Any], RankedTrial],
  across: Axis,
  up: Axis,
  scale: Normalize,
  writes: bool,
) -> None:
  """Draws one map, of cells by the values (up, across) of their trials."""
  axes.grid(False)
  axes.set_facecolor(_ABSENT)
  axes.spines[["left", "bottom"]].set_visible(False)
  means = np.full((len(up.values), len(across.values)), np.nan)
  for row, column in np.ndindex(*means.shape):
    each = cells.get((up.values[row], across.values[column]))
    if each is None or each.score.mean is None:
      continue
    color = style.FAILED
    if each.has_failed:
      corner = (column - 0.5, row - 0.5)
      axes.add_patch(
        Rectangle(corner, 1, 1, facecolor=color, edgecolor="white")
      )
    else:
      means[row, column] = each.score.mean
      color = _COLORS(scale(each.score.mean))
    frame = _FRAMES.get(style.kind(each))
    if frame:
      # Inside its cell, whose neighbour may have a frame as well.
      corner = (column - 0.46, row - 0.46)
      axes.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, **frame))
    if writes:
      red, green, blue = to_rgb(color)
      is_dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
      axes.text(
        column,
        row,
        _cell_text(each),
        ha="center",
        va="center",
        fontsize=9,
        color="white" if is_dark else "black",
      )
  axes.pcolormesh(
    np.arange(len(across.values)),
    np.arange(len(up.values)),
    np.ma.masked_invalid(means),
    cmap=_COLORS,
    norm=scale,
    shading="nearest",
    edgecolors="white",
    linewidth=0.5,
  )


def _cell_text(ranked_trial: RankedTrial) -> str:
  if ranked_trial.has_failed:
    return "failed"
  # The interval is below the mean, for which there is no room beside it.
  return style.score_text(ranked_trial).replace(" ", "\n", 1)


def _value_ticks(
  axes: Axes, plan: Plan, across: Axis, up: Axis, writes: bool
) -> None:
  """Labels rows and columns with the values of their settings."""
  for axis, (name, values) in ((axes.xaxis, across), (axes.yaxis, up)):
    every = -(-len(values) // _MAX_TICKS)
    axis.set_ticks(
      range(0, len(values), every),
      [format_value(plan.base.settings, name, x) for x in values[::every]],
    )
  if not writes:
    axes.tick_params(axis="x", labelrotation=90)
  axes.tick_params(length=0)


def _scale(ranked: Sequence[RankedTrial]) -> tuple[Normalize, bool, str]:
  """Chooses the range of scores that colours distinguish.

  Trials that failed have no colour of the scale. If all others tie with the
  best, it is all that a score can be, and the map has nearly one colour,
  because the differences may be noise.

  A few very bad trials, for example with a failed seed, must not leave a single
  colour for all others: the scale ends twice as far below the median as the
  best is above it.

  Returns:
    The scale, whether there are scores below it, and a note for the title.
  """
  working = [each for each in ranked if not each.has_failed]
  if not all(each.leads for each in working) and all(
    each.is_best for each in working
  ):
    some_failed = len(working) < len(ranked)
    which = "All trials that did not fail" if some_failed else "All trials"
    return Normalize(*intervals.limits(SCORE)), False, f"{which} {_ALL_TIE}"
  means = style.scores(working).mean
  known = means[np.isfinite(means)]
  if not known.size:
    return Normalize(0, 1), False, ""
  least, median, high = np.quantile(known, [0, 0.5, 1])
  low = max(least, median - 2 * (high - median))
  if high - low < 1e-9:
    low, high = high - 0.01, high + 0.01
  return Normalize(low, high), bool(least < low), ""
