"""The official dataset builders of TFDS, changed to work without TensorFlow.

The official builders open files with `tf.io` and write PNG with `tf.image`.
These subclasses do not, and write datasets that the official ones read.
"""

import io
import logging
import sys
import tarfile
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import requests
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core import registered
from tensorflow_datasets.core.download import download_manager, downloader, util

from gan_jax.data import image_decoding, image_files
from gan_jax.data.image_files import Contents

Examples = Iterator[tuple[Any, dict[str, Any]]]
"""Pairs of a key, which TFDS shuffles by, and the features of an example."""

_CHECKED_SIZE = 64
"""Size at which decoding is tried if the images of a dataset have any size."""

# The waits between retries double. With the ten retries of TFDS it takes
# minutes to report that there is no network.
downloader.MAX_RETRIES = 5
# The last failure ends the command, and its message is enough.
logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


class DownloadError(Exception):
  """A download that failed; the message is one line."""


def official(dataset: str) -> Any:
  """Returns the builder class of a dataset that TFDS itself has."""
  return tfds.builder_cls(dataset)


def _subclass(
  dataset: str,
  generate: Callable[[Any, Any], Mapping[str, Examples]],
  info: Callable[[Any, Any], Any] = lambda builder, given: given,
) -> Any:
  """Returns an official builder with other examples.

  `generate` maps the builder and TFDS's download manager to the examples of
  each split, and `info` maps the builder and the official DatasetInfo to its
  DatasetInfo.
  """
  base = official(dataset)

  with registered.skip_registration():

    class Builder(base):
      name = dataset
      # TFDS looks for these beside the source of a class, unless given.
      pkg_dir_path = base.pkg_dir_path
      url_infos = base.url_infos

      def _info(self):
        return info(self, super()._info())

      def _split_generators(self, dl_manager):
        return generate(self, dl_manager)

      def _log_download_bytes(self):
        """Prints nothing; the standard output is for results."""

      def _log_download_done(self):
        """Prints nothing."""

  return Builder


def downloading(dataset: str) -> Any:
  """Returns a builder that downloads what the official one does."""
  return _subclass(dataset, PREPARATIONS[dataset].download)


def _download(dl_manager: Any, urls: Mapping[str, str]) -> dict[str, Path]:
  """Downloads files by name, and returns their paths; compares checksums.

  It downloads one file after another: if several were downloaded at once, a
  failure of one would wait for the others and lose them. Raises DownloadError
  for the first that fails.
  """
  paths = {}
  for name, url in urls.items():
    try:
      paths[name] = Path(dl_manager.download(url))
    except download_manager.NonMatchingChecksumError as error:
      # What follows is advice for maintainers of TFDS.
      facts, _, _ = str(error).partition("To debug")
      raise DownloadError(" ".join(facts.split())) from error
    except (
      util.DownloadError,
      requests.RequestException,
      # Google Drive may send a page instead of a file.
      ImportError,
      ValueError,
    ) as error:
      raise DownloadError(f"{url} failed: {_cause(error)}") from error
  return paths


def _cause(error: BaseException) -> str:
  """Returns the message of the first exception of a chain, in one line."""
  while error.__cause__ or error.__context__:
    error = error.__cause__ or error.__context__ or error
  return " ".join(str(error).split())


def _png(pixels: np.ndarray) -> bytes:
  """Writes uint8 [h, w] or [h, w, c] as PNG."""
  file = io.BytesIO()
  squeezed = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
  Image.fromarray(squeezed).save(file, "PNG")
  return file.getvalue()


def _mnist(builder: Any, dl_manager: Any) -> dict[str, Examples]:
  """Returns the examples of each split of (Fashion-)MNIST."""
  names = [
    f"{prefix}-{kind}-ubyte.gz"
    for prefix in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
  ]
  urls = {name: urllib.parse.urljoin(builder.URL, name) for name in names}
  paths = _download(dl_manager, urls)

  def examples(prefix):
    images = image_files.read_idx(paths[f"{prefix}-images-idx3-ubyte.gz"], 3)
    labels = image_files.read_idx(paths[f"{prefix}-labels-idx1-ubyte.gz"], 1)
    for key, (image, label) in enumerate(zip(images, labels, strict=True)):
      yield key, {"image": _png(image), "label": int(label)}

  return {"train": examples("train"), "test": examples("t10k")}


def _cifar10(builder: Any, dl_manager: Any) -> dict[str, Examples]:
  """Returns the examples of each split of CIFAR-10."""
  about = builder._cifar_info
  path = _download(dl_manager, {"all": about.url})["all"]

  def read(name):
    with tarfile.open(path) as archive:
      member = archive.extractfile(about.prefix + name)
      if member is None:
        raise image_files.ImagesError(f"{path} has no {name}")
      return member.read()

  names = read(about.label_files[0]).decode().split("\n")
  builder.info.features["label"].names = [name for name in names if name]

  def examples(split, files):
    records = np.concatenate(
      [np.frombuffer(read(file), np.uint8).reshape(-1, 3073) for file in files]
    )
    # A record is a label and three planes of colours.
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    for key, image in enumerate(planes.transpose(0, 2, 3, 1)):
      name, label = f"{split}_{key:05d}", int(records[key, 0])
      yield key, {"id": name, "image": _png(image), "label": label}

  return {
    "train": examples("train", about.train_files),
    "test": examples("test", about.test_files),
  }


class _ZipImages:
  """The files of a zip by their names without folders, read on access."""

  def __init__(self, path: Path):
    self._archive = zipfile.ZipFile(path)
    self._names = {
      name.rsplit("/", 1)[-1]: name for name in self._archive.namelist()
    }

  def __getitem__(self, name: str) -> bytes:
    return self._archive.read(self._names[name])


def _celeb_a(builder: Any, dl_manager: Any) -> dict[str, Examples]:
  """Returns the examples of each split of CelebA, its JPEG files unchanged."""
  module = sys.modules[official("celeb_a").__module__]
  paths = _download(
    dl_manager,
    {
      "img_align_celeba": module.IMG_ALIGNED_DATA,
      "list_eval_partition": module.EVAL_LIST,
      "list_attr_celeba": module.ATTR_DATA,
      "landmarks_celeba": module.LANDMARKS_DATA,
      "identity_celeba": module.IDENTITY_DATA,
    },
  )
  images = _ZipImages(paths["img_align_celeba"])
  return {
    split: builder._generate_examples(number, paths, images)
    for number, split in enumerate(("train", "validation", "test"))
  }


class Preparation(NamedTuple):
  """How a dataset is prepared.

  Attributes:
    download: (builder, TFDS's download manager) -> the examples of each split.
    shape: size and channels of all images; None if they have any size, and
      their files are kept unchanged.
  """

  download: Callable[[Any, Any], Mapping[str, Examples]]
  shape: tuple[int, int] | None = None


PREPARATIONS: Mapping[str, Preparation] = {
  "mnist": Preparation(_mnist, (28, 1)),
  "fashion_mnist": Preparation(_mnist, (28, 1)),
  "cifar10": Preparation(_cifar10, (32, 3)),
  "celeb_a": Preparation(_celeb_a),
}
"""The datasets of `image_source.PREPARED`."""


def reading(
  dataset: str, contents: Mapping[str, Contents], where: Path
) -> tuple[Any, dict[str, list[str]]]:
  """Returns a builder that reads a dataset from the user's image files.

  Images of a dataset with one shape are stored as PNG. The files of others stay
  unchanged, without annotations. `contents` are the images of each
  split, and `where` is their folder, for the description.

  Returns also, for each split, the reasons why images were skipped; the lists
  grow while the builder prepares.
  """
  skipped = {split: [] for split in contents}
  class_names = contents["train"].class_names
  shape = PREPARATIONS[dataset].shape
  size, channels = shape or (_CHECKED_SIZE, 3)

  def info(builder, official_info):
    features: dict[str, Any] = {"image": tfds.features.Image()}
    if shape:
      features = dict(official_info.features.items())
    if class_names:
      features["label"] = tfds.features.ClassLabel(names=list(class_names))
    return tfds.core.DatasetInfo(
      builder=builder,
      description=f"{dataset}, prepared from {where}.",
      features=tfds.features.FeaturesDict(features),
      homepage=official_info.homepage,
      citation=official_info.citation,
    )

  def examples(builder, split):
    num_images, read_some, _ = contents[split]
    features = builder.info.features
    for key in range(num_images):
      (example,) = read_some(key, key + 1)
      pixels, reason = image_decoding.try_decode(example.read, size, channels)
      if pixels is None:
        skipped[split].append(reason)
        continue
      image = pixels if shape else example.read()
      record = {
        "image": image if isinstance(image, bytes) else _png(image),
        "id": f"{split}_{key:05d}",
        "label": example.label,
      }
      yield key, {name: record[name] for name in features}
    if len(skipped[split]) == num_images:
      raise image_files.ImagesError(
        f"none of the {num_images:,} {split} images of {where} can be decoded"
        + "".join(f"; the first: {reason}" for reason in skipped[split][:1])
      )

  def generate(builder, _):
    return {split: examples(builder, split) for split in contents}

  return _subclass(dataset, generate, info), skipped
