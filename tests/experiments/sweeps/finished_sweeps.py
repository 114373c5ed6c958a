"""Folders of sweeps that were never trained: their trials' files by hand."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.configs.habr import NORMAL_JSD
from experiments.configs.registry import BY_NAME
from experiments.configs.settings import with_values
from experiments.configs.toy_1d import DISJOINT_JSD
from experiments.run_folder import intervals, results
from experiments.sweeps import plan as plans
from experiments.sweeps import rounds, search_space, worker_process
from experiments.sweeps.plan import Plan, PlanOptions
from experiments.training.run_config import RunSettings
from gan_jax.training import Failure

STEPS = (0, 50, 100)
SECONDS = 2.5
MACHINE = {
  "versions": {"python": "3.11", "jax": "0.10"},
  "device": "1 x cpu (abacus)",
  "threads": 2,
  "git_commit": "abc123",
}


def plan(
  grid: str = "",
  random: str = "",
  draws: int = 0,
  num_seeds: int = 3,
  skips_invalid: bool = False,
  max_members: int = 0,
  name: str = "normal",
  **values: Any,
) -> Plan:
  """Plans a sweep of the experiment `name`, as the command would."""
  experiment = BY_NAME[name]
  values = {"steps": STEPS[-1], **values}
  base = with_values(experiment.settings, values)
  axes = search_space.read_grid(grid, base) if grid else ()
  drawn = search_space.draw_points(random, draws, 5, base) if random else ()
  return plans.make_plan(
    RunSettings(experiment, base, tuple(range(5, 5 + num_seeds))),
    values,
    axes,
    search_space.crossed(axes, drawn),
    PlanOptions(random, draws, max_members),
    skips_invalid,
  )


def finish(
  made: Plan,
  folder: Path,
  scores: Callable[[dict[str, Any]], Any],
  failures: dict[str, dict[int, int]] | None = None,
) -> None:
  """Writes what a sweep leaves behind when all its trials have finished.

  Args:
    made: its plan.
    folder: that it is written to.
    scores: the values of a trial -> the final score of each seed; half of it
      is the score at the first step, and 0.9 of it at the second.
    failures: name of a trial -> seed -> the step at which it failed.
  """
  plans.write_plan(made, folder)
  for index, trial in enumerate(made.trials):
    lost = (failures or {}).get(trial.name, {})
    final = np.asarray(scores(trial.values), float)
    score = final[:, None] * [0.5, 0.9, 1.0]
    seeds = trial.run.seeds
    for row, seed in enumerate(seeds):
      if seed in lost:
        score[row, np.asarray(STEPS) >= lost[seed]] = np.nan
    write_run(made.workdir(folder, index), trial.run, score, lost)
  for index, trials in enumerate(made.programs):
    scratch = worker_process.scratch(folder, index)
    scratch.mkdir(parents=True)
    results.write_json(scratch / rounds.ROUNDS, {"trials": [len(trials)]})


def forget_scores(
  made: Plan, folder: Path, trials: Sequence[int], reason: str
) -> None:
  """Makes trials of a finished sweep look as if features knew nothing.

  As in a run, a seed that failed keeps the score 0.
  """
  for index in trials:
    path = made.workdir(folder, index) / results.SUMMARY
    content = results.read_json(path)
    content["protocol"] = {"features": "x", intervals.NOT_SCORED: reason}
    lost = {each["seed"] for each in content["failures"]}
    score = np.array([0.0 if x in lost else np.nan for x in content["seeds"]])
    summarised = results.seed_summary(score)
    content["score"] = {"final": summarised, "best": summarised}
    results.write_json(path, content)


def write_run(
  workdir: Path, run: RunSettings, score: np.ndarray, lost: dict[int, int]
) -> None:
  """Writes the folder of a run whose samples earn it a score.

  Args:
    workdir: the folder.
    run: what was trained.
    score: [num_seeds, len(STEPS)], NaN from where a seed failed.
    lost: seed -> the step at which it failed.
  """
  described = {
    "experiment": run.experiment.name,
    "settings": dataclasses.asdict(run.settings),
    "seeds": list(run.seeds),
  }
  # The inverse of the experiment's score.
  metrics = {
    "generator_cost": np.ones_like(score) + 0 * score,
    "jensen_shannon": DISJOINT_JSD - score * (DISJOINT_JSD - NORMAL_JSD),
  }
  results.write_json(workdir / results.SETTINGS, {**described, **MACHINE})
  rows = [
    {
      "step": step,
      "seed": seed,
      **{
        name: results.json_number(values[row, column])
        for name, values in metrics.items()
      },
    }
    for column, step in enumerate(STEPS)
    for row, seed in enumerate(run.seeds)
  ]
  (workdir / results.METRICS).write_text(
    "".join(json.dumps(row) + "\n" for row in rows)
  )
  np.savez(workdir / results.SNAPSHOTS, step=np.array(STEPS))
  (workdir / results.REPORT).write_text("<!doctype html><title>run</title>")
  summary = {
    **described,
    "steps": STEPS[-1],
    "steps_per_second": 40.0,
    "wall_seconds": SECONDS,
    "device": MACHINE["device"],
    "versions": MACHINE["versions"],
    **results.final_and_best(
      metrics,
      np.where(
        np.isin(run.seeds, list(lost))[:, None], np.nan_to_num(score), score
      ),
    ),
    "failures": [
      Failure(seed, step, ("generator",))._asdict()
      for seed, step in lost.items()
    ],
  }
  results.write_json(workdir / results.SUMMARY, summary)
  assert results.is_finished(workdir)
