"""The score against the step: of the best trial, and of a middling one."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves as plots
from experiments.run_folder import results
from experiments.run_folder.results import Results
from experiments.sweeps import labels
from experiments.sweeps.plan import Plan
from experiments.sweeps.plots import canvas
from experiments.sweeps.ranking import SCORE, Place


def curves(plan: Plan, places: Sequence[Place]) -> Figure:
  """Draws how the score of the best and of the median trial came about.

  Args:
    plan: of the sweep.
    places: of its trials, the best first.

  Returns:
    The mean over seeds of each trial's score at every step at which it was
    measured, with the band of its 95 % interval. With an even number of trials
    the median is the worse one of the two in the middle.

  Raises:
    RunFolderError: if what a trial measured cannot be read.
  """
  chosen = {"best": (places[0], canvas.BEST)}
  if len(places) > 1:
    chosen["median"] = (places[len(places) // 2], canvas.TIE)
  figure, (axes,) = plots.grid(1, 1, (8, 5.4))
  canvas.title(
    figure,
    plan,
    "score of the best and of the median trial"
    if len(places) > 1
    else "score of the only trial",
    "mean and 95 % interval" if len(plan.base.seeds) > 1 else labels.ONE_SEED,
  )
  for label, (place, color) in chosen.items():
    scored = _scored(place)
    plots.curve(
      axes,
      scored,
      SCORE,
      color,
      canvas.wrapped(figure, f"{label}: {place.trial.name}"),
    )
  plots.step_axis(axes)
  canvas.score_axis(axes, "score (0 to 1)")
  canvas.legend(figure, axes.get_legend_handles_labels()[0], columns=1)
  return figure


def _scored(place: Place) -> Results:
  """Reads a trial's results, with its score as the only metric."""
  measured = place.measured
  found = results.read(measured.workdir)
  with results.reading(measured.workdir):
    score = np.array(place.trial.run.experiment.score(found), float)
    return found._replace(
      metrics={SCORE: _with_failures(score, found, measured.failures)}
    )


def _with_failures(
  score: np.ndarray, found: Results, failures: dict[int, int]
) -> np.ndarray:
  """Gives seeds the score 0 from where they failed, as at the end.

  Args:
    score: [num_seeds, num_logs]; NaN where a seed had failed, and where samples
      were not measured.
    found: of the same run.
    failures: seed -> the step at which it failed.

  Returns:
    [num_seeds, num_logs].
  """
  failed_at = np.array(
    [failures.get(int(seed), np.inf) for seed in found.seeds]
  )
  failed = failed_at[:, None] <= found.steps
  # Where no other seed was measured either, a mean over seeds is not known.
  measured = np.isfinite(score).any(axis=0) | failed.all(axis=0)
  return np.where(failed & measured & np.isnan(score), 0.0, score)
