"""Checks of Parzen windows on made-up numbers, and how centres are made."""

from unittest import mock

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure
from scipy import stats
from scipy.cluster import vq

from experiments.reproduce.gan2014 import parzen_window
from experiments.reproduce.gan2014.parzen_window import CENTROIDS, GAN, IMAGES

NOISE = np.array([-1.0, 0.0, 1.0])
MEANS = {GAN: 210.0, IMAGES: 240.0, CENTROIDS: 300.0}


def measured(rounding=1e-3, noise=NOISE, **means):
  """Makes the numbers of three seeds about `MEANS`."""
  changed = {
    **MEANS,
    **{name.replace("_", " "): x for name, x in means.items()},
  }
  return {
    name: {
      "mean": mean + noise,
      "standard_error": np.full(3, 2.1),
      "stddev": np.full(3, 0.2),
      "validation": np.linspace(mean - 90, mean, 30).reshape(3, 10),
      "rounding": np.full(3, rounding),
      "drawn": np.zeros((3, 36, 784), np.uint8),
    }
    for name, mean in changed.items()
  }


def failed(numbers):
  checks = parzen_window.check(numbers)
  return [index for index, each in enumerate(checks) if each.passed is False]


class ChecksTest(parameterized.TestCase):
  def test_numbers_of_the_literature_pass(self):
    checks = parzen_window.check(measured())
    self.assertEqual(
      [each.passed for each in checks], [True, None, True, True, True]
    )
    self.assertEqual(
      [each.provenance for each in checks],
      ["published", "published", *["computed"] * 3],
    )
    self.assertEqual(checks[0].published, 225)
    self.assertEqual(checks[1].published, 2)
    self.assertAlmostEqual(checks[1].measured, 2.1)

  @parameterized.parameters(
    ({"GAN": 160.0}, [0]),
    ({"GAN": 280.0}, [0, 2]),
    ({"training images": 205.0}, [2]),
    ({"training images": 305.0}, [3]),
    ({"rounding": 0.1}, [4]),
    ({"noise": 40 * NOISE}, [0]),
  )
  def test_mistakes(self, changed, expected):
    self.assertEqual(failed(measured(**changed)), expected)

  def test_a_difference_in_doubt_fails(self):
    numbers = measured()
    numbers[GAN]["mean"] = np.array([200.0, 239.0, 250.0])
    self.assertIn(2, failed(numbers))

  def test_picture(self):
    self.assertIsInstance(parzen_window.draw(measured()), Figure)


class CentresTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.images = rng.uniform(size=(60, 4)).astype(np.float32)
    self.enterContext(mock.patch.object(parzen_window, "NUM_CENTRES", 8))

  def test_images_are_chosen_once(self):
    chosen = parzen_window.choose_images(0, jnp.asarray(self.images))
    self.assertLen(np.unique(chosen, axis=0), 8)
    for each in np.asarray(chosen):
      self.assertTrue((self.images == each).all(axis=1).any())

  def test_centroids_are_those_of_scipy(self):
    start = np.asarray(parzen_window.choose_images(0, jnp.asarray(self.images)))
    expected, _ = vq.kmeans2(
      self.images, start, iter=parzen_window.ITERATIONS, minit="matrix"
    )
    measured = parzen_window.centroids(0, jnp.asarray(self.images))
    np.testing.assert_allclose(measured, expected, atol=1e-6)

  def test_float64(self):
    centres = self.images[:5]
    densities = [
      stats.norm.pdf(self.images[5:9], c, 0.3).prod(axis=1) for c in centres
    ]
    np.testing.assert_allclose(
      parzen_window.float64_log_likelihood(self.images[5:9], centres, 0.3),
      np.log(np.mean(densities, axis=0)),
    )

  def test_generated_pixels_are_between_0_and_1(self):
    images = jnp.asarray(self.images)
    with mock.patch.object(
      parzen_window,
      "make_game",
      lambda side: MAKE_GAME(side, units=10),
    ):
      samples = np.asarray(parzen_window.generate(0, images, 2))
    self.assertEqual(samples.shape, (8, 4))
    self.assertBetween(samples.min(), 0, samples.max())
    self.assertLess(samples.max(), 1)
    self.assertGreater(np.ptp(samples, axis=0).max(), 0)


MAKE_GAME = parzen_window.make_game

if __name__ == "__main__":
  absltest.main()
