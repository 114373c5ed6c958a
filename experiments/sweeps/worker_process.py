"""One process per program of a sweep: how to start it, and what it runs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import experiments
from experiments.cli import signals
from experiments.devices import environment
from experiments.errors import RunFolderError
from experiments.run_folder import workdirs
from experiments.sweeps import plan as plans
from experiments.sweeps import worker
from experiments.training import run_config

STOPPED_EXIT_CODE = 128 + signal.SIGTERM
_SIGNAL_EXIT_CODES = {128 + number: number for number in signals.SIGNALS}
_LOCK_SECONDS = 60.0
"""How long to wait while an earlier process of the program saves and ends."""


def scratch(folder: Path, index: int) -> Path:
  """Returns the folder of a program, in the folder of its sweep."""
  return folder / plans.PROGRAMS / f"{index:03d}"


def _log(folder: Path, index: int) -> Path:
  return scratch(folder, index) / "log.txt"


def start(
  folder: Path,
  index: int,
  flags: Sequence[str],
  variables: Mapping[str, str],
  cwd: str | None = None,
) -> subprocess.Popen:
  """Starts a process that trains one program, and that ends with this one.

  Its output goes to a file in the program's folder.

  Args:
    folder: folder of the sweep.
    index: index of the program.
    flags: more flags of the process.
    variables: environment variables that are added to those of this process.
    cwd: folder to run in; None for that of this process.
  """
  scratch(folder, index).mkdir(parents=True, exist_ok=True)
  code = [str(Path(experiments.__file__).parents[1])]
  code += filter(None, [os.environ.get("PYTHONPATH")])
  command = [sys.executable, "-m", "experiments.sweep", f"--workdir={folder}"]
  command += [f"--program={index}", f"--started_by={os.getpid()}", *flags]
  with _log(folder, index).open("ab") as output:
    return subprocess.Popen(
      command,
      stdin=subprocess.DEVNULL,
      stdout=output,
      stderr=output,
      cwd=cwd,
      env={**os.environ, "PYTHONPATH": os.pathsep.join(code), **variables},
      # Ctrl-C reaches the parent alone, which then stops its processes.
      start_new_session=True,
    )


def ended_by(code: int) -> signal.Signals | None:
  """Returns the signal that ended a process with an exit code, if one did."""
  number = -code if code < 0 else _SIGNAL_EXIT_CODES.get(code)
  return None if number is None else signal.Signals(number)


def failure(folder: Path, index: int, code: int) -> str:
  """Says in one line why the process of a program ended with an exit code."""
  if number := ended_by(code):
    return f"its process was ended by {number.name}"
  log = _log(folder, index)
  text = log.read_text(errors="replace") if log.exists() else ""
  lines = text.strip().splitlines() or [f"its process ended with code {code}"]
  return f"{lines[-1].strip().removeprefix('error: ')} (see {log})"


def train_program(
  folder: Path,
  index: int,
  platform: str,
  threads: int,
  checkpoint_every: int,
  draws: bool,
  parent: int,
) -> int:
  """Trains one program of a planned sweep, and returns the exit code.

  Args:
    folder: folder of the sweep.
    index: index of the program.
    platform: value of `--platform`.
    threads: to begin to train with; 0 for one on each core.
    checkpoint_every: steps between checkpoints; 0 for about one a minute.
    draws: whether to draw the trials' pictures.
    parent: process that started this one, with which it ends; 0 for none.

  Raises:
    RunFolderError: if there is no such program, or its folder cannot be used.
    SettingError: if its problem cannot be built.
  """
  plan = plans.read_plan(folder)
  if index >= len(plan.programs):
    raise RunFolderError(
      f"{folder} has the programs 0 to {len(plan.programs) - 1}, not {index}"
    )
  begun = (
    run_config.read_threads(plan.workdir(folder, trial))
    for trial in plan.programs[index]
  )
  environment.set_threads(max(begun) or threads)
  num_members = len(plan.programs[index]) * len(plan.base.seeds)
  devices = environment.choose_devices(platform, num_members)
  program_folder = scratch(folder, index)
  program_folder.mkdir(parents=True, exist_ok=True)
  deadline = time.monotonic() + _LOCK_SECONDS
  with (
    signals.caught("stopping when this is saved") as interruption,
    ExitStack() as stack,
  ):

    def should_stop() -> bool:
      return interruption.requested() or parent not in (0, os.getppid())

    while True:
      try:
        stack.enter_context(workdirs.claim(program_folder))
        break
      except RunFolderError:
        if time.monotonic() > deadline or should_stop():
          raise
      time.sleep(0.2)
    finished = worker.train(
      plan,
      index,
      folder,
      program_folder,
      devices,
      checkpoint_every,
      draws,
      should_stop,
    )
  if finished:
    return 0
  if interruption.requested():
    return interruption.exit_code()
  return STOPPED_EXIT_CODE
