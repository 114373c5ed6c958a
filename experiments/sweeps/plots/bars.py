"""Trials in the order of their scores, as bars."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments.plots import curves
from experiments.run_folder import intervals
from experiments.sweeps import labels
from experiments.sweeps.plan import Plan
from experiments.sweeps.plots import style
from experiments.sweeps.ranking import RankedTrial
from experiments.sweeps.search_space import format_values

MAX_BARS = 30
_MAX_CHARACTERS = 60
"""The longest label of a bar."""
_MAX_SEED_DOTS = 20
"""With more seeds than this, single seeds are not drawn."""


def bars(plan: Plan, ranked: Sequence[RankedTrial]) -> Figure:
  """Draws the mean final scores of the best trials.

  Returns:
    A bar for each of the first 30, with its interval and a dot for each seed.
    The best and those that tie with it have one colour.
  """
  shown = ranked[:MAX_BARS]
  num_seeds = len(plan.base.seeds)
  several = num_seeds > 1
  all_values = [each.trial.values for each in ranked]
  varied = [
    name
    for name, value in all_values[0].items()
    if any(values[name] != value for values in all_values)
  ]
  figure, (axes,) = curves.grid(1, 1, (9, 1.9 + 0.28 * max(len(shown), 2)))
  subject = "trials by mean final score"
  if len(shown) < len(ranked):
    subject = f"the best {len(shown)} of {len(ranked):,} {subject}"
  if several:
    subject += f", {intervals.band_label(num_seeds)}"
  note = f"labels: {' · '.join(map(labels.phrase, varied))}" if varied else ""
  style.title(figure, plan, ranked, subject, note)
  y = np.arange(len(shown))
  scores = style.scores(shown)
  mean = np.nan_to_num(scores.mean)
  colors = [style.TIE if each.is_best else style.OTHER for each in shown]
  axes.barh(y, mean, height=0.72, color=colors)
  if several:
    axes.errorbar(
      mean,
      y,
      xerr=np.nan_to_num(scores.lengths),
      linestyle="",
      color="black",
      linewidth=1.2,
      capsize=2.5,
    )
  if 1 < num_seeds <= _MAX_SEED_DOTS:
    dots = style.seed_scores(shown)
    axes.plot(dots.ravel(), np.repeat(y, num_seeds), **style.SEED_DOTS)
  axes.set_yticks(y, [_label(plan, each, varied) for each in shown])
  axes.set_ylim(len(shown) - 0.4, -0.6)
  axes.set_xlabel(style.MEAN_LABEL)
  axes.set_xlim(0, min(max(axes.get_xlim()[1], 0.05), 1.04))
  axes.grid(False, axis="y")
  for height, each in enumerate(shown):
    axes.annotate(
      f"{style.score_text(each)}, {each.num_failed} failed"
      if each.num_failed
      else style.score_text(each),
      (1.01, height),
      xycoords=("axes fraction", "data"),
      va="center",
      fontsize=8,
    )
  if several:
    handles = [Patch(color=style.TIE, label="best, and ties with it")]
    if style.OTHER in colors:
      handles.append(Patch(color=style.OTHER, label="other"))
    style.legend(figure, handles)
  return figure


def _label(plan: Plan, ranked_trial: RankedTrial, varied: Sequence[str]) -> str:
  """Writes the values of a trial in short."""
  values = format_values(plan.base.settings, ranked_trial.trial.values)
  text = " · ".join(values[name] for name in varied or values)
  if len(text) > _MAX_CHARACTERS:
    text = f"{text[: _MAX_CHARACTERS - 1]}…"
  return text
