"""report.html of a sweep: one self-contained page."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from experiments.datasets import data_record
from experiments.reports import html, protocols, run_report
from experiments.run_folder import intervals, metric_table, results
from experiments.run_folder.intervals import SCORE
from experiments.run_folder.metric_table import AVERAGE
from experiments.sweeps import folders, labels, ranking
from experiments.sweeps import plan as plans
from experiments.sweeps.plan import Plan
from experiments.sweeps.ranking import RankedTrial
from experiments.sweeps.search_space import (
  field_of,
  format_value,
  format_values,
)

NUM_OPEN_ROWS, MAX_ROWS = 20, 200
"""Trials that are visible at once, and trials that are on the page at all."""
MAX_METRICS = 6


def write_report(
  plan: Plan,
  ranked: Sequence[RankedTrial],
  folder: Path,
  seconds: float | None,
) -> None:
  """Writes the page of a sweep into its folder, whose figures exist.

  The page links to files of the folder, and needs none of them.

  Args:
    plan: of the sweep.
    ranked: its trials, the best first.
    folder: of the sweep.
    seconds: that its programs trained, added up; None if it is not known.
  """
  metrics, bases = _metrics(ranked), plan.bases()
  names = {*plan.drawn, *(axis.name for axis in plan.axes)}
  page = html.render(
    "sweep.html",
    title=folder.resolve().name,
    bases=[
      (
        each.experiment,
        each.experiment.summary
        if names & {"dataset", "data_dir"}
        else run_report.subject(each),
        [row for row in html.settings_rows(each) if row[0] not in names],
      )
      for each in bases
    ],
    extent=labels.extent(plan),
    data=dict.fromkeys(
      data_record.describe(each.results.data)
      for each in ranked
      if each.results.data
    ),
    left_out=plan.left_out,
    seconds=seconds,
    num_programs=len(plan.programs),
    num_seeds=len(plan.base.seeds),
    num_trials=len(ranked),
    num_failed=sum(each.num_failed for each in ranked),
    all_failed=ranking.all_failed(ranked),
    has_best=any(each.leads for each in ranked),
    groups=[_group(group) for group in ranking.groups(ranked)],
    protocol_note=labels.protocol_note(ranked),
    method=labels.method(ranked),
    varied=_varied(plan),
    columns=[labels.phrase(name) for name in plan.trials[0].values],
    metrics=[
      (labels.phrase(name), metric_table.describe(name)) for name in metrics
    ],
    score_guide=metric_table.describe(SCORE).guide,
    rows=[_row(plan, each, metrics) for each in ranked[:MAX_ROWS]],
    num_open=NUM_OPEN_ROWS,
    table=folders.CSV,
    content=results.SUMMARY,
    pictures=run_report.pictures(folder),
    command=plan.command(),
    environment=_environment(ranked),
  )
  with results.replacing(folder / results.REPORT) as partial:
    partial.write_text(page, "utf-8", errors="backslashreplace")


def _varied(plan: Plan) -> list[tuple[str, str, str]]:
  """Lists the settings that vary: values or distribution, and help."""
  settings = plan.base.settings
  rows = [
    (
      name,
      ", ".join(format_value(settings, name, value) for value in values),
    )
    for name, values in plan.axes
  ]
  for part in plan.options.random.split(";"):
    name, _, values = part.partition("=")
    name = name.strip().removeprefix("--")
    if name in plan.drawn:
      rows.append((name, f"{plan.options.draws:,} drawn, {values.strip()}"))
  return [
    (name, text, field_of(settings, name).metadata["help"])
    for name, text in rows
  ]


def _metrics(ranked: Sequence[RankedTrial]) -> list[str]:
  """Chooses the metrics to show: those of samples."""
  names = dict.fromkeys(
    name.removeprefix(AVERAGE)
    for each in ranked
    for name in each.results.final
    if name != SCORE
  )
  return [x for x in names if protocols.measures_samples(x)][:MAX_METRICS]


def _group(ranked: Sequence[RankedTrial]) -> dict[str, Any]:
  """Returns what the template says of the trials of a protocol."""
  best = ranked[0]
  return {
    "name": labels.protocol_name(best.protocol),
    "best": best.trial.name,
    "score": _score(best),
    "all_failed": ranking.all_failed(ranked),
    "unranked": labels.unranked(ranked),
    "has_interval": best.score.ci95 is not None,
    "num_others": len(ranked) - 1,
    "num_ties": sum(each.is_best for each in ranked[1:]),
    "protocol": list(best.results.protocol.items()),
  }


def _score(ranked_trial: RankedTrial) -> str:
  """Writes the final score of a trial."""
  entry = results.seed_summary(ranked_trial.results.final[SCORE])
  return intervals.text(entry, SCORE)


def _row(
  plan: Plan, ranked_trial: RankedTrial, metrics: Sequence[str]
) -> dict[str, Any]:
  """Returns what the template shows of a trial."""
  final, num_failed = ranked_trial.results.final, ranked_trial.num_failed
  trial = ranked_trial.trial
  settings = dataclasses.asdict(trial.run.settings)
  metric_texts = []
  for name in metrics:
    values = final.get(f"{AVERAGE}{name}", final.get(name))
    metric_texts.append(
      intervals.ABSENT
      if values is None
      else intervals.text(results.seed_summary(values), name, settings=settings)
    )
  return {
    "rank": ranked_trial.rank or intervals.ABSENT,
    "name": trial.name,
    "link": quote(f"{plans.TRIALS}/{trial.name}/{results.REPORT}"),
    "protocol": labels.protocol_name(ranked_trial.protocol),
    "is_best": ranked_trial.is_best,
    "cells": list(format_values(plan.base.settings, trial.values).values()),
    "score": _score(ranked_trial),
    "verdict": labels.verdict(ranked_trial),
    "metrics": metric_texts,
    "failed": f"{num_failed} of {len(plan.base.seeds)}" if num_failed else "",
  }


def _environment(ranked: Sequence[RankedTrial]) -> list[tuple[str, Any]]:
  """Lists where trials trained, one machine below another."""
  rows: list[tuple[str, Any]] = []
  for environment, count in ranking.environments(ranked):
    rows += [
      ("device", environment["device"]),
      ("trials", f"{count:,}"),
      ("threads", environment["threads"] or "unknown"),
      ("git commit", environment["git_commit"] or "unknown"),
      *environment["versions"].items(),
    ]
  return rows
