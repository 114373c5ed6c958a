"""Writes the table, figures, report and summary of a finished sweep."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from experiments.cli import console
from experiments.reports import run_report
from experiments.run_folder import intervals, results
from experiments.run_folder.intervals import SCORE
from experiments.sweeps import (
  folders,
  labels,
  ranking,
  report,
  rounds,
  worker_process,
)
from experiments.sweeps.plan import Plan, plan_json
from experiments.sweeps.plots import overview
from experiments.sweeps.ranking import RankedTrial, TrialResults
from experiments.sweeps.search_space import format_values

FAILED_EXIT_CODE = 1
_SHOWN_TRIALS = 10
_TRIAL_SHARE = 0.4
"""Share of a terminal's width that settings and their values may take."""


def conclude(plan: Plan, folder: Path) -> int:
  """Writes table, figures, report and summary, and prints the best trials.

  All of it is made again from the run folders of the trials each time.

  Returns:
    The exit code: not 0 if every seed of every trial failed.

  Raises:
    RunFolderError: if a trial's folder is damaged.
    OSError: if something cannot be written.
  """
  for index in range(len(plan.trials)):
    workdir = plan.workdir(folder, index)
    # A process may have ended just before it wrote the trial's report.
    if not (workdir / results.REPORT).exists():
      run_report.write([workdir], workdir / results.REPORT)
  trials = ranking.read_trials(plan, folder)
  ranked = ranking.rank_trials(trials)
  seconds = program_seconds(plan, folder, trials)
  write_seed_table(plan, trials, folder / folders.CSV)
  results.write_figures(folder, overview.figures(plan, ranked))
  report.write_report(plan, ranked, folder, seconds)
  results.write_json(
    folder / results.SUMMARY, summary_json(plan, ranked, seconds)
  )
  print_ranking(plan, ranked)
  print(f"written to {folder}")
  if ranking.all_failed(ranked):
    console.say("error: every seed of every trial failed")
    return FAILED_EXIT_CODE
  return 0


def program_seconds(
  plan: Plan, folder: Path, trials: Sequence[TrialResults]
) -> float | None:
  """Adds up the seconds that each program trained.

  The trials of a program train in rounds. Those of a round train together, and
  each records the seconds from the start of the round to its end.

  Returns:
    None where it is not known which trials trained together.

  Raises:
    RunFolderError: if the record of a program's rounds is damaged.
  """
  total = 0.0
  for index, program in enumerate(plan.programs):
    scratch = worker_process.scratch(folder, index)
    path = scratch / rounds.ROUNDS
    if not path.exists():
      return None
    with results.reading(scratch):
      start = 0
      for size in results.read_json(path)["trials"]:
        together = program[start : start + size]
        total += max(trials[index].wall_seconds for index in together)
        start += size
  return total


def write_seed_table(
  plan: Plan, trials: Sequence[TrialResults], path: Path
) -> None:
  """Writes results.csv: a row for each trial and seed.

  The columns are `trial`, `seed`, every setting as its flag takes it, `failed`
  (true or false), `failed_at` (the step), and `NAME_final` and `NAME_best` of
  the score and of each metric, with all their digits. A number that a seed does
  not have leaves its cell empty.
  """
  rows: list[dict[str, Any]] = []
  for each in trials:
    settings = format_values(each.trial.run.settings)
    for index, seed in enumerate(each.trial.run.seeds):
      numbers = {
        f"{name}_{which}": values[name][index]
        for name in each.final
        for which, values in (("final", each.final), ("best", each.best))
      }
      rows.append(
        {
          "trial": each.trial.name,
          "seed": seed,
          **settings,
          "failed": str(seed in each.failures).lower(),
          "failed_at": each.failures.get(seed, ""),
          **{
            name: "" if math.isnan(x) else repr(float(x))
            for name, x in numbers.items()
          },
        }
      )
  columns = dict.fromkeys(name for row in rows for name in row)
  with (
    results.replacing(path) as partial,
    partial.open("w", newline="", encoding="utf-8") as file,
  ):
    table = csv.DictWriter(file, list(columns), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)


def summary_json(
  plan: Plan, ranked: Sequence[RankedTrial], seconds: float | None
) -> dict[str, Any]:
  """Returns what summary.json of a sweep holds.

  Returns:
    `settings` are those of all trials, but for what `axes` and `drawn` vary.
    `program_seconds` is None if it is not known. `environments` have the number
    of trials of each. `trials` are in the order of their ranks, each with its
    `difference` and `tie` to the best trial of its protocol, which has None of
    both; `tie` is None also where there is no interval. `rank` is None of a
    trial without a score. `protocol` is the index
    of a trial's protocol among `protocols`.
  """
  planned = plan_json(plan)
  trials = [each.results for each in ranked]
  shared = ("experiment", "settings", "seeds", "axes", "drawn")
  return {
    **{name: planned[name] for name in shared},
    "num_trials": len(plan.trials),
    "num_programs": len(plan.programs),
    "left_out": plan.left_out,
    "command": plan.command(),
    "program_seconds": seconds,
    "environments": [
      {**environment, "num_trials": count}
      for environment, count in ranking.environments(ranked)
    ],
    "comparison": {
      "method": ranking.METHOD,
      "confidence": 0.95,
      "num_trials": ranking.num_compared(trials),
      "num_comparisons": ranking.num_comparisons(trials),
    },
    "protocols": [
      {**group[0].results.comparable, **group[0].results.protocol}
      for group in ranking.groups(ranked)
    ],
    "trials": [_trial_json(each) for each in ranked],
  }


def _trial_json(ranked_trial: RankedTrial) -> dict[str, Any]:
  trial_results, difference = ranked_trial.results, ranked_trial.difference
  return {
    "rank": ranked_trial.rank,
    "name": ranked_trial.trial.name,
    "values": ranked_trial.trial.values,
    "protocol": ranked_trial.protocol,
    "score": {
      "final": results.seed_summary(trial_results.final[SCORE]),
      "best": results.seed_summary(trial_results.best[SCORE]),
    },
    "metrics": {
      name: results.seed_summary(values)
      for name, values in trial_results.final.items()
      if name != SCORE
    },
    "failures": [
      {"seed": seed, "step": step}
      for seed, step in trial_results.failures.items()
    ],
    "difference": difference
    and {"mean": difference.mean, "ci95": difference.ci95},
    "tie": difference and difference.tie,
  }


def print_ranking(plan: Plan, ranked: Sequence[RankedTrial]) -> None:
  """Prints the best trials, of each protocol as many."""
  terminal = Console()
  shown = ranking.shown(ranked, _SHOWN_TRIALS)
  terminal.print(_table(plan, ranked, shown, terminal.width))
  groups = ranking.groups(ranked)
  for group in groups:
    if reason := labels.unranked(group):
      name = f"{labels.protocol_name(group[0].protocol)}: "
      print(f"{name if len(groups) > 1 else ''}{reason}")
  if len(ranked) > len(shown):
    print(f"and {len(ranked) - len(shown):,} more")


def _table(
  plan: Plan,
  ranked: Sequence[RankedTrial],
  shown: Sequence[RankedTrial],
  width: int,
) -> Table:
  """Makes the table of the trials `shown`, for a terminal of a width."""
  num_seeds = len(plan.base.seeds)
  several = len(ranking.groups(ranked)) > 1
  some_failed = any(each.num_failed for each in shown)
  some_tie = any(each.is_best and not each.leads for each in shown)
  values = [
    format_values(plan.base.settings, each.trial.values) for each in shown
  ]
  pairs = [pair for each in values for pair in each.items()]
  longest = max(len(f"{name}={text}") for name, text in pairs)
  separator = "="
  if longest > _TRIAL_SHARE * width:
    # A line is broken after "=", so that no number is.
    separator = "=\n"
    longest = max(max(len(name) + 1, len(text)) for name, text in pairs)
  notes = (
    labels.TIE if some_tie else "",
    labels.ONE_SEED if num_seeds == 1 else labels.method(ranked),
    labels.protocol_note(ranked),
  )
  table = Table(
    title=f"{plan.title()}, {labels.extent(plan)}",
    caption="\n".join(filter(None, notes)) or None,
    box=box.SIMPLE_HEAD,
    padding=(0, 1, 0, 0),
    pad_edge=False,
  )
  table.add_column("rank", justify="right")
  if several:
    table.add_column("protocol")
  table.add_column("trial", overflow="fold", no_wrap=longest <= width / 2)
  table.add_column(
    f"final score\n{intervals.heading(num_seeds)}".strip(), justify="right"
  )
  table.add_column("to the best", justify="right")
  if some_failed:
    table.add_column("failed", justify="right")
  for each, settings in zip(shown, values, strict=True):
    ties = each.is_best and not each.leads
    table.add_row(
      str(each.rank or intervals.ABSENT),
      *([labels.protocol_name(each.protocol)] if several else []),
      "\n".join(f"{name}{separator}{x}" for name, x in settings.items()),
      intervals.text(results.seed_summary(each.results.final[SCORE]), SCORE),
      "tie" if ties else labels.verdict(each),
      *([str(each.num_failed or "")] if some_failed else []),
    )
  return table
