"""Image datasets as byte arrays, decoded once and cached, and their batches."""

import concurrent.futures
import contextlib
import functools
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gan_jax.data import faces, image_decoding, image_files
from gan_jax.data.image_source import (
  DATASETS,
  FACES,
  FOLDER,
  NO_LABEL,
  AmbiguousLayoutError,
  ImagesError,
  Source,
  Sources,
)
from gan_jax.types import PRNGKey

__all__ = [
  "AmbiguousLayoutError",
  "Dataset",
  "Images",
  "ImagesError",
  "NotPreparedError",
  "Sampler",
  "default_data_dir",
  "load",
  "sampler",
  "to_pixels",
  "to_unit",
]

# Increase it whenever the same files are decoded to different pixels.
_FORMAT_VERSION = 2
_IMAGES_PER_TASK = 64
_NUM_REASONS = 5


class NotPreparedError(ImagesError):
  """Raised for a dataset that TFDS has not prepared in `data_dir`."""

  def __init__(self, dataset: str, data_dir: Path):
    super().__init__(f"dataset {dataset} is not prepared in {data_dir}")
    self.dataset = dataset
    self.data_dir = data_dir


class Images(NamedTuple):
  """The images of a split.

  Attributes:
    pixels: uint8 [n, height, width, channels]; a read-only memory map if images
      are cached.
    labels: int32 [n], or None if the images have no classes.
    class_names: names by label; empty without labels.
    num_skipped: number of images that could not be decoded, not counted in n.
    reasons: why the first few skipped images could not be decoded.
    digest: a SHA-256 of the images in their order, and of their labels.
    set_digest: a SHA-256 of the images alone, in any order.
  """

  pixels: np.ndarray
  labels: np.ndarray | None
  class_names: tuple[str, ...]
  num_skipped: int = 0
  reasons: tuple[str, ...] = ()
  digest: str = ""
  set_digest: str = ""

  def class_sizes(self) -> dict[str, int]:
    """Returns the number of images of each class."""
    if self.labels is None:
      return {}
    counts = np.bincount(self.labels, minlength=len(self.class_names))
    return dict(zip(self.class_names, counts.tolist(), strict=True))


class Dataset(NamedTuple):
  """The images of a dataset.

  Attributes:
    train: images to train on.
    test: images that are held out, of the same classes.
    held_out: where the images of `test` come from, for the user.
    skipped: number and first name of the files that were not read, by what they
      are; images that cannot be decoded are counted in `train` and `test`.
    empty_classes: names of classes without a training image.
  """

  train: Images
  test: Images
  held_out: str
  skipped: Mapping[str, tuple[int, str]]
  empty_classes: tuple[str, ...]


class Sampler(NamedTuple):
  """A source of minibatches.

  Attributes:
    data: pytree of arrays on the device; () if images are streamed.
    draw: (data, key, n) -> (images, labels): float32 [n, h, w, c] in [-1, 1]
      and int32 [n], all zero if there are no classes.
  """

  data: Any
  draw: Callable[[Any, PRNGKey, int], tuple[Array, Array]]


def default_data_dir() -> Path:
  """Returns the folder in which TensorFlow Datasets prepares datasets."""
  # As in tfds.core.constants, whose import takes longer than a cached load.
  home = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
  return Path(home).expanduser()


def load(
  dataset: str,
  data_dir: Path | None,
  size: int,
  channels: int,
  cache_dir: Path | None,
  on_progress: Callable[[str, int, int], None] = lambda *_: None,
  layout: str = "auto",
  fast: bool = False,
) -> Dataset:
  """Loads an image dataset.

  Each image is scaled so that its shorter side is `size`, and its central
  square is cropped. Images that cannot be decoded are skipped and counted.
  Classes are those that have training images.

  Args:
    dataset: one of DATASETS.
    data_dir: the folder in which TFDS prepared the dataset, TFDS's default if
      None; or a folder of IDX files, a folder of images or a zip of either.
      `image_layout.arrange` says how folders are read. None for FACES.
    size: height and width of the result.
    channels: 1 for grey, 3 for colour.
    cache_dir: the folder in which decoded images are cached; None for no cache.
    on_progress: called with (split, done, total) while images are decoded.
    layout: one of LAYOUTS, what the folders of images mean.
    fast: as of `image_decoding.decode`.

  Returns:
    The images, in an order that depends only on their names.

  Raises:
    NotPreparedError: if one of PREPARED is not in `data_dir`.
    AmbiguousLayoutError: if folders can be read in two ways.
    ImagesError: if there are no images, none can be decoded, they are not those
      of the dataset, or the packages that draw faces are missing.
  """
  if dataset not in DATASETS:
    raise ValueError(f"there is no dataset {dataset!r}")
  if size < 1 or channels not in (1, 3):
    raise ValueError(f"images cannot be {size} x {size} x {channels}")
  sources = _find(dataset, data_dir, size, layout)

  def load_split(split, source):
    progress = functools.partial(on_progress, split)
    if cache_dir is None:
      return _decode(source, size, channels, fast, progress)
    identity = [
      *(_FORMAT_VERSION, dataset, split, size, channels, fast, source.stamp)
    ]
    key = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
    base = cache_dir / f"{dataset}-{split}-{size}x{size}x{channels}-{key}"
    return _load_cached(base, source, size, channels, fast, progress)

  return _with_present_classes(
    Dataset(
      load_split("train", sources.train),
      load_split("test", sources.test),
      sources.held_out,
      sources.skipped,
      sources.empty_classes,
    )
  )


def _load_cached(
  base: Path,
  source: Source,
  size: int,
  channels: int,
  fast: bool,
  on_progress: Callable[[int, int], None],
) -> Images:
  """Loads a split from its two files in the cache, or decodes it into them."""
  pixels_path, about_path = (
    base.with_name(base.name + suffix) for suffix in (".npy", ".json")
  )
  try:
    return _read_cache(pixels_path, about_path, size, channels)
  except (OSError, ValueError, LookupError, TypeError, EOFError):
    pass  # The cache is missing or damaged.
  base.parent.mkdir(parents=True, exist_ok=True)
  with _replacing(pixels_path) as file:
    about = _decode_into(file, source, size, channels, fast, on_progress)
  with _replacing(about_path) as file:
    file.write(json.dumps(about).encode())
  return _read_cache(pixels_path, about_path, size, channels)


def _decode(
  source: Source,
  size: int,
  channels: int,
  fast: bool,
  on_progress: Callable[[int, int], None],
) -> Images:
  """Decodes a split in memory."""
  buffer = io.BytesIO()
  about = _decode_into(buffer, source, size, channels, fast, on_progress)
  buffer.seek(0)
  return _images(np.load(buffer), about)


def _with_present_classes(dataset: Dataset) -> Dataset:
  """Leaves out classes without a training image, and their test images."""
  train, test = dataset.train, dataset.test
  sizes = train.class_sizes()
  present = [label for label, size in enumerate(sizes.values()) if size]
  if len(present) < 2:
    # A single class carries no information.
    unlabelled = {"labels": None, "class_names": ()}
    return dataset._replace(
      train=train._replace(**unlabelled), test=test._replace(**unlabelled)
    )
  names = tuple(train.class_names[label] for label in present)
  # The last number is that of NO_LABEL.
  numbers = np.full(len(sizes) + 1, NO_LABEL, np.int32)
  numbers[present] = np.arange(len(present))
  train = train._replace(labels=numbers[train.labels], class_names=names)
  skipped = dict(dataset.skipped)
  if test.labels is not None:
    labels = numbers[test.labels]
    known = labels != NO_LABEL
    test = test._replace(labels=labels, class_names=names)
    if not known.all():
      skipped["test images of no training class"] = (int((~known).sum()), "")
      test = test._replace(pixels=test.pixels[known], labels=labels[known])
  empty = tuple(name for name, size in sizes.items() if not size)
  return Dataset(
    train, test, dataset.held_out, skipped, (*dataset.empty_classes, *empty)
  )


def _find(
  dataset: str, data_dir: Path | None, size: int, layout: str
) -> Sources:
  """Finds the images of a dataset; raises the errors of `load`."""
  if dataset == FACES:
    if data_dir is not None:
      raise ImagesError(
        f"dataset {FACES} is drawn, not read from {data_dir}; leave data_dir "
        "out"
      )
    return faces.sources(size)
  if dataset == FOLDER and data_dir is None:
    raise ImagesError(f"dataset {FOLDER} needs a folder or zip of images")
  root = (data_dir or default_data_dir()).resolve()
  sources = image_files.find(
    dataset, root, layout, prepared_only=data_dir is None
  )
  if sources is None and dataset == FOLDER:
    raise ImagesError(f"there is no file or folder {root}")
  if sources is None:
    raise NotPreparedError(dataset, root)
  return sources


def _read_cache(
  pixels_path: Path, about_path: Path, size: int, channels: int
) -> Images:
  """Maps cached images into memory; a damaged cache raises various errors."""
  about = json.loads(about_path.read_bytes())
  pixels = np.load(pixels_path, mmap_mode="r")
  shape = (about["num_images"], size, size, channels)
  if pixels.shape != shape or pixels.dtype != np.uint8:
    raise ValueError("pixels and their description are not of one decoding")
  return _images(pixels, about)


def _images(pixels: np.ndarray, about: dict[str, Any]) -> Images:
  """Makes Images from pixels and the description of `_decode_into`."""
  labels = about["labels"]
  return Images(
    pixels,
    None if labels is None else np.asarray(labels, np.int32),
    tuple(about["class_names"]),
    about["num_skipped"],
    tuple(about["reasons"]),
    about["digest"],
    about["set_digest"],
  )


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
  """Opens a temporary file that replaces `path` when it is complete."""
  partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
  try:
    with partial.open("w+b") as file:
      yield file
      file.flush()
      os.fsync(file.fileno())
    partial.replace(path)
  finally:
    partial.unlink(missing_ok=True)


def _decode_into(
  file: BinaryIO,
  source: Source,
  size: int,
  channels: int,
  fast: bool,
  on_progress: Callable[[int, int], None],
) -> dict[str, Any]:
  """Writes the pixels of a source as .npy; returns their description."""

  def write_header(num_images):
    # NumPy pads the header, so its length does not depend on the number.
    file.seek(0)
    np.lib.format.write_array_header_1_0(
      file,
      {
        "shape": (num_images, size, size, channels),
        "fortran_order": False,
        "descr": "|u1",
      },
    )

  labels, reasons, digests, done = [], [], [], 0
  with contextlib.ExitStack() as stack:
    contents = stack.enter_context(source.open())
    total = contents.num_images
    stack.enter_context(image_decoding.decoding())
    write_header(total)

    def decode(start):
      stop = min(start + _IMAGES_PER_TASK, total)
      return [
        (
          example.name,
          example.label,
          *image_decoding.try_decode(example.read, size, channels, fast),
        )
        for example in contents.examples(start, stop)
      ]

    num_cores = len(os.sched_getaffinity(0))
    pool = concurrent.futures.ThreadPoolExecutor(num_cores)
    # After an error or Ctrl-C, remaining images are not decoded.
    stack.callback(pool.shutdown, cancel_futures=True)
    for task in pool.map(decode, range(0, total, _IMAGES_PER_TASK)):
      for name, label, pixels, reason in task:
        if pixels is None:
          reasons.append(f"{name}: {reason}")
        else:
          content = pixels.tobytes()
          file.write(content)
          digests.append(hashlib.sha256(content).digest())
          labels.append(label)
      done += len(task)
      on_progress(done, total)
  if not labels:
    raise ImagesError(
      f"none of the {total:,} images of {source.path} can be decoded"
      + (f"; the first: {reasons[0]}" if reasons else "")
    )
  write_header(len(labels))
  # The test split may have images of classes that are not in training.
  has_labels = any(label != NO_LABEL for label in labels)
  return {
    "num_images": len(labels),
    "labels": labels if has_labels else None,
    "class_names": contents.class_names if has_labels else (),
    "num_skipped": len(reasons),
    "reasons": reasons[:_NUM_REASONS],
    "digest": hashlib.sha256(
      b"".join(digests) + np.asarray(labels, np.int32).tobytes()
    ).hexdigest(),
    "set_digest": hashlib.sha256(b"".join(sorted(digests))).hexdigest(),
  }


def to_unit(pixels: Array) -> Array:
  """Scales uint8 pixels p to float32 in [-1, 1], (2 p - 255) / 255.

  0 and 255 become exactly -1 and 1.
  """
  chex.assert_type(pixels, jnp.uint8)
  # Only the product is rounded. The bits of p / 127.5 - 1 would depend on how
  # XLA fuses it with the program around it.
  return (2 * pixels.astype(jnp.float32) - 255) * np.float32(1 / 255)


def to_pixels(values: Array) -> Array:
  """Rounds float32 in [-1, 1] to uint8, the inverse of `to_unit`.

  Values outside the range are clipped.
  """
  chex.assert_type(values, jnp.float32)
  return jnp.clip(jnp.round((values + 1) * 127.5), 0, 255).astype(jnp.uint8)


def sampler(images: Images, on_device: bool) -> Sampler:
  """Returns a sampler that draws images uniformly with replacement.

  With `on_device` all pixels are copied to the device; otherwise each minibatch
  is read from the host's memory or disk. Samples depend only on the key, and
  are bit-identical in both cases.
  """
  chex.assert_rank(images.pixels, 4)
  chex.assert_type(images.pixels, jnp.uint8)
  num_images, *shape = images.pixels.shape
  host_labels = images.labels
  if host_labels is None:
    host_labels = np.zeros(num_images, np.int32)
  chex.assert_shape(host_labels, (num_images,))
  pixels = images.pixels

  def indices(key, n):
    return jax.random.randint(key, (n,), 0, num_images)

  if on_device:

    def draw_resident(data, key, n):
      device_pixels, labels = data
      chosen = indices(key, n)
      return to_unit(device_pixels[chosen]), labels[chosen]

    return Sampler(
      (jnp.asarray(pixels), jnp.asarray(host_labels)), draw_resident
    )

  def fetch(chosen):
    chosen = np.asarray(chosen)
    return np.take(pixels, chosen, axis=0), np.take(host_labels, chosen)

  def draw_streamed(data, key, n):
    del data
    kinds = (
      jax.ShapeDtypeStruct((n, *shape), jnp.uint8),
      jax.ShapeDtypeStruct((n,), jnp.int32),
    )
    # Under vmap over keys, the indices and the result get another axis.
    chosen, labels = jax.pure_callback(
      fetch, kinds, indices(key, n), vmap_method="expand_dims"
    )
    return to_unit(chosen), labels

  return Sampler((), draw_streamed)
