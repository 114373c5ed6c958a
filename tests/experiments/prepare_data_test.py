"""The command in this process, and once as a user runs it."""

import contextlib
import functools
import gzip
import hashlib
import http.server
import importlib.machinery
import io
import os
import struct
import sys
import tarfile
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import tensorflow_datasets as tfds
from absl.testing import absltest, parameterized
from PIL import Image
from tensorflow_datasets.core import utils
from tensorflow_datasets.core.download import checksums

from experiments import prepare_data
from experiments.datasets.tfds import PREPARATIONS
from experiments.errors import UsageError
from gan_jax.data import image_source, images
from tests.experiments import commands

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("GAN_JAX_DATA_DIR", ROOT.parent / "shared" / "data"))
# Of the gzip headers of the official files.
MODIFIED = {"train": 1504176606, "t10k": 1504176627}


def real(name):
  """Returns a path of the real data, or skips the test."""
  path = DATA / name
  if not path.exists():
    raise absltest.SkipTest(f"{path} is not there; see GAN_JAX_DATA_DIR")
  return path


def official_fashion():
  """Returns the official files by name: name and time again in the headers."""
  files = {}
  for path in sorted(real("fashion_mnist").glob("*.gz")):
    content = path.read_bytes()
    modified = MODIFIED[path.name.partition("-")[0]]
    # Magic number and method, flags (8: a name follows), time, and the rest.
    head = content[:3] + b"\x08" + struct.pack("<I", modified) + content[8:10]
    name = path.name.removesuffix(".gz").encode() + b"\0"
    files[path.name] = head + name + content[10:]
  return files


def load(dataset, data_dir, split, size, channels):
  """Loads a split of a dataset without a cache."""
  return getattr(images.load(dataset, data_dir, size, channels, None), split)


def idx(array):
  """Writes uint8 as an IDX file."""
  head = bytes([0, 0, 8, array.ndim])
  return head + np.asarray(array.shape, ">u4").tobytes() + array.tobytes()


def encode(pixels, kind="PNG", **options):
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, kind, **options)
  return file.getvalue()


class Server:
  """Serves files on the loopback interface and notes what was asked for."""

  def __init__(self, files):
    self.files = dict(files)
    self.cut = set()
    self.asked = []
    outer = self

    class Handler(http.server.BaseHTTPRequestHandler):
      def do_GET(self):
        name = self.path.lstrip("/")
        outer.asked.append(name)
        if name not in outer.files:
          self.send_error(404)
          return
        content = outer.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if name in outer.cut:
          content = content[: len(content) // 2]
        self.wfile.write(content)

      def log_message(self, *args):
        pass

    self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    self.url = f"http://127.0.0.1:{self._server.server_port}/"
    self._thread = threading.Thread(target=self._server.serve_forever)
    self._thread.start()

  def close(self):
    self._server.shutdown()
    self._server.server_close()
    self._thread.join()


def without_tensorflow():
  """Returns a context in which TensorFlow is not installed."""
  find = importlib.machinery.PathFinder.find_spec

  def find_other(name, *args):
    return (
      None
      if name.startswith("tensorflow.") or name == "tensorflow"
      else (find(name, *args))
    )

  return mock.patch.object(
    importlib.machinery.PathFinder, "find_spec", find_other
  )


class PrepareTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.folder = Path(folder.name).resolve()
    self.data_dir = self.folder / "prepared"
    self.enter(without_tensorflow())
    self.assertNotIn("tensorflow", sys.modules)

  def enter(self, context):
    stack = contextlib.ExitStack()
    self.addCleanup(stack.close)
    return stack.enter_context(context)

  def prepare(self, dataset, *flags):
    """Runs the command; returns what it printed."""
    out, err = io.StringIO(), io.StringIO()
    argv = [
      "prepare_data",
      f"--dataset={dataset}",
      f"--data_dir={self.data_dir}",
      *flags,
    ]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
      self.assertEqual(prepare_data.run(argv), 0)
    return out.getvalue(), err.getvalue()

  def assert_refused(self, words, *args):
    """The command ended with one line that matches a pattern."""
    with self.assertRaisesRegex(UsageError, words):
      self.prepare(*args)

  def assert_tidy(self):
    """Nothing is left of what was cut off."""
    for path in self.data_dir.rglob("*"):
      self.assertNotIn(".partial-", path.name)
      self.assertNotIn(".tmp.", path.name)

  def write(self, files, folder="source"):
    for name, content in files.items():
      path = self.folder / folder / name
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(content)
    return self.folder / folder

  def write_idx(self, num_train=50, num_test=20, seed=0):
    """Writes IDX files; returns their folder and the arrays by split."""
    rng = np.random.default_rng(seed)
    arrays, files = {}, {}
    for split, prefix, n in (
      ("train", "train", num_train),
      ("test", "t10k", num_test),
    ):
      pixels = rng.integers(0, 256, (n, 28, 28), np.uint8)
      labels = rng.integers(0, 10, n).astype(np.uint8)
      arrays[split] = pixels, labels
      files[f"{prefix}-images-idx3-ubyte.gz"] = gzip.compress(idx(pixels))
      files[f"{prefix}-labels-idx1-ubyte"] = idx(labels)
    return self.write(files), arrays

  def assert_same_set(self, pixels, labels, expected_pixels, expected_labels):
    """Pairs of image and label are the same, in any order."""

    def pairs(pixels, labels):
      return sorted(
        (p.tobytes(), int(n)) for p, n in zip(pixels, labels, strict=True)
      )

    self.assertEqual(
      pairs(pixels, labels), pairs(expected_pixels, expected_labels)
    )

  def read_officially(self, dataset, split):
    """Reads what TFDS's own builder makes of the prepared dataset."""
    records: Any = tfds.data_source(
      dataset, split=split, data_dir=self.data_dir
    )
    return [records[i] for i in range(len(records))]


class FilesTest(PrepareTestCase):
  def test_every_dataset_to_prepare_has_a_preparation(self):
    self.assertEqual(list(PREPARATIONS), list(image_source.PREPARED))

  @parameterized.parameters("mnist", "fashion_mnist")
  def test_idx_files_become_what_the_official_builder_reads(self, dataset):
    source, arrays = self.write_idx()
    out, err = self.prepare(dataset, f"--source={source}")
    self.assertIn("50 train and 20 test images", out)
    self.assertLen(err.splitlines(), 1)
    self.assert_tidy()
    for split, (pixels, labels) in arrays.items():
      records = self.read_officially(dataset, split)
      self.assertEqual(records[0]["image"].shape, (28, 28, 1))
      official = np.stack([r["image"] for r in records])
      self.assert_same_set(
        official, [r["label"] for r in records], pixels, labels
      )
      loaded = load(dataset, self.data_dir, split, 28, 1)
      np.testing.assert_array_equal(loaded.pixels, official)
      np.testing.assert_array_equal(
        loaded.labels, [r["label"] for r in records]
      )
      builder: Any = tfds.builder(dataset, data_dir=self.data_dir)
      self.assertEqual(
        loaded.class_names, tuple(builder.info.features["label"].names)
      )

  def test_only_a_prepared_dataset_is_replaced_and_only_if_asked(self):
    source, _ = self.write_idx()
    flags = ("mnist", f"--source={source}")
    self.prepare(*flags)
    first = load("mnist", self.data_dir, "train", 28, 1).pixels
    self.assert_refused("exists.*--overwrite", *flags)
    _, arrays = self.write_idx(num_train=40, seed=1)
    self.prepare(*flags, "--overwrite")
    second = load("mnist", self.data_dir, "train", 28, 1)
    self.assertLen(first, 50)
    self.assert_same_set(second.pixels, second.labels, *arrays["train"])
    # What fails leaves the one that is there.
    self.write({"train-labels-idx1-ubyte": b"text"})
    self.assert_refused("no IDX file", *flags, "--overwrite")
    third = load("mnist", self.data_dir, "train", 28, 1)
    np.testing.assert_array_equal(third.pixels, second.pixels)
    self.assert_tidy()

    (target,) = (self.data_dir / "mnist").iterdir()
    (target / "dataset_info.json").unlink()
    self.assert_refused("no prepared dataset", *flags, "--overwrite")

  def test_images_become_cifar10(self):
    names = [f"{n}{c}" for n, c in enumerate("abcdefghij")]
    rng = np.random.default_rng(0)
    files = {
      f"{split}/{name}/{i}.png": rng.integers(0, 256, (32, 32, 3), np.uint8)
      for split, n in (("train", 3), ("test", 1))
      for name in names
      for i in range(n)
    }
    path = self.folder / "cifar.zip"
    with zipfile.ZipFile(path, "w") as archive:
      for name, pixels in files.items():
        archive.writestr(name, encode(pixels))
      archive.writestr("train/0a/text.png", b"text")
    _, err = self.prepare("cifar10", f"--source={path}")
    self.assertRegex(err, "train: skipped 1 images.*not an image")
    for split, number in (("train", 30), ("test", 10)):
      records = self.read_officially("cifar10", split)
      self.assertLen(records, number)
      chosen = [n for n in files if n.startswith(split)]
      self.assert_same_set(
        [r["image"] for r in records],
        [r["label"] for r in records],
        [files[n] for n in chosen],
        [names.index(n.split("/")[1]) for n in chosen],
      )
    loaded = load("cifar10", self.data_dir, "test", 32, 3)
    self.assertEqual(loaded.class_names, tuple(names))

  def test_loose_photos_become_celeb_a(self):
    rng = np.random.default_rng(0)
    photos = {
      f"{i}.jpg": encode(rng.integers(0, 256, (218, 178, 3), np.uint8), "JPEG")
      for i in range(20)
    }
    source = self.write(photos)
    self.prepare("celeb_a", f"--source={source}")
    expected = load("folder", source, "train", 48, 3)
    loaded = load("celeb_a", self.data_dir, "train", 48, 3)
    self.assertIsNone(loaded.labels)
    # The files are kept as they are, so no size loses anything.
    self.assert_same_set(loaded.pixels, 18 * [0], expected.pixels, 18 * [0])

  def test_a_source_without_images_is_one_line(self):
    empty = self.folder / "empty"
    empty.mkdir()
    # Of ten classes, as CIFAR-10 has.
    text = self.write(
      {
        f"{split}/{name}/x.png": b"text"
        for split in ("train", "test")
        for name in range(10)
      }
    )
    for source, words in (
      (empty, "has no"),
      (self.folder / "nowhere", "there is no"),
      (text, "none of the 10 train images.*decoded; the first: it is not"),
    ):
      self.assert_refused(words, "cifar10", f"--source={source}")
      self.assertFalse((self.data_dir / "cifar10").exists())
    self.assert_tidy()

  def test_what_is_damaged_or_in_another_format_is_one_line(self):
    source, _ = self.write_idx()
    self.prepare("mnist", f"--source={source}")
    (about,) = self.data_dir.glob("mnist/*/dataset_info.json")
    (records,) = self.data_dir.glob("mnist/*/*-test.array_record*")
    for path, content, words in (
      (about, about.read_bytes()[:99], "damaged"),
      (
        about,
        about.read_bytes().replace(b'"array_record"', b'"tfrecord"'),
        "prepared as tfrecord",
      ),
      (records, records.read_bytes()[:-99], "damaged"),
    ):
      whole = path.read_bytes()
      path.write_bytes(content)
      with self.assertRaisesRegex(images.ImagesError, words) as caught:
        load("mnist", self.data_dir, "test", 28, 1)
      self.assertLen(str(caught.exception).splitlines(), 1)
      path.write_bytes(whole)
    self.assertLen(load("mnist", self.data_dir, "test", 28, 1).pixels, 20)

  def test_two_at_once_are_refused(self):
    source, _ = self.write_idx()
    with prepare_data._locked(self.data_dir):
      self.assert_refused("another process", "mnist", f"--source={source}")

  def test_a_user_sees_a_line_for_each_mistake(self):
    done = commands.run(
      "experiments.prepare_data",
      *("--dataset=mnist", "--source=nowhere", "--data_dir=out"),
      cwd=self.folder,
    )
    self.assertEqual(done.returncode, 2)
    self.assertEqual(done.stderr, "error: there is no file or folder nowhere\n")
    self.assertEqual(done.stdout, "")
    self.assertFalse((self.folder / "out").exists())
    with self.assertRaisesRegex(UsageError, "mnst.*fashion_mnist"):
      self.prepare("mnst")
    with self.assertRaisesRegex(UsageError, "--dataset is missing"):
      prepare_data.run(["prepare_data"])
    self.assert_refused("faces needs no preparation: it is drawn", "faces")


class DownloadTest(PrepareTestCase):
  def serve(self, dataset, files, **places):
    """Has a builder download from here, by the given or official checksums.

    Args:
      dataset: the builder's name.
      files: contents by name.
      **places: attributes of the builder that become the server's address.
    """
    server = Server(files)
    self.addCleanup(server.close)
    builder: Any = tfds.builder_cls(dataset)
    registered = {i.filename: i for i in builder.url_infos.values()}
    infos = {server.url + name: registered[name] for name in files}
    for attribute in places.values():
      self.enter(mock.patch.object(builder, attribute, server.url))
    self.enter(mock.patch.object(builder, "url_infos", infos))
    return server

  def test_official_files_pass_their_registered_checksums(self):
    files = official_fashion()
    server = self.serve("fashion_mnist", files, url="URL")
    names = list(files)

    # A process that was killed has left these.
    for name in (".partial-fashion_mnist", "downloads/fashion_mnist/x.tmp.12"):
      (self.data_dir / name).mkdir(parents=True)

    # One is missing, one is cut, one is wrong: what came before is kept.
    server.files.pop("t10k-images-idx3-ubyte.gz")
    self.assert_refused("HTTP code: 404", "fashion_mnist")
    self.assertNotIn("t10k-labels-idx1-ubyte.gz", server.asked)
    server.files = dict(files)
    server.cut = {"t10k-images-idx3-ubyte.gz"}
    self.assert_refused(
      "t10k-images.*2211051 bytes read, 2211051 more", "fashion_mnist"
    )
    server.cut = set()
    wrong = bytearray(files["t10k-images-idx3-ubyte.gz"])
    wrong[1000] ^= 1
    server.files["t10k-images-idx3-ubyte.gz"] = bytes(wrong)
    self.assert_refused(
      "t10k-images.*wrong checksum.*Expected.*346e55b9.*Got", "fashion_mnist"
    )
    self.assert_tidy()
    self.assertFalse((self.data_dir / "fashion_mnist").exists())

    server.files = dict(files)
    self.enter(
      mock.patch.object(
        tfds.download,
        "DownloadConfig",
        functools.partial(
          tfds.download.DownloadConfig, max_examples_per_split=30
        ),
      )
    )
    out, _ = self.prepare("fashion_mnist")
    self.assertIn("30 train and 30 test", out)
    self.assert_tidy()
    for name in names:
      num_times = 4 if name.startswith("t10k-images") else 1
      self.assertEqual(server.asked.count(name), num_times, name)
    for split, prefix in (("train", "train"), ("test", "t10k")):
      pixels, labels = (
        np.frombuffer(
          gzip.decompress(files[f"{prefix}-{kind}-ubyte.gz"]), np.uint8
        )[head:]
        for kind, head in (("images-idx3", 16), ("labels-idx1", 8))
      )
      records = self.read_officially("fashion_mnist", split)
      self.assert_same_set(
        [r["image"] for r in records],
        [r["label"] for r in records],
        pixels.reshape(-1, 28, 28)[:30],
        labels[:30],
      )

  def offer(self, dataset, files):
    """Registers checksums of made-up files, and puts them in a folder."""
    builder: Any = tfds.builder_cls(dataset)
    registered = builder.url_infos
    infos = {
      url: checksums.UrlInfo(
        utils.Size(len(files[info.filename])),
        hashlib.sha256(files[info.filename]).hexdigest(),
        info.filename,
      )
      for url, info in registered.items()
      if info.filename in files
    }
    self.assertLen(infos, len(files))
    self.enter(mock.patch.object(builder, "url_infos", infos))
    return self.write(files)

  def test_cifar10_from_its_archive(self):
    rng = np.random.default_rng(0)
    batches = rng.integers(0, 256, (6, 4, 3073), np.uint8)
    batches[:, :, 0] = np.arange(24).reshape(6, 4) % 10
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    classes = [f"class{i}" for i in range(10)]
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
      for name, content in (
        *zip(names, map(np.ndarray.tobytes, batches), strict=True),
        ("batches.meta.txt", "\n".join([*classes, "", ""]).encode()),
      ):
        member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    source = self.offer("cifar10", {"cifar-10-binary.tar.gz": file.getvalue()})
    self.prepare("cifar10", f"--source={source}")
    for split, records in (("train", batches[:5]), ("test", batches[5:])):
      records = records.reshape(-1, 3073)
      # Red, then green, then blue.
      planes = np.stack(np.split(records[:, 1:], 3, axis=1), axis=-1)
      read = self.read_officially("cifar10", split)
      self.assert_same_set(
        [r["image"] for r in read],
        [r["label"] for r in read],
        planes,
        records[:, 0],
      )
      self.assertIn(f"{split}_00003".encode(), [r["id"] for r in read])
    loaded = load("cifar10", self.data_dir, "test", 32, 3)
    self.assertEqual(loaded.class_names, tuple(classes))

  def test_celeb_a_from_its_archive(self):
    module = sys.modules[tfds.builder_cls("celeb_a").__module__]
    rng = np.random.default_rng(0)
    photos = {
      f"{i:06d}.jpg": encode(
        rng.integers(0, 256, (218, 178, 3), np.uint8), "JPEG"
      )
      for i in range(1, 5)
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
      for name, content in photos.items():
        archive.writestr(f"img_align_celeba/{name}", content)

    def table(headings, value):
      lines = [f"{n} " + " ".join([value] * len(headings)) for n in photos]
      return "\n".join([str(len(photos)), " ".join(headings), *lines, ""])

    splits = [0, 0, 1, 2]
    texts = {
      "list_attr_celeba.txt": table(module.ATTR_HEADINGS, "-1"),
      "list_landmarks_align_celeba.txt": table(module.LANDMARK_HEADINGS, "7"),
      "list_eval_partition.txt": "".join(
        f"{n} {s}\n" for n, s in zip(photos, splits, strict=True)
      ),
      "identity_CelebA.txt": "".join(f"{n} 5\n" for n in photos),
    }
    source = self.offer(
      "celeb_a",
      {name: text.encode() for name, text in texts.items()}
      | {"img_align_celeba.zip": file.getvalue()},
    )
    out, _ = self.prepare("celeb_a", f"--source={source}")
    self.assertIn("2 train and 1 validation and 1 test", out)
    (record,) = self.read_officially("celeb_a", "test")
    expected = np.asarray(Image.open(io.BytesIO(photos["000004.jpg"])))
    np.testing.assert_array_equal(record["image"], expected)
    self.assertEqual(record["landmarks"]["nose_x"], 7)
    self.assertFalse(record["attributes"]["Smiling"])
    loaded = load("celeb_a", self.data_dir, "test", 178, 3)
    # The middle of 218 rows.
    np.testing.assert_array_equal(loaded.pixels[0], expected[20:198])


if __name__ == "__main__":
  absltest.main()
