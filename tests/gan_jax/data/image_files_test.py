"""Tests images in IDX files, folders and zips, and their errors."""

import gzip
import hashlib
import io
import json
import os
import zipfile
from unittest import mock

import numpy as np
import pillow_heif
from absl.testing import absltest, parameterized
from PIL import Image

from gan_jax.data import image_decoding, images
from tests.gan_jax.data.image_folders import (
  DATA,
  FolderTestCase,
  encode,
  flat,
  idx,
  load,
  load_folder,
  png,
  read_idx,
  real,
  values,
)


def noise(count):
  """Returns grey images of MNIST's size."""
  return np.random.default_rng(0).integers(0, 256, (count, 28, 28), np.uint8)


def zipped(files):
  """Returns the content of a zip."""
  file = io.BytesIO()
  with zipfile.ZipFile(file, "w") as archive:
    for name, content in files.items():
      archive.writestr(name, content)
  return file.getvalue()


class IdxTest(FolderTestCase):
  @parameterized.parameters("mnist", "fashion_mnist")
  def test_real_images_keep_their_bits(self, dataset):
    folder = real(dataset)
    loaded = load(dataset, DATA, "test", 28, 1)
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
    loaded = load("mnist", folder, "train", 28, 1)
    np.testing.assert_array_equal(loaded.pixels[..., 0], pixels)
    np.testing.assert_array_equal(loaded.labels, np.arange(5))
    self.assertEqual(loaded.class_names, tuple("01234"))
    unlabelled = load("mnist", folder, "test", 28, 3)
    np.testing.assert_array_equal(
      unlabelled.pixels, np.repeat(pixels[:2, :, :, None], 3, axis=3)
    )
    self.assertIsNone(unlabelled.labels)

  @parameterized.named_parameters(
    ("cut_gzip", lambda content: gzip.compress(content)[:-9], "damaged"),
    ("cut", lambda content: content[:-1], "damaged"),
    ("labels", lambda content: idx(np.zeros(3, np.uint8)), "no IDX file"),
    ("text", lambda content: b"<html>", "no IDX file"),
  )
  def test_damaged_files_are_errors(self, damage, words):
    whole = idx(np.zeros((3, 28, 28), np.uint8))
    folder = self.write({"train-images-idx3-ubyte": damage(whole)})
    with self.assertRaisesRegex(images.ImagesError, "t10k-images"):
      load("mnist", folder, "train")
    self.write({"t10k-images-idx3-ubyte": whole})
    with self.assertRaisesRegex(images.ImagesError, words):
      load("mnist", folder, "train")

  def test_labels_of_other_images_are_an_error(self):
    folder = self.write(
      {
        "train-images-idx3-ubyte": idx(np.zeros((3, 28, 28), np.uint8)),
        "train-labels-idx1-ubyte": idx(np.zeros(4, np.uint8)),
        "t10k-images-idx3-ubyte": idx(np.zeros((3, 28, 28), np.uint8)),
      }
    )
    with self.assertRaisesRegex(images.ImagesError, "3 images.*4 labels"):
      load("mnist", folder, "train", 28, 1)

  @parameterized.named_parameters(
    ("dotted", "{}-images.idx3-ubyte", "{}-labels.idx1-ubyte"),
    ("packed", "{}-images-idx3-ubyte.gz", "{}-labels-idx1-ubyte.gz"),
    ("upper", "{}-Images-IDX3-UByte", "{}-LABELS-IDX1-UBYTE"),
    ("zipped", "{}-images-idx3-ubyte.zip", "{}-labels-idx1-ubyte.zip"),
    ("raw", "raw/{}-images-idx3-ubyte", "raw/{}-labels-idx1-ubyte"),
    ("named", "mnist/{}-images-idx3-ubyte", "mnist/{}-labels-idx1-ubyte"),
    (
      "torchvision",
      "MNIST/raw/{}-images-idx3-ubyte",
      "MNIST/raw/{}-labels-idx1-ubyte",
    ),
  )
  def test_names_of_files(self, images_name, labels_name):
    files, pixels = {}, noise(30)
    for split, part in (("train", pixels[:20]), ("t10k", pixels[20:])):
      labels = np.arange(len(part), dtype=np.uint8) % 10
      for name, array in ((images_name, part), (labels_name, labels)):
        content = idx(array)
        if name.endswith(".gz"):
          content = gzip.compress(content)
        if name.endswith(".zip"):
          content = zipped({name.format(split)[:-4]: content})
        files[name.format(split)] = content
    for path in (self.write(files), self.write_zip(files)):
      for dataset in ("mnist", "folder"):
        loaded = images.load(dataset, path, 28, 1, None)
        for split, part in (
          (loaded.train, pixels[:20]),
          (loaded.test, pixels[20:]),
        ):
          np.testing.assert_array_equal(split.pixels[..., 0], part)
          np.testing.assert_array_equal(split.labels, np.arange(len(part)) % 10)
          self.assertEqual(split.class_names, tuple("0123456789"))

  @parameterized.parameters(
    ("emnist-letters", range(1, 27), "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("emnist-digits", range(10), "0123456789"),
    (
      "emnist-balanced",
      range(47),
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt",
    ),
  )
  def test_letters_lie_on_their_side_in_emnist(self, name, labels, classes):
    pixels = noise(2 * len(labels))
    both = np.asarray([*labels, *labels], np.uint8)
    files = {
      f"{name}-{split}-{kind}-ubyte.gz": gzip.compress(idx(array))
      for split in ("train", "test")
      for kind, array in (("images-idx3", pixels), ("labels-idx1", both))
    }
    train = load("folder", self.write(files), "train")
    np.testing.assert_array_equal(
      train.pixels[..., 0], pixels.transpose(0, 2, 1)
    )
    self.assertEqual(train.class_names, tuple(classes))
    np.testing.assert_array_equal(train.labels, both - labels[0])
    self.write({"emnist-mnist-train-images-idx3-ubyte": b""})
    with self.assertRaisesRegex(images.ImagesError, "of several datasets"):
      load("folder", self.folder / "data", "train")

  @parameterized.parameters(
    # Labels of training, labels of test, classes, and the test images kept.
    ([1, 2, 26], [26, 1, 1], ("1", "2", "26"), 3),
    ([3, 7, 3], [7, 3, 9], ("3", "7"), 2),
    ([5, 5, 5], [5, 1, 2], (), 3),
  )
  def test_classes_are_those_that_occur(self, train, test, classes, num_test):
    files = {}
    for split, labels in (("train", train), ("t10k", test)):
      files[f"{split}-images-idx3-ubyte"] = idx(noise(3))
      files[f"{split}-labels-idx1-ubyte"] = idx(np.asarray(labels, np.uint8))
    loaded = images.load("folder", self.write(files), 28, 1, None)
    for split, labels in ((loaded.train, train), (loaded.test, test)):
      self.assertEqual(split.class_names, classes)
      if classes:
        assert split.labels is not None
        names = [classes[label] for label in split.labels]
        kept = [str(label) for label in labels if str(label) in classes]
        self.assertEqual(names, kept)
      else:
        self.assertIsNone(split.labels)
    self.assertLen(loaded.test.pixels, num_test)
    self.assertEmpty(loaded.empty_classes)

  @parameterized.named_parameters(
    ("small", "mnist", noise(20)[:, :12, :12], 10, "images of 12 x 12"),
    ("colour", "cifar10", noise(20), 10, "grey images of 28 x 28"),
    ("letters", "mnist", noise(30), 26, "labels above 9"),
  )
  def test_another_dataset_is_refused(self, dataset, pixels, classes, words):
    labels = (np.arange(len(pixels)) % classes).astype(np.uint8)
    files = {
      f"{split}-{kind}-ubyte": idx(array)
      for split in ("train", "t10k")
      for kind, array in (("images-idx3", pixels), ("labels-idx1", labels))
    }
    path = self.write(files)
    with self.assertRaisesRegex(images.ImagesError, f"{words}.*not {dataset}"):
      load(dataset, path, "train")
    self.assertLen(load("folder", path, "train").class_names, classes)

  def test_official_files_of_another_dataset_are_refused(self):
    for dataset, other in (
      ("mnist", "fashion_mnist"),
      ("fashion_mnist", "mnist"),
    ):
      with self.assertRaisesRegex(images.ImagesError, f"{other}, not of"):
        load(dataset, real(other), "train")

  def test_image_files_of_another_dataset_are_refused(self):
    # The public dump of MNIST as PNG has its digits in training/ and testing/.
    dump = {
      f"{split}/{digit}/{index}.png": flat(digit, (28, 28))
      for split in ("training", "testing")
      for digit in range(10)
      for index in range(3)
    }
    path = self.write(dump)
    self.assertEqual(
      load("mnist", path, "train").class_names, tuple("0123456789")
    )
    with self.assertRaisesRegex(images.ImagesError, "28 x 28 pixels.*cifar10"):
      load("cifar10", path, "train")
    two = {name: x for name, x in dump.items() if name.split("/")[1] in "37"}
    with self.assertRaisesRegex(images.ImagesError, "2 classes.*not mnist"):
      load("mnist", self.write_zip(two), "train")


class FolderTest(FolderTestCase):
  @parameterized.named_parameters(
    # Files beside 20 images of cat and dog each, and what is skipped.
    ("loose", {"preview.png": flat(0)}, "images beside the class folders"),
    ("table", {"labels.csv": b"cat"}, ".csv files"),
    ("text", {"cat/README": b"text"}, "files without a suffix"),
    ("bin", {"$RECYCLE.BIN/x.png": flat(0)}, "hidden files"),
    ("fsck", {"lost+found/x.png": flat(0)}, "hidden files"),
    ("nas", {"cat/@eaDir/x.png": flat(0)}, "hidden files"),
    ("mac", {"__MACOSX/cat/._x.png": flat(0)}, "hidden files"),
    ("hidden", {".thumbnails/x.png": flat(0)}, "hidden files"),
    (
      "run",
      {
        "runs/ring-001/settings.json": b"{}",
        "runs/ring-001/metrics.jsonl": b"",
        "runs/ring-001/figures/x.png": flat(0),
      },
      "files of training results",
    ),
  )
  def test_what_is_no_data_is_skipped_and_named(self, files, what):
    pictures = {
      f"{name}/{i}.png": flat(i) for name in ("cat", "dog") for i in range(20)
    }
    both = {**pictures, **files}
    for path in (self.write(both), self.write_zip(both)):
      loaded = images.load("folder", path, 8, 1, None)
      self.assertEqual(loaded.train.class_names, ("cat", "dog"))
      self.assertLen([*loaded.train.pixels, *loaded.test.pixels], 40)
      ((found, (count, first)),) = loaded.skipped.items()
      self.assertIn(what, found)
      self.assertEqual((count, first), (len(files), min(files)))

  def test_only_regular_files_are_opened(self):
    path = self.write({f"{i}.png": flat(i) for i in range(20)})
    os.mkfifo(path / "pipe.png")
    (path / "zero.png").symlink_to("/dev/zero")
    (path / "broken.png").symlink_to("nowhere")
    loaded = images.load("folder", path, 8, 1, None)
    self.assertLen([*loaded.train.pixels, *loaded.test.pixels], 20)
    self.assertEqual([count for count, _ in loaded.skipped.values()], [3])

  def test_two_links_to_one_folder_are_two_classes(self):
    path = self.write({f"faces/{i}.png": flat(i) for i in range(20)}, "all")
    (self.folder / "data").mkdir()
    for name in ("a", "b"):
      (self.folder / "data" / name).symlink_to(path / "faces")
    loaded = images.load("folder", self.folder / "data", 8, 1, None)
    self.assertEqual(loaded.train.class_names, ("a", "b"))
    self.assertLen([*loaded.train.pixels, *loaded.test.pixels], 40)

  def test_images_without_suffix_and_of_rare_formats(self):
    picture = Image.new("RGB", (8, 8), (7, 7, 7))
    files = {f"{i}": flat(i) for i in range(20)}
    for kind, suffix in (("AVIF", "avif"), ("TGA", "TGA"), ("JPEG2000", "jp2")):
      files[f"a.{suffix}"] = encode(picture, kind)
    loaded = images.load("folder", self.write(files), 8, 3, None)
    self.assertLen([*loaded.train.pixels, *loaded.test.pixels], 23)
    self.assertEmpty(loaded.skipped)

  def test_the_extra_that_reads_heic_is_named(self):
    files = {f"{i}.png": flat(i) for i in range(20)} | {"x.heic": b"heic"}
    with mock.patch.object(image_decoding, "SUFFIXES", (".png",)):
      loaded = images.load("folder", self.write(files), 8, 1, None)
    (what,) = loaded.skipped
    self.assertRegex(what, ".heic files, which the extra heic reads")

  def test_heic_is_read_with_the_extra(self):
    pillow_heif.register_heif_opener()
    picture = Image.new("RGB", (16, 16), (200, 20, 20))
    files = {f"{i}.heic": encode(picture, "HEIF") for i in range(3)}
    loaded = images.load("folder", self.write(files), 8, 3, None)
    pixels = np.concatenate([loaded.train.pixels, loaded.test.pixels])
    self.assertEqual(pixels.shape, (3, 8, 8, 3))
    self.assertLess(np.abs(pixels - np.array([200.0, 20, 20])).max(), 6)

  @parameterized.parameters("./{}", "{}", "/{}")
  def test_members_of_zips(self, form):
    for separator in ("/", "\\"):
      path = self.folder / "odd.zip"
      with zipfile.ZipFile(path, "w") as archive:
        for name in ("cat", "dog"):
          for index in range(20):
            # ZipInfo would change the name that it is made with.
            entry = zipfile.ZipInfo("x")
            entry.filename = form.format(
              f"pets{separator}{name}{separator}{index}.png"
            )
            archive.writestr(entry, flat(index))
      loaded = images.load("folder", path, 8, 1, None)
      self.assertEqual(loaded.train.class_names, ("cat", "dog"))
      self.assertLen([*loaded.train.pixels, *loaded.test.pixels], 40)

  def test_labels_of_stylegans_tools(self):
    files, labels = {}, []
    for index in range(40):
      name = f"{index // 20:05d}/img{index:08d}.png"
      files[name] = flat(index)
      labels.append([name, index % 4])
    files["dataset.json"] = json.dumps({"labels": labels}).encode()
    outer = {f"pets/{name}": content for name, content in files.items()}
    for path in (
      self.write(files),
      self.write_zip(files),
      self.write_zip(outer),
    ):
      loaded = images.load("folder", path, 8, 1, None)
      for split in (loaded.train, loaded.test):
        self.assertEqual(split.class_names, tuple("0123"))
        np.testing.assert_array_equal(
          split.labels, np.asarray(values(split)) % 4
        )
    files["dataset.json"] = b'{"labels": null}'
    self.assertIsNone(load_folder(self.write_zip(files)).labels)
    for content, words in (
      (b"{}", "no file of labels"),
      (b'{"labels": [["x", [0.5]]]}', "not whole numbers"),
      (json.dumps({"labels": labels[1:]}).encode(), "1 of 40"),
    ):
      files["dataset.json"] = content
      with self.assertRaisesRegex(images.ImagesError, words):
        load_folder(self.write_zip(files))

  def test_names_that_are_not_utf8(self):
    path = self.write({f"b/{i}.png": flat(i) for i in range(20)})
    os.rename(os.fsencode(path / "b"), os.fsencode(path) + b"/\xff")
    self.write({f"c/{i}.png": flat(i) for i in range(20)})
    names = load_folder(path).class_names
    self.assertCountEqual(names, ("\\xff", "c"))

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
    two = self.write({"x.png": flat(0), "y.png": flat(0)}, "two")
    for path, words in (
      (self.folder / "empty", "needs two images or more, and has no"),
      (self.folder / "nowhere", "there is no"),
      (
        text,
        "none of the 1 images.*decoded; the first: train/x.png: it is not",
      ),
      (text / "train" / "x.png", "neither a folder nor a whole zip"),
    ):
      with self.assertRaisesRegex(images.ImagesError, words):
        load_folder(path)
    self.assertLen(load_folder(two).pixels, 1)
    with self.assertRaisesRegex(images.ImagesError, "or more, and has one"):
      load_folder(one)
    with self.assertRaisesRegex(images.ImagesError, "needs a folder"):
      load("folder", None, "train", 8, 1)
    with self.assertRaises(ValueError):
      load("mnst", two, "train", 8, 1)

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
    loaded = images.load("folder", self.write(files), 8, 1, None)
    self.assertEqual(loaded.train.class_names, ("cat", "dog"))
    self.assertEqual(values(loaded.test), [30])
    ((what, (count, first)),) = loaded.skipped.items()
    self.assertIn("no training class", what)
    self.assertEqual((count, first), (1, "test/zebra/1.png"))
    # Whatever the names are, the only image of a class is learnt.
    for name in "abcdefgh":
      files = {f"many/{i}.png": flat(i) for i in range(19)}
      path = self.write({**files, f"one/{name}.png": flat(99)}, name)
      self.assertIn(99, values(load_folder(path)))

  def test_a_link_that_leads_nowhere_is_skipped(self):
    path = self.write({f"{i}.png": flat(i) for i in range(20)})
    (path / "0.png").unlink()
    (path / "0.png").symlink_to("nowhere")
    loaded = images.load("folder", path, 8, 1, None)
    self.assertLen([*loaded.train.pixels, *loaded.test.pixels], 19)
    (skipped,) = loaded.skipped.values()
    self.assertEqual(skipped, (1, "0.png"))

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
      loaded = load("folder", path, split, 32, 3)
      np.testing.assert_array_equal(loaded.pixels, np.stack(expected))
      self.assertEqual(loaded.class_names, ("cat", "frog", "ship"))
      np.testing.assert_array_equal(
        np.asarray(loaded.class_names)[loaded.labels],
        [name.split("/")[1] for name in names],
      )

  def test_a_dataset_that_is_not_prepared_says_so(self):
    # A folder of downloads is not taken for it.
    tfds = self.write({"downloads/x.png": flat(0)}, "tfds")
    for path in (self.folder / "nowhere", tfds):
      with self.assertRaises(images.NotPreparedError) as caught:
        load("cifar10", path, "train", 8, 1)
      self.assertEqual(caught.exception.dataset, "cifar10")
      self.assertEqual(caught.exception.data_dir, path)
    loose = self.write({"x.png": flat(0)}, "loose")
    with (
      mock.patch.dict(os.environ, {"TFDS_DATA_DIR": str(loose)}),
      self.assertRaises(images.NotPreparedError) as caught,
    ):
      load("mnist", None, "train", 28, 1)
    self.assertEqual(caught.exception.data_dir, loose)


if __name__ == "__main__":
  absltest.main()
