"""Figures that look into a trained DCGAN, on a run too small to learn."""

import os
import tempfile
from pathlib import Path
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments import finished, results, runner
from experiments.registry import BY_NAME
from experiments.reproduce.dcgan2016 import (
  filters,
  interpolation,
  nearest_neighbours,
  trained,
)
from experiments.reproduce.goodfellow2016 import fig17, fig18
from gan_jax import training
from tests.experiments import tiny_images


class TrainedTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    tiny_images.write(folder)
    cls.enterClassContext(
      mock.patch.dict(os.environ, {"XDG_CACHE_HOME": str(folder / "cache")})
    )
    experiment = BY_NAME["dcgan_fashion_mnist"]
    settings = experiment.settings.replace(
      **tiny_images.SETTINGS, data_dir=str(folder)
    )
    devices = jax.devices()[:1]
    problem = runner.prepare(experiment, settings, 1, devices)
    workdir = results.create_numbered(folder, "run")
    run = runner.train(
      experiment, settings, problem, [0], devices, workdir
    ).results
    cls.runs = {trained.GARMENTS: run, fig18.EARLY: run}

  @parameterized.named_parameters(
    (module.REPRODUCTION.id, module)
    for module in (fig17, fig18, filters, interpolation, nearest_neighbours)
  )
  def test_is_computed_and_drawn(self, module):
    # Fewer than there are.
    numbers = ("NUM_SAMPLES", "NUM_WALKS", "NUM_LEARNT", "NUM_TESTED")
    for name, value in zip(numbers, (20, 10, 100, 20), strict=True):
      if hasattr(module, name):
        self.enterContext(mock.patch.object(module, name, value))
    reproduction = module.REPRODUCTION
    with jax.numpy_rank_promotion("allow"):
      computed = reproduction.compute(self.runs)
    for check in reproduction.judge(computed):
      self.assertIsInstance(check["measured"], float, check["name"])
    self.assertIsInstance(reproduction.draw(computed.drawn), Figure)

  def test_what_was_learnt_is_read_back(self):
    run = self.runs[trained.GARMENTS]
    network = trained.load(run)
    self.assertEqual(int(network.state.step), 2)
    assert run.workdir is not None
    member = finished.load(run.workdir, 0, jax.devices()[0])
    # What was read draws the pictures that the run drew.
    key = training.member_keys(0).evaluation
    np.testing.assert_array_equal(
      member.problem.snapshot(network.state, key)["samples"],
      run.snapshots["samples"][0, -1],
    )
    made = network.generate(trained.latents(network, 0, 4))
    self.assertEqual(made.shape, (4, 16, 16, 1))
    self.assertGreater(float(jnp.std(made)), 0)

  def test_a_great_circle_keeps_the_length_and_the_pace(self):
    start, end = (
      jax.random.normal(jax.random.key(seed), (5, 30)) for seed in (0, 1)
    )
    # Of one length, the points of a walk are too, and as far from each other.
    end *= jnp.linalg.norm(start, axis=1, keepdims=True) / jnp.linalg.norm(
      end, axis=1, keepdims=True
    )
    points = np.asarray(interpolation.great_circle(start, end, 7))
    np.testing.assert_allclose(points[0], start, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(points[-1], end, rtol=1e-5, atol=1e-5)
    lengths = np.linalg.norm(points, axis=-1)
    np.testing.assert_allclose(
      lengths, np.broadcast_to(lengths[0], lengths.shape), rtol=1e-5
    )
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    np.testing.assert_allclose(
      steps, np.broadcast_to(steps[0], steps.shape), rtol=1e-4
    )
    # The straight line's middle is nearer to the centre.
    middles = np.linalg.norm((start + end) / 2, axis=-1)
    self.assertTrue((middles < 0.9 * lengths[3]).all())


if __name__ == "__main__":
  absltest.main()
