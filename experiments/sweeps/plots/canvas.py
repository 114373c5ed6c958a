"""What the figures of a sweep share: titles, colours, labels and legends."""

import itertools
import textwrap
from collections.abc import Sequence

from matplotlib import ticker
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.sweeps import labels as words
from experiments.sweeps.plan import Plan

BEST = curves.GENERATED
TIE = curves.DISCRIMINATOR
OTHER = "#9A9A9A"
"""The best trial, those that cannot be told from it, and the rest."""

SCORE_LABEL = "final score (0 to 1)"
MEAN_LABEL = "mean final score (0 to 1)"
DOT_ALPHA = 0.35
_CHARACTERS = 13
"""That an inch of a title or of a legend takes, at the least."""
_APART = 0.08
"""Share of an axis that the labels of two of its values need."""


def title(figure: Figure, plan: Plan, subject: str, note: str = "") -> None:
  """Writes above all panels what they show, and of which sweep.

  Args:
    figure: where.
    plan: of the sweep.
    subject: what is drawn.
    note: more to say, which stands below.
  """
  experiment, settings, seeds = plan.base
  told = [
    words.counted(len(plan.trials), "trial"),
    words.counted(len(seeds), "seed"),
  ]
  varied = {*plan.drawn, *(axis.name for axis in plan.axes)}
  told += [
    f"{name}={getattr(settings, name)}"
    for name in ("loss", "update")
    if name not in varied
  ]
  # An axis of one value varies nothing, and is the same of all trials.
  for name, values in plan.axes:
    if len(values) == 1:
      told += [
        f"{own}={text}"
        for own, text in words.texts(settings, {name: values[0]}).items()
      ]
  lines = [f"{experiment.name}: {subject}", " · ".join(told), note]
  figure.suptitle(
    "\n".join(wrapped(figure, line) for line in lines if line),
    x=0.01,
    ha="left",
    fontsize=11,
  )


def wrapped(figure: Figure, text: str) -> str:
  """Breaks a text that is wider than a figure into lines."""
  return textwrap.fill(text, int(_CHARACTERS * figure.get_figwidth()))


def legend(
  figure: Figure, handles: Sequence[Artist], columns: int | None = None
) -> None:
  """Adds a legend below all panels.

  Args:
    figure: where.
    handles: that are labelled; none for no legend.
    columns: of the legend; None for all in one row.
  """
  if handles:
    figure.legend(
      handles=handles,
      loc="outside lower center",
      ncols=columns or len(handles),
      frameon=False,
      fontsize=9,
    )


def number_axis(
  axes: Axes, name: str, values: Sequence[float], labels: Sequence[str] = ()
) -> None:
  """Makes a horizontal axis of a setting's numbers.

  It is logarithmic where that tells them better apart.

  Args:
    axes: where.
    name: of the setting.
    values: that are drawn, at least two of them distinct.
    labels: of each value, where they shall be the ticks; only where they do not
      overlap.
  """
  axes.set_xlabel(words.phrase(name))
  low, high = min(values), max(values)
  logarithmic = words.is_logarithmic(values)
  if logarithmic:
    axes.set_xscale("log")
    pad = (high / low) ** 0.05
    axes.set_xlim(low / pad, high * pad)
  else:
    pad = 0.05 * (high - low)
    axes.set_xlim(low - pad, high + pad)
  if not labels:
    return
  places = sorted(
    axes.transAxes.inverted().transform(
      axes.transData.transform([(value, 0) for value in values])
    )[:, 0]
  )
  if all(b - a >= _APART for a, b in itertools.pairwise(places)):
    axes.xaxis.set_major_locator(ticker.FixedLocator(list(values)))
    axes.xaxis.set_major_formatter(ticker.FixedFormatter(list(labels)))
    axes.xaxis.set_minor_locator(ticker.NullLocator())


def score_axis(axes: Axes, label: str) -> None:
  """Labels a vertical axis of scores, and keeps it within what they can be."""
  axes.set_ylabel(label)
  low, high = axes.get_ylim()
  # The interval is symmetric, and may reach beyond what a score can be.
  axes.set_ylim(max(low, -0.04), min(high, 1.04))
