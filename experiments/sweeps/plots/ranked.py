"""Trials in the order of their scores, as bars."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments.plots import curves
from experiments.sweeps import labels
from experiments.sweeps.plan import Plan
from experiments.sweeps.plots import canvas
from experiments.sweeps.ranking import SCORE, Place

MAX_BARS = 30
_MAX_CHARACTERS = 60
"""Of a bar's label."""
_MAX_DOTS = 20
"""Seeds that are drawn one by one."""


def bars(plan: Plan, places: Sequence[Place]) -> Figure:
  """Draws the mean final scores of the best trials.

  Args:
    plan: of the sweep.
    places: of its trials, the best first.

  Returns:
    A bar for each of the first 30, with its 95 % interval and a dot for each
    seed. The best and those that tie with it have one colour.
  """
  shown = places[:MAX_BARS]
  several = len(plan.base.seeds) > 1
  names = _varied(places)
  figure, (axes,) = curves.grid(1, 1, (9, 1.9 + 0.28 * max(len(shown), 2)))
  subject = (
    f"the best {len(shown)} of {len(places):,} trials"
    if len(shown) < len(places)
    else "trials"
  )
  note = f"labels: {' · '.join(map(labels.phrase, names))}" if names else ""
  canvas.title(
    figure,
    plan,
    f"{subject} by mean final score"
    + (", with 95 % intervals" if several else f"; {labels.ONE_SEED}"),
    note,
  )
  y = np.arange(len(shown))
  mean = np.nan_to_num(np.array([own.score["mean"] for own in shown], float))
  half = np.array([own.score["ci95"] for own in shown], float)
  axes.barh(
    y,
    mean,
    height=0.72,
    color=[canvas.TIE if own.leads else canvas.OTHER for own in shown],
  )
  if several:
    axes.errorbar(
      mean,
      y,
      xerr=np.nan_to_num(half),
      linestyle="",
      color="black",
      linewidth=1.2,
      capsize=2.5,
    )
  if 1 < len(plan.base.seeds) <= _MAX_DOTS:
    scores = np.stack([own.measured.final[SCORE] for own in shown])
    axes.plot(
      scores.ravel(),
      np.repeat(y, scores.shape[1]),
      linestyle="",
      marker=".",
      color="black",
      alpha=canvas.DOT_ALPHA,
    )
  axes.set_yticks(y, [_label(plan, own, names) for own in shown])
  axes.set_ylim(len(shown) - 0.4, -0.6)
  axes.set_xlabel(canvas.MEAN_LABEL)
  axes.set_xlim(0, min(max(axes.get_xlim()[1], 0.05), 1.04))
  axes.grid(False, axis="y")
  for place, height in zip(shown, y, strict=True):
    lost = len(place.measured.failures)
    axes.annotate(
      _value(place) + (f", {lost} failed" if lost else ""),
      (1.01, float(height)),
      xycoords=("axes fraction", "data"),
      va="center",
      fontsize=8,
    )
  if several:
    canvas.legend(
      figure,
      [
        Patch(color=color, label=label)
        for color, label, there in (
          (canvas.TIE, "best, and ties with it", True),
          (canvas.OTHER, "other", not all(own.leads for own in shown)),
        )
        if there
      ],
    )
  return figure


def _varied(places: Sequence[Place]) -> list[str]:
  """Lists the settings in which trials differ."""
  first = places[0].trial.values
  return [
    name
    for name in first
    if any(own.trial.values[name] != first[name] for own in places)
  ]


def _label(plan: Plan, place: Place, names: Sequence[str]) -> str:
  """Writes the values of a trial in short."""
  values = labels.texts(plan.base.settings, place.trial.values)
  text = " · ".join(values[name] for name in names or values)
  if len(text) > _MAX_CHARACTERS:
    text = f"{text[: _MAX_CHARACTERS - 1]}…"
  return text


def _value(place: Place) -> str:
  if place.score["mean"] is None:
    return "no score"
  interval = place.score["ci95"]
  return f"{place.score['mean']:.3f}" + (
    "" if interval is None else f" ± {interval:.3f}"
  )
