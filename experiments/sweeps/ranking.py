"""Results of the trials of a sweep, ranked by their final scores.

Trials whose samples were measured differently, for example on other data, are
ranked apart, each protocol with its best trial.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.errors import RunFolderError
from experiments.reports import protocols
from experiments.run_folder import intervals, results
from experiments.run_folder.intervals import SCORE
from experiments.sweeps.plan import Plan, Trial
from experiments.sweeps.search_space import EXPERIMENT
from gan_jax.statistics import (
  Difference,
  Mean,
  mean_and_interval,
  welch_difference,
)

METHOD = (
  "Welch's t, Bonferroni over all pairs of comparable trials that did not fail"
)
"""How trials are compared with the best.

The best is chosen after looking at all scores. Intervals that hold for all
pairs of trials at once hold for the pairs with the best, whichever it is. Each
pair has its variances, because settings change the spread over seeds, too. The
studentized range is narrower and not valid for few seeds with skewed scores: of
50 equal trials of 4 seeds Games and Howell's method finds a difference in 21 %
of sweeps, and of 200 Dunnett's C in 16 %. These intervals do in 2 %.
"""


class TrialResults(NamedTuple):
  """What a finished trial measured.

  Attributes:
    trial: of the plan.
    workdir: its run folder.
    final: score and metrics at the end by name, each [num_seeds]; NaN where a
      seed has none. Nothing has a score if the protocol says NOT_SCORED.
    best: the same at each seed's best score.
    failures: seed -> the step at which it failed.
    wall_seconds: from its start to its end.
    environment: `device`, `versions`, `threads` and `git_commit`.
    protocol: how the metrics were measured.
    comparable: what trials must have in common to be compared.
    data: what images were read; None for other data.
  """

  trial: Trial
  workdir: Path
  final: dict[str, np.ndarray]
  best: dict[str, np.ndarray]
  failures: dict[int, int]
  wall_seconds: float
  environment: dict[str, Any]
  protocol: dict[str, Any]
  comparable: dict[str, Any]
  data: dict[str, Any] | None = None

  @property
  def has_failed(self) -> bool:
    """Whether all of its seeds failed."""
    return len(self.failures) == len(self.trial.run.seeds)


class RankedTrial(NamedTuple):
  """A trial and how it compares to the best one of its protocol.

  Attributes:
    rank: 1 for the best; trials of the same mean share a rank, and one without
      a score has None.
    results: of the trial.
    score: mean over seeds of the final score.
    difference: of that mean to the best trial's, at most 0, with an interval
      that holds together with those of all other pairs of trials; None for the
      first trial, which is the best unless it failed or has no score.
    protocol: index of its protocol, in the order of the trials.
  """

  rank: int | None
  results: TrialResults
  score: Mean
  difference: Difference | None
  protocol: int = 0

  @property
  def trial(self) -> Trial:
    """The trial of the plan."""
    return self.results.trial

  @property
  def num_failed(self) -> int:
    """The number of its seeds that failed."""
    return len(self.results.failures)

  @property
  def has_failed(self) -> bool:
    """Whether all of its seeds failed."""
    return self.results.has_failed

  @property
  def is_best(self) -> bool:
    """Whether it is the best trial or ties with it."""
    if self.difference is None:
      return self.leads
    return self.difference.tie is True

  @property
  def leads(self) -> bool:
    """Whether it is the best trial of its protocol."""
    is_first = self.difference is None and self.rank is not None
    return is_first and not self.has_failed


def read_trials(plan: Plan, folder: Path) -> list[TrialResults]:
  """Reads the results of all trials, which have finished, in plan order.

  Raises:
    RunFolderError: if the folder of a trial is damaged or has another run.
  """
  trials = []
  for index, trial in enumerate(plan.trials):
    try:
      trials.append(_read_trial(trial, plan.workdir(folder, index)))
    except RunFolderError as error:
      raise RunFolderError(
        f"{error}; move that folder away, and the sweep trains its trial again"
      ) from error
  return trials


def _read_trial(trial: Trial, workdir: Path) -> TrialResults:
  summary = results.read_json(workdir / results.SUMMARY)
  described = results.read_json(workdir / results.SETTINGS)
  with results.reading(workdir):
    _check_run(trial, workdir, summary)
    num_seeds = len(trial.run.seeds)
    entries = {SCORE: summary["score"], **summary["metrics"]}
    final, best = (
      {
        # None turns into NaN.
        name: np.asarray(entry[which]["per_seed"], float)
        for name, entry in entries.items()
      }
      for which in ("final", "best")
    )
    for name, values in (*final.items(), *best.items()):
      if values.shape != (num_seeds,):
        raise RunFolderError(
          f"{workdir} is a damaged run: {name} of {values.size} seeds, not of "
          f"{num_seeds}"
        )
    protocol = dict(summary.get("protocol", {}))
    for values in (final, best):
      # A run gives a seed that failed the score 0 also if it scores no other.
      values[SCORE] = (
        np.full(num_seeds, np.nan)
        if intervals.NOT_SCORED in protocol
        else results.count_diverged(values[SCORE])
      )
    return TrialResults(
      trial,
      workdir,
      final,
      best,
      {int(each["seed"]): int(each["step"]) for each in summary["failures"]},
      float(summary["wall_seconds"]),
      {
        "device": str(summary["device"]),
        "versions": dict(summary["versions"]),
        "threads": described.get("threads"),
        "git_commit": described.get("git_commit"),
      },
      protocol,
      protocols.comparable(
        trial.run.experiment.name, trial.run.settings, protocol
      ),
      described.get("data"),
    )


def _check_run(trial: Trial, workdir: Path, summary: dict[str, Any]) -> None:
  """Raises RunFolderError if a folder has another run than its trial's."""
  # As JSON, which has no tuples.
  values = json.loads(json.dumps(trial.values))
  values.pop(EXPERIMENT, None)
  if (
    summary["experiment"] != trial.run.experiment.name
    or summary["seeds"] != list(trial.run.seeds)
    or {name: summary["settings"][name] for name in values} != values
  ):
    raise RunFolderError(f"{workdir} has another run than its sweep planned")
  planned, trained = trial.run.settings.steps, summary["settings"]["steps"]
  if trained != planned:
    raise RunFolderError(
      f"{workdir} has been trained for {trained:,} steps since, not the "
      f"{planned:,} of its sweep"
    )


def rank_trials(trials: Sequence[TrialResults]) -> list[RankedTrial]:
  """Orders trials by the mean over seeds of their final scores.

  Returns:
    The trials of each protocol, in the order of their first trials, and of a
    protocol the best one first. Equals keep their order, but for failed ones,
    which follow the others, and trials without any score come last.
  """
  num_pairs = max(1, num_comparisons(trials))
  return [
    ranked
    for index, group in enumerate(_by_protocol(trials))
    for ranked in _rank_group(group, index, num_pairs)
  ]


def _by_protocol(trials: Sequence[TrialResults]) -> list[list[TrialResults]]:
  """Groups trials that were measured alike, in the order of their first."""
  kinds: list[dict[str, Any]] = []
  for each in trials:
    if each.comparable not in kinds:
      kinds.append(each.comparable)
  return [
    [each for each in trials if each.comparable == kind] for kind in kinds
  ]


def num_comparisons(trials: Sequence[TrialResults]) -> int:
  """Counts the pairs of trials of a sweep that can be compared."""
  counts = map(num_compared, _by_protocol(trials))
  return sum(count * (count - 1) // 2 for count in counts)


def num_compared(trials: Sequence[TrialResults]) -> int:
  """Counts the trials of a sweep that are compared with others.

  A trial of which every seed failed is not, and neither is one with less than
  two scores.
  """
  return len(
    [
      each
      for each in trials
      if not each.has_failed and np.isfinite(each.final[SCORE]).sum() > 1
    ]
  )


def _rank_group(
  group: Sequence[TrialResults], protocol: int, num_pairs: int
) -> list[RankedTrial]:
  """Ranks the trials of a protocol."""

  def sort_key(pair: tuple[TrialResults, Mean]) -> tuple[float, bool]:
    each, score = pair
    return np.inf if score.mean is None else -score.mean, each.has_failed

  scored = [(each, mean_and_interval(each.final[SCORE])) for each in group]
  scored.sort(key=sort_key)
  best = scored[0][0]
  first_rank = None if scored[0][1].mean is None else 1
  ranked = [RankedTrial(first_rank, *scored[0], None, protocol)]
  for index, (each, score) in enumerate(scored[1:], 2):
    equal = score.mean == ranked[-1].score.mean
    rank = ranked[-1].rank if equal else index
    difference = welch_difference(
      each.final[SCORE], best.final[SCORE], num_pairs
    )
    found = RankedTrial(
      None if score.mean is None else rank, each, score, difference, protocol
    )
    if found.has_failed:
      # However wide the interval is, a trial that learnt nothing does not tie.
      found = found._replace(difference=difference._replace(tie=False))
    ranked.append(found)
  return ranked


def groups(ranked: Sequence[RankedTrial]) -> list[list[RankedTrial]]:
  """Splits ranked trials by protocol."""
  found: dict[int, list[RankedTrial]] = {}
  for each in ranked:
    found.setdefault(each.protocol, []).append(each)
  return list(found.values())


def shown(ranked: Sequence[RankedTrial], limit: int) -> list[RankedTrial]:
  """Chooses the best trials, at most `limit`, of each protocol as many."""
  found = groups(ranked)
  each_shown = max(1, limit // len(found))
  return [each for group in found for each in group[:each_shown]][:limit]


def all_failed(ranked: Sequence[RankedTrial]) -> bool:
  """Tells whether every seed of every trial failed."""
  return all(each.has_failed for each in ranked)


def environments(
  ranked: Sequence[RankedTrial],
) -> list[tuple[dict[str, Any], int]]:
  """Lists where trials trained, each with the number of trials, most first."""
  found = Counter(json.dumps(each.results.environment) for each in ranked)
  return [(json.loads(text), count) for text, count in found.most_common()]
