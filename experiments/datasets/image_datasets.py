"""Images that experiments train on, and features that measure samples."""

import contextlib
import functools
import hashlib
import math
import os
import shlex
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.progress import (
  BarColumn,
  Progress,
  SpinnerColumn,
  TextColumn,
  TimeElapsedColumn,
)

from experiments.datasets import data_record, inception_weights
from experiments.datasets.cache import cache_dir
from experiments.errors import SettingError
from experiments.run_folder import intervals
from gan_jax import statistics
from gan_jax.data import faces, image_source, images
from gan_jax.data.images import Dataset, Images
from gan_jax.metrics import classifier, inception
from gan_jax.metrics.classifier import Features

FEATURES_SEED = 0
_NUM_LABELLED = 60_000
"""Images to learn classes from, as many as MNIST has. A third of them gives an
accuracy of 0.99 on its digits."""
_NUM_ROTATED = 20_000
"""Unlabelled images to learn from; each is seen in four rotations."""
_NUM_TURNS = 4

Log = Callable[[str], None]
"""Takes a line of progress for the user, for example `console.say`."""


class FeatureNet(NamedTuple):
  """Features of images, and the protocol to record with what they measure."""

  features: Features
  protocol: dict[str, str | int | float]


def read_dataset(
  dataset: str,
  data_dir: str,
  layout: str,
  size: int,
  channels: int,
  fast: bool,
  log: Log,
) -> Dataset:
  """Reads a dataset, scaled to `size` pixels.

  Args:
    dataset: one of `image_source.DATASETS`.
    data_dir: folder or zip of the images; "" for the default folder.
    layout: what the folders of images mean.
    size: height and width of the images.
    channels: 1 for grey, 3 for colour.
    fast: whether large JPEGs are decoded at a fraction of their size.
    log: receives progress, and what was read.

  Raises:
    SettingError: if there are no such images; it says what to do.
  """
  verb = "drawing" if dataset == image_source.FACES else "decoding"
  load = functools.partial(
    images.load,
    dataset,
    Path(data_dir).expanduser() if data_dir else None,
    size,
    channels,
    on_progress=_every_tenth(f"{verb} {dataset}", log),
    layout=layout,
    fast=fast,
  )
  try:
    loaded = _cached(load, log)
  except images.NotPreparedError as error:
    at = f" --data_dir={shlex.quote(data_dir)}" if data_dir else ""
    gone = "" if error.data_dir.exists() else ", which does not exist"
    raise SettingError(
      f"{error}{gone}; this prepares it: python -m experiments.prepare_data "
      f"--dataset={dataset}{at}; images of your own are --dataset=folder"
    ) from error
  except images.AmbiguousLayoutError as error:
    choices = [
      f"--layout={name} {does}" for name, does in error.choices.items()
    ]
    raise SettingError(
      f"{error}; {', '.join(choices)}; or give one of the folders as --data_dir"
    ) from error
  except images.ImagesError as error:
    gone = data_dir and not Path(data_dir).expanduser().exists()
    advice = "; --data_dir says where the images are" if gone else ""
    raise SettingError(f"{error}{advice}") from error
  log(data_record.describe(data_record.make(dataset, data_dir, loaded)))
  return loaded


def _cached(load: Callable[[Path | None], Dataset], log: Log) -> Dataset:
  """Loads images with the cache, or without one if it cannot be used."""
  folder = cache_dir() / "images"
  try:
    return load(folder)
  except OSError as error:
    # Its own folders may be missing too, or lie where there can be none.
    where = Path(error.filename or folder)
    if folder not in (where, *where.parents) and where not in folder.parents:
      raise
    log(f"the images are not cached, since {folder}: {error.strerror or error}")
    return load(None)


def forget(dataset: str) -> None:
  """Removes the cached images of a dataset."""
  for path in (cache_dir() / "images").glob(f"{dataset}-*"):
    path.unlink(missing_ok=True)


def _every_tenth(task: str, log: Log) -> Callable[[str, int, int], None]:
  """Returns a callback (split, done, total) that logs every tenth."""
  logged: dict[str, int] = {}

  def count(split: str, done: int, total: int) -> None:
    tenth = 10 * done // total
    if tenth > logged.get(split, 0):
      logged[split] = tenth
      log(f"{task}, {split}: {done:,} of {total:,}")

  return count


def limited(train: Images, count: int) -> Images:
  """Draws `count` training images, always the same ones; 0 for all.

  Raises SettingError if there are fewer.
  """
  n = len(train.pixels)
  if count > n:
    raise SettingError(
      f"--training_images={count} are more than the {n:,} there are"
    )
  if not count:
    return train
  drawn = np.sort(np.random.default_rng(1).permutation(n)[:count])
  labels = None if train.labels is None else train.labels[drawn]
  return train._replace(pixels=train.pixels[drawn], labels=labels)


def feature_net(
  dataset: str, train: Images, test: Images, log: Log
) -> FeatureNet:
  """Loads the classifier whose features measure samples; trains it once.

  It learns the classes of the training split. Without classes it learns by how
  many quarter turns an image is rotated (Gidaris et al., "Unsupervised
  Representation Learning by Predicting Image Rotations", arXiv 1803.07728). Of
  drawn faces it also learns the attributes, because their four classes are too
  easy to need good features. The same images give the same classifier. `train`
  has `classifier.BATCH_SIZE` images or more; `test` measures the accuracy.

  If the accuracy does not show that the classifier knows the images, the
  protocol says why under `intervals.NOT_SCORED`.
  """
  task = "rotations" if train.labels is None else "classes"
  digest = hashlib.sha256(train.pixels.tobytes())
  if train.labels is not None:
    digest.update(train.labels.tobytes())
  attribute_sizes = ()
  if dataset == image_source.FACES and train.labels is not None:
    task = "classes and attributes"
    attribute_sizes = faces.attribute_sizes()
  versions = (FEATURES_SEED, classifier.VERSION, jax.__version__)
  digest.update(repr((*versions, *attribute_sizes)).encode())
  file = f"{dataset}-{digest.hexdigest()[:16]}.npz"
  path = cache_dir() / "classifiers" / file
  key = jax.random.key(FEATURES_SEED)
  shape = train.pixels.shape[1:]
  num_classes = len(train.class_names) or _NUM_TURNS
  structure = jax.eval_shape(
    lambda: classifier.init(key, shape, num_classes, attribute_sizes)
  )
  leaves, treedef = jax.tree.flatten(structure)
  kept = _read_classifier(path, leaves)
  if kept:
    params, accuracy = kept
  else:
    log(
      f"training a classifier of the {task} of {dataset}, once; its features "
      "measure the samples"
    )
    attributes = None
    if attribute_sizes:
      attributes = jnp.asarray(faces.attributes("train"))
    with _epochs_bar() as bar:
      trained = classifier.train(
        key,
        *_labelled(train),
        num_classes=num_classes,
        on_epoch=lambda: bar.advance(bar.task_ids[0]),
        attributes=attributes,
        attribute_sizes=attribute_sizes,
      )
    accuracy = math.nan
    if (test.labels is None) == (train.labels is None):
      accuracy = float(classifier.accuracy(trained, *_labelled(test)))
    params = jax.tree.leaves(trained)
    arrays = {str(i): np.asarray(leaf) for i, leaf in enumerate(params)}
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
      path.parent.mkdir(parents=True, exist_ok=True)
      np.savez(partial, allow_pickle=False, accuracy=accuracy, **arrays)
      partial.replace(path)
    except OSError as error:
      log(f"the classifier is not kept, since {path}: {error.strerror}")
      with contextlib.suppress(OSError):
        partial.unlink()
    log(f"its accuracy on the test split is {accuracy:.4f}")
  name = f"{task} of {dataset} {digest.hexdigest()[:8]}"
  params = jax.tree.unflatten(treedef, params)
  features = classifier.trained_features(name, params)
  protocol: dict[str, str | int | float] = {"features": name}
  if math.isfinite(accuracy):
    protocol["features_accuracy"] = accuracy
  doubt = _doubt(accuracy, train, test)
  if doubt:
    protocol[intervals.NOT_SCORED] = doubt
  return FeatureNet(features, protocol)


def _epochs_bar() -> Progress:
  """Shows on a terminal how far the training of a classifier is."""
  console = Console(stderr=True)
  bar = Progress(
    SpinnerColumn(),
    TextColumn("training the classifier"),
    BarColumn(),
    TextColumn("epoch {task.completed}/{task.total}"),
    TimeElapsedColumn(),
    console=console,
    transient=True,
    disable=not console.is_terminal,
  )
  bar.add_task("", total=classifier.EPOCHS)
  return bar


def _doubt(accuracy: float, train: Images, test: Images) -> str:
  """Says why a classifier may know nothing about the images; "" if it does.

  The 95 % interval of its accuracy must lie above what one reaches without
  looking at shapes: by always naming the most frequent class, or by the mean
  colour of an image. In four rotations an image has the same colour.
  """
  if not math.isfinite(accuracy):
    return "no held-out images tell how well the classifier knows the images"
  if train.labels is None or test.labels is None:
    task, simple, rule = "rotations", 1 / _NUM_TURNS, "chance"
    # The four rotations of an image are not independent.
    n = min(len(test.pixels), _NUM_ROTATED)
  else:
    task, n = "classes", min(len(test.pixels), _NUM_LABELLED)
    frequent = float(np.max(np.bincount(test.labels))) / len(test.pixels)
    by_colour = _colour_accuracy(train, test)
    simple, rule = max(
      (frequent, "the most frequent class"),
      (by_colour, "the mean colour alone"),
    )
  lower, upper = statistics.fraction_interval(accuracy, n)
  if lower > simple:
    return ""
  return (
    f"on {n:,} held-out images the classifier tells the {task} with accuracy "
    f"{accuracy:.3f} (95 % interval {lower:.3f} to {upper:.3f}), and {rule} "
    f"reaches {simple:.3f}"
  )


def _colour_accuracy(train: Images, test: Images) -> float:
  """Classifies test images by the class whose mean colour is nearest."""

  def colours(pixels):
    # Channel by channel, which takes a tenth of the time.
    sums = [
      np.sum(pixels[..., channel], axis=(1, 2), dtype=np.uint32)
      for channel in range(pixels.shape[3])
    ]
    return np.stack(sums, axis=1) / math.prod(pixels.shape[1:3])

  train_labels, test_labels = np.asarray(train.labels), np.asarray(test.labels)
  of_train = colours(train.pixels)
  classes = np.unique(train_labels)
  means = np.stack([of_train[train_labels == c].mean(axis=0) for c in classes])
  offsets = colours(test.pixels)[:, None] - means[None]
  nearest = classes[np.argmin(np.sum(offsets**2, axis=-1), axis=1)]
  return float(np.mean(nearest == test_labels))


def _read_classifier(
  path: Path, leaves: Sequence[jax.ShapeDtypeStruct]
) -> tuple[list[jax.Array], float] | None:
  """Reads a kept classifier and its accuracy; None if missing or damaged."""
  try:
    with path.open("rb") as file, np.load(file) as arrays:
      params = [jnp.asarray(arrays[str(i)]) for i in range(len(leaves))]
      accuracy = float(arrays["accuracy"])
  except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
    return None
  whole = [x.shape for x in params] == [leaf.shape for leaf in leaves]
  return (params, accuracy) if whole else None


def inception_net(path: str) -> FeatureNet:
  """Reads Inception, by which the literature measures, from a file of weights.

  Raises SettingError if the file cannot be read or has other weights.
  """
  try:
    content = Path(path).expanduser().read_bytes()
    params = inception.params_from(inception_weights.read(content))
  except OSError as error:
    raise SettingError(
      f"--inception_weights={path} cannot be read: {error.strerror}"
    ) from error
  except inception.WeightsError as error:
    raise SettingError(f"--inception_weights={path}: {error}") from error
  name = f"Inception v3, sha256 {hashlib.sha256(content).hexdigest()[:8]}"
  features = inception.inception_features(params, name)
  return FeatureNet(features, {"features": name})


def _labelled(split: Images) -> tuple[jax.Array, jax.Array]:
  """Returns pixels and labels for the classifier, of no more than it needs."""
  if split.labels is not None:
    n = len(split.pixels)
    split = limited(split, _NUM_LABELLED if n > _NUM_LABELLED else 0)
    return jnp.asarray(split.pixels), jnp.asarray(split.labels)
  pixels = np.asarray(split.pixels[:_NUM_ROTATED])
  turned = [np.rot90(pixels, turns, axes=(1, 2)) for turns in range(_NUM_TURNS)]
  labels = np.repeat(np.arange(_NUM_TURNS, dtype=np.int32), len(pixels))
  return jnp.asarray(np.concatenate(turned)), jnp.asarray(labels)
