"""What an engine is: where, and by what processes, programs are trained."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.sweeps.plan import Plan


class EngineOptions(NamedTuple):
  """Flags of the sweep's command that engines read.

  Attributes:
    platform: as `--platform` has it.
    address: of a Ray cluster.
    max_parallel: programs that train at a time; 0 for as many as there is room.
    checkpoint_every: steps between checkpoints; 0 for about one a minute.
    pictures: whether the trials' pictures are drawn.
  """

  platform: str = "auto"
  address: str = ""
  max_parallel: int = 0
  checkpoint_every: int = 0
  pictures: bool = False

  def flags(self) -> list[str]:
    """Writes those that a process needs that trains one program."""
    return [
      f"--platform={self.platform}",
      f"--checkpoint_every={self.checkpoint_every}",
      f"--pictures={str(self.pictures).lower()}",
    ]


class Lost(NamedTuple):
  """A program that could not be trained.

  Attributes:
    program: its index.
    reason: one line.
  """

  program: int
  reason: str


class Engine(NamedTuple):
  """Where programs train.

  Attributes:
    check: raises UsageError or SettingError for options that cannot be.
    preview: (plan, folder, options) prints what it would do.
    train: (plan, folder, programs, options, on_poll, should_stop) -> those that
      could not be trained. `on_poll` is called several times a second.
  """

  check: Callable[[EngineOptions], None]
  preview: Callable[[Plan, Path, EngineOptions], None]
  train: Callable[
    [
      Plan,
      Path,
      Sequence[int],
      EngineOptions,
      Callable[[], None],
      Callable[[], bool],
    ],
    list[Lost],
  ]
