"""Levels of LAPGAN: numbers of made-up games, and checks of mistakes."""

import os
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments.configs import lapgan
from experiments.configs.registry import BY_NAME
from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.denton2015 import lapgan_levels
from experiments.training import load_run
from gan_jax.data import pyramids
from gan_jax.games import Game
from gan_jax.types import Players
from tests.experiments import tiny_images, trained_runs

KEY = jax.random.key(0)
SIZES = (16, 32)
GOOD = {"real": 0.9, "made": 0.8, "own": 0.7, "other": 0.01, "error": 1e-7}
DISTANCES = {lapgan_levels.PYRAMID: 20.0, lapgan_levels.ONE_STEP: 30.0}
SPREAD = np.array([-0.01, 0.0, 0.01])


def images():
  return jax.random.uniform(jax.random.key(1), (40, 16, 16, 3), minval=-1)


def bands(x):
  return x - pyramids.up(pyramids.down(x))


def real_bands(params, variables, key, n, condition):
  """Samples the real bands, in the order of the real images."""
  del params, variables, key, n, condition
  return bands(images())


def noise(params, variables, key, n, condition):
  del params, variables
  return jax.random.normal(key, (n, *condition.shape[1:]))


def judge(params, variables, x, condition):
  """Is 0 if the condition is that of x in a pyramid, and less otherwise."""
  del params, variables
  coarse = pyramids.up(pyramids.down(x + condition))
  return -jnp.mean(jnp.square(coarse - condition), axis=(1, 2, 3))


def measured(sample=real_bands, discriminate=judge):
  nothing: Any = None
  game = Game(nothing, nothing, sample, None, discriminate)
  return lapgan_levels.measure_level(game, (nothing, nothing), images(), KEY)


def failed(distances=DISTANCES, reconstruction=1e-7, **changed):
  """Returns the names of checks that fail, of good numbers but the changed.

  A changed number replaces that of both sizes, or of one: `own_16`.
  """
  numbers = {
    f"{size} {name}": changed.get(
      f"{name}_{size}", changed.get(name, GOOD[name])
    )
    + (0 if name == "error" else 1) * SPREAD
    for size in SIZES
    for name in GOOD
  }
  made = lapgan_levels.checks(
    SIZES,
    numbers,
    {name: value + 100 * SPREAD for name, value in distances.items()},
    reconstruction,
  )
  return [check.name for check in made if not check.passed]


class MeasureLevelTest(absltest.TestCase):
  def test_real_bands(self):
    numbers = measured()
    self.assertEqual(numbers["real"], 1)
    self.assertEqual(numbers["made"], 1)
    self.assertAlmostEqual(numbers["own"], 1, places=5)
    # 40 images of 192 coarse pixels have correlations of deviation 0.011.
    self.assertLess(abs(numbers["other"]), 0.05)
    self.assertLess(numbers["error"], 1e-6)

  def test_bands_of_another_sign(self):
    numbers = measured(lambda *inputs: -real_bands(*inputs))
    self.assertAlmostEqual(numbers["own"], -1, places=5)
    self.assertEqual(numbers["real"], 1)

  def test_bands_of_the_other_condition(self):
    numbers = measured(lambda *inputs: jnp.roll(real_bands(*inputs), 20, 0))
    self.assertAlmostEqual(numbers["other"], 1, places=5)
    self.assertLess(abs(numbers["own"]), 0.05)
    self.assertEqual(numbers["made"], 0)
    self.assertEqual(numbers["real"], 1)

  def test_bands_of_noise(self):
    numbers = measured(noise)
    self.assertLess(abs(numbers["own"]), 0.05)
    self.assertLess(abs(numbers["made"] - 0.5), 0.35)

  def test_a_discriminator_without_condition_prefers_none(self):
    numbers = measured(
      discriminate=lambda p, v, x, c: judge(p, v, x, jnp.zeros_like(c))
    )
    self.assertEqual((numbers["real"], numbers["made"]), (0, 0))

  def test_conditions_that_are_not_shuffled_are_found(self):
    with mock.patch.object(jnp, "roll", lambda x, *_, **__: x):
      numbers = measured()
    self.assertEqual(numbers["real"], 0)
    self.assertAlmostEqual(numbers["other"], 1, places=5)
    wrong = failed(**numbers)
    self.assertLen(wrong, 3 * len(SIZES))

  def test_the_coarse_part_of_a_band(self):
    # By matrices: d and u are linear.
    down, up = (
      np.asarray(f(jnp.eye(n * n).reshape(n * n, n, n, 1))).reshape(n * n, -1).T
      for f, n in ((pyramids.down, 8), (pyramids.up, 4))
    )
    image = np.random.default_rng(0).normal(size=64)
    band = image - up @ (down @ image)
    np.testing.assert_allclose(
      lapgan_levels.coarse_part(
        jnp.asarray(down @ image, jnp.float32).reshape(1, 4, 4, 1)
      ).ravel(),
      down @ band,
      atol=1e-6,
    )


class ChecksTest(parameterized.TestCase):
  def test_good_numbers_pass(self):
    self.assertEmpty(failed())

  @parameterized.parameters(
    ({"own": -0.7}, 2),
    ({"own_16": 0.3}, 1),
    ({"own_32": 0.3}, 1),
    ({"other": 0.7}, 2),
    ({"real": 0.5}, 2),
    ({"made": 0.5}, 2),
    ({"made_32": np.nan}, 1),
    ({"error_16": 1e-4}, 1),
    ({"reconstruction": 1e-4}, 1),
    ({"distances": dict(zip(DISTANCES, (30.0, 20.0), strict=True))}, 1),
    ({"distances": dict.fromkeys(DISTANCES, np.nan)}, 1),
  )
  def test_mistakes_fail(self, changed, count):
    self.assertLen(failed(**changed), count)

  @parameterized.parameters("own", "real", "made")
  def test_a_mean_above_the_bound_is_not_enough(self, name):
    wide: Any = {name: 0.8 + 30 * SPREAD}
    narrow: Any = {name: 0.8 + 3 * SPREAD}
    self.assertLen(failed(**wide), len(SIZES))
    self.assertEmpty(failed(**narrow))

  def test_the_distances_of_seeds_must_differ(self):
    distances = {
      lapgan_levels.PYRAMID: 20 + 900 * SPREAD,
      lapgan_levels.ONE_STEP: 30.0,
    }
    self.assertLen(failed(distances=distances), 1)

  def test_a_check_of_each_size_names_it(self):
    (name,) = failed(own_16=0.3)
    self.assertStartsWith(name, "16 pixels: correlation")


class PictureTest(absltest.TestCase):
  def test_levels_from_coarse_to_fine(self):
    x = images()[:3]
    levels = lapgan_levels.at_levels(x, 2)
    self.assertEqual([each.shape[1] for each in levels], [4, 8, 16])
    np.testing.assert_array_equal(levels[1], pyramids.down(x))
    pixels = lapgan_levels.enlarged(levels)
    self.assertEqual(pixels.shape, (9, 16, 16, 3))
    # A pixel of the coarsest is a square of 4 x 4.
    squares = pixels[:3].reshape(3, 4, 4, 4, 4, 3)
    np.testing.assert_array_equal(squares.std(axis=(2, 4)), 0)
    expected = np.round((np.asarray(levels[0]) + 1) * 127.5)
    np.testing.assert_allclose(squares[:, :, 0, :, 0], expected, atol=1)
    expected = np.round((np.asarray(x) + 1) * 127.5)
    np.testing.assert_allclose(pixels[6:], expected, atol=1)


@pytest.mark.slow
class RunsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    tiny_images.write(self.folder)
    cache = {"XDG_CACHE_HOME": str(self.folder / "cache")}
    self.enterContext(mock.patch.dict(os.environ, cache))
    self.data = {"dataset": "mnist", "data_dir": str(self.folder)}

  def test_steps_have_as_many_operations(self):
    counts = {}
    for name, training in lapgan_levels.REPRODUCTION.trainings.items():
      experiment = BY_NAME[training.experiment]
      problem = experiment.build(
        experiment.settings.replace(**training.settings).replace(
          **self.data, evaluate=False
        )
      )
      state = jax.eval_shape(problem.init, KEY)
      batch = jax.eval_shape(problem.sample_batch, KEY, problem.data)
      lowered: Any = jax.jit(problem.step).lower(state, batch, KEY)
      counts[name] = lowered.cost_analysis()["flops"]
    ratio = counts[lapgan_levels.PYRAMID] / counts[lapgan_levels.ONE_STEP]
    self.assertBetween(ratio, 0.97, 1.03)

  def test_trained_levels_are_measured(self):
    folder, data = self.folder, tiny_images.SETTINGS | self.data
    runs = {}
    for name, training in lapgan_levels.REPRODUCTION.trainings.items():
      run = trained_runs.settings_of(training.experiment, (0, 1), **data)
      _, finished = trained_runs.train(folder, run)
      runs[name] = finished.results
    self.enterContext(
      mock.patch.object(lapgan_levels, "NUM_TEST", tiny_images.NUM_TEST)
    )
    computed = lapgan_levels.compute(Inputs(runs))
    self.assertLen(computed.checks, 2 + 5 * 2)
    for check in computed.checks:
      self.assertTrue(np.isfinite(check.measured), check)
    self.assertIsInstance(lapgan_levels.draw(computed.drawn), Figure)
    # The numbers of a size are those of its level and seed.
    workdir = runs[lapgan_levels.PYRAMID].workdir
    real = lapgan_levels.at_levels(images()[..., :1], 2)
    numbers, made = lapgan_levels.measure_seeds(workdir, (0, 1), real, KEY)
    loaded = load_run.load_run(workdir, 1, jax.devices()[0])
    assert isinstance(loaded.settings, lapgan.PyramidSettings)
    games = lapgan.level_games(loaded.settings, jnp.int32(0))
    for index, size in ((1, 8), (2, 16)):
      name = f"level_{2 - index}"
      params = Players(*(each[name] for each in loaded.state.params))
      variables = Players(
        *(
          {collection: parts[name] for collection, parts in each.items()}
          for each in loaded.state.variables
        )
      )
      expected = lapgan_levels.measure_level(
        games[index], (params, variables), real[index], KEY
      )
      for quantity, value in expected.items():
        self.assertAlmostEqual(numbers[f"{size} {quantity}"][1], value)
    self.assertEqual([x.shape[1] for x in made], [4, 8, 16])


if __name__ == "__main__":
  absltest.main()
