import gzip
import hashlib
import io
import os
import tempfile
import zipfile
from pathlib import Path
from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from jax.sharding import PartitionSpec
from PIL import Image

from gan_jax.data import image_decoding, images

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


def load_folder(path, split="train", size=8, channels=1, cache_dir=None):
  return images.load("folder", path, split, size, channels, cache_dir)


def values(loaded):
  """Returns the grey values of images of one value each."""
  np.testing.assert_array_equal(
    loaded.pixels.min(axis=(1, 2, 3)), loaded.pixels.max(axis=(1, 2, 3))
  )
  return loaded.pixels[:, 0, 0, 0].tolist()


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


class DecodeTest(parameterized.TestCase):
  @parameterized.parameters(32, 64)
  def test_enlarging_keeps_a_ramp(self, size):
    # Cubic interpolation is exact on polynomials of degree one: with pixels at
    # their centres, x' = (x + 1/2) 28 / size - 1/2, away from the border.
    ramp = np.broadcast_to(9 * np.arange(28, dtype=np.uint8), (28, 28))
    expected = 9 * ((np.arange(size) + 0.5) * 28 / size - 0.5)
    result = image_decoding.decode(np.ascontiguousarray(ramp), size, 1)
    expected = np.broadcast_to(expected, (size, size))
    inner = slice(size // 8, -size // 8)
    np.testing.assert_allclose(result[:, inner, 0], expected[:, inner], atol=1)

  def test_shrinking_averages(self):
    # Single pixels of a chequerboard are 0 or 255; their mean is 127.5.
    board = 255 * (np.indices((64, 64)).sum(axis=0) % 2).astype(np.uint8)
    result = image_decoding.decode(board, 8, 1)
    np.testing.assert_allclose(result.astype(float), 127.5, atol=3)

  @parameterized.parameters(((30, 90),), ((90, 30),))
  def test_the_middle_is_cut_out(self, shape):
    thirds = np.zeros((*shape, 3), np.uint8)
    axis = shape.index(90)
    for channel in range(3):
      part = [slice(None), slice(None)]
      part[axis] = slice(30 * channel, 30 * channel + 30)
      thirds[(*part, channel)] = 255
    result = image_decoding.decode(png(thirds), 30, 3)
    np.testing.assert_array_equal(
      result, np.broadcast_to(np.asarray([0, 255, 0]), (30, 30, 3))
    )

  def test_kinds_of_files(self):
    def solid(mode, colour):
      return Image.new(mode, (16, 16), colour)

    palette = solid("P", 1)
    palette.putpalette([9, 9, 9, 200, 100, 50])
    cases = {
      "grey": (encode(solid("L", 77), "PNG"), (77, 77, 77)),
      "colour": (encode(solid("RGB", (1, 2, 3)), "PNG"), (1, 2, 3)),
      "bits": (encode(solid("1", 1), "PNG"), (255, 255, 255)),
      "palette": (encode(palette, "PNG"), (200, 100, 50)),
      "gif": (encode(palette, "GIF"), (200, 100, 50)),
      # Whole transparency shows the white below.
      "clear palette": (encode(palette, "PNG", transparency=1), (255,) * 3),
      "clear": (encode(solid("RGBA", (9, 8, 7, 0)), "PNG"), (255,) * 3),
      # (51 * 10 + 204 * 255) / 255 = 206.
      "fifth": (encode(solid("RGBA", (10, 10, 10, 51)), "PNG"), (206,) * 3),
      "grey fifth": (encode(solid("LA", (10, 51)), "PNG"), (206,) * 3),
      # Ink: 255 (1 - c)(1 - k).
      "cmyk": (encode(solid("CMYK", (255, 0, 0, 0)), "JPEG"), (0, 255, 255)),
      "webp": (
        encode(solid("RGB", (50, 100, 150)), "WEBP", lossless=True),
        (50, 100, 150),
      ),
    }
    for name, (content, colour) in cases.items():
      with self.subTest(name):
        result = image_decoding.decode(content, 8, 3)
        self.assertEqual(result.dtype, np.uint8)
        np.testing.assert_allclose(
          result, np.broadcast_to(np.uint8(colour), (8, 8, 3)), atol=1
        )
        # ITU-R 601.
        grey = np.dot(colour, [0.299, 0.587, 0.114])
        np.testing.assert_allclose(
          image_decoding.decode(content, 8, 1),
          np.full((8, 8, 1), grey),
          atol=1,
        )

  def test_16_bits_are_rounded_to_8(self):
    # 65535 = 257 * 255.
    ramp = 257 * np.arange(256, dtype=np.uint16).reshape(16, 16)
    content = encode(Image.fromarray(ramp), "PNG")
    np.testing.assert_array_equal(
      image_decoding.decode(content, 16, 1).ravel(), np.arange(256)
    )

  def test_a_photo_is_turned_as_the_camera_says(self):
    # Orientation 6: the top of the scene is the right side of the file.
    pixels = np.zeros((16, 16), np.uint8)
    pixels[:, 8:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encode(Image.fromarray(pixels), "JPEG", quality=100, exif=exif)
    # A turn by 90 degrees clockwise brings the file's left side to the top.
    np.testing.assert_allclose(
      image_decoding.decode(content, 16, 1)[..., 0].astype(float),
      np.rot90(pixels, -1),
      atol=3,
    )

  def test_a_huge_jpeg_is_never_whole_in_memory(self):
    ramp = np.broadcast_to(
      np.linspace(0, 255, 6000).astype(np.uint8), (4000, 6000)
    )
    content = encode(Image.fromarray(np.ascontiguousarray(ramp)), "JPEG")
    decoded = []
    fit = image_decoding.ImageOps.fit

    def spy(image, *args):
      decoded.append(image.size)
      return fit(image, *args)

    with mock.patch.object(image_decoding.ImageOps, "fit", spy):
      result = image_decoding.decode(content, 32, 1)
    self.assertEqual(decoded, [(750, 500)])
    # The middle 4000 of 6000 columns: 42.5 to 212.5.
    expected = 42.5 + 170 * (np.arange(32) + 0.5) / 32
    np.testing.assert_allclose(
      result[..., 0], np.broadcast_to(expected, (32, 32)), atol=2
    )


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
    self.assertLen(loaded.reasons, 3)
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
      (text, "none of the 1 images.*decoded; the first: cannot identify"),
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
    path = self.write({"a/1.png": flat(1), "b/2.png": flat(2)})
    (path / "a" / "again").symlink_to(path)
    num_images = [len(load_folder(path, s).pixels) for s in ("train", "test")]
    self.assertEqual(num_images, [1, 1])

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


class CacheTest(FolderTestCase):
  def setUp(self):
    super().setUp()
    # More than one task of the pool, and one image that is skipped.
    files = {f"train/a/{i:03d}.png": flat(i) for i in range(150)}
    files |= {"train/a/005.png": b"text", "train/b/0.png": flat(200)}
    self.data = self.write(files | {"test/a/0.png": flat(1)})
    self.cache = self.folder / "deep" / "cache"
    self.progress = []

  def load(self):
    return images.load(
      "folder",
      self.data,
      "train",
      8,
      1,
      self.cache,
      lambda *progress: self.progress.append(progress),
    )

  def test_images_are_decoded_once(self):
    first = self.load()
    self.assertEqual(self.progress, [(64, 151), (128, 151), (151, 151)])
    second = self.load()
    self.assertLen(self.progress, 3)
    uncached = load_folder(self.data)
    expected = [i for i in range(150) if i != 5] + [200]
    for loaded in (first, second, uncached):
      self.assertEqual(values(loaded), expected)
      np.testing.assert_array_equal(loaded.labels, 149 * [0] + [1])
      self.assertEqual(loaded.class_names, ("a", "b"))
      self.assertEqual(loaded.num_skipped, 1)
      self.assertIn("cannot identify", loaded.reasons[0])
    for loaded in (first, second):
      self.assertIsInstance(loaded.pixels, np.memmap)
      self.assertFalse(loaded.pixels.flags.writeable)
    self.assertLen(list(self.cache.iterdir()), 2)

  def test_other_files_or_sizes_are_decoded_anew(self):
    self.load()
    (self.data / "train" / "b" / "0.png").write_bytes(flat(201))
    self.assertEqual(values(self.load())[-1], 201)
    self.assertLen(self.progress, 6)
    larger = load_folder(self.data, size=16, cache_dir=self.cache)
    self.assertEqual(larger.pixels.shape, (150, 16, 16, 1))
    colour = load_folder(self.data, channels=3, cache_dir=self.cache)
    self.assertEqual(colour.pixels.shape, (150, 8, 8, 3))

  @parameterized.named_parameters(
    ("cut", ".npy", lambda content: content[:-1]),
    ("no_array", ".npy", lambda content: b"text"),
    ("empty", ".npy", lambda content: b""),
    ("cut_json", ".json", lambda content: content[:-1]),
    ("other_json", ".json", lambda content: b"{}"),
    ("list_json", ".json", lambda content: b"[]"),
  )
  def test_a_damaged_cache_is_decoded_again(self, suffix, damage):
    expected = np.array(self.load().pixels)
    (path,) = self.cache.glob(f"*{suffix}")
    path.write_bytes(damage(path.read_bytes()))
    np.testing.assert_array_equal(self.load().pixels, expected)
    self.assertLen(self.progress, 6)
    self.load()
    self.assertLen(self.progress, 6)

  def test_an_interruption_leaves_nothing(self):
    def stop(done, total):
      raise KeyboardInterrupt

    with self.assertRaises(KeyboardInterrupt):
      images.load("folder", self.data, "train", 8, 1, self.cache, stop)
    self.assertEmpty(list(self.cache.iterdir()))


class UnitTest(absltest.TestCase):
  def test_bytes_become_the_nearest_floats_and_bytes_again(self):
    pixels = jnp.arange(256, dtype=jnp.uint8)
    unit = images.to_unit(pixels)
    chex.assert_type(unit, jnp.float32)
    exact = (2 * np.arange(256) - 255) / 255
    # Half a unit in the last place of 1, and as much of the constant 1 / 255.
    np.testing.assert_allclose(unit, exact, rtol=2**-23, atol=0)
    self.assertEqual((unit[0], unit[-1]), (-1, 1))
    np.testing.assert_array_equal(jax.jit(images.to_unit)(pixels), unit)
    for inverse in (images.to_pixels, jax.jit(images.to_pixels)):
      np.testing.assert_array_equal(inverse(unit), pixels)
    with self.assertRaises(AssertionError):
      images.to_unit(unit)
    with self.assertRaises(AssertionError):
      images.to_pixels(pixels)

  def test_values_are_rounded_and_clipped(self):
    # A byte is 2 / 255 wide.
    values = jnp.asarray([-7.0, -1.0, -1 + 0.9 / 255, -1 + 1.1 / 255, 1.0, 7.0])
    np.testing.assert_array_equal(
      images.to_pixels(values), [0, 0, 0, 1, 255, 255]
    )


class SamplerTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    path = Path(folder.name) / "pixels.npy"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 3), np.uint8)
    # The first byte of an image is its index.
    pixels[:, 0, 0, 0] = np.arange(40)
    np.save(path, pixels)
    self.images = images.Images(
      np.load(path, mmap_mode="r"),
      np.arange(40, dtype=np.int32) % 7,
      tuple("abcdefg"),
      0,
    )
    self.resident = images.sampler(self.images, on_device=True)
    self.streamed = images.sampler(self.images, on_device=False)

  def test_what_is_drawn_is_in_the_data(self):
    for data, draw in (self.resident, self.streamed):
      batch, labels = draw(data, jax.random.key(3), 500)
      chex.assert_shape(batch, (500, 6, 6, 3))
      chex.assert_type([batch, labels], [jnp.float32, jnp.int32])
      pixels = np.asarray(images.to_pixels(batch))
      indices = pixels[:, 0, 0, 0]
      np.testing.assert_array_equal(pixels, self.images.pixels[indices])
      np.testing.assert_array_equal(labels, indices % 7)
      # With replacement, each of 40 is drawn 12.5 times of 500 on average; none
      # at all, or more than 35 times, has a chance below 1e-4.
      counts = np.bincount(indices, minlength=40)
      self.assertLen(counts, 40)
      self.assertBetween(counts.min(), 1, 35)
      self.assertBetween(counts.max(), 1, 35)
    self.assertEqual(self.streamed.data, ())

  def test_streamed_equals_resident(self):
    keys = jax.random.split(jax.random.key(0), 3)

    def eager(data, draw):
      return [draw(data, key, 4) for key in keys]

    def looped(data, draw):
      def body(i, batches):
        batch, labels = draw(data, keys[i], 4)
        return batches[0].at[i].set(batch), batches[1].at[i].set(labels)

      start = jnp.zeros((3, 4, 6, 6, 3)), jnp.zeros((3, 4), jnp.int32)
      return jax.jit(lambda: jax.lax.fori_loop(0, 3, body, start))()

    def mapped(data, draw):
      return jax.jit(lambda: jax.lax.map(lambda k: draw(data, k, 4), keys))()

    def vmapped(data, draw):
      return jax.jit(jax.vmap(lambda k: draw(data, k, 4)))(keys)

    def stacked(batches):
      if isinstance(batches, list):
        return tuple(np.stack(parts) for parts in zip(*batches, strict=True))
      return batches

    expected = stacked(eager(*self.resident))
    for way in (eager, looped, mapped, vmapped):
      for each in (self.resident, self.streamed):
        with self.subTest(f"{way.__name__} {each.draw.__name__}"):
          chex.assert_trees_all_equal(stacked(way(*each)), expected)

  def test_devices_stream_side_by_side(self):
    data, draw = self.streamed
    keys = jax.random.split(jax.random.key(0), 4)

    def one(key):
      def body(i, total):
        batch, labels = draw(data, jax.random.fold_in(key, i), 4)
        return total + jnp.sum(batch) + jnp.sum(labels)

      return jax.lax.fori_loop(0, 20, body, jnp.float32(0))

    mesh = jax.sharding.Mesh(jax.devices()[:2], ("members",))
    split = PartitionSpec("members")
    sharded = jax.shard_map(
      lambda keys: jax.lax.map(one, keys),
      mesh=mesh,
      in_specs=split,
      out_specs=split,
      check_vma=False,
    )
    np.testing.assert_array_equal(
      jax.jit(sharded)(keys), jax.lax.map(one, keys)
    )

  def test_images_without_labels_have_zeros(self):
    unlabelled = self.images._replace(labels=None, class_names=())
    for on_device in (True, False):
      data, draw = images.sampler(unlabelled, on_device)
      batch, labels = draw(data, jax.random.key(1), 5)
      np.testing.assert_array_equal(labels, np.zeros(5))
      chex.assert_type(labels, jnp.int32)
      expected, _ = self.resident.draw(self.resident.data, jax.random.key(1), 5)
      np.testing.assert_array_equal(batch, expected)


if __name__ == "__main__":
  absltest.main()
