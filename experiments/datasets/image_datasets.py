"""Images that experiments train on, and features that measure samples."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.datasets import inception_weights
from experiments.errors import SettingError
from gan_jax.data import image_source, images
from gan_jax.data.images import Images
from gan_jax.metrics import classifier, inception
from gan_jax.metrics.classifier import Features

FEATURES_SEED = 0
_NUM_ROTATED = 20_000
"""Unlabelled images to learn from; each is seen in four rotations."""
_NUM_TURNS = 4

Log = Callable[[str], None]
"""Takes a line of progress for the user, for example `console.say`."""


class FeatureNet(NamedTuple):
  """Features of images, and the protocol to record with what they measure."""

  features: Features
  protocol: dict[str, str | int | float]


def cache_dir() -> Path:
  """Returns where decoded images and trained classifiers are kept."""
  home = os.environ.get("XDG_CACHE_HOME", "~/.cache")
  return Path(home).expanduser() / "gan_jax"


def read_images(
  dataset: str, data_dir: str, split: str, size: int, channels: int, log: Log
) -> Images:
  """Reads a split of a dataset, scaled to `size` pixels.

  A `data_dir` of "" is the default folder. `log` receives progress and skipped
  images. Raises SettingError, which says how to prepare missing images.
  """
  verb = "drawing" if dataset == image_source.FACES else "decoding"
  try:
    loaded = images.load(
      dataset,
      Path(data_dir).expanduser() if data_dir else None,
      split,
      size,
      channels,
      cache_dir() / "images",
      _every_tenth(f"{verb} {dataset}, {split}", log),
    )
  except images.NotPreparedError as error:
    at = f" --data_dir={data_dir}" if data_dir else ""
    raise SettingError(
      f"{error}; this prepares it: python -m experiments.prepare_data "
      f"--dataset={dataset}{at}"
    ) from error
  except images.ImagesError as error:
    raise SettingError(str(error)) from error
  if loaded.num_skipped:
    log(
      f"skipped {loaded.num_skipped:,} of the images of {dataset}, {split}; "
      f"the first: {loaded.reasons[0]}"
    )
  return loaded


def _every_tenth(task: str, log: Log) -> Callable[[int, int], None]:
  """Returns a callback (done, total) that logs every tenth of a long task."""
  logged = 0

  def count(done: int, total: int) -> None:
    nonlocal logged
    tenth = 10 * done // total
    if tenth > logged:
      logged = tenth
      log(f"{task}: {done:,} of {total:,}")

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
  Representation Learning by Predicting Image Rotations", arXiv 1803.07728). The
  same images give the same classifier. `train` has `classifier.BATCH_SIZE`
  images or more; `test` measures the accuracy.
  """
  task = "rotations" if train.labels is None else "classes"
  digest = hashlib.sha256(train.pixels.tobytes())
  if train.labels is not None:
    digest.update(train.labels.tobytes())
  versions = (FEATURES_SEED, classifier.VERSION, jax.__version__)
  digest.update(repr(versions).encode())
  file = f"{dataset}-{digest.hexdigest()[:16]}.npz"
  path = cache_dir() / "classifiers" / file
  key = jax.random.key(FEATURES_SEED)
  shape = train.pixels.shape[1:]
  num_classes = len(train.class_names) or _NUM_TURNS
  structure = jax.eval_shape(lambda: classifier.init(key, shape, num_classes))
  leaves, treedef = jax.tree.flatten(structure)
  if path.exists():
    with np.load(path) as arrays:
      accuracy = float(arrays["accuracy"])
      params = [jnp.asarray(arrays[str(i)]) for i in range(len(leaves))]
  else:
    log(
      f"training a classifier of the {task} of {dataset}, once; its features "
      "measure the samples"
    )
    trained = classifier.train(key, *_labelled(train), num_classes=num_classes)
    accuracy = float(classifier.accuracy(trained, *_labelled(test)))
    params = jax.tree.leaves(trained)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    arrays = {str(i): np.asarray(leaf) for i, leaf in enumerate(params)}
    np.savez(partial, allow_pickle=False, accuracy=accuracy, **arrays)
    partial.replace(path)
    log(f"its accuracy on the test split is {accuracy:.4f}")
  name = f"{task} of {dataset} {digest.hexdigest()[:8]}"
  params = jax.tree.unflatten(treedef, params)
  features = classifier.trained_features(name, params)
  return FeatureNet(features, {"features": name, "features_accuracy": accuracy})


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
  """Returns pixels and labels for the classifier to learn."""
  if split.labels is not None:
    return jnp.asarray(split.pixels), jnp.asarray(split.labels)
  pixels = np.asarray(split.pixels[:_NUM_ROTATED])
  turned = [np.rot90(pixels, turns, axes=(1, 2)) for turns in range(_NUM_TURNS)]
  labels = np.repeat(np.arange(_NUM_TURNS, dtype=np.int32), len(pixels))
  return jnp.asarray(np.concatenate(turned)), jnp.asarray(labels)
