"""The score against a setting: that of one axis, or those that are drawn."""

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.sweeps import labels as words
from experiments.sweeps.plan import Plan
from experiments.sweeps.plots import canvas
from experiments.sweeps.ranking import SCORE, Place
from experiments.sweeps.search_space import Axis

MAX_PANELS = 12
_MAX_LABELS = 12
_COLUMNS = 3
_JITTER = 0.12
"""Of trials that share a word, in widths of a word's place."""


def line(plan: Plan, places: Sequence[Place], axis: Axis) -> Figure:
  """Draws the final score against the numbers of one axis.

  Args:
    plan: of the sweep.
    places: of its trials, the best first.
    axis: of at least two numbers.

  Returns:
    The mean with the band of its 95 % interval, and a dot for each seed.
  """
  several = len(plan.base.seeds) > 1
  figure, (axes,) = curves.grid(1, 1, (8, 5.2))
  canvas.title(
    figure,
    plan,
    f"final score against the {words.phrase(axis.name)}",
    "" if several else words.ONE_SEED,
  )
  in_order = sorted(places, key=lambda own: _x(own.trial.values[axis.name]))
  x = np.array([_x(own.trial.values[axis.name]) for own in in_order])
  mean = np.array([own.score["mean"] for own in in_order], float)
  half = np.array([own.score["ci95"] for own in in_order], float)
  handles: list[Artist] = [
    *axes.plot(
      x,
      mean,
      color=canvas.TIE,
      marker="o",
      markersize=4,
      label="mean" if several else "score",
    )
  ]
  if several:
    handles.append(
      axes.fill_between(
        x,
        mean - half,
        mean + half,
        color=canvas.TIE,
        alpha=0.2,
        lw=0,
        label="95 % interval",
      )
    )
    scores = np.stack([own.measured.final[SCORE] for own in in_order])
    handles += axes.plot(
      np.repeat(x, scores.shape[1]),
      scores.ravel(),
      linestyle="",
      marker=".",
      color="black",
      alpha=canvas.DOT_ALPHA,
      label="a seed",
    )
  best = places[0]
  handles += axes.plot(
    [_x(best.trial.values[axis.name])],
    [np.nan if best.has_failed else best.score["mean"]],
    **_STAR,
  )
  canvas.score_axis(axes, canvas.SCORE_LABEL)
  labels = [
    words.texts(plan.base.settings, own.trial.values)[axis.name]
    for own in in_order
  ]
  canvas.number_axis(
    axes, axis.name, list(x), labels if len(x) <= _MAX_LABELS else ()
  )
  canvas.legend(figure, handles)
  return figure


def drawn(plan: Plan, places: Sequence[Place], names: Sequence[str]) -> Figure:
  """Draws the mean final score of each trial against each of its settings.

  Args:
    plan: of the sweep.
    places: of its trials, the best first.
    names: of settings that vary, those that were drawn first.

  Returns:
    A panel for each setting, at most 12, with its trials and their intervals.
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
  several = len(plan.base.seeds) > 1
  canvas.title(
    figure,
    plan,
    "mean final score against each setting that varies"
    + (", with 95 % intervals" if several else ""),
    "" if several else words.ONE_SEED,
  )
  handles: list[Artist] = []
  for axes, name in zip(panels, names, strict=True):
    handles = _scatter(axes, plan, places, name)
  canvas.score_axis(panels[0], canvas.MEAN_LABEL)
  for axes in panels[::columns]:
    axes.set_ylabel(canvas.MEAN_LABEL)
  canvas.legend(figure, handles)
  return figure


_STAR = {
  "linestyle": "",
  "marker": "*",
  "markersize": 14,
  "color": canvas.BEST,
  "label": "best",
  "zorder": 4,
}


def _scatter(
  axes: Axes, plan: Plan, places: Sequence[Place], name: str
) -> list[Artist]:
  """Draws trials against one setting, and returns what the legend explains."""
  values = [own.trial.values[name] for own in places]
  numbers = [words.number(value) for value in values]
  numeric = None not in numbers
  if numeric:
    x = np.array(numbers, float)
    canvas.number_axis(axes, name, list(x))
  else:
    texts = [
      words.texts(plan.base.settings, {name: value})[name] for value in values
    ]
    kinds = sorted(set(texts))
    jitter = np.random.default_rng(0).uniform(-_JITTER, _JITTER, len(texts))
    x = np.array([kinds.index(text) for text in texts]) + jitter
    axes.set_xticks(range(len(kinds)), kinds)
    axes.set_xlim(-0.6, len(kinds) - 0.4)
    axes.set_xlabel(words.phrase(name))
    if len(kinds) > 3:
      axes.tick_params(axis="x", labelrotation=25)
  mean = np.array([own.score["mean"] for own in places], float)
  half = np.array([own.score["ci95"] for own in places], float)
  tied = np.array([own.leads for own in places])
  handles: list[Artist] = []
  for chosen, color, label in (
    (~tied, canvas.OTHER, "other trials"),
    (tied, canvas.TIE, "tie with the best"),
  ):
    chosen = chosen & (np.arange(len(places)) > 0)
    if chosen.any():
      axes.errorbar(
        x[chosen],
        mean[chosen],
        np.nan_to_num(half[chosen]),
        linestyle="",
        color=color,
        alpha=0.4,
        linewidth=1,
      )
      handles += axes.plot(
        x[chosen],
        mean[chosen],
        linestyle="",
        marker="o",
        markersize=4.5,
        color=color,
        label=label,
      )
  axes.errorbar(
    x[:1], mean[:1], np.nan_to_num(half[:1]), color=canvas.BEST, linewidth=1.2
  )
  return [*handles, *axes.plot(x[:1], mean[:1], **_STAR)]


def _x(value: object) -> float:
  """Returns where a number stands on a numeric axis."""
  number = words.number(value)
  assert number is not None
  return number
