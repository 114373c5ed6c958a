import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from gan_jax.data import faces, image_decoding, images

ROOT = Path(__file__).parents[3]
# More than one task of the pool that draws.
NUM_TRAIN, NUM_TEST = 70, 9
SKINS = set(faces._COLOURS["skin"])


def parts(svg):
  """Returns what a drawing shows: the name of each part's variant."""
  return dict(re.findall(r'<use [^>]*href="#(\w+)-(\w+)-', svg))


def load(split="train", size=16, channels=3, cache_dir=None, **options):
  loaded = images.load("faces", None, size, channels, cache_dir, **options)
  return getattr(loaded, split)


class DrawTest(parameterized.TestCase):
  def test_labels_say_what_the_drawing_shows(self):
    labels = []
    for seed in range(60):
      svg, label = faces.draw(str(seed))
      shown = parts(svg)
      self.assertContainsSubset(("eyes", "mouth", "hair"), shown)
      self.assertNotIn("beard", shown)
      name = faces.CLASS_NAMES[label]
      self.assertEqual("glasses" in name, "glasses" in shown, svg)
      # Of the six skins the three darker ones have the most blue below 0x60.
      (skin,) = set(re.findall("#[0-9a-f]{6}", svg)) & SKINS
      self.assertEqual("dark" in name, int(skin[5:], 16) < 0x60, svg)
      self.assertEqual("fair" in name, int(skin[5:], 16) > 0x60, svg)
      labels.append(label)
    # 15 of 60 are expected in each class; 3 or fewer have a chance of 2e-4.
    self.assertGreater(min(np.bincount(labels, minlength=4)), 3)
    self.assertLen(set(faces.CLASS_NAMES), 4)

  def test_attributes_say_what_the_drawing_shows(self):
    sizes = faces.attribute_sizes()
    with mock.patch.dict(faces.NUM_IMAGES, train=40):
      attributes = faces.attributes("train")
    self.assertEqual(attributes.shape, (40, len(sizes)))
    self.assertTrue(np.all((attributes >= 0) & (attributes < sizes)))
    shapes = attributes[:, len(faces.COLOURED) :]
    for number, (of_colours, of_shapes) in enumerate(
      zip(attributes, shapes, strict=True)
    ):
      svg, label = faces.draw(f"train {number}")
      shown = parts(svg)
      for part, index in zip(faces.COLOURED, of_colours, strict=False):
        self.assertIn(faces._COLOURS[part][index], svg)
      # The first value is a missing part.
      for part, index in zip(faces.SHAPED, of_shapes, strict=True):
        self.assertEqual(index > 0, part in shown, part)
      self.assertEqual(
        "glasses" in faces.CLASS_NAMES[label], shapes[number, -1] > 0
      )
    for part, column in zip(faces.SHAPED, shapes.T, strict=True):
      # Equal numbers are equal shapes, and the other way round.
      names = [parts(faces.draw(f"train {i}")[0]).get(part) for i in range(40)]
      pairs = set(zip(names, column.tolist(), strict=True))
      self.assertLen(set(names), len(pairs))
      self.assertLen(set(column.tolist()), len(pairs))

  def test_the_style_is_in_the_public_domain(self):
    svg, _ = faces.draw("0")
    (licence,) = re.findall("<dcterms:license[^>]*>(.*)</dcterms:license>", svg)
    self.assertEqual(
      licence, "https://creativecommons.org/publicdomain/zero/1.0/"
    )

  @parameterized.parameters(16, 64)
  def test_seeds_colour_the_background(self, size):
    colours = set()
    for seed in range(12):
      svg, _ = faces.draw(str(seed))
      (fill,) = re.findall('<rect width="980" height="980" fill="#(.*?)"', svg)
      pixels = image_decoding.decode(faces.render(svg, size), size, 3)
      self.assertEqual(pixels[0, 0].tobytes().hex(), fill)
      colours.add(fill)
    self.assertGreater(len(colours), 3)

  def test_any_size_shows_the_whole_face(self):
    svg, _ = faces.draw("0")
    small, large = (
      image_decoding.decode(faces.render(svg, size), size, 3).astype(float)
      for size in (32, 128)
    )
    # A pixel of a drawing is the mean over its area, up to how lines that cross
    # each other in it are covered.
    mean = large.reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    self.assertLess(np.mean(np.abs(small - mean)), 5)
    self.assertGreater(np.mean(np.abs(small[:, ::-1] - mean)), 20)

  def test_another_process_draws_the_same_bits(self):
    code = (
      "import hashlib; from gan_jax.data import faces; print(hashlib.sha256("
      "b''.join(faces.render(faces.draw(str(i))[0], 64) for i in range(4)))"
      ".hexdigest())"
    )
    # Python orders sets of words by it.
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    printed = subprocess.run(
      [sys.executable, "-c", code],
      cwd=ROOT,
      env=environment,
      check=True,
      capture_output=True,
      text=True,
    ).stdout
    here = [faces.render(faces.draw(str(i))[0], 64) for i in range(4)]
    self.assertEqual(
      printed.strip(), hashlib.sha256(b"".join(here)).hexdigest()
    )


class LoadTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.enterContext(
      mock.patch.dict(faces.NUM_IMAGES, train=NUM_TRAIN, test=NUM_TEST)
    )
    folder = self.enterContext(tempfile.TemporaryDirectory())
    self.cache = Path(folder) / "cache"

  def test_splits_are_drawn_once_and_share_no_face(self):
    progress = []
    train, test = (
      load(
        split,
        cache_dir=self.cache,
        on_progress=lambda *done: progress.append(done),
      )
      for split in ("train", "test")
    )
    self.assertEqual(
      progress, [("train", 64, 70), ("train", 70, 70), ("test", 9, 9)]
    )
    for split, loaded, count in (
      ("train", train, NUM_TRAIN),
      ("test", test, NUM_TEST),
    ):
      self.assertEqual(loaded.pixels.shape, (count, 16, 16, 3))
      self.assertEqual(loaded.pixels.dtype, np.uint8)
      assert loaded.labels is not None
      self.assertEqual(loaded.labels.dtype, np.int32)
      self.assertEqual(loaded.class_names, faces.CLASS_NAMES)
      self.assertEqual(loaded.num_skipped, 0)
      for again in (
        load(
          split,
          cache_dir=self.cache,
          on_progress=lambda *_: self.fail("drawn again"),
        ),
        load(split),
      ):
        np.testing.assert_array_equal(again.pixels, loaded.pixels)
        np.testing.assert_array_equal(again.labels, loaded.labels)
    distinct = {face.tobytes() for face in (*train.pixels, *test.pixels)}
    self.assertLen(distinct, NUM_TRAIN + NUM_TEST)

  def test_pixels_belong_to_labels(self):
    loaded = load("test", 64)
    assert loaded.labels is not None
    for number, label in enumerate(loaded.labels):
      svg, expected = faces.draw(f"test {number}")
      self.assertEqual(label, expected)
      rendered = image_decoding.decode(faces.render(svg, 64), 64, 3)
      np.testing.assert_array_equal(loaded.pixels[number], rendered)

  def test_grey_is_luminance(self):
    colour, grey = load("test"), load("test", channels=1)
    self.assertEqual(grey.pixels.shape, (NUM_TEST, 16, 16, 1))
    # ITU-R 601.
    expected = colour.pixels @ np.asarray([0.299, 0.587, 0.114])
    np.testing.assert_allclose(grey.pixels[..., 0], expected, atol=1)

  def test_other_drawings_are_drawn_anew(self):
    first = load("test", cache_dir=self.cache)
    with mock.patch.dict(faces.NUM_IMAGES, test=NUM_TEST - 1):
      fewer = load("test", cache_dir=self.cache)
    np.testing.assert_array_equal(fewer.pixels, first.pixels[:-1])
    with mock.patch.object(importlib.metadata, "version", lambda name: "99"):
      load("test", cache_dir=self.cache)
    with mock.patch.object(faces, "_SCALE", 1.0):
      smaller = load("test", cache_dir=self.cache)
    self.assertTrue(np.any(smaller.pixels != first.pixels))
    self.assertLen(list(self.cache.glob("faces-test-*.npy")), 4)

  def test_missing_packages_are_one_line(self):
    version = importlib.metadata.version
    for missing in ("dicebear-core", "dicebear-styles", "resvg-py"):

      def find(name, missing=missing):
        if name == missing:
          raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

      with (
        mock.patch.object(importlib.metadata, "version", find),
        self.assertRaisesRegex(
          images.ImagesError, rf"^.*{missing}: pip install -e '\.\[faces\]'$"
        ),
      ):
        load("test")

  def test_they_lie_in_no_folder(self):
    with self.assertRaisesRegex(images.ImagesError, "^.*drawn, not read.*$"):
      images.load("faces", Path("somewhere"), 64, 3, None)


if __name__ == "__main__":
  absltest.main()
