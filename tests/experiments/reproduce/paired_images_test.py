"""Figures of images made of images: checks of runs that are good, and are not.

Metrics of runs are made up, so that nothing trains.
"""

import re
from unittest import mock

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments.reproduce.common import paired_images
from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.isola2016 import colouring, edges_to_image
from experiments.reproduce.sonderby2016 import super_resolution
from experiments.reproduce.yeh2016 import inpainting
from experiments.reproduce.zhu2017 import cycle_glasses, cycle_plane
from experiments.run_folder.results import Results
from gan_jax.data import image_conditions, images
from gan_jax.metrics import image_pairs

SEEDS = 4
NOISE = np.linspace(-0.005, 0.005, SEEDS)


def run(**metrics):
  """Makes a run whose metrics are these at last, and 9 before."""
  pixels = np.zeros((16, 8, 8, 1), np.uint8)
  return Results(
    "any",
    {},
    np.arange(SEEDS),
    np.array([0, 5]),
    {
      name: np.stack([np.full(SEEDS, 9.0), value * (1 + NOISE)], axis=1)
      for name, value in metrics.items()
    },
    {
      "conditions": pixels,
      "data_samples": pixels,
      "samples": np.zeros((SEEDS, 2, *pixels.shape), np.uint8),
    },
  )


def rings_run(**metrics):
  plane = np.zeros((SEEDS, 2, 8, 2))
  return run(**metrics)._replace(
    snapshots={
      "samples": plane,
      "translated_modes": plane,
      "translated": plane[0, 0],
      "modes": plane[0, 0] + 1,
    }
  )


def super_resolution_runs(mean, gan):
  games = {super_resolution.MEAN: mean, super_resolution.GAN: gan}
  return {
    f"{of}, {name}": game
    for of in super_resolution.DATA
    for name, game in games.items()
  }


def details(ratio, psnr, error=1e-6):
  return run(high_frequency_ratio=ratio, psnr=psnr, condition_error=error)


def colours(overlap, psnr, error=1e-7):
  return run(chroma_intersection=overlap, psnr=psnr, condition_error=error)


def edges(overlap, psnr):
  return run(edge_overlap=overlap, psnr=psnr)


def rings(error, cycle, quality=0.98):
  return rings_run(map_error=error, cycle=cycle, high_quality_fraction=quality)


def glasses(given, kept):
  return run(attribute_given=given, class_kept=kept)


CASES = {
  super_resolution: (
    super_resolution_runs,
    (details(0.4, 18.7), details(0.9, 17.5)),
    {
      "swapped": (details(0.9, 17.5), details(0.4, 18.7)),
      "not projected": (details(0.4, 18.7, 1e-3), details(0.9, 17.5)),
      "too much energy": (details(0.4, 18.7), details(2.0, 17.5)),
    },
  ),
  colouring: (
    lambda *runs: dict(
      zip((colouring.DISTANCE, colouring.GAN), runs, strict=True)
    ),
    (colours(0.55, 25.5), colours(0.7, 24.9)),
    {
      "swapped": (colours(0.7, 24.9), colours(0.55, 25.5)),
      "grey values change": (colours(0.55, 25.5), colours(0.7, 24.9, 1e-3)),
    },
  ),
  edges_to_image: (
    lambda *runs: dict(
      zip((edges_to_image.DISTANCE, edges_to_image.GAN), runs, strict=True)
    ),
    (edges(0.78, 17.0), edges(0.85, 16.0)),
    {
      "swapped": (edges(0.85, 16.0), edges(0.78, 17.0)),
      "edges are ignored": (edges(0.5, 17.0), edges(0.5, 16.0)),
    },
  ),
  cycle_plane: (
    lambda *runs: dict(
      zip((cycle_plane.WITH, cycle_plane.WITHOUT), runs, strict=True)
    ),
    (rings(0.1, 0.1), rings(0.6, 2.5)),
    {
      "swapped": (rings(0.6, 2.5), rings(0.1, 0.1)),
      "another set": (rings(0.1, 0.1, 0.5), rings(0.6, 2.5)),
      "no cycle": (rings(0.1, 2.5), rings(0.6, 2.5)),
    },
  ),
  cycle_glasses: (
    lambda *runs: dict(
      zip((cycle_glasses.WITH, cycle_glasses.WITHOUT), runs, strict=True)
    ),
    (glasses(0.9, 0.85), glasses(0.9, 0.5)),
    {
      "no glasses": (glasses(0.1, 0.1), glasses(0.9, 0.5)),
      "another skin": (glasses(0.9, 0.4), glasses(0.9, 0.8)),
    },
  ),
}


class ChecksTest(parameterized.TestCase):
  def checks(self, figure, runs):
    computed = figure.compute(Inputs(runs))
    self.assertIsInstance(figure.draw(computed.drawn), Figure)
    return computed.checks

  @parameterized.named_parameters(
    (figure.REPRODUCTION.id, figure) for figure in CASES
  )
  def test_checks(self, figure):
    named, good, mistakes = CASES[figure]
    checks = self.checks(figure, named(*good))
    for check in checks:
      self.assertTrue(check.passed, check)
    self.assertEqual(named(*good).keys(), figure.REPRODUCTION.trainings.keys())
    for mistake, runs in mistakes.items():
      passed = [check.passed for check in self.checks(figure, named(*runs))]
      self.assertIn(False, passed, mistake)


class PanelsTest(absltest.TestCase):
  def test_titles_have_the_last_measurement(self):
    runs = {"one": run(psnr=12.0), "other": run(psnr=8.0)}
    drawn = paired_images.panels(runs, "grey", "psnr", "{:.1f} dB")
    self.assertEqual(
      list(drawn), ["grey", "one\n12.0 dB", "other\n8.0 dB", "original"]
    )


def holes_swapped(central_mask):
  """Makes the hole of what is known."""
  return lambda size, hole: 1 - central_mask(size, hole)


def of_whole_image(psnr):
  """Measures known pixels too."""
  return lambda images, originals, weights: psnr(images, originals)


def nearest_by_the_hole(fill):
  """Compares what is in the hole, which is not known."""
  del fill

  def mutant(train, asked, mask):
    known = images.to_unit(jnp.asarray(train))
    squares = ((1 - mask)[None] * (asked[:, None] - known[None])) ** 2
    nearest = jnp.argmin(jnp.sum(squares, axis=(2, 3, 4)), axis=1)
    return mask * asked + (1 - mask) * known[nearest]

  return mutant


class InpaintingTest(absltest.TestCase):
  def measured(self):
    """Measures the figure with networks whose errors are known, by check."""
    rng = np.random.default_rng(0)
    side = inpainting.SIDE
    # Test images are training images with another hole, and noise around it.
    train = rng.integers(0, 256, (40, side, side, 1), np.uint8)
    test = train[:20].copy()
    test[:, 8:20, 8:20] = rng.integers(0, 256, (20, 12, 12, 1), np.uint8)
    offsets = rng.integers(-9, 10, test.shape)
    test = np.clip(test + offsets, 0, 255).astype(np.uint8)
    self.train, self.test = (x.astype(np.float64) for x in (train, test))
    network = mock.Mock(
      test=mock.Mock(pixels=test), trained_on=mock.Mock(pixels=train)
    )

    def differing_by(error):
      def fill(images):
        return images.at[:, 8:20, 8:20].add(error)

      return fill

    searched, made = differing_by(0.2), differing_by(0.02)
    with (
      mock.patch.object(
        inpainting.image_runs, "load_networks", lambda run, seed: network
      ),
      mock.patch.object(
        inpainting, "fill_by_search", lambda net, x, mask, seed: searched(x)
      ),
      mock.patch.object(
        inpainting, "fill_by_network", lambda run, seed, x, mask: made(x)
      ),
    ):
      runs = {name: run() for name in inpainting.REPRODUCTION.trainings}
      computed = inpainting.compute(Inputs(runs))
    self.assertIsInstance(inpainting.draw(computed.drawn), Figure)
    titles = re.findall(r"[\d.]+(?= dB)", " ".join(computed.drawn))
    return [
      *(check.measured for check in computed.checks),
      *map(float, titles),
    ]

  def expected(self):
    """Computes the same in NumPy, of bytes."""
    hole = np.s_[:, 8:20, 8:20]
    around = np.ones((28, 28, 1))
    around[hole[1:]] = 0

    def decibels(filled):
      errors = ((filled - self.test)[hole] ** 2).mean(axis=(1, 2, 3))
      return np.mean(10 * np.log10(255**2 / errors))

    distances = [
      [np.sum(around * (x - y) ** 2) for y in self.train] for x in self.test
    ]
    mean, nearest = (
      decibels(np.broadcast_to(x, self.test.shape))
      for x in (
        self.train.mean(axis=0),
        self.train[np.argmin(distances, axis=1)],
      )
    )
    # Errors of 0.2 and 0.02 are a tenth and a hundredth of the range.
    gains = [20 - mean, 40 - mean, 40 - nearest, 20]
    return [0, *gains, mean, nearest, 20, 40]

  def test_measures(self):
    # Titles have a digit after the point.
    np.testing.assert_allclose(self.measured(), self.expected(), atol=0.06)

  def test_a_mistake_changes_what_is_measured(self):
    for place, name, mutation in (
      (image_conditions, "central_mask", holes_swapped),
      (image_pairs, "psnr", of_whole_image),
      (inpainting, "fill_with_nearest", nearest_by_the_hole),
    ):
      with mock.patch.object(place, name, mutation(getattr(place, name))):
        measured = self.measured()
      differences = np.abs(np.subtract(measured, self.expected()))
      self.assertGreater(differences.max(), 0.5, name)

  def test_fills(self):
    # Constant images of brightness 0, 100 and 200, but for the holes.
    mask = image_conditions.central_mask(8, 4)[None]
    train = np.repeat([0, 100, 200], 64).reshape(3, 8, 8, 1).astype(np.uint8)
    train[:, 3, 3] = 50
    asked = images.to_unit(jnp.asarray(train[[2, 0]])) + 0.05
    holes = mask * asked
    mean = inpainting.fill_with_mean(train, holes, mask)
    nearest = inpainting.fill_with_nearest(train, holes, mask)
    for filled in (mean, nearest):
      np.testing.assert_allclose(mask * filled, holes, atol=1e-6)
    np.testing.assert_allclose(mean[:, 4, 4, 0], 2 * 100 / 255 - 1, atol=1e-6)
    np.testing.assert_allclose(
      nearest[:, 4, 4, 0], [2 * 200 / 255 - 1, -1], atol=1e-6
    )
    np.testing.assert_allclose(nearest[:, 3, 3, 0], 2 * 50 / 255 - 1, atol=1e-6)


if __name__ == "__main__":
  absltest.main()
