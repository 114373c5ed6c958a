"""The first step and the peak memory of a contestant, in a fresh process.

A process that has run several contestants has one peak for them all, and the
first step of one finds work that another has done. The child is told what to
run by a pickle, which names a function and its module, so that it imports no
other contestant's framework.
"""

import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.timing import Training


class Fresh(NamedTuple):
  """What a process that does nothing else has measured.

  Attributes:
    first_step_seconds: from nothing, but for the import of the framework, to
      the end of the first step.
    peak_memory_mib: peak resident memory of the host.
  """

  first_step_seconds: float
  peak_memory_mib: float


def measure(
  start: Callable[[], Training], num_steps: int, cache: Path
) -> Fresh:
  """Starts a training in a process of its own.

  Args:
    start: starts the training; a function of a module, or a partial of one.
    num_steps: steps to take.
    cache: the folder of compiled programs, which are taken from there and left
      there.

  Returns:
    What the process has measured.

  Raises:
    CalledProcessError: if the training fails.
  """
  done = subprocess.run(
    [sys.executable, "-m", "benchmarks.fresh"],
    input=pickle.dumps((start, num_steps)),
    stdout=subprocess.PIPE,
    env={
      **os.environ,
      "JAX_ENABLE_COMPILATION_CACHE": "true",
      "JAX_COMPILATION_CACHE_DIR": str(cache / "xla"),
      "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
    },
    check=True,
  )
  return Fresh(**json.loads(done.stdout.splitlines()[-1]))


def _own_peak_mebibytes() -> float:
  """Reads the peak of this process.

  Not getrusage's ru_maxrss: that starts from the peak of the parent, which
  lends its memory to a child until the child has a program of its own.
  """
  for line in Path("/proc/self/status").read_text().splitlines():
    name, _, value = line.partition(":")
    if name == "VmHWM":
      return float(value.split()[0]) / 1024
  raise RuntimeError("/proc/self/status has no VmHWM")


def _main() -> None:
  start, num_steps = pickle.load(sys.stdin.buffer)

  started = time.perf_counter()
  training = start()
  training.take(1)
  seconds = time.perf_counter() - started
  training.take(num_steps - 1)
  print(json.dumps(Fresh(seconds, _own_peak_mebibytes())._asdict()))


if __name__ == "__main__":
  _main()
