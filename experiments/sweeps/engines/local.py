"""Trains the programs of a sweep in processes of this machine.

Each process has a share of the cores, or a GPU, to itself. One that dies is
started again, and goes on from its newest checkpoint.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.cli import console
from experiments.cli.flags import UsageError
from experiments.sweeps import time_estimate, worker_process
from experiments.sweeps.engines.engine import Engine, EngineOptions, Lost
from experiments.sweeps.plan import Plan

MAX_STARTS = 3
"""Of one program, in a sweep that goes on."""
_SECONDS = 0.1
"""Between two looks at the processes."""


class Slot(NamedTuple):
  """What a process has to itself.

  Attributes:
    cores: that it may run on.
    environment: variables that it has beside its parent's.
  """

  cores: frozenset[int]
  environment: Mapping[str, str]


def slots(
  platform: str, max_parallel: int, num_programs: int
) -> tuple[Slot, ...]:
  """Divides the machine.

  Args:
    platform: as `--platform` has it.
    max_parallel: processes at a time; 0 for one on each GPU, or core.
    num_programs: that are left to train.

  Returns:
    A slot for each process.
  """
  cores = sorted(os.sched_getaffinity(0))
  gpus = _gpus() if platform in ("auto", "gpu") else []
  if platform == "tpu":
    count = 1
  else:
    count = min(max_parallel or len(gpus or cores), num_programs)
  if not gpus:
    count = min(count, len(cores))
  return tuple(
    Slot(
      frozenset(cores[index % len(cores) :: count]),
      # One process would take the memory of every GPU that it sees.
      {"CUDA_VISIBLE_DEVICES": ",".join(gpus[index::count])} if gpus else {},
    )
    for index in range(count)
  )


def _gpus() -> list[str]:
  """Lists the GPUs that this process may use, without starting JAX on them."""
  visible = os.environ.get("CUDA_VISIBLE_DEVICES")
  if visible is not None:
    return [own for own in visible.split(",") if own]
  if shutil.which("nvidia-smi") is None:
    return []
  listed = subprocess.run(
    ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
    capture_output=True,
    text=True,
  )
  return listed.stdout.split() if listed.returncode == 0 else []


class _Worker(NamedTuple):
  process: subprocess.Popen
  program: int
  slot: Slot


def train(
  plan: Plan,
  folder: Path,
  programs: Sequence[int],
  options: EngineOptions,
  on_poll: Callable[[], None],
  should_stop: Callable[[], bool],
) -> list[Lost]:
  """Trains programs, each in a process of its own.

  Args:
    plan: of the sweep.
    folder: of the sweep.
    programs: to train.
    options: of the command.
    on_poll: called several times a second.
    should_stop: whether to stop; the processes then save what they have.

  Returns:
    The programs that could not be trained.
  """
  waiting = list(programs)
  free = list(slots(options.platform, options.max_parallel, len(programs)))
  starts = dict.fromkeys(programs, 0)
  running: list[_Worker] = []
  lost: list[Lost] = []
  told = False
  try:
    while running or (waiting and not should_stop()):
      while waiting and free and not should_stop():
        program, slot = waiting.pop(0), free.pop(0)
        starts[program] += 1
        running.append(_start(folder, program, options, slot))
      if should_stop() and not told:
        told = True
        for worker in running:
          worker.process.send_signal(signal.SIGTERM)
      time.sleep(_SECONDS)
      on_poll()
      for worker in [own for own in running if own.process.poll() is not None]:
        running.remove(worker)
        free.append(worker.slot)
        code, program = worker.process.returncode, worker.program
        if code == 0 or told:
          continue
        if code < 0 and starts[program] < MAX_STARTS:
          reason = worker_process.last_line(folder, program, code)
          console.say(f"program {program}: {reason}; it is started again")
          waiting.insert(0, program)
        else:
          lost.append(
            Lost(program, worker_process.last_line(folder, program, code))
          )
  finally:
    for worker in running:
      worker.process.kill()
      worker.process.wait()
  return lost


def _start(
  folder: Path, program: int, options: EngineOptions, slot: Slot
) -> _Worker:
  """Starts the process of a program; what it says goes to a file."""
  log = worker_process.log_path(folder, program)
  log.parent.mkdir(parents=True, exist_ok=True)
  with log.open("ab") as output:
    process = subprocess.Popen(
      worker_process.command(folder, program, os.getpid(), options.flags()),
      stdin=subprocess.DEVNULL,
      stdout=output,
      stderr=output,
      env={**os.environ, **slot.environment},
      # Ctrl-C is for the parent, which tells the others.
      start_new_session=True,
    )
  os.sched_setaffinity(process.pid, slot.cores)
  return _Worker(process, program, slot)


def _check(options: EngineOptions) -> None:
  if options.address:
    raise UsageError("--address is of a Ray cluster; --engine=ray reads it")


def _preview(plan: Plan, folder: Path, options: EngineOptions) -> None:
  """Prints about how long the sweep would take."""
  del folder
  on_slots = slots(options.platform, options.max_parallel, len(plan.programs))
  time_estimate.print_time(plan, options.platform, len(on_slots))


ENGINE = Engine(_check, _preview, train)
