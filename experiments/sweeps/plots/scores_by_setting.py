"""The final score against numeric settings: one axis, or settings drawn."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import ticker
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.run_folder import intervals
from experiments.sweeps import labels
from experiments.sweeps.plan import Plan
from experiments.sweeps.plots import style
from experiments.sweeps.ranking import RankedTrial
from experiments.sweeps.search_space import Axis, format_value

MAX_PANELS = 12
_MAX_TICKS = 12
_MIN_TICK_DISTANCE = 0.08
"""Share of an axis between two ticks, so that their labels do not overlap."""
_COLUMNS = 3
_LEGEND_COLUMNS = 4
_JITTER = 0.12
"""Spread of trials with the same choice, where choices are 1 apart."""
_MARKERS: dict[str, dict[str, Any]] = {
  "other trials": {"marker": "o", "markersize": 4.5, "color": style.OTHER},
  "tie with the best": {"marker": "o", "markersize": 4.5, "color": style.TIE},
  "failed": {"marker": "x", "markersize": 7, "color": style.FAILED},
  "best": {"marker": "*", "markersize": 14, "color": style.BEST, "zorder": 4},
}
"""How trials are marked, by what they are; later ones on top."""


def line(plan: Plan, ranked: Sequence[RankedTrial], axis: Axis) -> Figure:
  """Draws the final score against an axis of at least two numbers.

  Returns:
    The mean with the band of its interval, and a dot for each seed. Trials that
    failed have a cross, and are not on the line.
  """
  several = len(plan.base.seeds) > 1
  figure, (axes,) = curves.grid(1, 1, (8, 5.2))
  style.title(
    figure, plan, ranked, f"final score against the {labels.phrase(axis.name)}"
  )
  values = [each.trial.values[axis.name] for each in ranked]
  x = np.array([as_number(value) for value in values], float)
  order = np.argsort(x, kind="stable")
  x, in_order = x[order], [ranked[index] for index in order]
  has_failed = np.array([each.has_failed for each in in_order])
  mean, low, high = np.where(has_failed, np.nan, style.scores(in_order))
  handles: list[Artist] = []
  if not has_failed.all():
    mean_label = "mean" if several else "score"
    handles += axes.plot(x, mean, color=style.OTHER, label=mean_label)
  if handles and several:
    band = axes.fill_between(x, low, high, color=style.OTHER, alpha=0.25, lw=0)
    band.set_label("range" if len(plan.base.seeds) == 2 else "95 % interval")
    scores = style.seed_scores(in_order)
    scores[has_failed] = np.nan
    dots = axes.plot(
      np.repeat(x, scores.shape[1]),
      scores.ravel(),
      label="a seed",
      **style.SEED_DOTS,
    )
    handles += [band, *dots]
  handles += _mark(axes, in_order, x)
  style.score_axis(axes, "final score (0 to 1)")
  _number_axis(axes, axis.name, list(x))
  if len(x) <= _MAX_TICKS:
    texts = [
      format_value(plan.base.settings, axis.name, values[index])
      for index in order
    ]
    _tick_values(axes, x, texts)
  style.legend(figure, handles, min(len(handles), _LEGEND_COLUMNS))
  return figure


def scatter(
  plan: Plan, ranked: Sequence[RankedTrial], names: Sequence[str]
) -> Figure:
  """Draws the mean final score of each trial against each varied setting.

  Args:
    plan: of the sweep.
    ranked: its trials, the best first.
    names: settings that vary, those that were drawn first.

  Returns:
    A panel for each setting, at most 12, with the trials and their intervals.
  """
  names = names[:MAX_PANELS]
  columns = min(_COLUMNS, len(names))
  rows = -(-len(names) // columns)
  figure, panels = curves.grid(
    len(names),
    columns,
    (max(4.2 * columns + 0.6, 6.5), 3.3 * rows + 1.4),
    sharey=True,
  )
  subject = "mean final score against each setting that varies"
  if len(plan.base.seeds) > 1:
    subject += f", {intervals.band_label(len(plan.base.seeds))}"
  style.title(figure, plan, ranked, subject)
  for axes, name in zip(panels, names, strict=True):
    x = _horizontal(axes, plan, name, [e.trial.values[name] for e in ranked])
    _mark(axes, ranked, x, np.nan_to_num(style.scores(ranked).lengths))
  for axes in panels[::columns]:
    style.score_axis(axes, style.MEAN_LABEL)
  return curves.legend(figure)


def _horizontal(
  axes: Axes, plan: Plan, name: str, values: Sequence[Any]
) -> np.ndarray:
  """Makes the horizontal axis of a setting, and returns where values are."""
  numbers = [as_number(value) for value in values]
  if None not in numbers:
    x = np.array(numbers, float)
    _number_axis(axes, name, list(x))
    return x
  texts = [format_value(plan.base.settings, name, value) for value in values]
  choices = sorted(set(texts))
  axes.set_xticks(range(len(choices)), choices)
  axes.set_xlim(-0.6, len(choices) - 0.4)
  axes.set_xlabel(labels.phrase(name))
  if len(choices) > 3:
    axes.tick_params(axis="x", labelrotation=25)
  jitter = np.random.default_rng(0).uniform(-_JITTER, _JITTER, len(texts))
  return np.array([choices.index(text) for text in texts]) + jitter


def _mark(
  axes: Axes,
  ranked: Sequence[RankedTrial],
  x: np.ndarray,
  lengths: np.ndarray | None = None,
) -> list[Artist]:
  """Marks trials by what they are, and returns an artist of each kind.

  Args:
    axes: to draw in.
    ranked: trials.
    x: where they are, [num_trials].
    lengths: of their error bars, [2, num_trials], if they have any.
  """
  artists: list[Artist] = []
  mean = style.scores(ranked).mean
  kinds = np.array([style.kind(each) for each in ranked])
  for kind, marker in _MARKERS.items():
    chosen = (kinds == kind) & np.isfinite(mean)
    if not chosen.any():
      continue
    if lengths is not None:
      axes.errorbar(
        x[chosen],
        mean[chosen],
        lengths[:, chosen],
        linestyle="",
        color=marker["color"],
        alpha=1.0 if kind == "best" else 0.4,
        linewidth=1.2 if kind == "best" else 1.0,
      )
    artists += axes.plot(
      x[chosen], mean[chosen], linestyle="", label=kind, **marker
    )
  return artists


def _number_axis(axes: Axes, name: str, values: Sequence[float]) -> None:
  """Makes a horizontal axis of a setting's numbers, two of them distinct."""
  axes.set_xlabel(labels.phrase(name))
  low, high = min(values), max(values)
  if is_logarithmic(values):
    axes.set_xscale("log")
    pad = (high / low) ** 0.05
    axes.set_xlim(low / pad, high * pad)
  else:
    pad = 0.05 * (high - low)
    axes.set_xlim(low - pad, high + pad)


def _tick_values(axes: Axes, x: np.ndarray, texts: Sequence[str]) -> None:
  """Puts ticks at increasing values, unless their labels would overlap."""
  points = np.column_stack([x, np.zeros_like(x)])
  shares = axes.transAxes.inverted().transform(axes.transData.transform(points))
  if np.diff(shares[:, 0]).min() >= _MIN_TICK_DISTANCE:
    axes.xaxis.set_major_locator(ticker.FixedLocator(list(x)))
    axes.xaxis.set_major_formatter(ticker.FixedFormatter(list(texts)))
    axes.xaxis.set_minor_locator(ticker.NullLocator())


def as_number(value: Any) -> float | None:
  """Returns a setting's value, or tuple of one value, if it is a number."""
  if isinstance(value, tuple) and len(value) == 1:
    (value,) = value
  if isinstance(value, int | float) and not isinstance(value, bool):
    return float(value)
  return None


def is_logarithmic(values: Sequence[float]) -> bool:
  """Tells whether a logarithmic axis separates numbers better.

  It does where all are positive, the greatest is more than ten times the least,
  and their median is nearer to the middle of the logarithms than to that of the
  numbers: 1, 10, 100 but not 1, 2, ..., 20.
  """
  low, high = min(values), max(values)
  if low <= 0 or high <= 10 * low:
    return False
  distinct = sorted(set(values))
  if len(distinct) == 2:
    return True
  middle = float(np.median(distinct))
  linear = (middle - low) / (high - low)
  logarithmic = math.log(middle / low) / math.log(high / low)
  return abs(logarithmic - 0.5) < abs(linear - 0.5)
