"""Image folders that tests write and read."""

import gzip
import io
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from gan_jax.data import images

ROOT = Path(__file__).parents[3]


DATA = Path(os.environ.get("GAN_JAX_DATA_DIR", ROOT.parent / "shared" / "data"))


def real(name):
  """Returns a path of the real data, or skips the test."""
  path = DATA / name
  if not path.exists():
    raise absltest.SkipTest(f"{path} is not there; see GAN_JAX_DATA_DIR")
  return path


def read_idx(path, head):
  """Reads what follows the head of a gzipped IDX file."""
  return np.frombuffer(gzip.decompress(path.read_bytes())[head:], np.uint8)


def idx(array):
  """Writes uint8 as an IDX file."""
  head = bytes([0, 0, 8, array.ndim])
  return head + np.asarray(array.shape, ">u4").tobytes() + array.tobytes()


def png(pixels, **options):
  return encode(Image.fromarray(np.asarray(pixels, np.uint8)), "PNG", **options)


def encode(image, kind, **options):
  file = io.BytesIO()
  image.save(file, kind, **options)
  return file.getvalue()


def flat(value, shape=(8, 8)):
  """Returns the PNG of an image of one grey value."""
  return png(np.full(shape, value))


class FolderTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.folder = Path(folder.name).resolve()

  def write(self, files, folder="data"):
    for name, content in files.items():
      path = self.folder / folder / name
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(content)
    return self.folder / folder

  def write_zip(self, files):
    path = self.folder / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
      for name, content in files.items():
        archive.writestr(name, content)
    return path


def load(dataset, path, split, size=28, channels=1, **options):
  """Loads a split of a dataset without a cache."""
  loaded = images.load(dataset, path, size, channels, None, **options)
  return getattr(loaded, split)


def load_folder(path, split="train", size=8, channels=1, cache_dir=None):
  loaded = images.load("folder", path, size, channels, cache_dir)
  return getattr(loaded, split)


def values(loaded):
  """Returns the grey values of images of one value each."""
  np.testing.assert_array_equal(
    loaded.pixels.min(axis=(1, 2, 3)), loaded.pixels.max(axis=(1, 2, 3))
  )
  return loaded.pixels[:, 0, 0, 0].tolist()
