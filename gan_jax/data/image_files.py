"""Finds image datasets: IDX files, TFDS datasets, image folders and zips.

A source lists the files of one split before it opens any of them, so that a
cache can recognise them. The order of its images depends only on their names.
"""

import contextlib
import functools
import gzip
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.data import image_folders
from gan_jax.data.image_source import (
  FOLDER,
  NO_LABEL,
  Contents,
  Example,
  ImagesError,
  Source,
  damaged,
  file_stamp,
)

_IDX_PREFIX = {"train": "train", "test": "t10k"}
_IDX_CLASSES = {
  "fashion_mnist": (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
  )
}


def find(
  dataset: str, data_dir: Path, split: str, prepared_only: bool = False
) -> Source | None:
  """Finds the images of a dataset.

  Args:
    dataset: the name of a TFDS dataset, or FOLDER.
    data_dir: a folder of IDX files (or one that contains such a folder with the
      dataset's name), a folder of datasets prepared by TFDS, an image folder or
      a zip.
    split: `train` or `test`.
    prepared_only: whether image folders are ignored.

  Returns:
    The source, or None if there are no images.

  Raises:
    ImagesError: if the images cannot be used.
  """
  if data_dir.is_file():
    if not zipfile.is_zipfile(data_dir):
      raise ImagesError(f"{data_dir} is neither a folder nor a whole zip")
    return image_folders.zip_source(data_dir, split)
  for folder in (data_dir, data_dir / dataset):
    if any(_idx_path(folder, each, "images-idx3") for each in _IDX_PREFIX):
      return _idx_source(dataset, folder, split)
  if dataset != FOLDER:
    versions = (data_dir / dataset).glob("*/dataset_info.json")
    newest = max(versions, key=lambda path: _version(path.parent), default=None)
    if newest is not None:
      return _prepared_source(newest.parent, split)
    if prepared_only or not image_folders.is_image_folder(data_dir):
      return None
  if data_dir.is_dir():
    return image_folders.folder_source(data_dir, split)
  return None


def read_idx(path: Path, num_axes: int) -> np.ndarray:
  """Reads an IDX file of bytes, gzipped or not, as uint8 with `num_axes` axes.

  The file is two zero bytes, the type (8: unsigned byte), the number of axes,
  each length as a big-endian 32-bit number, and the values.

  Raises:
    ImagesError: if it is no such file or is incomplete.
  """
  content = path.read_bytes()
  try:
    if content[:2] == b"\x1f\x8b":
      content = gzip.decompress(content)
  except (OSError, EOFError, zlib.error) as error:
    raise damaged(path, error) from error
  start = 4 + 4 * num_axes
  if content[:4] != bytes([0, 0, 8, num_axes]) or len(content) < start:
    raise ImagesError(f"{path} is no IDX file of bytes with {num_axes} axes")
  shape = tuple(np.frombuffer(content, ">u4", num_axes, offset=4).tolist())
  values = np.frombuffer(content, np.uint8, offset=start)
  if values.size != np.prod(shape, dtype=int):
    raise ImagesError(
      f"{path} is damaged: it has {values.size:,} values, and its header says "
      f"{shape}"
    )
  return values.reshape(shape)


def _idx_path(folder: Path, split: str, kind: str) -> Path | None:
  """Returns the path of an IDX file in a folder, or None."""
  name = f"{_IDX_PREFIX[split]}-{kind}-ubyte"
  paths = (folder / name, folder / f"{name}.gz")
  return next((path for path in paths if path.is_file()), None)


def _idx_source(dataset: str, folder: Path, split: str) -> Source:
  """Returns the source of a split's IDX files; labels may be missing."""
  image_path = _idx_path(folder, split, "images-idx3")
  label_path = _idx_path(folder, split, "labels-idx1")
  if image_path is None:
    name = f"{_IDX_PREFIX[split]}-images-idx3-ubyte"
    raise ImagesError(f"{folder} has no {name} or {name}.gz")

  @contextlib.contextmanager
  def open_files():
    pixels = read_idx(image_path, 3)
    labels = np.full(len(pixels), NO_LABEL)
    class_names = ()
    if label_path is not None:
      labels = read_idx(label_path, 1)
      if len(labels) != len(pixels):
        raise ImagesError(
          f"{image_path} has {len(pixels):,} images, but {label_path.name} "
          f"{len(labels):,} labels"
        )
      num_classes = max(10, int(labels.max(initial=0)) + 1)
      class_names = _IDX_CLASSES.get(dataset, tuple(map(str, range(10))))
      class_names += tuple(map(str, range(len(class_names), num_classes)))

    def examples(start, stop):
      return [
        Example(
          f"image {i}", functools.partial(pixels.__getitem__, i), int(labels[i])
        )
        for i in range(start, stop)
      ]

    yield Contents(len(pixels), examples, class_names)

  paths = [path for path in (image_path, label_path) if path is not None]
  return Source(folder, list(map(file_stamp, paths)), open_files)


def _version(folder: Path) -> list[int]:
  """Returns the version numbers in a folder's name, for comparison."""
  return [int(n) if n.isdigit() else -1 for n in folder.name.split(".")]


def _prepared_source(folder: Path, split: str) -> Source:
  """Returns the source of a split in a dataset version prepared by TFDS."""

  @contextlib.contextmanager
  def open_records():
    import tensorflow_datasets as tfds
    from google.protobuf import json_format

    try:
      # Any, because type checkers do not understand its features.
      builder: Any = tfds.builder_from_directory(folder)
      if split not in builder.info.splits:
        raise ImagesError(f"{folder} has no {split} split")
      records = builder.as_data_source(
        split, decoders={"image": tfds.decode.SkipDecoding()}
      )
    except json_format.ParseError as error:
      raise damaged(folder, error) from error
    except NotImplementedError as error:
      raise ImagesError(
        f"{folder} is prepared as {builder.info.file_format.value}, which "
        "needs TensorFlow to be read; prepare it again, as array_record"
      ) from error
    features = builder.info.features
    class_names = features["label"].names if "label" in features else ()

    def examples(start, stop):
      try:
        chosen = records.__getitems__(list(range(start, stop)))
      except RuntimeError as error:
        raise damaged(folder, error) from error
      return [
        # The default argument binds the record of this iteration.
        Example(
          f"image {i}",
          lambda content=record["image"]: content,
          int(record.get("label", NO_LABEL)),
        )
        for i, record in enumerate(chosen, start)
      ]

    yield Contents(len(records), examples, tuple(class_names))

  return Source(
    folder, [file_stamp(p) for p in sorted(folder.iterdir())], open_records
  )
