"""The plan and the progress of a sweep on the terminal."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.cli import console
from experiments.run_folder import results
from experiments.sweeps import labels, worker_process
from experiments.sweeps import progress as progress_files
from experiments.sweeps.plan import Plan

_SHOWN_TRIALS = 20
_SECONDS = 0.5
"""Seconds between two updates of the progress bar."""


def print_plan(plan: Plan) -> None:
  """Prints the trials, and how many programs train them."""
  num_trials = len(plan.trials)
  programs = {
    trial: index
    for index, trials in enumerate(plan.programs)
    for trial in trials
  }
  table = Table(title=f"{plan.title()}, {num_trials:,} trials")
  table.add_column("trial")
  table.add_column("program", justify="right")
  for index, trial in enumerate(plan.trials[:_SHOWN_TRIALS]):
    table.add_row(trial.name, str(programs[index]))
  Console().print(table)
  if num_trials > _SHOWN_TRIALS:
    print(f"and {num_trials - _SHOWN_TRIALS:,} more")
  if plan.left_out:
    print(f"{plan.left_out:,} combinations that make no sense are left out")
  print(labels.extent(plan))


@contextlib.contextmanager
def progress_bar(plan: Plan, folder: Path) -> Iterator[Callable[[], None]]:
  """Shows how far a sweep is while the context lasts.

  Yields:
    A function that updates the bar, to call several times a second.
  """
  terminal = Console(stderr=True)
  total = sum(
    trial.run.settings.steps * len(trial.run.seeds) for trial in plan.trials
  )
  watcher = _Watcher(plan, folder)
  first, start = watcher.read_steps(), time.monotonic()
  next_update = next_line = 0.0
  with console.progress_bar(plan.title(), terminal) as bar:

    def update() -> None:
      nonlocal next_line, start
      steps, now = watcher.read_steps(), time.monotonic()
      if steps == first:
        # The programs compile.
        start = now
      rate = (steps - first) / (now - start) if now > start else 0.0
      fields = watcher.fields(rate, total - steps)
      bar.update(
        bar.task_ids[0],
        # Until all is done, what follows the steps is a last part.
        total=total + bool(fields["status"]) if steps else None,
        completed=steps,
        **fields,
      )
      share = steps / total
      if not terminal.is_terminal and share >= next_line:
        texts = ", ".join(filter(None, fields.values()))
        console.say(f"{console.elapsed(bar)}  {100 * share:.0f} %, {texts}")
        next_line = share + 1 / console.NUM_PLAIN_LINES

    def poll() -> None:
      nonlocal next_update
      if time.monotonic() >= next_update:
        update()
        next_update = time.monotonic() + _SECONDS

    yield poll
    update()


class _Watcher:
  """Reads from the folders of a sweep how far it is."""

  def __init__(self, plan: Plan, folder: Path):
    self._plan = plan
    self._folder = folder
    self._unfinished = list(range(len(plan.trials)))
    self._best: float | None = None
    self._steps = [0] * len(plan.programs)

  def read_steps(self) -> int:
    """Returns the steps of all seeds; notes the trials that have finished."""
    finished = [
      index
      for index in self._unfinished
      if self._plan.is_done(self._folder, index)
    ]
    for index in finished:
      self._unfinished.remove(index)
      summary = self._plan.workdir(self._folder, index) / results.SUMMARY
      mean = results.read_json(summary)["score"]["final"]["mean"]
      if mean is not None:
        self._best = max(mean, self._best or mean)
    for index, known in enumerate(self._steps):
      scratch = worker_process.scratch(self._folder, index)
      # The folder of a program that has finished may be removed.
      self._steps[index] = max(known, progress_files.member_steps(scratch))
    return sum(self._steps)

  def fields(self, rate: float, steps_left: int) -> dict[str, Any]:
    """Says how far the sweep is, as the fields of its bar.

    Args:
      rate: steps of all seeds per second since the first program compiled.
      steps_left: of all seeds.
    """
    num_trials, num_left = len(self._plan.trials), len(self._unfinished)
    status, details = "", []
    if rate:
      details.append(f"{console.speed(rate)} of all seeds")
      if steps_left:
        status = f"{console.duration(steps_left / rate)} left"
      elif num_left:
        status = "writing results"
    elif num_left:
      status = "compiling"
    if self._best is not None:
      details.append(f"best score {self._best:.3f}")
    return {
      "count": f"{num_trials - num_left:,} of {num_trials:,} trials",
      "status": status,
      "details": ", ".join(details),
    }
