"""Writes and reads how many steps each program of a sweep has taken."""

import time
from pathlib import Path

from experiments.run_folder import results
from experiments.training.run_config import RunSettings
from gan_jax import training

PROGRESS = "progress.json"
_SECONDS = 1.0
"""Seconds between two writes of the file."""


class ProgressFile(training.Callback):
  """Writes how far a program is, for the process that shows it."""

  def __init__(self, scratch: Path, done: int, size: int, run: RunSettings):
    """Starts a round of `size` trials like `run`, after `done` earlier ones."""
    self._path = scratch / PROGRESS
    self._steps = run.settings.steps
    self._done = done * self._steps * len(run.seeds)
    self._num_members = size * len(run.seeds)
    self._written = 0.0

  def on_steps(self, step: int, steps_per_second: float) -> None:
    if step < self._steps and time.monotonic() - self._written < _SECONDS:
      return
    self._written = time.monotonic()
    results.write_json(
      self._path, {"member_steps": self._done + self._num_members * step}
    )


def member_steps(scratch: Path) -> int:
  """Reads the sum of the steps that all members of a program have taken."""
  path = scratch / PROGRESS
  return results.read_json(path)["member_steps"] if path.exists() else 0
