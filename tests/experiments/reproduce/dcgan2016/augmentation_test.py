"""Classifiers learn from the images and labels that they should."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from experiments.reproduce.dcgan2016 import augmentation
from gan_jax.data.images import Images
from gan_jax.metrics import classifier

NUM_IMAGES, NUM_CLASSES, NUM_REAL = 20, 4, 6
NAMES = tuple("abcd")


def network_of(seed):
  """Returns networks whose images say what they are, in two pixels.

  The first is the class, and the second is 255 for generated images.
  """
  labels = np.arange(NUM_REAL) % NUM_CLASSES
  pixels = np.zeros((NUM_REAL, 1, 2, 1), np.uint8)
  pixels[:, 0, 0, 0] = labels
  real = Images(pixels, labels, NAMES)

  def generate(latents, labels):
    values = jnp.stack([labels / 127.5 - 1, jnp.ones(len(latents))], axis=1)
    return values.reshape(-1, 1, 2, 1)

  return mock.Mock(
    trained_on=real,
    test=real,
    seed=seed,
    generate=generate,
    sample_latents=lambda seed, n: jnp.zeros((n, 3)),
  )


class AugmentationTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.learnt, self.keys = [], []

    def train(key, pixels, labels, num_classes):
      self.assertEqual(num_classes, NUM_CLASSES)
      self.learnt.append((np.asarray(pixels), np.asarray(labels)))
      self.keys.append(int(jax.random.bits(key)))
      return len(self.learnt)

    for module, name, value in (
      (augmentation, "NUM_IMAGES", NUM_IMAGES),
      (classifier, "train", train),
      (classifier, "accuracy", lambda params, pixels, labels: params / 10),
    ):
      self.enterContext(mock.patch.object(module, name, value))

  def test_sets(self):
    accuracies, _ = augmentation.compare(network_of(0), 3, 1)
    np.testing.assert_allclose(accuracies, [10, 20, 30])
    for (pixels, labels), num_made in zip(
      self.learnt, (0, NUM_IMAGES // 2, NUM_IMAGES), strict=True
    ):
      self.assertLen(pixels, NUM_IMAGES)
      np.testing.assert_array_equal(pixels[:, 0, 0, 0], labels)
      self.assertEqual(np.sum(pixels[:, 0, 1, 0] == 255), num_made)
      self.assertEqual(np.sum(pixels[:, 0, 1, 0] == 0), NUM_IMAGES - num_made)
      self.assertLen(np.unique(labels), NUM_CLASSES)

  def test_classifiers_of_a_gan_are_averaged(self):
    accuracies, _ = augmentation.compare(network_of(0), 2, 2)
    np.testing.assert_allclose(accuracies, [15, 35])
    # All sets have the same classifiers.
    self.assertEqual(self.keys[:2], self.keys[2:])

  def test_each_gan_has_its_classifiers(self):
    for seed in (0, 1):
      augmentation.compare(network_of(seed), 1, 2)
    self.assertLen(set(self.keys), 4)


if __name__ == "__main__":
  absltest.main()
