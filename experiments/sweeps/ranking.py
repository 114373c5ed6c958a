"""What the trials of a sweep measured, in the order of their final scores."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.run_folder import results
from experiments.run_folder.results import RunFolderError
from experiments.sweeps.plan import Plan, Trial
from gan_jax import statistics
from gan_jax.statistics import Difference

SCORE = "score"
"""Stands among the metrics, before them."""


class Measured(NamedTuple):
  """What a finished trial measured.

  Attributes:
    trial: of the plan.
    workdir: its run folder.
    final: score and metrics at the end by name, each [num_seeds]; NaN where a
      seed has none.
    best: the same at each seed's best score.
    failures: seed -> the step at which it failed.
    wall_seconds: from its beginning to its end.
    environment: `device`, `versions` and `git_commit`.
    protocol: how the metrics were measured.
  """

  trial: Trial
  workdir: Path
  final: dict[str, np.ndarray]
  best: dict[str, np.ndarray]
  failures: dict[int, int]
  wall_seconds: float
  environment: dict[str, Any]
  protocol: dict[str, Any]


class Place(NamedTuple):
  """A trial and where it stands.

  Attributes:
    rank: 1 for the best; trials of the same mean share one.
    measured: by the trial.
    score: the final one, as `results.seed_summary` summarises it.
    difference: of its mean final score from the best trial's, which is at most
      0; None for the best trial itself, the first of equals.
  """

  rank: int
  measured: Measured
  score: dict[str, Any]
  difference: Difference | None

  @property
  def trial(self) -> Trial:
    """The trial."""
    return self.measured.trial

  @property
  def has_failed(self) -> bool:
    """Whether all of its seeds failed."""
    return len(self.measured.failures) == len(self.trial.run.seeds)

  @property
  def leads(self) -> bool:
    """Whether it is the best, or cannot be told from it."""
    return self.difference is None or self.difference.tie is True


def read(plan: Plan, folder: Path) -> list[Measured]:
  """Reads what all trials of a sweep measured.

  Args:
    plan: of the sweep.
    folder: of the sweep, in which all trials have finished.

  Returns:
    What each trial measured, in the order of the plan.

  Raises:
    RunFolderError: if a trial's folder is not whole, or is another run's.
  """
  measured = []
  for index, trial in enumerate(plan.trials):
    try:
      measured.append(_read(trial, plan.workdir(folder, index)))
    except RunFolderError as error:
      raise RunFolderError(
        f"{error}; move that folder away, and the sweep trains its trial again"
      ) from error
  return measured


def _read(trial: Trial, workdir: Path) -> Measured:
  """Reads what a trial measured."""
  summary = results.read_json(workdir / results.SUMMARY)
  described = results.read_json(workdir / results.SETTINGS)
  with results.reading(workdir):
    values = json.loads(json.dumps(trial.values))
    found = {name: summary["settings"][name] for name in values}
    if (
      summary["experiment"] != trial.run.experiment.name
      or summary["seeds"] != list(trial.run.seeds)
      or found != values
    ):
      raise RunFolderError(f"{workdir} has another run than its sweep planned")
    planned, taken = trial.run.settings.steps, summary["settings"]["steps"]
    if taken != planned:
      raise RunFolderError(
        f"{workdir} has been trained for {taken:,} steps since, not the "
        f"{planned:,} of its sweep"
      )
    entries = {SCORE: summary["score"], **summary["metrics"]}
    final, best = (
      {
        name: _per_seed(workdir, name, entry[which], len(trial.run.seeds))
        for name, entry in entries.items()
      }
      for which in ("final", "best")
    )
    return Measured(
      trial,
      workdir,
      final,
      best,
      {int(own["seed"]): int(own["step"]) for own in summary["failures"]},
      float(summary["wall_seconds"]),
      {
        "device": str(summary["device"]),
        "versions": dict(summary["versions"]),
        "git_commit": described.get("git_commit"),
      },
      dict(summary.get("protocol", {})),
    )


def _per_seed(
  workdir: Path, name: str, entry: dict[str, Any], num_seeds: int
) -> np.ndarray:
  """Reads a number for each seed."""
  # None turns into NaN.
  values = np.asarray(entry["per_seed"], float)
  if values.shape != (num_seeds,):
    raise RunFolderError(
      f"{workdir} is a damaged run: {name} of {values.size} seeds, not of "
      f"{num_seeds}"
    )
  return values


def ranked(measured: Sequence[Measured]) -> list[Place]:
  """Orders trials by the mean over seeds of their final scores.

  Args:
    measured: by each trial, at least one.

  Returns:
    Their places, the best first; equals stand in the order given, and trials
    without any score at the end.
  """
  scored = [(own, results.seed_summary(own.final[SCORE])) for own in measured]

  def height(score: dict[str, Any]) -> float:
    return -np.inf if score["mean"] is None else score["mean"]

  scored.sort(key=lambda own: -height(own[1]))
  best = scored[0][0]
  places: list[Place] = []
  for index, (own, score) in enumerate(scored):
    equal = index and height(score) == height(places[-1].score)
    difference = None
    if index:
      difference = statistics.welch_difference(
        own.final[SCORE], best.final[SCORE]
      )
      if len(own.failures) == len(own.trial.run.seeds):
        # However wide the interval is: it learnt nothing.
        difference = difference._replace(tie=False)
    places.append(
      Place(
        places[-1].rank if equal else index + 1,
        own,
        score,
        difference,
      )
    )
  return places


def all_failed(places: Sequence[Place]) -> bool:
  """Tells whether every seed of every trial failed."""
  return all(place.has_failed for place in places)
