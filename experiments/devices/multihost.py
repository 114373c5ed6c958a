"""Lets several processes, on one host or many, train one run together.

All processes run the same command and take the same steps. Process 0 alone has
the run folder and prints. Whatever depends on a file, a clock or a signal is
decided by process 0, or by all processes together, so that all do the same.

The functions are collective: every process calls them in the same order. In a
run of one process they cost nothing.
"""

import collections
import contextlib
import hashlib
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
from jax.errors import JaxRuntimeError
from jax.experimental import multihost_utils

from experiments.devices import environment
from experiments.devices.environment import PlatformError
from experiments.errors import (
  LostProcessError,
  RunFolderError,
  SettingError,
  UsageError,
)

T = TypeVar("T")

MISTAKES = (SettingError, RunFolderError, PlatformError, OSError)
"""Errors whose message is one line for the user."""
SECONDS_TO_CONNECT = 300
SECONDS_UNTIL_LOST = 30
"""A process that is silent for so long counts as dead, and all others end."""


class HostsError(PlatformError):
  """An error that involves another process; the message is one line."""


class Cluster(NamedTuple):
  """Says how processes find each other.

  Attributes:
    coordinator_address: HOST:PORT of process 0; empty if JAX finds all three
      values in the environment.
    num_processes: number of processes.
    process_id: index of this process.
  """

  coordinator_address: str = ""
  num_processes: int = 0
  process_id: int = 0


def find_cluster(
  coordinator_address: str,
  num_processes: int,
  process_id: int,
  distributed: bool,
) -> Cluster | None:
  """Checks the flags of several processes; None if there is one process.

  Raises:
    UsageError: if they contradict each other.
  """
  if distributed:
    if coordinator_address or num_processes or process_id >= 0:
      raise UsageError(
        "--distributed lets JAX find what --coordinator_address, "
        "--num_processes and --process_id say; give either"
      )
    return Cluster()
  if not coordinator_address and not num_processes and process_id < 0:
    return None
  host, _, port = coordinator_address.rpartition(":")
  if not host or not port.isdecimal():
    raise UsageError(
      f"--coordinator_address={coordinator_address} is not allowed; several "
      "processes need the HOST:PORT of process 0"
    )
  if not 0 <= process_id < num_processes:
    raise UsageError(
      f"--process_id={process_id} is not one of the "
      f"--num_processes={num_processes}; they are 0, 1, ..."
    )
  return Cluster(coordinator_address, num_processes, process_id)


@contextlib.contextmanager
def connected(cluster: Cluster | None, num_devices: int) -> Iterator[None]:
  """Connects this process to the others, if any; JAX disconnects it at exit.

  If a process dies or cannot be reached, JAX's coordination service aborts the
  others within SECONDS_UNTIL_LOST. A collective operation often fails earlier;
  then the context ends with a LostProcessError.

  Args:
    cluster: None for a run of one process.
    num_devices: into which a CPU is divided; 0 for one per core.

  Raises:
    HostsError: if the processes cannot connect.
    LostProcessError: if one of them is lost.
  """
  if cluster is None:
    yield
    return
  environment.configure(num_devices or environment.num_threads())
  # JAX would otherwise handle SIGTERM, which stops a run in order.
  jax.config.update("jax_enable_preemption_service", False)
  try:
    jax.distributed.initialize(
      cluster.coordinator_address or None,
      cluster.num_processes or None,
      cluster.process_id if cluster.num_processes else None,
      initialization_timeout=SECONDS_TO_CONNECT,
      heartbeat_timeout_seconds=SECONDS_UNTIL_LOST,
      shutdown_timeout_seconds=SECONDS_UNTIL_LOST,
    )
  except (RuntimeError, ValueError) as error:
    raise HostsError(
      f"the processes cannot connect: {one_line(error)[:300]}"
    ) from error
  _redirect_stdout()
  _check_device_counts()
  try:
    yield
  except JaxRuntimeError as error:
    if not any(name in str(error) for name in ("Gloo", "NCCL")):
      raise
    raise LostProcessError(
      "another process was lost; run the same commands with --resume"
    ) from error


def _redirect_stdout() -> None:
  """Discards standard output, except what Python prints in process 0."""
  sys.stdout.flush()
  if is_first():
    sys.stdout = os.fdopen(os.dup(1), "w", buffering=1)
  # Gloo writes to the descriptor, without Python.
  os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _check_device_counts() -> None:
  """Raises HostsError unless all processes have equally many devices."""
  counts = collections.Counter(device.process_index for device in jax.devices())
  if len(set(counts.values())) > 1:
    raise HostsError(
      f"the processes have {', '.join(map(str, counts.values()))} devices, and "
      "must have the same number; on a CPU, --mesh sets it"
    )


def count() -> int:
  """Returns the number of processes that train together."""
  return jax.process_count() if jax.distributed.is_initialized() else 1


def index() -> int:
  """Returns the index of this process."""
  return jax.process_index() if jax.distributed.is_initialized() else 0


def is_first() -> bool:
  """Returns whether this is process 0, which has the run folder."""
  return index() == 0


def of_all(numbers: Iterable[int]) -> np.ndarray:
  """Gathers the numbers of every process, [num_processes, n] int32."""
  array = np.array([*numbers], np.int32)
  if count() == 1:
    return array[None]
  return np.asarray(multihost_utils.process_allgather(array))


def any_of(value: bool) -> bool:
  """Returns whether any process passes True."""
  return bool(of_all([value]).any())


def from_first(function: Callable[[], T]) -> T:
  """Calls a function in process 0 and returns its result in all processes.

  Args:
    function: its result must allow pickling.

  Raises:
    HostsError: in the other processes, if it raises any error in process 0.
  """
  if count() == 1:
    return function()
  result: Any = None
  error: Exception | None = None
  if is_first():
    try:
      result = function()
    except Exception as raised:
      error = raised
  copy, line = _broadcast((result, error and one_line(error)))
  if error is not None:
    raise error
  if line is not None:
    raise HostsError(f"process 0: {line}")
  return result if is_first() else copy


def in_all(function: Callable[[], T]) -> T:
  """Calls a function in every process; a mistake in one ends all.

  Returns:
    The result of this process.

  Raises:
    HostsError: if the function raises one of MISTAKES in another process. The
      process in which it does raises that error itself.
  """
  if count() == 1:
    return function()
  result: Any = None
  error: Exception | None = None
  try:
    result = function()
  except MISTAKES as raised:
    error = raised
  failed = of_all([error is not None])[:, 0]
  if failed.any():
    process = int(failed.argmax())
    line = _broadcast(error and one_line(error), source=process)
    raise error or HostsError(f"process {process}: {line}")
  return result


def _broadcast(value: Any, source: int = 0) -> Any:
  """Returns a copy of the value of one process in all processes."""
  message = pickle.dumps(value)
  buffer = np.zeros(of_all([len(message)])[source, 0], np.uint8)
  if index() == source:
    buffer[:] = np.frombuffer(message, np.uint8)
  received = multihost_utils.broadcast_one_to_all(buffer, index() == source)
  return pickle.loads(np.asarray(received).tobytes())


def one_line(error: BaseException) -> str:
  """Formats an error in one line, with its type unless it is in MISTAKES."""
  text = " ".join(str(error).split())
  if isinstance(error, OSError):
    return f"{error.filename or 'writing'}: {error.strerror or text}"
  return (
    text if isinstance(error, MISTAKES) else f"{type(error).__name__}: {text}"
  )


def refuse_others(what: str, *contents: Any) -> None:
  """Raises an error in all processes unless all pass the same contents.

  Args:
    what: name of the contents, for the message.
    *contents: objects that `repr` writes completely; arrays are not.

  Raises:
    HostsError: if the contents of a process differ from those of process 0.
  """
  if count() == 1:
    return
  digest = hashlib.sha256(repr(contents).encode()).digest()
  digests = of_all(np.frombuffer(digest[:8], np.int32))
  for process, other in enumerate(digests):
    if (other != digests[0]).any():
      raise HostsError(
        f"process {process} does not have the {what} of process 0, and all "
        "must have the same"
      )


def shared(data: Any) -> Any:
  """Returns the same training data in all processes.

  Floats may be computed, such as the weights of a classifier, and differ in
  their last digits between machines: all processes receive those of process 0.
  All other arrays must be equal.

  Args:
    data: a pytree of arrays.

  Raises:
    HostsError: if the processes have different data.
  """
  if count() == 1:
    return data
  leaves, structure = jax.tree.flatten(jax.tree.map(np.asarray, data))
  floats, contents = {}, [str(structure)]
  for k, leaf in enumerate(leaves):
    contents.append(f"{leaf.shape} {leaf.dtype}")
    if np.issubdtype(leaf.dtype, np.floating):
      floats[k] = leaf
    else:
      array_bytes = np.ascontiguousarray(leaf).view(np.uint8).data
      contents.append(hashlib.sha256(array_bytes).hexdigest())
  refuse_others("data", *contents)
  floats = from_first(lambda: floats)
  return structure.unflatten(
    floats.get(k, leaf) for k, leaf in enumerate(leaves)
  )
