"""What the sweep's command shows on the terminal."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import (
  BarColumn,
  Progress,
  TaskID,
  TextColumn,
  TimeRemainingColumn,
)
from rich.table import Table

from experiments.cli import console
from experiments.run_folder import results
from experiments.sweeps import labels, worker_process
from experiments.sweeps import progress as progress_files
from experiments.sweeps.plan import Plan
from experiments.sweeps.ranking import Place

_SHOWN_TRIALS = 20
_SHOWN_PLACES = 10
_SECONDS = 0.5
"""Between two times that the folders are looked at."""


def print_plan(plan: Plan) -> None:
  """Prints the trials, and how many programs train them."""
  num_trials, num_seeds = len(plan.trials), len(plan.base.seeds)
  of_program = {
    trial: index
    for index, trials in enumerate(plan.programs)
    for trial in trials
  }
  table = Table(title=f"{plan.base.experiment.name}, {num_trials:,} trials")
  table.add_column("trial")
  table.add_column("program", justify="right")
  for index, trial in enumerate(plan.trials[:_SHOWN_TRIALS]):
    table.add_row(trial.name, str(of_program[index]))
  Console().print(table)
  if num_trials > _SHOWN_TRIALS:
    print(f"and {num_trials - _SHOWN_TRIALS:,} more")
  if plan.left_out:
    print(f"{plan.left_out:,} combinations that make no sense are left out")
  print(
    f"{num_trials:,} {'trial' if num_trials == 1 else 'trials'} of "
    f"{num_seeds} {'seed' if num_seeds == 1 else 'seeds'} in "
    f"{len(plan.programs):,} compiled "
    f"{'program' if len(plan.programs) == 1 else 'programs'}, "
    f"{plan.base.settings.steps:,} steps each"
  )


def print_ranking(plan: Plan, places: Sequence[Place]) -> None:
  """Prints the best trials.

  Args:
    plan: of the sweep.
    places: of its trials, the best first.
  """
  several = len(plan.base.seeds) > 1
  table = Table(
    title=f"{plan.base.experiment.name}, {labels.extent(plan)}",
    caption=None if several else labels.ONE_SEED,
    box=box.SIMPLE_HEAD,
    padding=(0, 1, 0, 0),
    pad_edge=False,
  )
  table.add_column("rank", justify="right")
  table.add_column("trial", overflow="fold")
  table.add_column(
    "final score\n(mean ± 95 %)" if several else "final score", justify="right"
  )
  table.add_column("to the best", justify="right")
  lost = any(own.measured.failures for own in places[:_SHOWN_PLACES])
  if lost:
    table.add_column("failed", justify="right")
  for own in places[:_SHOWN_PLACES]:
    failed = str(len(own.measured.failures) or "")
    table.add_row(
      str(own.rank),
      _lines(plan, own),
      console.number(own.score),
      "tie" if own.difference and own.difference.tie else labels.verdict(own),
      *([failed] if lost else []),
    )
  Console().print(table)
  if len(places) > _SHOWN_PLACES:
    print(f"and {len(places) - _SHOWN_PLACES:,} more")


def _lines(plan: Plan, place: Place) -> str:
  """Writes the values of a trial, one below another."""
  values = labels.texts(plan.base.settings, place.trial.values)
  return "\n".join(f"{name}={text}" for name, text in values.items())


class _Watch:
  """Looks at the folders of a sweep, and says what has changed there."""

  def __init__(self, plan: Plan, folder: Path, bar: Progress):
    self._plan = plan
    self._folder = folder
    self._bar = bar
    self._unfinished = set(range(len(plan.trials)))
    self._best: tuple[float, str] | None = None
    self._looked = 0.0
    self._steps = dict.fromkeys(range(len(plan.programs)), 0)
    self._all_steps = sum(
      trial.run.settings.steps * len(trial.run.seeds) for trial in plan.trials
    )
    self._task: TaskID | None = None
    self._began = time.monotonic()
    self._first = 0
    self._next_line = 0.0

  def look(self) -> None:
    """Notes what has come since the last look, not too often."""
    if time.monotonic() - self._looked < _SECONDS:
      return
    self._look()

  def _look(self) -> None:
    self._looked = time.monotonic()
    for index in sorted(self._unfinished):
      if self._plan.is_done(self._folder, index):
        self._unfinished.discard(index)
        self._note(index)
    for index in self._steps:
      scratch = worker_process.scratch(self._folder, index)
      # A program whose folder is removed has finished.
      self._steps[index] = max(
        self._steps[index], progress_files.member_steps(scratch)
      )
    done = sum(self._steps.values())
    if self._task is None:
      self._first = done
      self._task = self._bar.add_task(
        "", total=self._all_steps, completed=done, told=""
      )
    seconds = time.monotonic() - self._began
    rate = (done - self._first) / seconds if seconds else 0.0
    told = self._told(rate)
    self._bar.update(self._task, completed=done, told=told)
    share = done / self._all_steps
    if not self._bar.console.is_terminal and share >= self._next_line:
      console.say(f"{100 * share:.0f} %: {told}")
      self._next_line = share + 1 / console.NUM_PLAIN_LINES

  def finish(self) -> None:
    """Notes what has come last."""
    self._look()

  def _told(self, rate: float) -> str:
    num_trials = len(self._plan.trials)
    parts = [f"{num_trials - len(self._unfinished):,} of {num_trials:,} trials"]
    if rate:
      parts.append(f"{rate:,.0f} steps/s of all seeds")
    elif self._unfinished:
      parts.append("compiling")
    if self._best is not None:
      parts.append(f"best score {self._best[0]:.3f}, {self._best[1]}")
    return ", ".join(parts)

  def _note(self, index: int) -> None:
    """Compares a finished trial with the best so far."""
    workdir = self._plan.workdir(self._folder, index)
    score = results.read_json(workdir / results.SUMMARY)["score"]["final"]
    mean = score["mean"]
    if mean is not None and (self._best is None or mean > self._best[0]):
      self._best = (mean, self._plan.trials[index].name)


@contextlib.contextmanager
def progress(plan: Plan, folder: Path) -> Iterator[Callable[[], None]]:
  """Shows how far a sweep is while the context lasts.

  Args:
    plan: of the sweep.
    folder: of the sweep.

  Yields:
    A function to call now and then.
  """
  terminal = Console(stderr=True)
  with Progress(
    TextColumn(plan.base.experiment.name),
    BarColumn(bar_width=20),
    TimeRemainingColumn(),
    TextColumn("{task.fields[told]}"),
    console=terminal,
    disable=not terminal.is_terminal,
  ) as bar:
    watch = _Watch(plan, folder, bar)
    yield watch.look
    watch.finish()
