"""Reads weights from files of PyTorch or NumPy, without running their code."""

import collections
import io
import pickle
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from gan_jax.metrics.inception import WeightsError

_STORAGES = {
  "HalfStorage": "<f2",
  "FloatStorage": "<f4",
  "DoubleStorage": "<f8",
  "LongStorage": "<i8",
}
"""NumPy types of PyTorch storages. A pickle gets these strings, not classes."""
_ZIP = b"PK\x03\x04"
_MAGIC = 0x1950A86A20F9469CFC6C
"""The first number in files of PyTorch before 1.6."""


def read(content: bytes) -> dict[str, np.ndarray]:
  """Reads named arrays; raises WeightsError if a file holds anything else.

  The file is one that `torch.save` wrote from a state dict, in the zip format
  since PyTorch 1.6 or in the older one, or that `numpy.savez` wrote.
  """
  try:
    if content.startswith(_ZIP):
      with zipfile.ZipFile(io.BytesIO(content)) as archive:
        arrays = _read_zip(archive)
    else:
      arrays = _read_old(io.BytesIO(content))
  except WeightsError:
    raise
  except Exception as error:
    # A damaged pickle can raise anything.
    raise WeightsError("no whole file of PyTorch or NumPy") from error
  if not isinstance(arrays, dict) or not all(
    isinstance(array, np.ndarray) for array in arrays.values()
  ):
    raise WeightsError("it does not hold named arrays")
  return arrays


def _read_zip(archive: zipfile.ZipFile) -> Any:
  """Reads a file of PyTorch since 1.6, or of NumPy."""
  names = archive.namelist()
  pickled = [name for name in names if name.endswith("/data.pkl")]
  if not pickled:
    return {
      name.removesuffix(".npy"): np.lib.format.read_array(
        io.BytesIO(archive.read(name)), allow_pickle=False
      )
      for name in names
    }
  (path,) = pickled
  folder = path.removesuffix(".pkl")

  def storage(kind, key, size):
    del size
    return np.frombuffer(archive.read(f"{folder}/{key}"), kind)

  return _Unpickler(io.BytesIO(archive.read(path)), storage).load()


def _read_old(file: io.BytesIO) -> Any:
  """Reads a file of PyTorch before 1.6: pickles, then the bytes of arrays."""
  storages = {}

  def storage(kind, key, size):
    if key not in storages:
      storages[key] = np.zeros(size, kind)
    return storages[key]

  def load():
    return _Unpickler(file, storage).load()

  if load() != _MAGIC:
    raise ValueError("another pickle")
  load()  # The version of the format.
  load()  # The machine's sizes of integers.
  arrays = load()
  for key in load():
    values = storages[key]
    file.read(8)  # The number of elements.
    data = file.read(values.nbytes)
    values[:] = np.frombuffer(data, values.dtype, len(values))
  return arrays


class _Unpickler(pickle.Unpickler):
  """Turns tensors into arrays, and refuses anything else in a pickle."""

  def __init__(
    self, file: io.BytesIO, storage: Callable[[str, str, int], np.ndarray]
  ):
    """Takes the pickle, and (type, key, length) -> elements of tensors."""
    super().__init__(file)
    self._storage = storage

  def find_class(self, module: str, name: str) -> Any:
    if module == "torch" and name in _STORAGES:
      return _STORAGES[name]
    known = {
      ("collections", "OrderedDict"): collections.OrderedDict,
      ("torch._utils", "_rebuild_tensor_v2"): _tensor,
      ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    }
    if (module, name) not in known:
      raise WeightsError(f"it holds {module}.{name}, not arrays alone")
    return known[module, name]

  def persistent_load(self, pid: Any) -> np.ndarray:
    _, kind, key, _, size = pid[:5]
    return self._storage(kind, key, size)


def _tensor(
  storage: np.ndarray,
  offset: int,
  shape: tuple[int, ...],
  strides: tuple[int, ...],
  *_: Any,
) -> np.ndarray:
  """Returns a tensor as a view of its storage; offsets count elements."""
  start, *steps = (n * storage.itemsize for n in (offset, *strides))
  return np.ndarray(shape, storage.dtype, storage.data, start, steps)
