"""Trials in the order of their scores, as bars."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments.plots import curves
from experiments.run_folder import intervals
from experiments.sweeps import labels, ranking
from experiments.sweeps.plan import Plan
from experiments.sweeps.plots import style
from experiments.sweeps.ranking import RankedTrial
from experiments.sweeps.search_space import format_values

MAX_BARS = 30
_MAX_CHARACTERS = 60
"""The longest label of a bar."""
_GAP = 0.7
"""Distance between the bars of two protocols, in bars."""
_MAX_SEED_DOTS = 20
"""With more seeds than this, single seeds are not drawn."""


def bars(plan: Plan, ranked: Sequence[RankedTrial]) -> Figure:
  """Draws the mean final scores of the best trials.

  Returns:
    A bar for each of the first 30, with its interval and a dot for each seed.
    The best and those that tie with it have one colour. Protocols are apart,
    each with as many bars, whose labels begin with the protocol's letter.
  """
  shown = ranking.shown(ranked, MAX_BARS)
  protocols = np.array([each.protocol for each in shown])
  num_seeds = len(plan.base.seeds)
  several = num_seeds > 1
  all_values = [each.trial.values for each in ranked]
  varied = [
    name
    for name, value in all_values[0].items()
    if any(values[name] != value for values in all_values)
  ]
  y = np.arange(len(shown)) + _GAP * protocols
  figure, (axes,) = curves.grid(1, 1, (9, 1.9 + 0.28 * max(y[-1] + 1, 2)))
  subject = "trials by mean final score"
  if len(shown) < len(ranked):
    subject = f"the best {len(shown)} of {len(ranked):,} {subject}"
  if several:
    subject += f", {intervals.band_label(num_seeds)}"
  names = [labels.phrase(name) for name in varied]
  if protocols.any():
    names.insert(0, "protocol")
  note = f"labels: {' · '.join(names)}" if names else ""
  style.title(figure, plan, ranked, subject, note)
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
  texts = [_label(plan, each, varied) for each in shown]
  if protocols.any():
    texts = [
      f"{labels.protocol_name(each.protocol)} · {text}"
      for each, text in zip(shown, texts, strict=True)
    ]
    for above, below in itertools.pairwise(y):
      if below - above > 1:
        axes.axhline((above + below) / 2, color=curves.FRAME, linewidth=0.8)
  axes.set_yticks(y, texts)
  axes.set_ylim(y[-1] + 0.6, -0.6)
  axes.set_xlabel(style.MEAN_LABEL)
  axes.set_xlim(0, min(max(axes.get_xlim()[1], 0.05), 1.04))
  axes.grid(False, axis="y")
  for height, each in zip(y, shown, strict=True):
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
    kinds = {style.TIE: "best, and ties with it", style.OTHER: "other"}
    style.legend(
      figure,
      [
        Patch(color=color, label=label)
        for color, label in kinds.items()
        if color in colors
      ],
    )
  return figure


def _label(plan: Plan, ranked_trial: RankedTrial, varied: Sequence[str]) -> str:
  """Writes the values of a trial in short."""
  values = format_values(plan.base.settings, ranked_trial.trial.values)
  text = " · ".join(values[name] for name in varied or values)
  if len(text) > _MAX_CHARACTERS:
    text = f"{text[: _MAX_CHARACTERS - 1]}…"
  return text
