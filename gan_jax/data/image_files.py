"""Image sources: IDX files, folders, zips and datasets prepared by TFDS.

A source lists the files of one split before it opens any of them, so that a
cache can recognise them. The order of its images depends only on their names.
"""

import contextlib
import functools
import gzip
import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FOLDER = "folder"
"""Name of the dataset that consists of the images in a folder or zip."""

_SUFFIXES = (
  *(".jpg", ".jpeg", ".jfif", ".png", ".gif", ".bmp", ".webp"),
  *(".tif", ".tiff", ".ppm", ".pgm", ".pbm"),
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
NO_LABEL = -1


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
    return _zip_source(data_dir, split)
  for folder in (data_dir, data_dir / dataset):
    if any(_idx_path(folder, each, "images-idx3") for each in _IDX_PREFIX):
      return _idx_source(dataset, folder, split)
  if dataset != FOLDER:
    versions = (data_dir / dataset).glob("*/dataset_info.json")
    newest = max(versions, key=lambda path: _version(path.parent), default=None)
    if newest is not None:
      return _prepared_source(newest.parent, split)
    if prepared_only or not _is_image_folder(data_dir):
      return None
  return _folder_source(data_dir, split) if data_dir.is_dir() else None


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
    raise _damaged(path, error) from error
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


def _stamp(path: Path) -> list[Any]:
  """Returns a file's name, size and time; those of the link if it is broken."""
  try:
    status = path.stat()
  except FileNotFoundError:
    status = path.lstat()
  return [str(path), status.st_size, status.st_mtime_ns]


def _damaged(path: Path, error: Exception) -> ImagesError:
  """Returns the one-line error that files are damaged, with its cause."""
  return ImagesError(f"{path} is damaged: {' '.join(str(error).split())}")


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
  return Source(folder, list(map(_stamp, paths)), open_files)


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
      raise _damaged(folder, error) from error
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
        raise _damaged(folder, error) from error
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
    folder, [_stamp(p) for p in sorted(folder.iterdir())], open_records
  )


def _is_image(name: str) -> bool:
  """Returns whether a file has an image's suffix and is not hidden."""
  parts = name.split("/")
  hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
  return not hidden and os.path.splitext(name)[1].lower() in _SUFFIXES


def _is_image_folder(folder: Path) -> bool:
  """Returns whether a folder has images and is not the data folder of TFDS."""
  if (folder / "downloads").is_dir() or any(
    folder.glob("*/*/dataset_info.json")
  ):
    return False
  return (folder / "train").is_dir() or any(
    _is_image(path.relative_to(folder).as_posix())
    for pattern in ("*", "*/*")
    for path in folder.glob(pattern)
  )


def _fail(error: OSError) -> None:
  raise error


def _walk(folder: Path) -> Iterator[str]:
  """Yields the names of the images below a folder, following links."""
  seen = set()
  for path, folders, files in os.walk(folder, onerror=_fail, followlinks=True):
    # A link to a parent folder would be followed without end.
    real = os.path.realpath(path)
    if real in seen:
      folders.clear()
      continue
    seen.add(real)
    # Strings, because a Path for each file would take longer than the walk.
    inner = os.path.relpath(path, folder)
    for file in files:
      name = file if inner == "." else f"{inner}/{file}"
      if _is_image(name):
        yield name


def _folder_source(folder: Path, split: str) -> Source:
  """Returns the source of a split's images below a folder."""
  names, labels, class_names = _choose(folder, _walk(folder), split)

  @contextlib.contextmanager
  def open_files():
    def examples(start, stop):
      return [
        Example(names[i], (folder / names[i]).read_bytes, labels[i])
        for i in range(start, stop)
      ]

    yield Contents(len(names), examples, class_names)

  return Source(folder, [_stamp(folder / name) for name in names], open_files)


def _zip_source(path: Path, split: str) -> Source:
  """Returns the source of a split's images in a zip."""

  @contextlib.contextmanager
  def open_archive():
    try:
      archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
      raise _damaged(path, error) from error
    with archive:
      # Names of folders end with a slash and have no suffix.
      inside = filter(_is_image, archive.namelist())
      names, labels, class_names = _choose(path, inside, split)

      def examples(start, stop):
        return [
          Example(
            names[i], functools.partial(archive.read, names[i]), labels[i]
          )
          for i in range(start, stop)
        ]

      yield Contents(len(names), examples, class_names)

  return Source(path, [_stamp(path)], open_archive)


def _choose(
  where: Path, names: Iterable[str], split: str
) -> tuple[list[str], list[int], tuple[str, ...]]:
  """Chooses the images of a split by the folders they are in.

  Folders `train` and `test` are splits. Without a `test` folder, a tenth of the
  images is the test split: those whose names have the smallest SHA-256. A
  single outer folder is ignored. The folders within a split are the classes, in
  sorted order.

  Args:
    where: the folder or zip, for messages.
    names: the names of all images.
    split: `train` or `test`.

  Returns:
    names: the split's images, sorted.
    labels: their labels; NO_LABEL if an image is in no class folder, or all
      images are in the same one.
    class_names: sorted; empty if there are no classes.

  Raises:
    ImagesError: if the split has no images, or a class has no images in
      `train`.
  """
  parts = {name: tuple(name.split("/")) for name in sorted(set(names))}
  if not parts:
    raise ImagesError(f"{where} has no images")
  while len({p[0] for p in parts.values()}) == 1 and all(
    len(p) > (1 if p[0] == "train" else 2) for p in parts.values()
  ):
    parts = {name: p[1:] for name, p in parts.items()}

  def inside(folder):
    return {n: p[1:] for n, p in parts.items() if p[0] == folder and p[1:]}

  splits = {"train": inside("train"), "test": inside("test")}
  if not splits["train"]:
    splits = {"train": parts, "test": {}}
  if not splits["test"]:
    rest = splits["train"]
    by_hash = sorted(
      rest,
      key=lambda n: hashlib.sha256(os.fsencode("/".join(rest[n]))).digest(),
    )
    held_out = set(by_hash[: min(max(1, len(rest) // 10), len(rest) - 1)])
    if all(len(p) > 1 for p in rest.values()):
      # A class must not have all of its images in the test split.
      learnt = {p[0] for n, p in rest.items() if n not in held_out}
      held_out = {n for n in held_out if rest[n][0] in learnt}
    splits = {
      "train": {n: p for n, p in rest.items() if n not in held_out},
      "test": {n: p for n, p in rest.items() if n in held_out},
    }
  chosen = splits[split]
  if not chosen:
    raise ImagesError(f"{where} has no images for a {split} split")
  both = [p for each in splits.values() for p in each.values()]
  class_names = tuple(sorted({p[0] for p in both}))
  # A single class carries no information.
  if any(len(p) == 1 for p in both) or len(class_names) == 1:
    return list(chosen), [NO_LABEL] * len(chosen), ()
  unseen = set(class_names) - {p[0] for p in splits["train"].values()}
  if unseen:
    raise ImagesError(
      f"{where} has no images to learn of {', '.join(sorted(unseen))}, which "
      "is a folder in test and not in train"
    )
  numbers = {name: number for number, name in enumerate(class_names)}
  return list(chosen), [numbers[p[0]] for p in chosen.values()], class_names
