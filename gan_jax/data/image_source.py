"""The names of image datasets, and types that describe undecoded images."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
  # The names are read by commands that need no arrays.
  import numpy as np

__all__ = [
  "DATASETS",
  "FACES",
  "FOLDER",
  "NO_LABEL",
  "PREPARED",
  "Contents",
  "Example",
  "Source",
  "damaged",
  "file_stamp",
]

PREPARED = (
  "mnist",
  "fashion_mnist",
  "cifar10",
  "celeb_a",
)
"""Datasets that TensorFlow Datasets prepares."""

FACES = "faces"
"""The dataset of drawn faces, which needs no download."""

FOLDER = "folder"
"""The dataset that consists of the images in a folder or zip."""

DATASETS = (*PREPARED, FACES, FOLDER)
"""All datasets that `images.load` accepts."""

NO_LABEL = -1
"""The label of an image without a class."""


class ImagesError(Exception):
  """Raised for images that cannot be used; the message is one line."""


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
  """The images of one split, before any file is opened.

  Attributes:
    path: the folder or file of the images.
    stamp: changes if the images change, and is JSON-serializable: name, size
      and modification time of each file, or the settings that faces are drawn
      with.
    open: returns a context manager that opens the images.
  """

  path: Path
  stamp: list[Any]
  open: Callable[[], contextlib.AbstractContextManager[Contents]]


def file_stamp(path: Path) -> list[Any]:
  """Returns a file's name, size and time; those of the link if it is broken."""
  try:
    status = path.stat()
  except FileNotFoundError:
    status = path.lstat()
  return [str(path), status.st_size, status.st_mtime_ns]


def damaged(path: Path, error: Exception) -> ImagesError:
  """Returns the one-line error that files are damaged, with its cause."""
  return ImagesError(f"{path} is damaged: {' '.join(str(error).split())}")
