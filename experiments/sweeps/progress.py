"""How far each program of a sweep is, told by a file that whoever may read."""

import time
from pathlib import Path

from experiments.run_folder import results
from experiments.training.run_config import RunSettings

PROGRESS = "progress.json"
_SECONDS = 1.0
"""Between two times that it is told."""


class Meter:
  """Tells how far a program is, about once a second."""

  def __init__(self, scratch: Path, done: int, size: int, run: RunSettings):
    """Begins a round.

    Args:
      scratch: the program's folder.
      done: trials of earlier rounds.
      size: trials of this one.
      run: one of them.
    """
    self._path = scratch / PROGRESS
    self._done = done
    self._size = size
    self._run = run
    self._told = 0.0

  def step(self, step: int) -> None:
    """Notes that each member of the round has taken `step` steps."""
    last = step == self._run.settings.steps
    if not last and time.monotonic() - self._told < _SECONDS:
      return
    self._told = time.monotonic()
    of_trial = len(self._run.seeds)
    earlier = self._done * self._run.settings.steps
    results.write_json(
      self._path,
      {"member_steps": of_trial * (earlier + self._size * step)},
    )


def member_steps(scratch: Path) -> int:
  """Reads the steps that all members of a program have taken together.

  Args:
    scratch: the program's folder; one that has not begun has taken none.
  """
  path = scratch / PROGRESS
  return results.read_json(path)["member_steps"] if path.exists() else 0
