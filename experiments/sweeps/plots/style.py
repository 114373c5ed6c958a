"""Colours, titles and legends of the figures of a sweep."""

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.configs import choices
from experiments.plots import curves
from experiments.run_folder import intervals, results
from experiments.run_folder.intervals import SCORE
from experiments.sweeps import labels
from experiments.sweeps.plan import Plan
from experiments.sweeps.ranking import RankedTrial
from experiments.sweeps.search_space import EXPERIMENT, format_value

BEST, TIE, OTHER = curves.GENERATED, curves.DISCRIMINATOR, "#9A9A9A"
"""The best trial, those that tie with it, and the rest."""

FAILED = "#6E6E6E"
"""A trial of which every seed failed."""

MEAN_LABEL = "mean final score (0 to 1)"
SEED_DOTS: dict[str, Any] = {
  "linestyle": "",
  "marker": ".",
  "color": "black",
  "alpha": 0.35,
}
"""How the scores of single seeds are drawn."""
_CHARACTERS_PER_INCH = 13
"""The least that fit into an inch of a title or a legend."""


def title(
  figure: Figure,
  plan: Plan,
  ranked: Sequence[RankedTrial],
  subject: str,
  note: str = "",
) -> None:
  """Writes above all panels what they show, and of which sweep."""
  _, settings, seeds = plan.base
  facts = [
    labels.counted(len(plan.trials), "trial"),
    labels.counted(len(seeds), "seed"),
  ]
  varied = {*plan.drawn, *(axis.name for axis in plan.axes)}
  facts += [
    f"{name}={getattr(settings, name)}"
    for name in ("loss", "generator_objective", "update")
    if name not in varied
    and EXPERIMENT not in varied
    # The standard objective is what the loss says.
    and getattr(settings, name) != choices.STANDARD
  ]
  # All trials have the value of an axis that has only one.
  facts += [
    f"{name}={format_value(settings, name, values[0])}"
    for name, values in plan.axes
    if len(values) == 1
  ]
  lines = [f"{plan.title()}: {subject}", " · ".join(facts), note]
  lines.append(labels.protocol_note(ranked))
  if len(seeds) == 1:
    lines.append(labels.ONE_SEED)
  figure.suptitle(
    "\n".join(wrapped(figure, line) for line in lines if line),
    x=0.01,
    ha="left",
    fontsize=11,
  )


def wrapped(figure: Figure, text: str) -> str:
  """Breaks a text that is wider than a figure into lines."""
  width = int(_CHARACTERS_PER_INCH * figure.get_figwidth())
  return textwrap.fill(text, width)


def legend(figure: Figure, handles: Sequence[Artist], columns: int = 0) -> None:
  """Adds a legend of labelled artists below all panels, by default one row."""
  if handles:
    figure.legend(
      handles=handles,
      loc="outside lower center",
      ncols=columns or len(handles),
      frameon=False,
      fontsize=9,
    )


def score_axis(axes: Axes, label: str) -> None:
  """Labels a vertical axis of scores, and keeps it near their range."""
  axes.set_ylabel(label)
  low, high = axes.get_ylim()
  axes.set_ylim(max(low, -0.04), min(high, 1.04))


class Scores(NamedTuple):
  """Mean final scores of trials and the ends of their intervals, [num_trials].

  NaN where there is none.
  """

  mean: np.ndarray
  low: np.ndarray
  high: np.ndarray

  @property
  def lengths(self) -> np.ndarray:
    """Lengths of error bars below and above the means, [2, num_trials]."""
    return np.stack([self.mean - self.low, self.high - self.mean])


def scores(ranked: Sequence[RankedTrial]) -> Scores:
  """Returns the mean final scores of trials."""
  mean = np.array([each.score.mean for each in ranked], float)
  ends = [intervals.ends(each.results.final[SCORE], SCORE) for each in ranked]
  return Scores(mean, *np.array(ends).reshape(-1, 2).T)


def kind(ranked_trial: RankedTrial) -> str:
  """Says in a legend what a trial is."""
  if ranked_trial.has_failed:
    return "failed"
  if ranked_trial.leads:
    return "best"
  return "tie with the best" if ranked_trial.is_best else "other trials"


def score_text(ranked_trial: RankedTrial) -> str:
  """Writes the mean final score of a trial with its interval."""
  entry = results.seed_summary(ranked_trial.results.final[SCORE])
  return intervals.text(entry, SCORE, ".3f", ".3f")


def seed_scores(ranked: Sequence[RankedTrial]) -> np.ndarray:
  """Returns the final scores, [num_trials, num_seeds]."""
  return np.stack([each.results.final[SCORE] for each in ranked])
