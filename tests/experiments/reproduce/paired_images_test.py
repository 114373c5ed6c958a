"""Figures of images made of images: checks of runs that are good, and are not.

Metrics of runs are made up, so that nothing trains.
"""

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.isola2016 import colouring, edges_to_image
from experiments.reproduce.sonderby2016 import super_resolution
from experiments.reproduce.yeh2016 import inpainting
from experiments.reproduce.zhu2017 import cycle_glasses, cycle_plane
from experiments.run_folder.results import Results
from gan_jax.data import image_conditions, images

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


class InpaintingTest(absltest.TestCase):
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
