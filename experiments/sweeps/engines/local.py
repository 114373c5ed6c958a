"""Trains the programs of a sweep in processes of this machine.

Each process has a GPU, or a share of the cores, to itself.
"""

import contextlib
import functools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.sweeps import worker_process


class Slot(NamedTuple):
  """The part of the machine that one process uses."""

  cores: frozenset[int]
  environment: Mapping[str, str]


def slots(platform: str, max_parallel: int, num_programs: int) -> list[Slot]:
  """Divides the machine among as many processes as train at a time."""
  cores = sorted(os.sched_getaffinity(0))
  gpus = _gpus() if platform in ("auto", "gpu") else []
  if platform == "tpu":
    count = 1
  else:
    count = min(max_parallel or len(gpus or cores), num_programs)
  if not gpus:
    count = min(count, len(cores))
  return [
    Slot(
      frozenset(cores[index % len(cores) :: count]),
      # JAX would reserve the memory of every GPU that it sees.
      {"CUDA_VISIBLE_DEVICES": ",".join(gpus[index::count])} if gpus else {},
    )
    for index in range(count)
  ]


def _gpus() -> list[str]:
  """Lists the GPUs that this process may use, without starting JAX on them."""
  visible = os.environ.get("CUDA_VISIBLE_DEVICES")
  if visible is not None:
    return [gpu for gpu in visible.split(",") if gpu]
  if shutil.which("nvidia-smi") is None:
    return []
  listed = subprocess.run(
    ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
    capture_output=True,
    text=True,
  )
  return listed.stdout.split() if listed.returncode == 0 else []


@contextlib.contextmanager
def places(
  folder: Path,
  num_programs: int,
  platform: str,
  max_parallel: int,
  flags: Sequence[str],
) -> Iterator[Sequence[Callable[[int], subprocess.Popen]]]:
  """Gives a function for each slot that starts a program there.

  No process outlives the context.
  """
  processes = []

  def start(slot: Slot, program: int) -> subprocess.Popen:
    process = worker_process.start(folder, program, flags, slot.environment)
    processes.append(process)
    os.sched_setaffinity(process.pid, slot.cores)
    return process

  try:
    yield [
      functools.partial(start, slot)
      for slot in slots(platform, max_parallel, num_programs)
    ]
  finally:
    for process in processes:
      process.kill()
      process.wait()
