"""Finds image datasets: IDX files, TFDS datasets, image folders and zips.

Sources are found before any image is read, so that a cache can recognise them.
The order of their images depends only on their names.
"""

import contextlib
import functools
import gzip
import hashlib
import io
import re
import string
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gan_jax.data import image_decoding, image_folders
from gan_jax.data.image_source import (
  FOLDER,
  NO_LABEL,
  PREPARED,
  Contents,
  Example,
  ImagesError,
  Source,
  Sources,
  damaged,
  file_stamp,
)

_IDX_NAME = re.compile(
  r"(?:(?P<prefix>.+)-)?(?P<split>train|t10k|test)-(?P<kind>images|labels)"
  r"[-._]idx[13][-._]ubyte(?:\.gz|\.zip)?"
)
_TORCHVISION = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}
"""Folders in which torchvision keeps IDX files, in one named raw."""
_MERGED = tuple(string.digits + string.ascii_uppercase + "abdefghnqrt")
"""The classes of EMNIST without lower-case letters that look like capitals."""
_CLASSES: Mapping[str, tuple[str, ...]] = {
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
  ),
  "emnist-letters": ("", *string.ascii_uppercase),
  "emnist-byclass": tuple(
    string.digits + string.ascii_uppercase + string.ascii_lowercase
  ),
  "emnist-bymerge": _MERGED,
  "emnist-balanced": _MERGED,
}
"""Names of the classes of IDX files, by dataset or by the files' prefix."""
_SHA256 = {
  "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db": "mnist",
  "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7": "mnist",
  "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888": (
    "fashion_mnist"
  ),
  "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b": (
    "fashion_mnist"
  ),
}
"""The datasets of official IDX files of images, unpacked."""
_SPLITS = {"train": "train", "t10k": "test", "test": "test"}


class _IdxFile(NamedTuple):
  """An IDX file that is not read yet.

  Attributes:
    name: for messages.
    stamp: changes if the file changes.
    read: returns its content.
  """

  name: str
  stamp: list[Any]
  read: Callable[[], bytes]


_IdxFiles = dict[tuple[str, str], _IdxFile]
"""The IDX files of a dataset, by split and kind (images or labels)."""


def find(
  dataset: str,
  data_dir: Path,
  layout: str = "auto",
  prepared_only: bool = False,
) -> Sources | None:
  """Finds the images of a dataset.

  Args:
    dataset: the name of a TFDS dataset, or FOLDER.
    data_dir: a folder or zip of IDX files (or a folder that contains such a
      folder with the dataset's name), a folder of datasets prepared by TFDS, an
      image folder or a zip of images.
    layout: one of LAYOUTS, of a folder or zip of images.
    prepared_only: whether image folders are ignored.

  Returns:
    The sources, or None if there are no images.

  Raises:
    ImagesError: if the images cannot be used, or are not the dataset's.
  """
  if data_dir.is_file():
    if not zipfile.is_zipfile(data_dir):
      raise ImagesError(f"{data_dir} is neither a folder nor a whole zip")
    if found := _idx_in_zip(data_dir):
      return _idx_sources(dataset, data_dir, *found)
    sources = image_folders.zip_sources(data_dir, layout)
    return _checked(dataset, sources)
  if found := _find_idx(dataset, data_dir):
    return _idx_sources(dataset, *found)
  if dataset != FOLDER:
    versions = (data_dir / dataset).glob("*/dataset_info.json")
    newest = max(versions, key=lambda path: _version(path.parent), default=None)
    if newest is not None:
      return _prepared_sources(dataset, newest.parent)
    if prepared_only or not image_folders.is_image_folder(data_dir):
      return None
  if data_dir.is_dir():
    return _checked(dataset, image_folders.folder_sources(data_dir, layout))
  return None


def _checked(dataset: str, sources: Sources) -> Sources:
  """Raises ImagesError if image files are another dataset's."""
  if dataset == FOLDER:
    return sources
  facts, where = PREPARED[dataset], sources.train.path
  with sources.train.open() as contents:
    num_classes = len(contents.class_names)
    (first,) = contents.examples(0, 1)
    size = image_decoding.size_of(first.read())
  if num_classes != facts.num_classes:
    raise _other(where, f"{num_classes} classes", dataset)
  if size is not None and size != facts.shape[:2]:
    raise _other(where, f"images of {size[0]} x {size[1]} pixels", dataset)
  return sources


def _other(where: Path | str, what: str, dataset: str) -> ImagesError:
  """Returns the error that data is not of the dataset that was named."""
  height, width, channels = PREPARED[dataset].shape
  return ImagesError(
    f"{where} has {what}, so it is not {dataset}, which has "
    f"{PREPARED[dataset].num_classes or 'no'} classes and images of {height} x "
    f"{width} x {channels}; read it as dataset {FOLDER}"
  )


def read_idx(path: Path, num_axes: int) -> np.ndarray:
  """Reads an IDX file of bytes, packed or not, as uint8 with `num_axes` axes.

  Raises:
    ImagesError: if it is no such file or is incomplete.
  """
  return _parse_idx(str(path), path.read_bytes(), num_axes)


def _parse_idx(name: str, content: bytes, num_axes: int) -> np.ndarray:
  """Parses an IDX file.

  The file is two zero bytes, the type (8: unsigned byte), the number of axes,
  each length as a big-endian 32-bit number, and the values.
  """
  try:
    if content[:2] == b"\x1f\x8b":
      content = gzip.decompress(content)
    elif content[:4] == b"PK\x03\x04":
      with zipfile.ZipFile(io.BytesIO(content)) as archive:
        content = archive.read(archive.namelist()[0])
  except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
    raise damaged(name, error) from error
  start = 4 + 4 * num_axes
  if content[:4] != bytes([0, 0, 8, num_axes]) or len(content) < start:
    raise ImagesError(f"{name} is no IDX file of bytes with {num_axes} axes")
  shape = tuple(np.frombuffer(content, ">u4", num_axes, offset=4).tolist())
  values = np.frombuffer(content, np.uint8, offset=start)
  if values.size != np.prod(shape, dtype=int):
    raise ImagesError(
      f"{name} is damaged: it has {values.size:,} values, and its header says "
      f"{shape}"
    )
  return values.reshape(shape)


def _find_idx(
  dataset: str, data_dir: Path
) -> tuple[Path, str, _IdxFiles] | None:
  """Finds the IDX files in a folder, or in one within it."""
  name = "*" if dataset == FOLDER else dataset
  torchvision = _TORCHVISION.get(dataset, name)
  for pattern in ("", name, "raw", f"{torchvision}/raw"):
    folders = sorted(data_dir.glob(pattern)) if pattern else [data_dir]
    found = [
      (folder, *files)
      for folder in folders
      if (files := _idx_in_folder(folder))
    ]
    if len(found) > 1:
      raise ImagesError(
        f"{data_dir} has IDX files in several folders, such as {found[0][0]} "
        f"and {found[1][0]}; name one"
      )
    if found:
      return found[0]
  return None


def _idx_in_folder(folder: Path) -> tuple[str, _IdxFiles] | None:
  """Finds the IDX files of a folder, if it has images to train on."""
  if not folder.is_dir():
    return None
  return _choose_idx(
    folder,
    [
      (path.name, _IdxFile(str(path), file_stamp(path), path.read_bytes))
      for path in sorted(folder.iterdir())
      if _IDX_NAME.fullmatch(path.name.lower()) and path.is_file()
    ],
  )


def _idx_in_zip(path: Path) -> tuple[str, _IdxFiles] | None:
  """Finds the IDX files in the outermost folder of a zip that has some."""

  def read(member):
    with image_folders.open_zip(path) as archive:
      return archive.read(member)

  folders: dict[str, list[tuple[str, _IdxFile]]] = {}
  with image_folders.open_zip(path) as archive:
    for member in archive.infolist():
      folder, _, name = member.filename.replace("\\", "/").rpartition("/")
      if _IDX_NAME.fullmatch(name.lower()):
        file = _IdxFile(
          f"{path}/{name}", file_stamp(path), functools.partial(read, member)
        )
        folders.setdefault(folder, []).append((name, file))
  for folder in sorted(folders, key=lambda name: (name.count("/"), name)):
    if found := _choose_idx(path, sorted(folders[folder])):
      return found
  return None


def _choose_idx(
  where: Path, files: list[tuple[str, _IdxFile]]
) -> tuple[str, _IdxFiles] | None:
  """Returns the prefix and the files of the only dataset among IDX files."""
  found: dict[str, _IdxFiles] = {}
  # The shortest name of a file is that of the unpacked one.
  for name, file in sorted(files, key=lambda each: len(each[0])):
    match = _IDX_NAME.fullmatch(name.lower())
    assert match is not None
    part = _SPLITS[match["split"]], match["kind"]
    found.setdefault(match["prefix"] or "", {}).setdefault(part, file)
  found = {p: f for p, f in found.items() if ("train", "images") in f}
  if len(found) > 1:
    raise ImagesError(
      f"{where} has the IDX files of several datasets, {', '.join(found)}; put "
      "those of one in a folder"
    )
  return next(iter(found.items()), None)


def _idx_sources(
  dataset: str, where: Path, prefix: str, files: _IdxFiles
) -> Sources:
  """Returns the sources of IDX files; labels may be missing."""
  if ("test", "images") not in files:
    raise ImagesError(
      f"{where} has {Path(files['train', 'images'].name).name}, but not the "
      "test images, such as t10k-images-idx3-ubyte"
    )
  labels = {
    split: _parse_idx(file.name, file.read(), 1)
    for (split, kind), file in files.items()
    if kind == "labels"
  }
  known = _CLASSES.get(prefix or dataset, ())
  names = known + tuple(map(str, range(len(known), 256)))
  present = np.unique(labels.get("train", ())).astype(int).tolist()
  if dataset != FOLDER and max(present, default=0) >= (
    num_classes := PREPARED[dataset].num_classes
  ):
    raise _other(where, f"labels above {num_classes - 1}", dataset)
  numbers = np.full(256, NO_LABEL)
  numbers[present] = np.arange(len(present))

  def source(split):
    image_file = files[split, "images"]

    @contextlib.contextmanager
    def open_files():
      pixels = _read_idx_images(dataset, image_file)
      if prefix.startswith("emnist"):
        # Its images are stored column by column.
        pixels = pixels.transpose(0, 2, 1)
      classes = np.full(len(pixels), NO_LABEL)
      if split in labels and present:
        classes = numbers[labels[split]]
      if len(classes) != len(pixels):
        raise ImagesError(
          f"{image_file.name} has {len(pixels):,} images, but there are "
          f"{len(classes):,} labels"
        )

      def examples(start, stop):
        return [
          Example(
            f"image {i}",
            functools.partial(pixels.__getitem__, i),
            int(classes[i]),
          )
          for i in range(start, stop)
        ]

      yield Contents(
        len(pixels), examples, tuple(names[label] for label in present)
      )

    chosen = [file for (each, _), file in files.items() if each == split]
    return Source(where, [file.stamp for file in chosen], open_files)

  return Sources(source("train"), source("test"))


def _read_idx_images(dataset: str, file: _IdxFile) -> np.ndarray:
  """Reads the images of an IDX file, [n, h, w]; checks their dataset."""
  pixels = _parse_idx(file.name, file.read(), 3)
  if dataset == FOLDER:
    return pixels
  *size, channels = PREPARED[dataset].shape
  if list(pixels.shape[1:]) != size or channels != 1:
    height, width = pixels.shape[1:]
    raise _other(file.name, f"grey images of {height} x {width}", dataset)
  header = bytes([0, 0, 8, 3]) + np.asarray(pixels.shape, ">u4").tobytes()
  digest = hashlib.sha256(header + pixels.tobytes()).hexdigest()
  if _SHA256.get(digest, dataset) != dataset:
    raise ImagesError(f"{file.name} is of {_SHA256[digest]}, not of {dataset}")
  return pixels


def _version(folder: Path) -> list[int]:
  """Returns the version numbers in a folder's name, for comparison."""
  return [int(n) if n.isdigit() else -1 for n in folder.name.split(".")]


def _prepared_sources(dataset: str, folder: Path) -> Sources:
  """Returns the sources of a dataset version that TFDS has prepared."""
  stamp = [file_stamp(path) for path in sorted(folder.iterdir())]

  def source(split):
    @contextlib.contextmanager
    def open_records():
      yield _read_records(dataset, folder, split)

    return Source(folder, stamp, open_records)

  return Sources(source("train"), source("test"))


def _read_records(dataset: str, folder: Path, split: str) -> Contents:
  """Opens the records of a split that TFDS has prepared."""
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
  class_names = tuple(features["label"].names if "label" in features else ())
  facts, shape = PREPARED[dataset], features["image"].shape
  if None not in shape and shape != facts.shape:
    raise _other(folder, f"images of {' x '.join(map(str, shape))}", dataset)
  if len(class_names) != facts.num_classes:
    raise _other(folder, f"{len(class_names)} classes", dataset)

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

  return Contents(len(records), examples, class_names)
