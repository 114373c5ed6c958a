"""Prints lines, tables and the progress of a training to the terminal."""

import contextlib
import math
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import (
  BarColumn,
  Progress,
  SpinnerColumn,
  TextColumn,
  TimeElapsedColumn,
)
from rich.table import Table

from experiments.run_folder import intervals

NUM_PLAIN_LINES = 10
"""Lines of progress if the output is not a terminal."""
LONG_SECONDS = 60.0
"""Trainings that take longer begin with an estimate of their time."""
STEADY_SECONDS = 5.0
"""The estimate is made after so long, when the rate has settled."""


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


def duration(seconds: float) -> str:
  """Writes a time in the largest unit of which it has at least two."""
  if seconds < 120:
    return f"{seconds:.0f} s"
  if seconds < 7200:
    return f"{seconds / 60:.0f} min"
  return f"{seconds / 3600:.1f} h"


def milliseconds(seconds: float) -> str:
  """Writes a short time with two digits, such as 260 ms or 0.26 ms."""
  return f"{float(f'{1e3 * seconds:.2g}'):,g} ms"


def speed(steps_per_second: float) -> str:
  """Writes the rate of a training, with two digits if it is slow."""
  digits = ",.0f" if steps_per_second >= 10 else ".2g"
  return f"{steps_per_second:{digits}} steps/s"


def elapsed(bar: Progress) -> str:
  """Writes the time since the task of a bar began, as 0:01:23."""
  return str(timedelta(seconds=int(bar.tasks[0].elapsed or 0)))


def progress_bar(name: str, console: Console) -> Progress:
  """Makes a bar with one task, whose fields are texts.

  `count` is how much is done, `status` what goes on, and `details` are for wide
  terminals. Nothing is shown if the console is not a terminal.
  """
  columns = [
    SpinnerColumn(),
    TextColumn(name),
    BarColumn(),
    TextColumn("{task.fields[count]}"),
    TimeElapsedColumn(),
    TextColumn("{task.fields[status]}"),
    TextColumn("{task.fields[details]}"),
  ]
  if console.width < 120:
    del columns[-1]
  if console.width < 80:
    del columns[1]
  bar = Progress(*columns, console=console, disable=not console.is_terminal)
  bar.add_task("", total=None, count="", status="compiling", details="")
  return bar


def _costs(log: Any) -> str:
  """Writes both costs, each the mean over the seeds whose cost is finite."""
  means = []
  for name in ("generator_cost", "discriminator_cost"):
    finite = [x for x in map(float, log.metrics[name]) if math.isfinite(x)]
    means.append(statistics.fmean(finite) if finite else math.nan)
  return f"J_G {means[0]:.3f}  J_D {means[1]:.3f}"


class TrainingProgress:
  """Shows the progress of a training: a bar on a terminal, else lines."""

  def __init__(self, bar: Progress, num_steps: int, first_step: int):
    self._bar = bar
    self._num_steps = num_steps
    self._first_step = first_step
    self._step = first_step
    self._rate = 0.0
    self._next_line = first_step
    self._is_plain = not bar.console.is_terminal
    self._has_estimate = not self._is_plain
    if self._is_plain:
      resumes = f"resumes at step {first_step:,}, " if first_step else ""
      self._say(f"{resumes}compiling")

  def _update(self, **fields: Any) -> None:
    self._bar.update(self._bar.task_ids[0], **fields)

  def _say(self, text: str) -> None:
    say(f"{elapsed(self._bar)}  {text}")

  def _seconds_left(self) -> float:
    return (self._num_steps - self._step) / self._rate

  def _speed(self) -> str:
    """Writes the rate and the time left."""
    if not self._rate:
      return "first step"
    left = f", {duration(self._seconds_left())} left"
    return speed(self._rate) + (left if self._step < self._num_steps else "")

  def advance(self, step: int, steps_per_second: float) -> None:
    """Shows that `step` steps have been taken, at a rate until now."""
    self._step, self._rate = step, steps_per_second
    self._update(
      # What follows the steps is a last part.
      total=self._num_steps + 1,
      completed=step,
      count=f"{step:,}/{self._num_steps:,}",
      status=self._speed(),
    )
    taken = step - self._first_step
    seconds = taken / steps_per_second if steps_per_second else 0.0
    if not self._has_estimate and seconds >= STEADY_SECONDS:
      self._has_estimate = True
      if self._seconds_left() >= LONG_SECONDS:
        self._say(
          f"the steps take about {duration(self._seconds_left())} at "
          f"{speed(steps_per_second)}, and measurements are added"
        )

  def log(self, log: Any, warnings: Iterable[Any]) -> None:
    """Shows an evaluation.

    Args:
      log: has the attributes `step` and `metrics`, arrays by name.
      warnings: each has the attributes `step`, `seed`, `kind` and `message`.
    """
    self._update(details=_costs(log))
    for warning in warnings:
      self._bar.console.print(
        f"step {warning.step:,}, seed {warning.seed}, {warning.kind}: "
        f"{warning.message}",
        highlight=False,
        soft_wrap=True,
      )
    if self._is_plain and log.step >= self._next_line:
      self._say(
        f"step {log.step:,} of {self._num_steps:,}, {self._speed()}  "
        f"{_costs(log)}"
      )
      self._next_line = min(
        log.step + self._num_steps / NUM_PLAIN_LINES, self._num_steps
      )

  def show(self, phase: str) -> None:
    """Shows what is done after the steps, such as drawing a picture."""
    self._update(status=phase)
    if self._is_plain:
      self._say(phase)

  def finish(self) -> None:
    """Shows the rate of the training in the end."""
    self._update(status=speed(self._rate) if self._rate else "")
    if self._step == self._num_steps:
      self._update(completed=self._num_steps + 1)


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
  with progress_bar(name, Console(stderr=True)) as bar:
    training = TrainingProgress(bar, num_steps, first_step)
    yield training
    training.finish()


def print_summary(summary: Mapping[str, Any]) -> None:
  """Prints the score and the metrics of a run, final and at best score.

  A run with `--noevaluate` has no score, nor has one of images whose features
  may know nothing.
  """
  num_seeds = len(summary["seeds"])
  seeds = (
    f"{num_seeds} seeds" if num_seeds > 1 else f"seed {summary['seeds'][0]}"
  )
  table = Table(
    title=f"{summary['experiment']}, {summary['steps']:,} steps, {seeds}"
  )
  table.add_column("metric", no_wrap=True)
  heading = f"final {intervals.heading(num_seeds)}".strip()
  table.add_column(heading, justify="right")
  rows, columns = summary["metrics"], ["final"]
  if summary["score"]["best"]["mean"] is not None:
    table.add_column("at best score", justify="right")
    rows, columns = {"score": summary["score"], **rows}, ["final", "best"]
  for name, entry in rows.items():
    texts = (
      intervals.text(entry[x], name, settings=summary["settings"])
      for x in columns
    )
    table.add_row(name, *texts)
  Console().print(table)
  if reason := summary.get("protocol", {}).get(intervals.NOT_SCORED):
    print(f"not scored: {reason}")
