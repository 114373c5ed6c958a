"""Prints lines, tables and the progress of a training to the terminal."""

import contextlib
import math
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.progress import (
  BarColumn,
  Progress,
  ProgressColumn,
  Task,
  TextColumn,
  TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from experiments.run_folder import intervals

NUM_PLAIN_LINES = 10
"""Lines of progress if the output is not a terminal."""


def say(line: str) -> None:
  """Prints a line to the standard error stream."""
  print(line, file=sys.stderr, flush=True)


def print_failed_checks(record: Mapping[str, Any]) -> None:
  """Prints a line for each check of a figure that failed."""
  for check in record["checks"]:
    if check["passed"] is False:
      relation = {"within": ""}.get(check["relation"], f"{check['relation']} ")
      say(
        f"  {record['id']}: {check['name']} is {_text(check['measured'])}, "
        f"expected {relation}{_text(check['expected'])} "
        f"(tolerance {check['tolerance']:.2g}; {check['origin']})"
      )


def _text(number: float | str) -> str:
  """Writes a number of a check; JSON has words for infinity and NaN."""
  return number if isinstance(number, str) else f"{number:.6g}"


def print_records(records: Iterable[Mapping[str, Any]]) -> None:
  """Prints a line for each figure: checks passed and seconds taken."""
  table = Table()
  table.add_column("figure")
  table.add_column("checks passed", justify="right")
  table.add_column("verdict", justify="left")
  table.add_column("seconds", justify="right")
  for record in records:
    decided = [c for c in record["checks"] if c["passed"] is not None]
    num_passed = sum(check["passed"] for check in decided)
    table.add_row(
      record["id"],
      f"{num_passed} of {len(decided)}",
      "passed" if record["passed"] else "FAILED",
      f"{record['seconds']:.1f}",
    )
  Console().print(table)


class _Rate(ProgressColumn):
  """Shows the training steps per second of each seed."""

  def render(self, task: Task) -> Text:
    speed = task.finished_speed or task.speed
    return Text(f"{speed:,.0f} steps/s" if speed else "compiling")


def _costs(log: Any) -> str:
  """Writes both costs, each the mean over the seeds whose cost is finite."""
  means = []
  for name in ("generator_cost", "discriminator_cost"):
    finite = [x for x in map(float, log.metrics[name]) if math.isfinite(x)]
    means.append(statistics.fmean(finite) if finite else math.nan)
  return f"J_G {means[0]:.3f}  J_D {means[1]:.3f}"


class TrainingProgress:
  """Shows the progress of a training: a bar on a terminal, else a few lines."""

  def __init__(self, bar: Progress, num_steps: int, first_step: int):
    self._bar = bar
    self._task = bar.add_task(
      "", total=num_steps, completed=first_step, costs=""
    )
    self._num_steps = num_steps
    self._next_line = first_step

  def advance(self, step: int) -> None:
    """Shows that `step` steps have been taken."""
    self._bar.update(self._task, completed=step)

  def log(self, log: Any, warnings: Iterable[Any]) -> None:
    """Shows an evaluation.

    Args:
      log: has the attributes `step` and `metrics`, arrays by name.
      warnings: each has the attributes `step`, `seed` and `message`.
    """
    self._bar.update(self._task, costs=_costs(log))
    for warning in warnings:
      self._bar.console.print(
        f"step {warning.step:,}, seed {warning.seed}: {warning.message}",
        highlight=False,
        soft_wrap=True,
      )
    if not self._bar.console.is_terminal and log.step >= self._next_line:
      say(f"step {log.step:,} of {self._num_steps:,}  {_costs(log)}")
      self._next_line = log.step + self._num_steps / NUM_PLAIN_LINES


@contextlib.contextmanager
def progress(
  name: str, num_steps: int, first_step: int
) -> Iterator[TrainingProgress]:
  """Shows the progress of a training while the context lasts.

  Args:
    name: name of the experiment.
    num_steps: number of steps at the end of the training.
    first_step: number of steps already taken, if the run resumes.
  """
  console = Console(stderr=True)
  with Progress(
    TextColumn(name),
    BarColumn(),
    TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
    _Rate(),
    TimeRemainingColumn(),
    TextColumn("{task.fields[costs]}"),
    console=console,
    disable=not console.is_terminal,
  ) as bar:
    yield TrainingProgress(bar, num_steps, first_step)


def print_summary(summary: Mapping[str, Any]) -> None:
  """Prints the score and the metrics of a run, final and at best score.

  A run with `--noevaluate` has no score.
  """
  num_seeds = len(summary["seeds"])
  seeds = (
    f"{num_seeds} seeds" if num_seeds > 1 else f"seed {summary['seeds'][0]}"
  )
  table = Table(
    title=f"{summary['experiment']}, {summary['steps']:,} steps, {seeds}"
  )
  table.add_column("metric")
  heading = f"final {intervals.heading(num_seeds)}".strip()
  table.add_column(heading, justify="right")
  rows, columns = summary["metrics"], ["final"]
  if summary["settings"].get("evaluate", True):
    table.add_column("at best score", justify="right")
    rows, columns = {"score": summary["score"], **rows}, ["final", "best"]
  for name, entry in rows.items():
    table.add_row(name, *(intervals.text(entry[x], name) for x in columns))
  Console().print(table)
