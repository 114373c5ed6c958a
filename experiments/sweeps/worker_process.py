"""The process that trains one program: `--program=N` of the sweep's command."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from experiments.cli import signals
from experiments.devices import environment
from experiments.run_folder import workdirs
from experiments.run_folder.results import RunFolderError
from experiments.sweeps import plan as plans
from experiments.sweeps import worker

LOG = "log.txt"
STOPPED_EXIT_CODE = 128 + signal.SIGTERM
_PATIENCE = 60.0
"""Seconds to wait for another process that trains the program to save it."""


def scratch(folder: Path, index: int) -> Path:
  """Returns the folder of a program, in the folder of its sweep."""
  return folder / plans.PROGRAMS / f"{index:03d}"


def log_path(folder: Path, index: int) -> Path:
  """Returns the file that the process of a program writes its words to."""
  return scratch(folder, index) / LOG


def last_line(folder: Path, index: int, code: int) -> str:
  """Says why the process of a program ended."""
  path = log_path(folder, index)
  lines = path.read_text(errors="replace").split("\n") if path.exists() else []
  words = [line.strip() for line in lines if line.strip()]
  if code < 0:
    return f"its process was ended by {signal.Signals(-code).name}"
  said = words[-1] if words else f"its process ended with code {code}"
  return f"{said.removeprefix('error: ')} (see {path})"


def command(
  folder: Path, index: int, parent: int, flags: Sequence[str]
) -> list[str]:
  """Returns the command of a process that trains one program.

  Args:
    folder: of the sweep.
    index: of the program.
    parent: the process that starts it, with which it ends; 0 for none.
    flags: that it has beside.
  """
  return [
    sys.executable,
    "-m",
    "experiments.sweep",
    f"--workdir={folder}",
    f"--program={index}",
    f"--started_by={parent}",
    *flags,
  ]


def train(
  folder: Path,
  index: int,
  platform: str,
  checkpoint_every: int,
  draws: bool,
  parent: int,
) -> int:
  """Trains one program of a planned sweep.

  Args:
    folder: of the sweep.
    index: of the program.
    platform: as `--platform` has it.
    checkpoint_every: steps between checkpoints; 0 for about one a minute.
    draws: whether the trials' pictures are drawn.
    parent: the process that started this one, with which it ends; 0 for none.

  Returns:
    The exit code.

  Raises:
    RunFolderError: if there is no such program, or its folder cannot be used.
    SettingError: if its problem cannot be built.
    OSError: if something cannot be written.
  """
  plan = plans.read_plan(folder)
  if index >= len(plan.programs):
    raise RunFolderError(
      f"{folder} has the programs 0 to {len(plan.programs) - 1}, not {index}"
    )
  num_members = len(plan.programs[index]) * len(plan.base.seeds)
  devices = environment.choose_devices(platform, num_members)
  own = scratch(folder, index)
  own.mkdir(parents=True, exist_ok=True)
  with (
    signals.caught("stopping when this is saved") as told,
    claimed(own, told.requested),
  ):
    finished = worker.train(
      plan,
      index,
      folder,
      own,
      devices,
      checkpoint_every,
      draws,
      lambda: told.requested() or (parent != 0 and os.getppid() != parent),
    )
  if finished:
    return 0
  return told.exit_code() if told.requested() else STOPPED_EXIT_CODE


@contextlib.contextmanager
def claimed(folder: Path, should_stop: Callable[[], bool]) -> Iterator[None]:
  """Claims a program's folder, from a process that is about to leave it.

  Args:
    folder: of the program.
    should_stop: whether to wait no longer.

  Raises:
    RunFolderError: if another process keeps it.
  """
  deadline = time.monotonic() + _PATIENCE
  while True:
    try:
      claim = workdirs.claim(folder)
      claim.__enter__()
      break
    except RunFolderError:
      if time.monotonic() > deadline or should_stop():
        raise
    time.sleep(0.2)
  try:
    yield
  finally:
    claim.__exit__(None, None, None)
