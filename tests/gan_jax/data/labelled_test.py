"""Labelled subsets: balanced, of the right images, and by key."""

import jax
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax.data import images, labelled

LABELS = np.array([2, 0, 1, 0, 2, 2, 1, 0, 1, 2, 0, 2], np.int32)
PIXELS = (20 * np.arange(12, dtype=np.uint8))[:, None, None, None]
IMAGES = images.Images(PIXELS, LABELS, ("a", "b", "c"))


class LabelledTest(parameterized.TestCase):
  def test_subset_is_balanced_and_each_image_is_equally_likely(self):
    drawn = jax.jit(
      jax.vmap(lambda key: labelled.balanced_indices(key, LABELS, 3, 2))
    )(jax.random.split(jax.random.key(0), 3000))
    drawn = np.asarray(drawn)
    np.testing.assert_array_equal(
      LABELS[drawn], np.tile([0, 0, 1, 1, 2, 2], (3000, 1))
    )
    for row in drawn[:100]:
      self.assertLen(set(row.tolist()), 6)
    # 2 of 4, 3 and 5 of a class.
    shares = np.bincount(drawn.ravel(), minlength=12) / 3000
    expected = 2 / np.bincount(LABELS)[LABELS]
    np.testing.assert_allclose(shares, expected, atol=0.04)

  def test_images_are_those_of_the_labels(self):
    draw = labelled.balanced_subset(IMAGES, 6)
    keys = jax.random.split(jax.random.key(1), 4)
    together = jax.jit(jax.vmap(draw))(keys)
    pools = []
    for index, key in enumerate(keys):
      samples, labels = jax.jit(draw)(key)
      np.testing.assert_array_equal(samples, together.samples[index])
      np.testing.assert_array_equal(labels, together.condition[index])
      pixels = np.asarray(images.to_pixels(samples)).ravel() // 20
      np.testing.assert_array_equal(LABELS[pixels], labels)
      pools.append(tuple(sorted(pixels.tolist())))
    self.assertGreater(len(set(pools)), 1)

  @parameterized.parameters(
    (7, "7 labels are not equally many of 3 classes"),
    (0, "0 of each class cannot be drawn"),
    (12, "4 of each class cannot be drawn: class 1 has 3"),
  )
  def test_what_is_impossible_is_refused(self, count, message):
    with self.assertRaisesRegex(ValueError, message):
      labelled.balanced_subset(IMAGES, count)

  def test_images_without_labels_are_refused(self):
    with self.assertRaisesRegex(ValueError, "images without classes"):
      labelled.balanced_subset(images.Images(PIXELS, None, ()), 6)


if __name__ == "__main__":
  absltest.main()
