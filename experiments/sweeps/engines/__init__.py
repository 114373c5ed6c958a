"""Engines: where the programs of a sweep train, as `--engine` names it."""

import collections
import importlib.util
import os
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from experiments.cli import console
from experiments.configs.hints import unknown
from experiments.errors import UsageError
from experiments.sweeps import worker_process
from experiments.sweeps.engines import local

MAX_STARTS = 3
"""Most starts of one program in a command, if its process is killed."""
_POLL_SECONDS = 0.1


class EngineOptions(NamedTuple):
  """The flags of the sweep's command that choose and divide the machines."""

  engine: str = "local"
  address: str = ""
  platform: str = "auto"
  max_parallel: int = 0


class _Process(Protocol):
  """The process of a program, with these methods of `subprocess.Popen`."""

  def poll(self) -> int | None: ...
  def terminate(self) -> None: ...


_Start = Callable[[int], _Process]


def check(options: EngineOptions) -> None:
  """Raises UsageError for an engine that does not exist or cannot be used."""
  if options.engine == "slurm":
    raise UsageError(
      "--engine=slurm: plan the sweep with --plan_only and train its programs "
      "as a job array; docs/hosts_and_devices.md has the script"
    )
  if options.engine not in ("local", "ray"):
    raise UsageError(unknown("engine", options.engine, ("local", "ray")))
  if options.engine == "ray":
    if importlib.util.find_spec("ray") is None:
      raise UsageError("--engine=ray needs Ray; install it: pip install ray")
    if not options.address:
      # The ports of a new cluster are open to other machines, which do not have
      # this token. Ray reads it when it is imported.
      os.environ["RAY_AUTH_MODE"] = "token"
      os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    # Ray is optional, and takes a second to import.
    from experiments.sweeps.engines import ray

    ray.check_address(options.address)
  elif options.address:
    raise UsageError("only --engine=ray uses --address")


def train_programs(
  options: EngineOptions,
  folder: Path,
  programs: Sequence[int],
  flags: Sequence[str],
  on_poll: Callable[[], None],
  should_stop: Callable[[], bool],
) -> dict[int, str]:
  """Trains programs, and starts those again whose process is killed.

  Args:
    options: where they train.
    folder: folder of the sweep.
    programs: their indices in the plan.
    flags: flags of each program's process.
    on_poll: called several times a second.
    should_stop: whether to stop; the programs then save what they have.

  Returns:
    One line for each program that could not be trained.
  """
  if not programs:
    return {}
  arguments = (
    folder, len(programs), options.platform, options.max_parallel, flags,
  )  # fmt: skip
  if options.engine == "ray":
    from experiments.sweeps.engines import ray

    places = ray.places(options.address, *arguments)
  else:
    places = local.places(*arguments)
  waiting = list(programs)
  num_starts = collections.Counter()
  running: dict[int, tuple[_Process, _Start]] = {}
  lost: dict[int, str] = {}
  stopping = False
  with places as starts:
    free: list[_Start] = list(starts)
    while running or (waiting and not stopping):
      if should_stop() and not stopping:
        stopping = True
        for process, _ in running.values():
          process.terminate()
      while waiting and free and not stopping:
        program, start = waiting.pop(0), free.pop(0)
        num_starts[program] += 1
        running[program] = start(program), start
      time.sleep(_POLL_SECONDS)
      on_poll()
      for program, (process, start) in list(running.items()):
        code = process.poll()
        if code is None:
          continue
        del running[program]
        free.append(start)
        if stopping or code == 0:
          continue
        reason = worker_process.failure(folder, program, code)
        killed = worker_process.ended_by(code) is not None
        if killed and num_starts[program] < MAX_STARTS:
          console.say(f"program {program}: {reason}; it is started again")
          waiting.insert(0, program)
        else:
          lost[program] = reason
  return lost
