"""summary.json of a sweep."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.run_folder import results
from experiments.sweeps import batches, command, worker_process
from experiments.sweeps.plan import Plan
from experiments.sweeps.ranking import SCORE, Measured, Place


def content(
  plan: Plan, places: Sequence[Place], seconds: float | None
) -> dict[str, Any]:
  """Writes a sweep's outcome as JSON.

  Args:
    plan: of the sweep.
    places: of its trials, the best first.
    seconds: that its programs took, added up; None if it is not known.

  Returns:
    `experiment`, `settings` (of all trials, but for what `axes` and `drawn`
    vary), `seeds`, the counts, `command`, `program_seconds`, `environments`
    (with the number of trials of each), `protocol`, and `trials` in the order
    of their ranks. Each has `difference` and `tie` to the best trial, which
    has None of both; `tie` is None also where there is no interval.
  """
  return {
    "experiment": plan.base.experiment.name,
    "settings": dataclasses.asdict(plan.base.settings),
    "seeds": list(plan.base.seeds),
    "axes": {name: list(values) for name, values in plan.axes},
    "drawn": list(plan.drawn),
    "num_trials": len(plan.trials),
    "num_programs": len(plan.programs),
    "left_out": plan.left_out,
    "command": command.command(plan),
    "program_seconds": seconds,
    "environments": [
      {**environment, "num_trials": count}
      for environment, count in environments(places)
    ],
    "protocol": places[0].measured.protocol,
    "trials": [_trial(place) for place in places],
  }


def _trial(place: Place) -> dict[str, Any]:
  """Writes what a trial has come to."""
  measured, difference = place.measured, place.difference
  return {
    "rank": place.rank,
    "name": place.trial.name,
    "values": place.trial.values,
    "score": {
      "final": place.score,
      "best": results.seed_summary(measured.best[SCORE]),
    },
    "metrics": {
      name: results.seed_summary(values)
      for name, values in measured.final.items()
      if name != SCORE
    },
    "failures": [
      {"seed": seed, "step": step} for seed, step in measured.failures.items()
    ],
    "difference": difference
    and {"mean": difference.mean, "ci95": difference.ci95},
    "tie": difference and difference.tie,
  }


def environments(places: Sequence[Place]) -> list[tuple[dict[str, Any], int]]:
  """Lists where trials trained, with their number, most first."""
  counted: list[tuple[dict[str, Any], int]] = []
  for own in (place.measured.environment for place in places):
    known = [environment for environment, _ in counted]
    if own in known:
      index = known.index(own)
      counted[index] = own, counted[index][1] + 1
    else:
      counted.append((own, 1))
  return sorted(counted, key=lambda pair: -pair[1])


def program_seconds(
  plan: Plan, folder: Path, measured: Sequence[Measured]
) -> float | None:
  """Adds up how long the programs of a sweep took.

  The trials of a round train together, and each says how long that took until
  its own end.

  Args:
    plan: of the sweep.
    folder: of the sweep.
    measured: by each trial, in the order of the plan.

  Returns:
    Seconds; programs may have trained at the same time. None where it is not
    known which trials trained together.

  Raises:
    RunFolderError: if what a program says of its rounds is damaged.
  """
  total = 0.0
  for index, trials in enumerate(plan.programs):
    scratch = worker_process.scratch(folder, index)
    path = scratch / batches.ROUNDS
    if not path.exists():
      return None
    with results.reading(scratch):
      sizes = results.read_json(path)["trials"]
      start = 0
      for size in sizes:
        total += max(
          measured[trial].wall_seconds for trial in trials[start : start + size]
        )
        start += size
  return total
