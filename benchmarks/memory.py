"""The peak memory of a contestant, in a process of its own.

A process that has run several contestants has one peak for them all. The child
is told what to run by a pickle, which names a function and its module, so that
it imports no other contestant's framework.
"""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.timing import Training


def peak_mebibytes(start: Callable[[], Training], num_steps: int) -> float:
  """Measures the peak resident memory of a training, its start included.

  Args:
    start: starts the training; a function of a module, or a partial of one.
    num_steps: steps to take.

  Returns:
    The peak in MiB.

  Raises:
    CalledProcessError: if the training fails.
  """
  done = subprocess.run(
    [sys.executable, "-m", "benchmarks.memory"],
    input=pickle.dumps((start, num_steps)),
    stdout=subprocess.PIPE,
    check=True,
  )
  return float(done.stdout.split()[-1])


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
  start().take(num_steps)
  print(_own_peak_mebibytes())


if __name__ == "__main__":
  _main()
