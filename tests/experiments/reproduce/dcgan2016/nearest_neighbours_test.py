"""Copies of training images are found, and distances agree with scipy's."""

from unittest import mock

import numpy as np
from absl.testing import absltest
from scipy.spatial import distance

from experiments.reproduce.common import image_runs
from experiments.reproduce.dcgan2016 import nearest_neighbours
from gan_jax.data.images import Images
from gan_jax.metrics.classifier import Features

NUM_IMAGES = 24


def images_of(seed):
  """Draws images of noise, 5 x 5."""
  rng = np.random.default_rng(seed)
  pixels = rng.integers(0, 256, (NUM_IMAGES, 5, 5, 1), dtype=np.uint8)
  return Images(pixels, None, ())


def network_of(samples):
  """Returns networks whose samples are these, trained on a part of the data."""
  train, test = images_of(0), images_of(1)
  return mock.Mock(
    train=train,
    trained_on=train._replace(pixels=train.pixels[:10]),
    test=test,
    generate=lambda latents: image_runs.to_units(samples),
    features=Features("cubes", lambda x: (x.reshape(len(x), -1) ** 3, x)),
  )


class NearestNeighboursTest(absltest.TestCase):
  def test_copies_are_of_the_images_trained_on(self):
    samples = images_of(2).pixels
    samples[:6] = images_of(0).pixels[:6]
    # The network has not seen these images of the training split.
    samples[6:12] = images_of(0).pixels[10:16]
    measured, drawn = nearest_neighbours.measure(network_of(samples), 0)
    for copies in measured[1::2]:
      self.assertAlmostEqual(copies, 6 / NUM_IMAGES)
    first = drawn["rows"][: nearest_neighbours.NUM_NEIGHBOURS + 1]
    np.testing.assert_array_equal(first[0], first[1])

  def test_distances(self):
    samples = images_of(2).pixels
    network = network_of(samples)
    measured, drawn = nearest_neighbours.measure(network, 0)

    def unit(pixels):
      return pixels.reshape(len(pixels), -1) / 255

    for index, (space, change) in enumerate(
      {"pixels": lambda x: x, "features": lambda x: (2 * x - 1) ** 3}.items()
    ):
      among, unseen, made = (
        change(unit(pixels))
        for pixels in (network.trained_on.pixels, network.test.pixels, samples)
      )
      nearest = [
        distance.cdist(points, among).min(axis=1) for points in (unseen, made)
      ]
      np.testing.assert_allclose(drawn["histograms"][space], nearest, rtol=1e-4)
      ratio = np.median(nearest[1]) / np.median(nearest[0])
      self.assertAlmostEqual(measured[2 * index], ratio, delta=1e-4)
      self.assertNotAlmostEqual(ratio, 1, delta=1e-3)


if __name__ == "__main__":
  absltest.main()
