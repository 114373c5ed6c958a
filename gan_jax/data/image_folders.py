"""Images in folders and zips, with their splits and classes."""

import contextlib
import functools
import hashlib
import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from gan_jax.data.image_source import (
  NO_LABEL,
  Contents,
  Example,
  ImagesError,
  Source,
  damaged,
  file_stamp,
)

_SUFFIXES = (
  *(".jpg", ".jpeg", ".jfif", ".png", ".gif", ".bmp", ".webp"),
  *(".tif", ".tiff", ".ppm", ".pgm", ".pbm"),
)


def _is_image(name: str) -> bool:
  """Returns whether a file has an image's suffix and is not hidden."""
  parts = name.split("/")
  hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
  return not hidden and os.path.splitext(name)[1].lower() in _SUFFIXES


def is_image_folder(folder: Path) -> bool:
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


def folder_source(folder: Path, split: str) -> Source:
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

  return Source(
    folder, [file_stamp(folder / name) for name in names], open_files
  )


def zip_source(path: Path, split: str) -> Source:
  """Returns the source of a split's images in a zip."""

  @contextlib.contextmanager
  def open_archive():
    try:
      archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
      raise damaged(path, error) from error
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

  return Source(path, [file_stamp(path)], open_archive)


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
