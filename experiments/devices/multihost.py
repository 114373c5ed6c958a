"""Several processes, on one host or many, that train together.

Each runs the same command and takes the same steps; the first, process 0,
alone has a run folder, and prints. What depends on a folder, a clock or a
signal is asked of the first, or of all, so that they all do the same. Without
other processes everything here is what it would be without this file.

The functions are collective: every process calls them in the same order.
"""

import hashlib
import importlib.metadata
import pickle
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from experiments.configs.fields import SettingError
from experiments.devices.environment import PACKAGES, PlatformError
from experiments.run_folder.results import RunFolderError

T = TypeVar("T")

MISTAKES = (SettingError, RunFolderError, PlatformError, OSError)
"""Errors that say in one line what a user can mend."""
MAX_MESSAGE = 1000
"""Bytes of an error that other processes hear."""


class HostsError(PlatformError):
  """What another process could not do; the message is one line."""


def count() -> int:
  """Returns how many processes train together."""
  return jax.process_count() if jax.distributed.is_initialized() else 1


def index() -> int:
  """Returns the place of this process among them."""
  return jax.process_index() if jax.distributed.is_initialized() else 0


def is_first() -> bool:
  """Tells whether this process has the run folder."""
  return index() == 0


def _everywhere(function: Callable, own: np.ndarray) -> np.ndarray:
  """Applies a function to the arrays of all processes, for all of them.

  Args:
    function: [num_processes, ...] -> an array.
    own: [...] of this process; of one shape in all.

  Returns:
    The array.
  """
  firsts = {device.process_index: device for device in reversed(jax.devices())}
  mesh = Mesh([firsts[k] for k in sorted(firsts)], ("processes",))
  arrays = jax.make_array_from_single_device_arrays(
    (len(firsts), *own.shape),
    NamedSharding(mesh, PartitionSpec("processes")),
    [jax.device_put(own[None], firsts[index()])],
  )

  whole = NamedSharding(mesh, PartitionSpec())
  return np.asarray(jax.jit(function, out_shardings=whole)(arrays))


def _all(arrays):
  return arrays


def _sum(arrays):
  return jnp.sum(arrays, axis=0, dtype=arrays.dtype)


def of_all(numbers: Iterable[int]) -> np.ndarray:
  """Returns what every process calls this with, [num_processes, n] int32."""
  own = np.array([*numbers], np.int32)
  return own[None] if count() == 1 else _everywhere(_all, own)


def any_of(own: bool) -> bool:
  """Tells whether any process calls this with True."""
  return bool(of_all([own]).any())


def _message(own: bytes) -> bytes:
  """Returns the bytes that the first process calls this with."""
  (size,) = of_all([len(own)])[0]
  buffer = np.zeros(size, np.uint8)
  if is_first():
    buffer[:] = np.frombuffer(own, np.uint8)
  return _everywhere(_sum, buffer).tobytes()


def from_first(function: Callable[[], T]) -> T:
  """Calls a function in the first process and returns its result in all.

  Args:
    function: what it returns, others get a copy of.

  Returns:
    The result.

  Raises:
    HostsError: in other processes, if it raised anything in the first.
  """
  if count() == 1:
    return function()
  if not is_first():
    result, error = pickle.loads(_message(b""))
    if error is not None:
      raise HostsError(f"process 0: {error}")
    return result
  try:
    result = function()
  except Exception as error:
    _message(pickle.dumps((None, one_line(error))))
    raise
  _message(pickle.dumps((result, None)))
  return result


def in_all(function: Callable[[], T]) -> T:
  """Calls a function in every process; if one makes a mistake, all end.

  Args:
    function: what it returns, stays where it is.

  Returns:
    The result of this process.

  Raises:
    HostsError: if a process raised a SettingError, RunFolderError,
      PlatformError or OSError.
  """
  if count() == 1:
    return function()
  result: Any = None
  own: Exception | None = None
  try:
    result = function()
  except MISTAKES as error:
    own = error
  text = b"" if own is None else one_line(own).encode()[:MAX_MESSAGE]
  lines = _everywhere(
    _all, np.frombuffer(text.ljust(MAX_MESSAGE, b"\0"), np.uint8)
  )
  if own is not None:
    raise HostsError(one_line(own)) from own
  for number, line in enumerate(lines):
    told = line.tobytes().rstrip(b"\0").decode(errors="replace")
    if told:
      raise HostsError(f"process {number}: {told}")
  return result


def one_line(error: BaseException) -> str:
  """Writes an error in one line, its type too unless that is a known one."""
  text = " ".join(str(error).split())
  if isinstance(error, OSError):
    return f"{error.filename or 'writing'}: {error.strerror or text}"
  return (
    text if isinstance(error, MISTAKES) else f"{type(error).__name__}: {text}"
  )


def refuse_others(what: str, *contents: Any) -> None:
  """Refuses to go on unless contents are the same in all processes.

  Args:
    what: they are, for the message.
    *contents: arrays, or what `repr` writes whole.

  Raises:
    HostsError: if they are not, in all processes.
  """
  if count() == 1:
    return
  digest = hashlib.sha256()
  for content in contents:
    if isinstance(content, np.ndarray):
      digest.update(f"{content.shape}{content.dtype}".encode())
      digest.update(np.ascontiguousarray(content).view(np.uint8).data)
    else:
      digest.update(repr(content).encode())
  of_each = of_all(np.frombuffer(digest.digest()[:8], np.int32))
  for number, other in enumerate(of_each):
    if (other != of_each[0]).any():
      raise HostsError(
        f"process {number} does not have the {what} of process 0, and all "
        "must have the same"
      )


def shared(data: Any) -> Any:
  """Sees that all processes train on the same data.

  Args:
    data: a pytree of arrays of this process.

  Returns:
    The same. What a machine computed, such as the weights of a classifier, may
    differ in its last digits from another's: all get that of the first.

  Raises:
    HostsError: if others have other data.
  """
  if count() == 1:
    return data
  leaves, structure = jax.tree.flatten(jax.tree.map(np.asarray, data))
  computed = [np.issubdtype(leaf.dtype, np.floating) for leaf in leaves]
  refuse_others(
    "data",
    str(structure),
    *((leaf.shape, leaf.dtype) for leaf in leaves),
    *(leaf for leaf, own in zip(leaves, computed, strict=True) if not own),
  )
  firsts = from_first(
    lambda: [leaf for leaf, own in zip(leaves, computed, strict=True) if own]
  )
  others = iter(firsts)
  return structure.unflatten(
    next(others) if own else leaf
    for leaf, own in zip(leaves, computed, strict=True)
  )


def versions() -> tuple[str, ...]:
  """Lists the versions that all processes must share."""
  return tuple(
    f"{name} {importlib.metadata.version(name)}"
    for name in ("gan_jax", *PACKAGES)
  )
