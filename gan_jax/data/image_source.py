"""The names of image datasets, and types that describe undecoded images."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
  # The names are read by commands that need no arrays.
  import numpy as np

__all__ = [
  "DATASETS",
  "FACES",
  "FOLDER",
  "LAYOUTS",
  "NO_LABEL",
  "PREPARED",
  "AmbiguousLayoutError",
  "Contents",
  "Example",
  "Facts",
  "ImagesError",
  "Source",
  "Sources",
  "damaged",
  "file_stamp",
  "printable",
]


class Facts(NamedTuple):
  """What is known of a public dataset.

  Attributes:
    shape: height, width and channels of every image.
    num_classes: 0 if it has no classes.
  """

  shape: tuple[int, int, int]
  num_classes: int


PREPARED: Mapping[str, Facts] = {
  "mnist": Facts((28, 28, 1), 10),
  "fashion_mnist": Facts((28, 28, 1), 10),
  "cifar10": Facts((32, 32, 3), 10),
  "celeb_a": Facts((218, 178, 3), 0),
}
"""Datasets that TensorFlow Datasets prepares."""

FACES = "faces"
"""The dataset of drawn faces, which needs no download."""

FOLDER = "folder"
"""The dataset that consists of the images in a folder or zip."""

DATASETS = (*PREPARED, FACES, FOLDER)
"""All datasets that `images.load` accepts."""

LAYOUTS = ("auto", "classes", "splits", "flat")
"""What the outermost folders of images may be; `flat` is nothing."""

NO_LABEL = -1
"""The label of an image without a class."""


class ImagesError(Exception):
  """Raised for images that cannot be used; the message is one line."""


class AmbiguousLayoutError(ImagesError):
  """Raised for folders that can be read in two ways; one of LAYOUTS decides.

  Attributes:
    choices: what each layout does, such as "ignores all folders".
  """

  def __init__(self, message: str, choices: Mapping[str, str]):
    super().__init__(message)
    self.choices = choices


class Example(NamedTuple):
  """An image that is not decoded yet.

  Attributes:
    name: identifies the image to the user.
    read: returns the bytes of its file, or its pixels, uint8 [h, w] or
      [h, w, 3].
    label: its class, or NO_LABEL.
  """

  name: str
  read: Callable[[], bytes | np.ndarray]
  label: int


class Contents(NamedTuple):
  """The images of an open source.

  Attributes:
    num_images: number of images.
    examples: (start, stop) -> the examples of these indices; thread-safe.
    class_names: names by label; empty if there are no classes.
  """

  num_images: int
  examples: Callable[[int, int], Sequence[Example]]
  class_names: tuple[str, ...]


class Source(NamedTuple):
  """The images of one split, before any of them is read.

  Attributes:
    path: the folder or file of the images.
    stamp: changes if the images change, and is JSON-serializable: `file_stamp`
      and label of each file, or the settings that faces are drawn with.
    open: returns a context manager that opens the images.
  """

  path: Path
  stamp: list[Any]
  open: Callable[[], contextlib.AbstractContextManager[Contents]]


class Sources(NamedTuple):
  """The splits of a dataset.

  Attributes:
    train: images to train on.
    test: images that are held out.
    held_out: where the images of `test` come from, for the user.
    skipped: number and first name of the files that are not read, by what they
      are.
    empty_classes: names of classes that have no file.
  """

  train: Source
  test: Source
  held_out: str = "the test split"
  skipped: Mapping[str, tuple[int, str]] = MappingProxyType({})
  empty_classes: tuple[str, ...] = ()


def file_stamp(path: Path) -> list[Any]:
  """Returns what changes if a file is changed or replaced."""
  status = path.stat()
  # A replacement may keep size and time, but not the inode and its change.
  numbers = (
    status.st_size,
    status.st_mtime_ns,
    status.st_ino,
    status.st_ctime_ns,
  )
  return [printable(str(path)), *numbers]


def printable(name: str) -> str:
  """Writes the name of a file so that it can be printed and encoded."""
  return os.fsencode(name).decode("utf-8", "backslashreplace")


def damaged(path: Path | str, error: Exception) -> ImagesError:
  """Returns the one-line error that files are damaged, with its cause."""
  return ImagesError(f"{path} is damaged: {' '.join(str(error).split())}")
