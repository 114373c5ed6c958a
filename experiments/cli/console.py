"""What the commands say on the terminal."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
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

from experiments.configs.experiment import Experiment
from experiments.reproduce.common.figure import Reproduction
from gan_jax.training import Log

NUM_PLAIN_LINES = 10
"""Lines of progress where the output is no terminal."""


def say(line: str) -> None:
  """Prints a line to the standard error stream."""
  print(line, file=sys.stderr, flush=True)


def print_experiments(experiments: Iterable[Experiment]) -> None:
  """Prints the name, source and summary of each experiment."""
  experiments = tuple(experiments)
  names, sources = (
    max(len(text) for text in texts)
    for texts in (
      [experiment.name for experiment in experiments],
      [experiment.source for experiment in experiments],
    )
  )
  for name, source, summary, *_ in experiments:
    print(f"{name:{names}}  {source:{sources}}  {summary}")


def print_reproductions(reproductions: Iterable[Reproduction]) -> None:
  """Prints the id, source and summary of each figure."""
  reproductions = tuple(reproductions)
  ids = max(len(reproduction.id) for reproduction in reproductions)
  sources = max(len(reproduction.source) for reproduction in reproductions)
  for each in reproductions:
    kind = "closed form"
    if each.trained:
      kind = "long" if each.long else "trained"
    print(
      f"{each.id:{ids}}  {kind:11}  {each.source:{sources}}  {each.summary}"
    )


def print_failed_checks(record: Mapping[str, Any]) -> None:
  """Prints a line for each check of a figure that failed."""
  for check in record["checks"]:
    if check["passed"] is False:
      relation = {"within": ""}.get(check["relation"], f"{check['relation']} ")
      say(
        f"  {record['id']}: {check['name']} is {_plain(check['measured'])}, "
        f"expected {relation}{_plain(check['expected'])} "
        f"(tolerance {check['tolerance']:.2g}; {check['origin']})"
      )


def _plain(number: float | str) -> str:
  """Writes a number of a check, which JSON may have made a word."""
  return number if isinstance(number, str) else f"{number:.6g}"


def print_records(
  records: Iterable[tuple[Mapping[str, Any], float]],
) -> None:
  """Prints a line for each figure: checks passed and seconds taken."""
  table = Table()
  table.add_column("figure")
  table.add_column("checks passed", justify="right")
  table.add_column("verdict", justify="left")
  table.add_column("seconds", justify="right")
  for record, seconds in records:
    decided = [c for c in record["checks"] if c["passed"] is not None]
    num_passed = sum(check["passed"] for check in decided)
    table.add_row(
      record["id"],
      f"{num_passed} of {len(decided)}",
      "passed" if record["passed"] else "FAILED",
      f"{seconds:.1f}",
    )
  Console().print(table)


class _Rate(ProgressColumn):
  """Steps per second of one member."""

  def render(self, task: Task) -> Text:
    speed = task.finished_speed or task.speed
    return Text(f"{speed:,.0f} steps/s" if speed else "compiling")


def _costs(log: Log) -> str:
  """Writes the current costs, means over the members that go on."""
  values = [
    log.metrics[name] for name in ("generator_cost", "discriminator_cost")
  ]
  generator, discriminator = (
    np.mean(v[np.isfinite(v)]) if np.isfinite(v).any() else np.nan
    for v in values
  )
  return f"J_G {generator:.3f}  J_D {discriminator:.3f}"


class TrainingProgress:
  """Shows how far a training is: a bar on a terminal, else a few lines."""

  def __init__(self, bar: Progress, num_steps: int, first_step: int):
    self._bar = bar
    self._task = bar.add_task(
      "", total=num_steps, completed=first_step, costs=""
    )
    self._num_steps = num_steps
    self._next_line = first_step

  def advance(self, step: int) -> None:
    """Notes that `step` steps have been taken."""
    self._bar.update(self._task, completed=step)

  def log(self, log: Log, troubles: Iterable[Any]) -> None:
    """Notes an evaluation: costs, and members that are in trouble."""
    self._bar.update(self._task, costs=_costs(log))
    for trouble in troubles:
      self._bar.console.print(
        f"step {trouble.step:,}, seed {trouble.seed}: {trouble.message}",
        highlight=False,
        soft_wrap=True,
      )
    if not self._bar.console.is_terminal and log.step >= self._next_line:
      say(f"step {log.step:,} of {self._num_steps:,}  {_costs(log)}")
      self._next_line = log.step + self._num_steps / NUM_PLAIN_LINES


def counter(what: str) -> Callable[[int, int], None]:
  """Returns a callback (done, total) that says every tenth of a long task."""
  said = 0

  def count(done, total):
    nonlocal said
    tenth = 10 * done // total
    if tenth > said:
      said = tenth
      say(f"{what}: {done:,} of {total:,}")

  return count


@contextlib.contextmanager
def progress(
  name: str, num_steps: int, first_step: int
) -> Iterator[TrainingProgress]:
  """Shows the progress of a training while the context lasts.

  Args:
    name: of the experiment.
    num_steps: at its end.
    first_step: at its beginning, which is later where it is resumed.

  Yields:
    What is told how far it is.
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


def number(summary: Mapping[str, Any]) -> str:
  """Writes what `results.mean_and_interval` returns."""
  if summary["mean"] is None:
    return "-"
  if summary["ci95"] is None:
    return f"{summary['mean']:.4g}"
  return f"{summary['mean']:.4g} ± {summary['ci95']:.2g}"


def print_summary(summary: Mapping[str, Any]) -> None:
  """Prints score and metrics of a run, final beside best."""
  num_seeds = len(summary["seeds"])
  seeds = (
    f"{num_seeds} seeds" if num_seeds > 1 else f"seed {summary['seeds'][0]}"
  )
  table = Table(
    title=f"{summary['experiment']}, {summary['steps']:,} steps, {seeds}"
  )
  table.add_column("metric")
  interval = " (mean ± 95 %)" if num_seeds > 1 else ""
  table.add_column(f"final{interval}", justify="right")
  table.add_column("at best score", justify="right")
  rows = {"score": summary["score"], **summary["metrics"]}
  for name, entry in rows.items():
    table.add_row(name, number(entry["final"]), number(entry["best"]))
  Console().print(table)
