"""Images in folders and zips."""

import contextlib
import functools
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gan_jax.data import image_decoding, image_layout
from gan_jax.data.image_layout import Arrangement
from gan_jax.data.image_source import (
  Contents,
  Example,
  ImagesError,
  Source,
  Sources,
  damaged,
  file_stamp,
  printable,
)

_SYSTEM_FOLDERS = (
  "$recycle.bin",
  "@eadir",
  "__macosx",
  "lost+found",
  "system volume information",
)
_LABELS = "dataset.json"
"""File of classes that StyleGAN's tools write beside images."""
_RUN_FILES = {"settings.json", "metrics.jsonl"}
"""Files of a folder of training results, whose pictures are no data."""


class _Listing(NamedTuple):
  """The files of a folder or zip.

  Attributes:
    names: of the images.
    empty_folders: folders without a file.
    skipped: names of the other files, by what they are.
  """

  names: list[str]
  empty_folders: list[str]
  skipped: dict[str, list[str]]


def is_image_folder(folder: Path) -> bool:
  """Returns whether a folder has images and is not the data folder of TFDS."""
  if (folder / "downloads").is_dir() or any(
    folder.glob("*/*/dataset_info.json")
  ):
    return False
  return folder.is_dir() and bool(_list_folder(folder).names)


def folder_sources(folder: Path, layout: str) -> Sources:
  """Finds the images below a folder."""
  listing = _list_folder(folder)
  labels = folder / _LABELS
  arrangement = image_layout.arrange(
    folder,
    _names_of(folder, listing),
    layout,
    listing.empty_folders,
    _read_labels(labels, labels.read_bytes(), "")
    if layout == "auto" and labels.is_file()
    else None,
  )

  def source(split):
    labels = arrangement.splits[split]
    names = list(labels)

    @contextlib.contextmanager
    def open_files():
      def examples(start, stop):
        return [
          Example(printable(name), (folder / name).read_bytes, labels[name])
          for name in names[start:stop]
        ]

      yield Contents(len(names), examples, _class_names(arrangement))

    stamps = [[*file_stamp(folder / name), labels[name]] for name in names]
    return Source(folder, stamps, open_files)

  return _sources(source, arrangement, listing)


def zip_sources(path: Path, layout: str) -> Sources:
  """Finds the images in a zip."""
  with open_zip(path) as archive:
    members, empty, skipped = {}, [], {}
    for member in archive.infolist():
      # Some tools write backslashes, or ./ before every name.
      parts = member.filename.replace("\\", "/").split("/")
      name = "/".join(part for part in parts if part not in ("", "."))
      if not parts[-1]:
        empty.append(name)
      elif name in members:
        skipped.setdefault("members of the same name", []).append(name)
      else:
        members[name] = member
    listing = _sort_out(
      members,
      lambda name: image_decoding.is_image(
        io.BytesIO(archive.read(members[name]))
      ),
      [f for f in empty if not any(n.startswith(f"{f}/") for n in members)],
      skipped,
    )
    arrangement = image_layout.arrange(
      path,
      _names_of(path, listing),
      layout,
      listing.empty_folders,
      _labels_in_zip(archive, members) if layout == "auto" else None,
    )

  def source(split):
    labels = arrangement.splits[split]
    names = list(labels)

    @contextlib.contextmanager
    def open_archive():
      with open_zip(path) as archive:

        def examples(start, stop):
          return [
            Example(
              printable(name),
              functools.partial(archive.read, members[name]),
              labels[name],
            )
            for name in names[start:stop]
          ]

        yield Contents(len(names), examples, _class_names(arrangement))

    stamp = [file_stamp(path), layout, split]
    return Source(path, stamp, open_archive)

  return _sources(source, arrangement, listing)


@contextlib.contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
  """Opens a zip; raises ImagesError if it is damaged."""
  try:
    archive = zipfile.ZipFile(path)
  except zipfile.BadZipFile as error:
    raise damaged(path, error) from error
  with archive:
    yield archive


def _sources(
  source: Callable[[str], Source], arrangement: Arrangement, listing: _Listing
) -> Sources:
  skipped = {**listing.skipped, **arrangement.skipped}
  return Sources(
    source("train"),
    source("test"),
    arrangement.held_out,
    {
      what: (len(names), printable(min(names)))
      for what, names in skipped.items()
      if names
    },
    tuple(map(printable, arrangement.empty_classes)),
  )


def _class_names(arrangement: Arrangement) -> tuple[str, ...]:
  return tuple(map(printable, arrangement.class_names))


def _names_of(where: Path, listing: _Listing) -> list[str]:
  """Returns the names of the images; raises ImagesError without two."""
  if len(listing.names) > 1:
    return listing.names
  found = [f"{len(n):,} {what}" for what, n in listing.skipped.items() if n]
  number, word = ("one", "beside") if listing.names else ("none", "only")
  message = f"{where} needs two images or more, and has {number}"
  if found:
    message += f", {word} {', '.join(found)}"
  if ".zip files" in listing.skipped:
    message += "; unpack the zips, or read one of them"
  raise ImagesError(message)


def _list_folder(folder: Path) -> _Listing:
  """Lists the files below a folder, following links."""
  files, empty, skipped = [], [], {}
  # The name of a folder, and the folders above it, which a link may lead to.
  waiting: list[tuple[str, tuple[os.stat_result, ...]]] = [
    ("", (folder.stat(),))
  ]
  while waiting:
    inner, above = waiting.pop()
    try:
      with os.scandir(folder / inner) as entries:
        found = list(entries)
    except OSError as error:
      raise ImagesError(
        f"{printable(str(folder / inner)[:200])} cannot be read: "
        f"{error.strerror}"
      ) from error
    if not found:
      empty.append(inner)
    for entry in found:
      name = f"{inner}/{entry.name}" if inner else entry.name
      # Opening a pipe would wait, and a device may have no end.
      if entry.is_file():
        files.append(name)
      elif entry.is_dir():
        status = entry.stat()
        if not any(os.path.samestat(status, each) for each in above):
          waiting.append((name, (*above, status)))
      else:
        skipped.setdefault("broken links, pipes and devices", []).append(name)
  return _sort_out(
    files,
    lambda name: image_decoding.is_image(folder / name),
    empty,
    skipped,
  )


def _sort_out(
  files: Iterable[str],
  is_image: Callable[[str], bool],
  empty_folders: Iterable[str],
  skipped: dict[str, list[str]],
) -> _Listing:
  """Finds the images among files.

  Args:
    files: names of all files.
    is_image: tells whether a file without a suffix is an image.
    empty_folders: folders without a file.
    skipped: what is known to be no image.
  """
  contents: dict[str, set[str]] = {}
  for name in files:
    folder, _, file = name.rpartition("/")
    if file in _RUN_FILES:
      contents.setdefault(folder, set()).add(file)
  runs = tuple(
    f"{f}/" for f, inside in contents.items() if inside == _RUN_FILES
  )
  names, skipped = [], dict(skipped)
  for name in files:
    suffix = os.path.splitext(name)[1].lower()
    if _is_hidden(name):
      what = "hidden files and files of the system"
    elif runs and name.startswith(runs):
      what = "files of training results"
    elif suffix in image_decoding.SUFFIXES or (not suffix and is_image(name)):
      names.append(name)
      continue
    elif name.rpartition("/")[2] == _LABELS:
      continue
    else:
      what = f"{suffix} files" if suffix else "files without a suffix"
      if suffix in image_decoding.HEIF_SUFFIXES:
        what += ", which the extra heic reads"
    skipped.setdefault(what, []).append(name)
  return _Listing(
    names, [each for each in empty_folders if not _is_hidden(each)], skipped
  )


def _is_hidden(name: str) -> bool:
  """Tells whether a file is hidden, or in a folder of a system."""
  return any(
    part.startswith(".") or part.lower() in _SYSTEM_FOLDERS
    for part in name.split("/")
  )


def _labels_in_zip(
  archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]
) -> dict[str, int] | None:
  """Reads the file of classes at the top of a zip, or in its only folder."""
  found = [name for name in members if name.rpartition("/")[2] == _LABELS]
  if not found:
    return None
  name = min(found, key=len)
  folder = name.removesuffix(_LABELS)
  return _read_labels(name, archive.read(members[name]), folder)


def _read_labels(
  where: Any, content: bytes, folder: str
) -> dict[str, int] | None:
  """Reads the class of each image; None if the file has no classes."""
  try:
    pairs = json.loads(content)["labels"]
    if pairs is None:
      return None
    labels = {
      f"{folder}{name}".replace("\\", "/"): label for name, label in pairs
    }
  except (ValueError, LookupError, TypeError) as error:
    raise ImagesError(f"{where} is no file of labels") from error
  if not all(isinstance(label, int) for label in labels.values()):
    raise ImagesError(f"{where} has labels that are not whole numbers")
  return labels
