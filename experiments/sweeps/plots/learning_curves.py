"""The score against the step: of the best trial, and of the median one."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from experiments.errors import RunFolderError
from experiments.plots import curves
from experiments.run_folder import results
from experiments.run_folder.results import Results
from experiments.sweeps.plan import Plan
from experiments.sweeps.plots import style
from experiments.sweeps.ranking import SCORE, RankedTrial


def learning_curves(plan: Plan, ranked: Sequence[RankedTrial]) -> Figure:
  """Draws the score of the best and of the median trial at each logged step.

  Returns:
    Means over seeds with the bands of their 95 % intervals. With an even number
    of trials the median is the worse one of the two in the middle.

  Raises:
    RunFolderError: if what a trial measured cannot be read.
  """
  chosen = [("best", ranked[0], style.BEST)]
  if len(ranked) > 1:
    chosen.append(("median", ranked[len(ranked) // 2], style.TIE))
  figure, (axes,) = curves.grid(1, 1, (8, 5.4))
  style.title(
    figure,
    plan,
    "score of the best and of the median trial"
    if len(ranked) > 1
    else "score of the only trial",
    "mean and 95 % interval" if len(plan.base.seeds) > 1 else "",
  )
  for label, ranked_trial, color in chosen:
    text = f"{label}: {ranked_trial.trial.name}"
    scores = _read_scores(ranked_trial)
    if np.isnan(scores.metrics[SCORE]).all():
      text += " (metrics of the score not measured)"
    text = style.wrapped(figure, text)
    curves.curve(axes, scores, SCORE, color, text)
  curves.step_axis(axes)
  style.score_axis(axes, "score (0 to 1)")
  style.legend(figure, axes.get_legend_handles_labels()[0], columns=1)
  return figure


def _read_scores(ranked_trial: RankedTrial) -> Results:
  """Reads the results of a trial with the score as their only metric.

  A seed has the score 0 from the step at which it failed, as at the end.
  """
  workdir = ranked_trial.results.workdir
  run = results.read_results(workdir)
  if not len(run.steps):
    raise RunFolderError(f"{workdir} is a damaged run: it has no metrics")
  with results.reading(workdir):
    score = np.array(ranked_trial.trial.run.experiment.score(run), float)
    failures = ranked_trial.results.failures
    failed_at = [failures.get(int(seed), np.inf) for seed in run.seeds]
    failed = np.array(failed_at)[:, None] <= run.steps
    # Where no other seed was measured either, a mean over seeds is unknown.
    measured = np.isfinite(score).any(axis=0) | failed.all(axis=0)
    score[failed & measured & np.isnan(score)] = 0.0
    return run._replace(metrics={SCORE: score})
