"""Tests images in IDX files, folders and zips, and their errors."""

import gzip
import hashlib
import io
import os
import zipfile
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from gan_jax.data import images
from tests.gan_jax.data.image_folders import (
  DATA,
  FolderTestCase,
  encode,
  flat,
  idx,
  load_folder,
  png,
  read_idx,
  real,
  values,
)


class IdxTest(FolderTestCase):
  @parameterized.parameters("mnist", "fashion_mnist")
  def test_real_images_keep_their_bits(self, dataset):
    folder = real(dataset)
    loaded = images.load(dataset, DATA, "test", 28, 1, None)
    pixels = read_idx(folder / "t10k-images-idx3-ubyte.gz", 16)
    labels = read_idx(folder / "t10k-labels-idx1-ubyte.gz", 8)
    np.testing.assert_array_equal(
      loaded.pixels, pixels.reshape(10_000, 28, 28, 1)
    )
    np.testing.assert_array_equal(loaded.labels, labels)
    self.assertEqual(loaded.pixels.dtype, np.uint8)
    assert loaded.labels is not None
    self.assertEqual(loaded.labels.dtype, np.int32)
    self.assertLen(loaded.class_names, 10)
    self.assertEqual(loaded.num_skipped, 0)

  def test_files_may_be_unpacked_and_lie_in_the_folder_itself(self):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    folder = self.write(
      {
        "train-images-idx3-ubyte": idx(pixels),
        "train-labels-idx1-ubyte.gz": gzip.compress(
          idx(np.arange(5, dtype=np.uint8))
        ),
        "t10k-images-idx3-ubyte": idx(pixels[:2]),
      }
    )
    loaded = images.load("mnist", folder, "train", 28, 1, None)
    np.testing.assert_array_equal(loaded.pixels[..., 0], pixels)
    np.testing.assert_array_equal(loaded.labels, np.arange(5))
    self.assertEqual(loaded.class_names, tuple("0123456789"))
    unlabelled = images.load("mnist", folder, "test", 28, 3, None)
    np.testing.assert_array_equal(
      unlabelled.pixels, np.repeat(pixels[:2, :, :, None], 3, axis=3)
    )
    self.assertIsNone(unlabelled.labels)
    self.assertEqual(unlabelled.class_names, ())

  @parameterized.named_parameters(
    ("cut_gzip", lambda content: gzip.compress(content)[:-9], "damaged"),
    ("cut", lambda content: content[:-1], "damaged"),
    ("labels", lambda content: idx(np.zeros(3, np.uint8)), "no IDX file"),
    ("text", lambda content: b"<html>", "no IDX file"),
  )
  def test_damaged_files_are_errors(self, damage, words):
    whole = idx(np.zeros((3, 28, 28), np.uint8))
    folder = self.write({"train-images-idx3-ubyte": damage(whole)})
    with self.assertRaisesRegex(images.ImagesError, words):
      images.load("mnist", folder, "train", 28, 1, None)
    with self.assertRaisesRegex(images.ImagesError, "t10k-images"):
      images.load("mnist", folder, "test", 28, 1, None)

  def test_labels_of_other_images_are_an_error(self):
    folder = self.write(
      {
        "train-images-idx3-ubyte": idx(np.zeros((3, 28, 28), np.uint8)),
        "train-labels-idx1-ubyte": idx(np.zeros(4, np.uint8)),
      }
    )
    with self.assertRaisesRegex(images.ImagesError, "3 images.*4 labels"):
      images.load("mnist", folder, "train", 28, 1, None)


class FolderTest(FolderTestCase):
  def test_a_folder_of_all_sorts(self):
    huge = np.zeros((3000, 2000, 3), np.uint8)
    huge[...] = (200, 100, 50)
    good = png(np.full((20, 30, 3), 90))
    path = self.write(
      {
        "train/a/grey.png": flat(60, (40, 20)),
        "train/a/text.png": b"This is text.",
        "train/a/cut.png": good[: len(good) // 2],
        "train/a/empty.jpg": b"",
        "train/b/huge.jpeg": encode(Image.fromarray(huge), "JPEG"),
        "train/b/good.PNG": good,
        "train/b/notes.txt": b"not an image at all",
        "train/b/._good.png": b"a resource fork",
        "train/.hidden/x.png": flat(1),
        "train/__MACOSX/a/x.png": flat(1),
        "test/b/good.png": good,
      }
    )
    loaded = load_folder(path, size=16, channels=3)
    self.assertEqual(loaded.num_skipped, 3)
    self.assertEqual(
      [reason.split(":")[0] for reason in loaded.reasons],
      ["train/a/cut.png", "train/a/empty.jpg", "train/a/text.png"],
    )
    self.assertEqual(loaded.class_names, ("a", "b"))
    np.testing.assert_array_equal(loaded.labels, [0, 1, 1])
    # By their names: grey, good, huge.
    colours = np.asarray([[60] * 3, [90] * 3, [200, 100, 50]])
    np.testing.assert_allclose(
      loaded.pixels,
      np.broadcast_to(colours[:, None, None], (3, 16, 16, 3)),
      atol=2,
    )

  @parameterized.parameters(1500, 2500)
  def test_a_decompression_bomb_is_skipped_with_its_reason(self, num_pixels):
    # Pillow warns of more than its limit and refuses more than twice as much.
    path = self.write(
      {"train/a.png": flat(5), "train/b.png": flat(6, (num_pixels // 50, 50))}
    )
    self.write({"test/a.png": flat(5)})
    with mock.patch.object(Image, "MAX_IMAGE_PIXELS", 1000):
      loaded = load_folder(path)
    self.assertEqual(values(loaded), [5])
    self.assertEqual(loaded.num_skipped, 1)
    self.assertIn("decompression bomb", loaded.reasons[0])

  def test_nothing_to_load_is_an_error(self):
    (self.folder / "empty").mkdir()
    text = self.write({"train/x.png": b"text", "test/y.png": flat(0)}, "text")
    one = self.write({"x.png": flat(0)}, "one")
    for path, words in (
      (self.folder / "empty", "has no images"),
      (self.folder / "nowhere", "there is no"),
      (
        text,
        "none of the 1 images.*decoded; the first: train/x.png: it is not",
      ),
      (text / "train" / "x.png", "neither a folder nor a whole zip"),
    ):
      with self.assertRaisesRegex(images.ImagesError, words):
        load_folder(path)
    self.assertLen(load_folder(one).pixels, 1)
    with self.assertRaisesRegex(images.ImagesError, "test split"):
      load_folder(one, "test")
    with self.assertRaisesRegex(images.ImagesError, "needs a folder"):
      images.load("folder", None, "train", 8, 1, None)
    with self.assertRaises(ValueError):
      images.load("mnst", one, "train", 8, 1, None)

  def test_folders_are_splits_and_classes(self):
    files = {
      "train/cat/1.png": flat(10),
      "train/dog/1.png": flat(20),
      "train/ant/1.png": flat(30),
      "test/dog/1.png": flat(40),
      "validation/dog/1.png": flat(50),
    }
    nested = {f"download/animals/{name}": x for name, x in files.items()}
    for path in (
      self.write(files),
      self.write(nested, "nested"),
      self.write_zip(files),
    ):
      train, test = load_folder(path), load_folder(path, "test")
      self.assertEqual(train.class_names, ("ant", "cat", "dog"))
      self.assertEqual(test.class_names, train.class_names)
      self.assertEqual(values(train), [30, 10, 20])
      np.testing.assert_array_equal(train.labels, [0, 1, 2])
      self.assertEqual(values(test), [40])
      np.testing.assert_array_equal(test.labels, [2])

  def test_one_folder_is_no_class(self):
    files = {f"a/b/{i}.png": flat(i) for i in range(20)}
    for path in (self.write(files), self.write_zip(files)):
      loaded = load_folder(path)
      self.assertIsNone(loaded.labels)
      self.assertEmpty(loaded.class_names)

  def test_a_class_that_cannot_be_learnt(self):
    files = {
      "train/cat/1.png": flat(10),
      "train/dog/1.png": flat(20),
      "test/cat/1.png": flat(30),
      "test/zebra/1.png": flat(40),
    }
    with self.assertRaisesRegex(images.ImagesError, "learn of zebra"):
      load_folder(self.write(files))
    # Whatever the names are, the only image of a class is learnt.
    for name in "abcdefgh":
      files = {f"many/{i}.png": flat(i) for i in range(19)}
      path = self.write({**files, f"one/{name}.png": flat(99)}, name)
      self.assertIn(99, values(load_folder(path)))

  def test_a_link_that_leads_nowhere_is_skipped(self):
    path = self.write({f"{i}.png": flat(i) for i in range(20)})
    (path / "0.png").unlink()
    (path / "0.png").symlink_to("nowhere")
    # One of the two splits has it.
    loaded = [load_folder(path, split) for split in ("train", "test")]
    self.assertEqual(sum(len(split.pixels) for split in loaded), 19)
    self.assertEqual(sum(split.num_skipped for split in loaded), 1)

  def test_a_tenth_is_the_test_split(self):
    files = {f"{i:03d}.png": flat(i) for i in range(59)}
    # The tenth with the least SHA-256 of their names, in the order of names.
    by_hash = sorted(
      files, key=lambda name: hashlib.sha256(name.encode()).hexdigest()
    )
    test = sorted(int(name[:3]) for name in by_hash[:5])
    train = sorted(set(range(59)) - set(test))
    wrapped = {f"train/{name}": content for name, content in files.items()}
    for path in (
      self.write(files),
      self.write(wrapped, "wrapped"),
      self.write_zip(files),
    ):
      self.assertEqual(values(load_folder(path, "test")), test)
      loaded = load_folder(path)
      self.assertEqual(values(loaded), train)
      self.assertIsNone(loaded.labels)

  def test_a_link_to_a_folder_above_is_no_trap(self):
    path = self.write({f"{i % 2}/{i}.png": flat(i) for i in range(4)})
    (path / "0" / "again").symlink_to(path)
    num_images = [len(load_folder(path, s).pixels) for s in ("train", "test")]
    self.assertEqual(num_images, [3, 1])

  def test_a_zip_of_photos(self):
    files = {}
    with zipfile.ZipFile(real("cifar10_jpeg.zip")) as archive:
      for name in archive.namelist():
        kind, _, number = name.rpartition("/")
        if kind.endswith(("cat", "frog", "ship")) and number[:4] < "0012":
          files[name] = archive.read(name)
    path = self.write_zip(files)
    for split in ("train", "test"):
      names = sorted(n for n in files if n.startswith(f"{split}/"))
      self.assertNotEmpty(names)
      expected = [
        np.asarray(Image.open(io.BytesIO(files[name]))) for name in names
      ]
      loaded = images.load("cifar10", path, split, 32, 3, None)
      np.testing.assert_array_equal(loaded.pixels, np.stack(expected))
      self.assertEqual(loaded.class_names, ("cat", "frog", "ship"))
      np.testing.assert_array_equal(
        np.asarray(loaded.class_names)[loaded.labels],
        [name.split("/")[1] for name in names],
      )

  def test_a_dataset_that_is_not_prepared_says_so(self):
    # Neither a folder of downloads nor one with deeper images is taken for it.
    deep = self.write({"a/b/c/x.png": flat(0)}, "deep")
    tfds = self.write({"downloads/x.png": flat(0)}, "tfds")
    for path in (self.folder / "nowhere", deep, tfds):
      with self.assertRaises(images.NotPreparedError) as caught:
        images.load("cifar10", path, "train", 8, 1, None)
      self.assertEqual(caught.exception.dataset, "cifar10")
      self.assertEqual(caught.exception.data_dir, path)
    loose = self.write({"x.png": flat(0)}, "loose")
    with (
      mock.patch.dict(os.environ, {"TFDS_DATA_DIR": str(loose)}),
      self.assertRaises(images.NotPreparedError) as caught,
    ):
      images.load("mnist", None, "train", 28, 1, None)
    self.assertEqual(caught.exception.data_dir, loose)


if __name__ == "__main__":
  absltest.main()
