"""Reads splits and classes from the folders that images are in.

If folders can be read in two ways, `arrange` does not guess: it raises
AmbiguousLayoutError, and the caller names one of LAYOUTS.
"""

import collections
import hashlib
import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gan_jax.data.image_source import (
  NO_LABEL,
  AmbiguousLayoutError,
  ImagesError,
)

Paths = dict[str, tuple[str, ...]]
"""The folders and the file of each image, by the name of the image."""
Classes = dict[str, str | None]
"""The class of each image by name; None if it has no class."""

_SPLIT = re.compile(
  r"(?P<dataset>.*[-_ ])?(?:(?P<train>train(?:ing)?)|(?P<test>test(?:ing)?)"
  r"|(?P<val>val(?:id(?:ation)?)?|dev|eval(?:uation)?))"
  # Such as train_images, trainset, train2017, or the domains trainA and trainB.
  r"[-_ ]?(?:images?|imgs?|set|data|split|mini|\d+|(?P<domain>[ab]))?"
)
_SPLIT_WORD = re.compile(
  r"(?<![a-z])(?:(?P<train>train(?:ing)?)|(?P<test>test(?:ing)?)"
  r"|(?P<val>val(?:id(?:ation)?)?|eval(?:uation)?))(?:set|images?|data)?"
  r"(?![a-z])"
)
_IMAGES = re.compile(r"images?|imgs?|jpegimages|jpe?gs?|pngs?|leftimg8bit")
_PART = re.compile(r"(.*part|images?|imgs?)[-_ ]?\d+")
"""A folder that is a part of a large dataset, and no class."""
_ANNOTATION = (
  r"(ma?sks?|labels?|annotations?|seg(mentation|m)?\w*|gt\w*|trimaps?"
  r"|ground[-_ ]?truths?|depth|bboxes|targets?|manual\d*)"
)
_ANNOTATIONS = re.compile(rf"(.*[-_ ])?{_ANNOTATION}")
"""Folders whose images describe those in a folder beside them."""
_ANNOTATION_FILE = re.compile(
  rf"(?P<image>.*?)[-_ ]{_ANNOTATION}([-_ ]?\d+)?", re.IGNORECASE
)
"""The stem of a file that describes the image beside it."""
_UNLABELLED = re.compile(
  r"(.*[-_ ])?(unlabell?ed|unsup|extra|pred(iction)?s?|samples?)\d*"
)
_NUMBERED = re.compile(r"\d{5,}")
"""A folder that may be a part of a large dataset, or a class."""
_FEW = 0.25
"""Files beside class folders are skipped if they are at most this many for each
image in a class folder."""


class Arrangement(NamedTuple):
  """The splits and classes of images.

  Attributes:
    splits: for `train` and `test`, the label of each image, in the order of
      names; NO_LABEL if there are no classes.
    class_names: by label; empty if there are no classes.
    held_out: where the images of `test` come from, for the user.
    empty_classes: names of class folders without a file.
    skipped: names of the images that are in no split or class, by reason.
  """

  splits: dict[str, dict[str, int]]
  class_names: tuple[str, ...]
  held_out: str
  empty_classes: tuple[str, ...]
  skipped: dict[str, list[str]]


def arrange(
  where: Path,
  names: Iterable[str],
  layout: str = "auto",
  empty_folders: Iterable[str] = (),
  labels: Mapping[str, int] | None = None,
) -> Arrangement:
  """Divides images into splits and classes by the folders that they are in.

  Folders named like `train` and `test` are splits, and the folders in a split
  (or in `where`, without splits) are classes. `val` is the test split if there
  is no other; without any, a tenth of the images is: those whose names have the
  smallest SHA-256. Outer folders with nothing beside them are ignored.

  Args:
    where: the folder or zip, for messages.
    names: of the images, with `/` between folders.
    layout: `auto`; `classes` if the outermost folders are classes, `splits` if
      only folders named like splits count, `flat` if folders mean nothing.
    empty_folders: folders without a file.
    labels: the class of each image, from a file; None if folders are classes.

  Raises:
    ImagesError: if there are not enough images.
    AmbiguousLayoutError: if folders can be read in two ways.
  """
  paths = {name: tuple(name.split("/")) for name in sorted(set(names))}
  reader = _Reader(where, layout, _without_outer(paths))
  if not labels:
    paths = reader.without_annotation_files(paths)
  if labels or layout == "flat":
    train = _from_file(where, paths, labels) if labels else dict.fromkeys(paths)
    splits = {}
  else:
    splits = reader.splits(_without_outer(paths))
    paths = splits.pop("train").paths
    train = reader.classes(paths, list(splits.values()))
  class_names = _ordered({name for name in train.values() if name is not None})
  if len(class_names) == 1:
    # A single class carries no information.
    train, class_names = dict.fromkeys(train), ()
  test, held_out = {}, ""
  for split in splits.values():
    found = {} if test else reader.classes_of_test(split, class_names)
    if not found:
      reason = "which are not used" if test else "which have no class"
      reader.skip(f"images of {split.folder}, {reason}", split.paths)
    else:
      test, held_out = found, f"the folder {split.folder}"
  if not test:
    held_out = "a tenth of the images, since no folder has test images"
    test = _tenth(train, paths)
    train = {name: train[name] for name in train if name not in test}
  if len(train) + len(test) < 2:
    raise ImagesError(f"{where} needs two images or more, and has one")
  if not test:
    raise reader.refuse(
      f"each of the {_listed(class_names)} has one image, so they are hardly "
      "classes"
    )
  numbers = {name: number for number, name in enumerate(class_names)}
  return Arrangement(
    {
      split: {
        name: NO_LABEL if label is None else numbers[label]
        for name, label in sorted(classes.items())
      }
      for split, classes in (("train", train), ("test", test))
    },
    class_names,
    held_out,
    _empty_classes(train, class_names, empty_folders),
    reader.skipped,
  )


class _Split(NamedTuple):
  """The images of a split: its folder's name, and their paths within it."""

  folder: str
  paths: Paths


class _Reader:
  """Reads the meaning of folders, and collects the images it skips."""

  def __init__(self, where: Path, layout: str, paths: Paths):
    self.where = where
    self.layout = layout
    self.outermost = _folders(paths)
    self.skipped: dict[str, list[str]] = {}

  def skip(self, reason: str, names: Iterable[str]) -> None:
    """Notes images that are in no split or class, each for one reason."""
    known = {name for each in self.skipped.values() for name in each}
    new = [name for name in names if name not in known]
    if new:
      self.skipped.setdefault(reason, []).extend(new)

  def refuse(self, message: str) -> AmbiguousLayoutError:
    choices = {}
    if len(self.outermost) > 1:
      choices["classes"] = f"makes {_few(self.outermost)} classes"
    if splits := _split_folders(self.outermost):
      choices["splits"] = f"reads {_few(splits)}, and classes in them"
    choices["flat"] = "ignores all folders"
    return AmbiguousLayoutError(f"{self.where}: {message}", choices)

  def splits(self, paths: Paths) -> dict[str, _Split]:
    """Returns `train`, and `test` and `val` if there are such folders."""
    everything = {"train": _Split("", paths)}
    if self.layout == "classes":
      return everything
    folders = _folders(paths)
    found = _split_folders(folders)
    if not found:
      inner = self._splits_in_classes(paths)
      if inner or self.layout == "auto":
        return inner or everything
      raise ImagesError(f"{self.where} has no folder named like train")
    others = [folder for folder in folders if folder not in found]
    beside = [
      folder
      for folder in others
      if not _UNLABELLED.fullmatch(folder.lower())
      and not _ANNOTATIONS.fullmatch(folder.lower())
      and not (len(found) > 1 and _SPLIT_WORD.search(folder.lower()))
    ]
    if self.layout == "auto" and beside:
      raise self.refuse(
        f"the {_listed(found)} may be splits or classes, beside the "
        f"{_listed(beside)}"
      )
    for folder in others:
      self.skip(
        f"images of {folder}, which is no split", _inside(paths, folder)
      )
    self.skip("files beside the splits", _loose(paths))
    splits: dict[str, _Split] = {}
    for split in ("train", "test", "val"):
      chosen = {
        f: domain for f, (each, domain) in found.items() if each == split
      }
      if len(chosen) != len(set(chosen.values())):
        raise self.refuse(f"the {_listed(chosen)} are all named like {split}")
      if chosen:
        splits[split] = _Split(
          " and ".join(chosen),
          {
            name: ((domain,) if domain else ()) + path[1:]
            for folder, domain in chosen.items()
            for name, path in _inside(paths, folder).items()
          },
        )
    if "train" not in splits:
      raise self.refuse(
        f"no folder is named like train beside {_listed(found)}"
      )
    return splits

  def _splits_in_classes(self, paths: Paths) -> dict[str, _Split]:
    """Returns the splits if each class folder is divided into splits."""
    seconds = {path[1] for path in paths.values() if len(path) > 2}
    found = _split_folders(seconds)
    if not found or any(
      len(p) < 3 or p[1] not in found for p in paths.values()
    ):
      return {}
    splits: dict[str, _Split] = {}
    for name, (top, second, *rest) in paths.items():
      split, _ = found[second]
      _, inside = splits.setdefault(
        split, _Split(f"{second} of every folder", {})
      )
      inside[name] = (top, *rest)
    return splits if "train" in splits else {}

  def classes(self, paths: Paths, others: Sequence[_Split]) -> Classes:
    """Reads the classes of training images, of which `others` may have some."""
    paths = self._without_annotations(_without_outer(paths))
    paths = _without_outer(paths)
    folders = _folders(paths)
    if len(folders) < 2:
      return dict.fromkeys(paths)
    if self.layout == "auto":
      shared = any(set(folders) & _all_folders(split.paths) for split in others)
      if not shared and _are_parts(folders, paths):
        return dict.fromkeys(paths)
      if _are_initials(paths):
        # What follows the letter is the class, as in c/church/indoor.
        paths = {n: ("/".join(p[1:-1]), p[-1]) for n, p in paths.items()}
        folders = _folders(paths)
      paths = self._without_inner_annotations(paths)
      self._refuse_doubtful_classes(folders, paths, others, shared)
    loose = _loose(paths)
    self.skip("images beside the class folders", loose)
    return {name: path[0] for name, path in paths.items() if name not in loose}

  def _refuse_doubtful_classes(
    self,
    folders: list[str],
    paths: Paths,
    others: Sequence[_Split],
    shared: bool,
  ) -> None:
    """Raises AmbiguousLayoutError if folders may be no classes."""
    kinds = {_split_word(folder) for folder in folders}
    if not others and len(kinds) > 1:
      named = [folder for folder in folders if _split_word(folder)]
      raise self.refuse(
        f"the {_listed(folders)} may be classes, but {_few(named)} "
        f"{'sound' if len(named) > 1 else 'sounds'} like a split"
      )
    if not shared and all(map(_NUMBERED.fullmatch, folders)):
      raise self.refuse(
        f"the {_listed(folders)} may be classes, or numbered parts of one "
        "dataset"
      )
    inner = {f: _folders(_without_outer(_below(paths, f))) for f in folders}
    nested = [folder for folder in folders if len(inner[folder]) > 1]
    if nested:
      raise self.refuse(
        f"the {_listed(folders)} may be classes, or the "
        f"{_listed(inner[nested[0]])} in {nested[0]}"
      )
    stem = min(folders, key=len)
    if all(re.fullmatch(rf"{re.escape(stem)}([-_ ]\w+)?", f) for f in folders):
      raise self.refuse(
        f"the {_listed(folders)} may be classes, or forms of the same images"
      )
    loose = _loose(paths)
    if len(loose) > _FEW * (len(paths) - len(loose)):
      raise self.refuse(
        f"{len(loose):,} images are beside the {_listed(folders)}, which may "
        "be classes"
      )

  def without_annotation_files(self, paths: Paths) -> Paths:
    """Leaves out masks and the like of images that are near.

    They are a_mask.png beside a.png, or masks/a.png in a folder beside a.png or
    beside images/a.png.
    """
    stems = {_stem(path) for path in paths.values()}
    pictures = collections.defaultdict(set)
    for *folders, _ in stems:
      if folders and _IMAGES.fullmatch(folders[-1].lower()):
        pictures[tuple(folders[:-1])].add(tuple(folders))

    def describes_another(path: tuple[str, ...]) -> bool:
      *folders, stem = _stem(path)
      match = _ANNOTATION_FILE.fullmatch(stem)
      if match and (*folders, match["image"]) in stems:
        return True
      if not folders or not _ANNOTATIONS.fullmatch(folders[-1].lower()):
        return False
      outer = tuple(folders[:-1])
      return any(
        (*place, name) in stems
        for place in (outer, *pictures[outer])
        for name in ((stem, match["image"]) if match else (stem,))
      )

    found = [n for n, path in paths.items() if describes_another(path)]
    self.skip("masks and the like beside their images", found)
    return {
      name: path for name, path in paths.items() if name not in set(found)
    }

  def _without_inner_annotations(self, paths: Paths) -> Paths:
    """Leaves out masks and the like in each class folder."""
    kept = dict(_loose(paths))
    for folder in _folders(paths):
      below = self._without_annotations(_below(paths, folder))
      kept |= {name: paths[name] for name in below}
    return kept

  def _without_annotations(self, paths: Paths) -> Paths:
    """Leaves out folders of masks and the like beside a folder of images."""
    folders = _folders(paths)
    if self.layout != "auto" or len(folders) < 2:
      return paths
    pictures = [f for f in folders if _IMAGES.fullmatch(f.lower())]
    others = [f for f in folders if f not in pictures]
    if not pictures or not others:
      return paths
    if not all(_ANNOTATIONS.fullmatch(folder.lower()) for folder in others):
      raise self.refuse(f"the {_listed(folders)} may be classes or not")
    for folder in others:
      self.skip(
        f"images of {folder}, beside {pictures[0]}", _inside(paths, folder)
      )
    return {n: p for n, p in paths.items() if p[0] not in others}

  def classes_of_test(
    self, split: _Split, class_names: tuple[str, ...]
  ) -> Classes:
    """Reads the classes of test images; leaves out those without one."""
    paths = _without_outer(split.paths, class_names)
    paths = _without_outer(self._without_annotations(paths), class_names)
    if not class_names:
      return dict.fromkeys(paths)
    found = {n: p[0] for n, p in paths.items() if p[0] in class_names and p[1:]}
    folders = _folders(paths)
    if self.layout == "auto" and not found and len(folders) > 1:
      raise self.refuse(
        f"the {_listed(class_names)} to train on may be no classes, since "
        f"{split.folder} has the {_listed(folders)}"
      )
    if found:
      self.skip(
        f"images of {split.folder} that are of no training class",
        [name for name in paths if name not in found],
      )
    return dict(found)


def _split_folders(
  folders: Iterable[str],
) -> dict[str, tuple[str, str | None]]:
  """Returns the split and the domain of the folders that are named like splits.

  Names such as seg_train count if there are also, say, seg_test.
  """
  by_dataset = collections.defaultdict(dict)
  for folder in folders:
    if match := _SPLIT.fullmatch(folder.lower()):
      split = next(s for s in ("train", "test", "val") if match[s])
      by_dataset[match["dataset"]][folder] = (split, match["domain"])
  for found in by_dataset.values():
    kinds = {split for split, _ in found.values()}
    if "train" in kinds and len(kinds) > 1:
      return found
  return by_dataset.get(None, {})


def _folders(paths: Paths) -> list[str]:
  """Lists the outermost folders."""
  return sorted({path[0] for path in paths.values() if len(path) > 1})


def _inside(paths: Paths, folder: str) -> Paths:
  """Returns the images in an outermost folder."""
  return {n: p for n, p in paths.items() if len(p) > 1 and p[0] == folder}


def _loose(paths: Paths) -> Paths:
  """Returns the images in no folder."""
  return {name: path for name, path in paths.items() if len(path) == 1}


def _below(paths: Paths, folder: str) -> Paths:
  """Returns the images in an outermost folder, by their paths within it."""
  return {name: path[1:] for name, path in _inside(paths, folder).items()}


def _all_folders(paths: Paths) -> set[str]:
  """Returns the names of all folders."""
  return {folder for path in paths.values() for folder in path[:-1]}


def _stem(path: tuple[str, ...]) -> tuple[str, ...]:
  """Returns a path without the suffix of the file."""
  return (*path[:-1], os.path.splitext(path[-1])[0])


def _split_word(folder: str) -> str | None:
  """Returns the split that a word of a folder's name means, if any."""
  match = _SPLIT_WORD.search(folder.lower())
  return match and match.lastgroup


def _without_outer(paths: Paths, keep: tuple[str, ...] = ()) -> Paths:
  """Removes outer folders that have nothing beside them."""
  while len(_folders(paths)) == 1 and not _loose(paths):
    if _folders(paths)[0] in keep:
      break
    paths = {name: path[1:] for name, path in paths.items()}
  return paths


def _are_parts(folders: list[str], paths: Paths) -> bool:
  """Tells whether folders are parts of one dataset.

  They are if they are called so, as in images_part_1, or are every thousandth
  number, or if the numbers of the files go on from folder to folder, or end in
  that of the folder.
  """
  parts = [_PART.fullmatch(folder.lower()) for folder in folders]
  if all(parts) and len({part[1] for part in parts if part}) == 1:
    return True
  if not all(folder.isdecimal() for folder in folders):
    return False
  files = [(p[0], _stem(p)[-1]) for p in paths.values() if len(p) > 1]
  for digits in (2, 3, 4):
    # As in 0345/2345.jpg.
    if all(f.isdecimal() and int(f[-digits:]) == int(o) for o, f in files):
      return True
  if not all(map(_NUMBERED.fullmatch, folders)):
    return False
  if all(int(folder) % 1000 == 0 for folder in folders):
    return True
  numbers = [re.sub(r"\D", "", path[-1]) for path in paths.values()]
  return all(
    a and b and int(a) < int(b) for a, b in itertools.pairwise(numbers)
  )


def _are_initials(paths: Paths) -> bool:
  """Tells whether classes are filed by their first letter, as in a/airport."""
  return all(
    len(path) > 2 and len(path[0]) == 1 and path[1].startswith(path[0])
    for path in paths.values()
  )


def _from_file(where: Path, paths: Paths, labels: Mapping[str, int]) -> Classes:
  """Returns the classes of a file; every image must have one."""
  missing = [name for name in paths if name not in labels]
  if missing:
    raise ImagesError(
      f"{where}: dataset.json has no label for {len(missing):,} of "
      f"{len(paths):,} images, such as {missing[0]}"
    )
  return {name: str(labels[name]) for name in paths}


def _tenth(classes: Classes, paths: Paths) -> Classes:
  """Chooses a tenth of the images, but never the last one of a class."""
  left = collections.Counter(classes.values())
  count = max(1, len(classes) // 10)
  held_out = {}
  for name in sorted(
    classes,
    key=lambda n: hashlib.sha256(os.fsencode("/".join(paths[n]))).digest(),
  ):
    if len(held_out) < count and left[classes[name]] > 1:
      left[classes[name]] -= 1
      held_out[name] = classes[name]
  return held_out


def _ordered(classes: Iterable[str]) -> tuple[str, ...]:
  """Sorts names of classes, as numbers if all are."""
  names = sorted(classes)
  if all(name.isdecimal() for name in names):
    names.sort(key=int)
  return tuple(names)


def _empty_classes(
  train: Classes, class_names: tuple[str, ...], empty_folders: Iterable[str]
) -> tuple[str, ...]:
  """Lists the empty folders that are beside class folders."""
  parents = set()
  for name, label in train.items():
    if label in class_names:
      folders = name.split("/")[:-1]
      if label in folders:
        parents.add(tuple(folders[: folders.index(label)]))
  found = [tuple(folder.split("/")) for folder in empty_folders]
  return tuple(sorted({path[-1] for path in found if path[:-1] in parents}))


def _few(names: Iterable[str]) -> str:
  """Writes a few names."""
  names = list(names)
  return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _listed(names: Iterable[str]) -> str:
  """Writes a few names of folders."""
  names = list(names)
  return f"folder{'s' if len(names) > 1 else ''} {_few(names)}"
