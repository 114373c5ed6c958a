"""Measures the first step and the peak memory of a training in a new process.

In a process that has run several implementations the peak memory belongs to all
of them, and an earlier one may have done part of the next one's first step. The
child process receives a pickled function by module and name, so it imports no
framework except the one that it measures.
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


class ColdStart(NamedTuple):
  """The measurements of a process that runs one training.

  Attributes:
    first_step_seconds: time to set up the training and take the first step,
      without importing the framework.
    peak_memory_mib: peak resident memory on the host.
  """

  first_step_seconds: float
  peak_memory_mib: float


def measure_cold_start(
  start: Callable[[], Training], num_steps: int, cache: Path
) -> ColdStart:
  """Runs a training in a new process and measures it.

  Args:
    start: starts the training; a function of a module, or a partial of one.
    num_steps: steps to take.
    cache: folder of compiled programs, read and written by the process.

  Raises:
    CalledProcessError: if the training fails.
  """
  done = subprocess.run(
    [sys.executable, "-m", "benchmarks.cold_start"],
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
  return ColdStart(**json.loads(done.stdout.splitlines()[-1]))


def _peak_memory_mib() -> float:
  """Reads the peak memory of this process.

  It does not use ru_maxrss of getrusage, which starts from the peak of the
  parent: a child shares its parent's memory until it loads another program.
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
  training.take_steps(1)
  seconds = time.perf_counter() - started
  training.take_steps(num_steps - 1)
  print(json.dumps(ColdStart(seconds, _peak_memory_mib())._asdict()))


if __name__ == "__main__":
  _main()
