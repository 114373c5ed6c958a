"""Files of weights: each format, without PyTorch and with it, and bad ones."""

import collections
import importlib.util
import io
import os
import pickle
import sys
import types
import zipfile
from typing import Any
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from experiments.datasets import inception_weights
from gan_jax.metrics.inception import WeightsError

RNG = np.random.default_rng(0)
ARRAYS = {
  "layer.weight": RNG.standard_normal((4, 3, 2, 1), dtype=np.float32),
  "layer.bias": RNG.standard_normal(4),
  "layer.half": np.array([[1.5, -2]], np.float16),
  "layer.count": np.array(7),
}


# What PyTorch writes, by its documented classes and functions alone.


class FloatStorage:
  """Elements that several tensors may share."""

  def __init__(self, values):
    self.values = values


class HalfStorage(FloatStorage):
  pass


class DoubleStorage(FloatStorage):
  pass


class LongStorage(FloatStorage):
  pass


def _rebuild_tensor_v2():
  """Stands for what makes a tensor of its storage."""


def _rebuild_parameter():
  """Stands for what makes a parameter of its tensor."""


STORAGES = {
  np.dtype(np.float16): HalfStorage,
  np.dtype(np.float32): FloatStorage,
  np.dtype(np.float64): DoubleStorage,
  np.dtype(np.int64): LongStorage,
}


class Tensor:
  """A view of a storage; lengths are in elements."""

  def __init__(self, storage, offset, shape, strides):
    self.arguments = (storage, offset, shape, strides)

  def __reduce__(self):
    more = (False, collections.OrderedDict())
    return _rebuild_tensor_v2, (*self.arguments, *more)


class Parameter:
  def __init__(self, tensor):
    self.tensor = tensor

  def __reduce__(self):
    return _rebuild_parameter, (self.tensor, True, collections.OrderedDict())


def tensor(array):
  strides = tuple(stride // array.itemsize for stride in array.strides)
  storage = STORAGES[array.dtype](array.ravel())
  return Tensor(storage, 0, array.shape, strides)


class Pickler(pickle.Pickler):
  def __init__(self, file, is_old):
    super().__init__(file, protocol=2)
    self.storages = {}
    self.more = (None,) if is_old else ()

  def persistent_id(self, obj):
    if not isinstance(obj, FloatStorage):
      return None
    key = str(id(obj))
    self.storages[key] = obj.values
    size = len(obj.values)
    return ("storage", type(obj), key, "cpu", size, *self.more)


def pickled(file, saved, is_old):
  """Pickles as if the classes above were PyTorch's; returns the storages."""
  modules = {name: types.ModuleType(name) for name in ("torch", "torch._utils")}
  changed: dict[Any, str] = dict.fromkeys(STORAGES.values(), "torch")
  changed |= {_rebuild_tensor_v2: "torch._utils"}
  changed |= {_rebuild_parameter: "torch._utils"}
  with mock.patch.dict(sys.modules, modules):
    for each, module in changed.items():
      each.__module__ = module
      setattr(modules[module], each.__name__, each)
    pickler = Pickler(file, is_old)
    pickler.dump(saved)
  return pickler.storages


def zipped(saved):
  file, content = io.BytesIO(), io.BytesIO()
  storages = pickled(content, saved, is_old=False)
  with zipfile.ZipFile(file, "w") as archive:
    archive.writestr("weights/data.pkl", content.getvalue())
    archive.writestr("weights/version", "3\n")
    for key, values in storages.items():
      archive.writestr(f"weights/data/{key}", values.tobytes())
  return file.getvalue()


def old(saved):
  file = io.BytesIO()
  for head in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
    pickle.dump(head, file, protocol=2)
  storages = pickled(file, saved, is_old=True)
  pickle.dump(list(storages), file, protocol=2)
  for values in storages.values():
    file.write(len(values).to_bytes(8, "little") + values.tobytes())
  return file.getvalue()


def numpys(arrays, save=np.savez):
  file = io.BytesIO()
  save(file, allow_pickle=True, **arrays)
  return file.getvalue()


BEYOND = Tensor(FloatStorage(np.zeros(6, np.float32)), 2, (5,), (1,))


class Command:
  def __reduce__(self):
    return os.system, ("exit 1",)


class ReadTest(parameterized.TestCase):
  def assert_read(self, content, expected):
    arrays = inception_weights.read(content)
    self.assertEqual(list(arrays), list(expected))
    for name, array in expected.items():
      self.assertEqual(arrays[name].dtype, array.dtype)
      np.testing.assert_array_equal(arrays[name], array, strict=True)

  @parameterized.parameters(np.savez, np.savez_compressed)
  def test_numpy(self, save):
    self.assert_read(numpys(ARRAYS, save), ARRAYS)

  @parameterized.parameters(zipped, old)
  def test_pytorch(self, write):
    saved = collections.OrderedDict(
      (name, tensor(array)) for name, array in ARRAYS.items()
    )
    # As the modules' versions are, beside the items.
    vars(saved)["_metadata"] = collections.OrderedDict()
    self.assert_read(write(saved), ARRAYS)

  @parameterized.parameters(zipped, old)
  def test_views_and_parameters(self, write):
    values = np.arange(12, dtype=np.float32)
    storage = FloatStorage(values)
    saved = {
      "rows": Tensor(storage, 6, (2, 3), (3, 1)),
      "columns": Parameter(Tensor(storage, 0, (3, 4), (1, 3))),
    }
    expected = {
      "rows": values[6:].reshape(2, 3),
      "columns": values.reshape(4, 3).T,
    }
    self.assert_read(write(saved), expected)

  @parameterized.parameters(False, True)
  def test_written_by_pytorch(self, zips):
    if importlib.util.find_spec("torch") is None:
      self.skipTest("no PyTorch")
    torch = importlib.import_module("torch")
    layer = torch.nn.Sequential(
      torch.nn.Conv2d(3, 2, 1), torch.nn.BatchNorm2d(2)
    )
    file = io.BytesIO()
    torch.save(layer.state_dict(), file, _use_new_zipfile_serialization=zips)
    expected = {k: v.numpy() for k, v in layer.state_dict().items()}
    self.assertLen(expected, 7)
    self.assert_read(file.getvalue(), expected)


class ErrorsTest(parameterized.TestCase):
  @parameterized.parameters(zipped, old)
  def test_nothing_else_is_called(self, write):
    with self.assertRaisesRegex(
      WeightsError,
      f"^it holds {os.system.__module__}.system, not arrays alone$",
    ):
      inception_weights.read(write({"weight": Command()}))

  @parameterized.parameters(
    (zipped, [1, 2]),
    (zipped, {"state_dict": {"weight": tensor(ARRAYS["layer.weight"])}}),
    (old, {"epoch": 3}),
  )
  def test_only_arrays_are_weights(self, write, saved):
    with self.assertRaisesRegex(
      WeightsError, "^it does not hold named arrays$"
    ):
      inception_weights.read(write(saved))

  @parameterized.named_parameters(
    ("nothing", b""),
    ("a picture", b"\xff\xd8\xff\xe0\x00\x10JFIF"),
    ("a page", b"<!DOCTYPE html>\n<html>"),
    ("a number", pickle.dumps(1001)),
    ("objects", numpys({"weight": np.array([None])})),
    ("no such place", zipped({"a": BEYOND})),
  )
  def test_no_file_of_weights(self, content):
    self.assert_damaged(content)

  def assert_damaged(self, content):
    with self.assertRaisesRegex(
      WeightsError, "^no whole file of PyTorch or NumPy$"
    ):
      inception_weights.read(content)

  @parameterized.parameters(
    (lambda: numpys(ARRAYS)),
    (lambda: zipped({"a": tensor(ARRAYS["layer.weight"])})),
    (lambda: old({"a": tensor(ARRAYS["layer.weight"])})),
  )
  def test_part_of_a_file(self, write):
    content = write()
    # The last but 4 bytes would leave one number of 24.
    for size in (len(content) // 2, len(content) - 92, len(content) - 1):
      self.assert_damaged(content[:size])


if __name__ == "__main__":
  absltest.main()
