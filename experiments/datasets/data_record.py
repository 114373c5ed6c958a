"""Describes the images of a run, for its folder and for the user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  # Descriptions are read by commands that need no arrays.
  from gan_jax.data.images import Dataset, Images

_MAX_LISTED = 12
"""Classes whose sizes are listed."""


def make(dataset: str, data_dir: str, loaded: Dataset) -> dict[str, Any]:
  """Describes the images of a run, for its folder, as JSON.

  It has what tells the images from others, and what a trained generator needs
  to know of them.
  """

  def split(images: Images) -> dict[str, Any]:
    return {
      "images": len(images.pixels),
      "classes": images.class_sizes(),
      "undecodable": images.num_skipped,
      "reasons": list(images.reasons),
      "digest": images.digest,
      "set_digest": images.set_digest,
    }

  return {
    "dataset": dataset,
    "data_dir": data_dir,
    "class_names": list(loaded.train.class_names),
    "train": split(loaded.train),
    "test": split(loaded.test),
    "held_out": loaded.held_out,
    "skipped": {what: list(each) for what, each in loaded.skipped.items()},
    "empty_classes": list(loaded.empty_classes),
  }


def describe(content: Mapping[str, Any]) -> str:
  """Says in one line what a record says of the images."""
  train, test = content["train"], content["test"]
  parts = [
    f"{content['data_dir'] or content['dataset']}: {train['images']:,} "
    f"training and {test['images']:,} test images ({content['held_out']})",
    _classes(train["classes"], test["classes"]),
  ]
  if content["empty_classes"]:
    parts.append(
      f"classes without images: {', '.join(content['empty_classes'])}"
    )
  skipped = [
    f"{what}: {count:,}" + (f" (such as {first})" if first else "")
    for what, (count, first) in content["skipped"].items()
  ]
  skipped += [
    f"{name} images that cannot be decoded: {split['undecodable']:,} "
    f"(such as {split['reasons'][0]})"
    for name, split in (("training", train), ("test", test))
    if split["undecodable"]
  ]
  if skipped:
    parts.append(f"skipped {', '.join(skipped)}")
  return "; ".join(parts)


def _classes(train: Mapping[str, int], test: Mapping[str, int]) -> str:
  """Writes the number of images of each class in both splits."""
  if not train:
    return "no classes"
  if len(train) > _MAX_LISTED:
    sizes = train.values()
    return f"{len(train)} classes of {min(sizes):,} to {max(sizes):,} images"
  listed = [
    f"{name} ({count:,}{f' + {test[name]:,}' if test else ''})"
    for name, count in train.items()
  ]
  return f"{len(train)} classes{' (training + test)' if test else ''}: " + (
    ", ".join(listed)
  )


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
  """Says how the training images of two records differ; "" if they do not."""
  before, now = old["train"], new["train"]
  if old["class_names"] != new["class_names"]:
    return (
      f"its classes were {', '.join(old['class_names']) or 'none'} and are now "
      f"{', '.join(new['class_names']) or 'none'}"
    )
  if before["images"] != now["images"]:
    return (
      f"there were {before['images']:,} training images and are now "
      f"{now['images']:,}"
    )
  if before["digest"] == now["digest"] and before["classes"] == now["classes"]:
    return ""
  if before["set_digest"] == now["set_digest"]:
    return "the training images are in another order or in other classes"
  return "some training images are others"
