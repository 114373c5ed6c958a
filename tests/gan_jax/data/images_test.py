"""Tests that images are decoded once, scaled and drawn in minibatches."""

import os
import tempfile
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from jax.sharding import PartitionSpec

from gan_jax.data import images
from tests.gan_jax.data.image_folders import (
  FolderTestCase,
  flat,
  load_folder,
  values,
)


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
    def note(split, done, total):
      if split == "train":
        self.progress.append((done, total))

    return images.load("folder", self.data, 8, 1, self.cache, note).train

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
      self.assertIn("not an image", loaded.reasons[0])
    for loaded in (first, second):
      self.assertIsInstance(loaded.pixels, np.memmap)
      self.assertFalse(loaded.pixels.flags.writeable)
    self.assertLen(list(self.cache.iterdir()), 4)

  def test_other_files_or_sizes_are_decoded_anew(self):
    self.load()
    replaced = self.data / "train" / "b" / "0.png"
    before = replaced.stat()
    replaced.write_bytes(flat(201))
    # Size and time are those of the old file.
    self.assertEqual(replaced.stat().st_size, before.st_size)
    os.utime(replaced, ns=(before.st_atime_ns, before.st_mtime_ns))
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
    (path,) = self.cache.glob(f"*-train-*{suffix}")
    path.write_bytes(damage(path.read_bytes()))
    np.testing.assert_array_equal(self.load().pixels, expected)
    self.assertLen(self.progress, 6)
    self.load()
    self.assertLen(self.progress, 6)

  def test_an_interruption_leaves_nothing(self):
    def stop(split, done, total):
      raise KeyboardInterrupt

    with self.assertRaises(KeyboardInterrupt):
      images.load("folder", self.data, 8, 1, self.cache, stop)
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
