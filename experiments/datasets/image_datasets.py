"""Images that an experiment trains on, and the features it is measured by."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.cli import console
from experiments.configs.fields import SettingError
from experiments.datasets import inception_weights
from gan_jax.data import images
from gan_jax.data.images import Images
from gan_jax.metrics import classifier, inception
from gan_jax.metrics.classifier import Features

FEATURES_SEED = 0
_ROTATED = 20_000
"""Unlabelled images that are learnt from; each is seen in four positions."""
_TURNS = 4


class FeatureNet(NamedTuple):
  """Features and the protocol they stand for.

  Attributes:
    features: of images.
    protocol: what a result measured with them has to say.
  """

  features: Features
  protocol: dict[str, str | int | float]


def cache_dir() -> Path:
  """Returns where decoded images and trained classifiers are kept."""
  home = os.environ.get("XDG_CACHE_HOME", "~/.cache")
  return Path(home).expanduser() / "gan_jax"


def read(
  dataset: str, data_dir: str, split: str, size: int, channels: int
) -> Images:
  """Reads a split, and says what to do where it is not there.

  Args:
    dataset: as `images.load` has it.
    data_dir: the setting; "" for the default.
    split: "train" or "test".
    size: side of the images.
    channels: of the images.

  Returns:
    The images.

  Raises:
    SettingError: if there are none.
  """
  verb = "drawing" if dataset == images.FACES else "decoding"
  try:
    loaded = images.load(
      dataset,
      Path(data_dir).expanduser() if data_dir else None,
      split,
      size,
      channels,
      cache_dir() / "images",
      console.counter(f"{verb} {dataset}, {split}"),
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
    console.say(
      f"{loaded.num_skipped:,} images of {dataset}, {split}, were skipped; "
      f"the first: {loaded.reasons[0]}"
    )
  return loaded


def limited(train: Images, count: int) -> Images:
  """Draws images to learn from, always the same ones.

  Args:
    train: a split.
    count: how many; 0 for all.

  Returns:
    Those images, in their order.

  Raises:
    SettingError: if there are not so many.
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


def feature_net(dataset: str, train: Images, test: Images) -> FeatureNet:
  """Trains the classifier whose features measure samples, or finds it.

  It learns the classes of the training split; where there are none, by how many
  quarter turns an image is rotated, which needs none (Gidaris et al.,
  "Unsupervised Representation Learning by Predicting Image Rotations", arXiv
  1803.07728). The same images give the same classifier.

  Args:
    dataset: its name.
    train: what it learns, classifier.BATCH_SIZE images or more.
    test: what its accuracy is measured on.

  Returns:
    The features.
  """
  task = "rotations" if train.labels is None else "classes"
  digest = hashlib.sha256(train.pixels.tobytes())
  if train.labels is not None:
    digest.update(train.labels.tobytes())
  digest.update(
    repr((FEATURES_SEED, classifier.VERSION, jax.__version__)).encode()
  )
  path = (
    cache_dir() / "classifiers" / f"{dataset}-{digest.hexdigest()[:16]}.npz"
  )
  key = jax.random.key(FEATURES_SEED)
  shape = train.pixels.shape[1:]
  num_classes = len(train.class_names) or _TURNS
  structure = jax.eval_shape(lambda: classifier.init(key, shape, num_classes))
  leaves, treedef = jax.tree.flatten(structure)
  if path.exists():
    with np.load(path) as arrays:
      accuracy = float(arrays["accuracy"])
      params = [jnp.asarray(arrays[str(i)]) for i in range(len(leaves))]
  else:
    console.say(
      f"training a classifier of the {task} of {dataset}, once; its features "
      "measure the samples"
    )
    learnt = _examples(train)
    trained = classifier.train(key, *learnt, num_classes=num_classes)
    accuracy = float(classifier.accuracy(trained, *_examples(test)))
    params = jax.tree.leaves(trained)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    np.savez(
      partial,
      allow_pickle=False,
      accuracy=accuracy,
      **{str(i): np.asarray(leaf) for i, leaf in enumerate(params)},
    )
    partial.replace(path)
    console.say(f"its accuracy on the test split is {accuracy:.4f}")
  name = f"{task} of {dataset} {digest.hexdigest()[:8]}"
  return FeatureNet(
    classifier.trained_features(name, jax.tree.unflatten(treedef, params)),
    {"features": name, "features_accuracy": accuracy},
  )


def inception_net(path: str) -> FeatureNet:
  """Reads the weights of Inception, whose features the literature measures by.

  Args:
    path: the setting, a file of weights.

  Returns:
    The features.

  Raises:
    SettingError: if they cannot be read or are not Inception's.
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
  return FeatureNet(
    inception.inception_features(params, name), {"features": name}
  )


def _examples(of: Images) -> tuple[jax.Array, jax.Array]:
  """Returns pixels and the labels that a classifier learns of them."""
  if of.labels is not None:
    return jnp.asarray(of.pixels), jnp.asarray(of.labels)
  pixels = np.asarray(of.pixels[:_ROTATED])
  turned = [np.rot90(pixels, turns, axes=(1, 2)) for turns in range(_TURNS)]
  labels = np.repeat(np.arange(_TURNS, dtype=np.int32), len(pixels))
  return jnp.asarray(np.concatenate(turned)), jnp.asarray(labels)
