"""Trains the programs of a sweep as tasks of a Ray cluster.

The folder of the sweep is on storage that all machines of the cluster share: a
task starts the same process as the local engine, which writes to that folder.
A program whose machine dies continues from its checkpoint on another one.
"""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError, TaskCancelledError

from experiments.cli import console, signals
from experiments.errors import RunFolderError, UsageError
from experiments.sweeps import plan as plans
from experiments.sweeps import worker_process

CONNECT_SECONDS = 20.0

_PROBE = """\
import logging, sys, ray
logging.getLogger("ray").setLevel(logging.CRITICAL)
try:
  ray.init(sys.argv[1], log_to_driver=False, configure_logging=False)
except Exception as error:
  sys.exit(" ".join(str(error).split())[:200] or type(error).__name__)
"""
"""Connects to a cluster. It runs in another process, because Ray tries for two
minutes and then ends the process that called it."""


def check_address(address: str) -> None:
  """Raises UsageError if no Ray cluster answers at an address."""
  if not address:
    return
  if address != "auto":
    host, _, port = address.rpartition(":")
    if "/" in host or not host or not port.isdecimal():
      raise UsageError(
        f"--address={address} must be auto, or HOST:PORT of a Ray cluster that "
        "this machine belongs to"
      )
    try:
      socket.create_connection((host.strip("[]"), int(port)), 5.0).close()
    except (OSError, OverflowError) as error:
      reason = getattr(error, "strerror", None) or error
      raise UsageError(
        f"--address={address} cannot be reached: {reason}"
      ) from None
  try:
    probe = subprocess.run(
      [sys.executable, "-c", _PROBE, address],
      capture_output=True,
      text=True,
      timeout=CONNECT_SECONDS,
    )
  except subprocess.TimeoutExpired:
    raise UsageError(
      f"--address={address}: no Ray cluster answers there within "
      f"{CONNECT_SECONDS:.0f} s; one that asks for a token needs "
      "RAY_AUTH_MODE=token in the environment"
    ) from None
  if probe.returncode:
    lines = probe.stderr.strip().splitlines() or ["no Ray cluster answers"]
    raise UsageError(f"--address={address}: {lines[-1]}")


def share(
  machines: Sequence[tuple[int, int]],
  platform: str,
  max_parallel: int,
  num_programs: int,
) -> tuple[int, int, int]:
  """Divides a cluster among as many programs as train at a time.

  A program gets one GPU if there are any. Otherwise it gets as many cores of
  one machine as possible while all programs still fit.

  Args:
    machines: cores and GPUs of each machine.
    platform: value of `--platform`.
    max_parallel: most programs at a time; 0 for one on each GPU or core.
    num_programs: programs that are left to train.

  Returns:
    Programs at a time, and cores and GPUs of each of them.

  Raises:
    UsageError: if the cluster has no device of the platform.
  """
  num_cores, num_gpus = map(sum, zip(*machines, strict=True))
  if platform == "gpu" and not num_gpus:
    raise UsageError("--platform=gpu: the Ray cluster has no GPU")
  if platform in ("auto", "gpu") and num_gpus:
    return min(max_parallel or num_gpus, num_programs), 1, 1
  if not num_cores:
    raise UsageError("the Ray cluster has no CPU to train on")
  num_parallel = min(max_parallel or num_cores, num_programs, num_cores)
  most = max(
    count
    for count in range(1, num_cores + 1)
    if sum(cores // count for cores, _ in machines) >= num_parallel
  )
  return num_parallel, most, 0


def _train_program(
  folder: Path, program: int, flags: Sequence[str], cores: int, cwd: str
) -> int:
  """Runs a program's process where Ray chose; returns its exit code."""
  if not (folder / plans.PLAN).exists():
    raise RunFolderError(
      f"{folder} is not there on {os.uname().nodename}: with --engine=ray, "
      "--workdir must be on storage that all machines of the cluster share"
    )
  variables = {"NPROC": str(cores)} if cores else {}
  # Paths of data may be relative to the folder of the command.
  there = cwd if os.path.isdir(cwd) else None
  process = worker_process.start(folder, program, flags, variables, there)
  try:
    while process.poll() is None:
      time.sleep(0.1)
  except KeyboardInterrupt:  # By `ray.cancel`.
    process.terminate()
    process.wait()
  return process.returncode


class _Task:
  """A task of the cluster, with the methods of a process."""

  def __init__(self, reference: Any):
    self._reference = reference

  def poll(self) -> int | None:
    """Returns the exit code of the program's process, once it has ended."""
    ready, _ = ray.wait([self._reference], timeout=0)
    if not ready:
      return None
    try:
      return ray.get(self._reference)
    except TaskCancelledError:
      return worker_process.STOPPED_EXIT_CODE
    except RayTaskError as error:
      raise RunFolderError(_line(error.cause or error)) from None
    except RayError as error:
      console.say(_line(error))
      return -signal.SIGKILL

  def terminate(self) -> None:
    ray.cancel(self._reference)


@contextlib.contextmanager
def places(
  address: str,
  folder: Path,
  num_programs: int,
  platform: str,
  max_parallel: int,
  flags: Sequence[str],
) -> Iterator[Sequence[Callable[[int], _Task]]]:
  """Connects to a cluster; without an address, starts one on this machine.

  Yields:
    A function that starts a program, as often as programs train at a time.

  Raises:
    UsageError: if the cluster cannot be used, or has no such device.
  """
  handlers = {number: signal.getsignal(number) for number in signals.SIGNALS}
  logging.getLogger("ray").setLevel(logging.ERROR)
  with contextlib.ExitStack() as stack:
    # Ray prints there that a worker has died.
    stack.enter_context(contextlib.redirect_stdout(sys.stderr))
    local_cluster: dict[str, Any] = {}
    if not address:
      # Ray's default folder /tmp/ray stays, and belongs to its first user.
      temporary = tempfile.TemporaryDirectory(
        prefix="ray-", dir="/tmp", ignore_cleanup_errors=True
      )
      local_cluster = {
        "num_cpus": len(os.sched_getaffinity(0)),
        "include_dashboard": False,
        "_temp_dir": stack.enter_context(temporary),
      }
    stack.callback(ray.shutdown)
    try:
      ray.init(
        address or "local",
        log_to_driver=False,
        configure_logging=False,
        **local_cluster,
      )
    except (ConnectionError, RuntimeError, ValueError) as error:
      raise UsageError(f"Ray cannot be used: {_line(error)}") from error
    # Ray's handlers would end this process at the first signal.
    for number, handler in handlers.items():
      signal.signal(number, handler)
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    num_parallel, cores, gpus = share(
      [(int(node.get("CPU", 0)), int(node.get("GPU", 0))) for node in nodes],
      platform,
      max_parallel,
      num_programs,
    )
    train: Any = ray.remote(num_cpus=cores, num_gpus=gpus, max_retries=0)(
      _train_program
    )
    arguments = (list(flags), 0 if gpus else cores, os.getcwd())

    def start(program: int) -> _Task:
      return _Task(train.remote(folder.resolve(), program, *arguments))

    yield [start] * num_parallel


def _line(error: BaseException) -> str:
  """Returns the first line of an error's message."""
  lines = [line.strip() for line in str(error).splitlines() if line.strip()]
  return lines[0] if lines else type(error).__name__
