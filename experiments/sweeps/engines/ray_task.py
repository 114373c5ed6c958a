"""What a Ray worker does: it trains a program in a folder of its own.

The training is a process of its own too, so that the worker stays free to tell
how far it is, and JAX starts anew for each program.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import experiments
from experiments.run_folder import results
from experiments.sweeps import plan as plans
from experiments.sweeps import worker_process
from experiments.sweeps.engines import parcels
from experiments.sweeps.engines.parcels import Parcel

_SECONDS = 0.2
"""Between two looks at the process."""
_SECONDS_OF_STEPS = 1.0
"""Between two times that it is told how far the process is."""
_SHARE = 0.05
"""Of the time that may go into sending what can be gone on with."""


def train(
  content: dict[str, Any],
  index: int,
  begun: Parcel,
  flags: list[str],
  num_cores: int,
  parent: str | None,
) -> Iterator[Parcel]:
  """Trains a program.

  Args:
    content: of the plan.
    index: of the program.
    begun: what the program has come to before.
    flags: of the process.
    num_cores: that it may use; 0 for all.
    parent: folder for the folder of its own; None for the machine's usual one.

  Yields:
    How far it is, about once a second; what it can be gone on with from, when
    there is something new; and at last all of it.
  """
  with tempfile.TemporaryDirectory(
    prefix="sweep-", dir=parent, ignore_cleanup_errors=True
  ) as name:
    folder = Path(name)
    results.write_json(folder / plans.PLAN, content)
    parcels.unpack(begun, folder)
    plan = plans.read_plan(folder)
    for trial in plan.programs[index]:
      plan.workdir(folder, trial).mkdir(parents=True, exist_ok=True)
    trials = [
      own for own in plan.programs[index] if not plan.is_done(folder, own)
    ]
    process = _start(folder, index, flags, num_cores)
    try:
      seen = parcels.landmarks(plan, index, folder)
      next_steps = next_parcel = 0.0
      while process.poll() is None:
        time.sleep(_SECONDS)
        began = time.monotonic()
        if began >= next_steps:
          yield parcels.steps(index, folder)
          next_steps = began + _SECONDS_OF_STEPS
        now = parcels.landmarks(plan, index, folder)
        if now == seen or began < next_parcel:
          continue
        parcel = parcels.homeward(plan, index, folder, trials)
        if parcel is None:
          continue
        yield parcel
        seen = now
        # Those that have finished are home.
        trials = [
          own for own in trials if not parcels.has_finished(plan, own, parcel)
        ]
        del parcel
        ended = time.monotonic()
        next_parcel = ended + (ended - began) / _SHARE
      last = parcels.homeward(plan, index, folder, trials)
      assert last is not None
    finally:
      process.kill()
      process.wait()
  # Who has it may end this worker.
  yield last._replace(code=process.returncode)


def _start(
  folder: Path, index: int, flags: list[str], num_cores: int
) -> subprocess.Popen:
  """Starts the process; what it says goes to a file."""
  log = worker_process.log_path(folder, index)
  log.parent.mkdir(parents=True, exist_ok=True)
  code = str(Path(experiments.__file__).parents[1])
  environment = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(
      [code, *filter(None, [os.environ.get("PYTHONPATH")])]
    ),
  }
  if num_cores:
    environment["NPROC"] = str(num_cores)
  with log.open("ab") as output:
    return subprocess.Popen(
      worker_process.command(folder, index, os.getpid(), flags),
      stdin=subprocess.DEVNULL,
      stdout=output,
      stderr=output,
      env=environment,
      start_new_session=True,
    )
