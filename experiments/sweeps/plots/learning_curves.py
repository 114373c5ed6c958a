"""The score against the step: of the best trials, and of the median one."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from experiments.errors import RunFolderError
from experiments.plots import comparison, curves
from experiments.run_folder import intervals, results
from experiments.run_folder.intervals import SCORE
from experiments.run_folder.results import Results
from experiments.sweeps import labels, ranking
from experiments.sweeps.plan import Plan
from experiments.sweeps.plots import style
from experiments.sweeps.ranking import RankedTrial

MAX_CURVES = 8


def learning_curves(plan: Plan, ranked: Sequence[RankedTrial]) -> Figure:
  """Draws the score of the best and of the median trial at each logged step.

  Returns:
    Means over seeds with the bands of their intervals. With an even number of
    trials the median is the worse one of the two in the middle. Where samples
    were measured differently, the best trial of each protocol that has scores
    is drawn instead. A trial that failed is called the first, not the best.

  Raises:
    RunFolderError: if what a trial measured cannot be read.
  """
  first = _first(ranked)
  chosen = [(first, ranked[0], style.BEST)]
  subject = "score of the only trial"
  groups = ranking.groups(ranked)
  if len(groups) > 1:
    colors = itertools.cycle(comparison.COLORS)
    chosen = [
      (
        f"{_first(group)} of {labels.protocol_name(index)}",
        group[0],
        next(colors),
      )
      for index, group in enumerate(groups)
      if group[0].rank
    ][:MAX_CURVES]
    which = "first" if ranking.all_failed(ranked) else "best"
    subject = f"score of the {which} trial of each protocol"
  elif len(ranked) == 2:
    chosen.append(("other", ranked[1], style.TIE))
    subject = "score of both trials"
  elif len(ranked) > 2:
    chosen.append(("median", ranked[len(ranked) // 2], style.TIE))
    subject = f"score of the {first} and of the median trial"
  num_seeds = len(plan.base.seeds)
  figure, (axes,) = curves.grid(1, 1, (8, 5.4))
  style.title(
    figure,
    plan,
    ranked,
    subject,
    intervals.band_label(num_seeds) if num_seeds > 1 else "",
  )
  for label, ranked_trial, color in chosen:
    text = f"{label}: {ranked_trial.trial.name}"
    if ranked_trial.has_failed:
      text += " (every seed failed)"
    scores = _read_scores(ranked_trial)
    if np.isnan(scores.metrics[SCORE]).all():
      text += " (metrics of the score not measured)"
    text = style.wrapped(figure, text)
    curves.curve(axes, scores, SCORE, color, text)
  curves.step_axis(axes)
  style.score_axis(axes, "score (0 to 1)")
  style.legend(figure, axes.get_legend_handles_labels()[0], columns=1)
  return figure


def _first(ranked: Sequence[RankedTrial]) -> str:
  """Says what the first trial of a protocol is."""
  return "best" if ranked[0].leads else "first"


def _read_scores(ranked_trial: RankedTrial) -> Results:
  """Reads the results of a trial with the score as their only metric.

  A seed has the score 0 from the step at which it failed, as at the end.
  """
  workdir = ranked_trial.results.workdir
  run = results.read_results(workdir)
  if not len(run.steps):
    raise RunFolderError(f"{workdir} is a damaged run: it has no metrics")
  with results.reading(workdir):
    score = results.count_diverged(
      np.asarray(ranked_trial.trial.run.experiment.score(run), float)
    )
    failures = ranked_trial.results.failures
    failed_at = [failures.get(int(seed), np.inf) for seed in run.seeds]
    failed = np.array(failed_at)[:, None] <= run.steps
    # Where seeds that have not failed were not measured, a mean is unknown.
    score[:, failed.all(axis=0)] = 0.0
    return run._replace(metrics={SCORE: score})
