"""Figures that load the networks of image runs, tested on a tiny run."""

import os
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure
from scipy import optimize

from experiments.reproduce.common import image_runs
from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.dcgan2016 import (
  augmentation,
  filters,
  interpolation,
  nearest_neighbours,
  turn,
  window_drop,
)
from experiments.reproduce.goodfellow2016 import (
  batch_statistics,
  dcgan_samples,
  latent_arithmetic,
)
from experiments.training import load_run
from gan_jax import training
from tests.experiments import tiny_images, trained_runs

NUM_LEARNT_FROM = 120
SEEDS = (0, 1)
OF_FEW = augmentation.name_of(augmentation.NUM_FEW)


@pytest.mark.slow
class ImageRunsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    tiny_images.write(folder)
    cls.enterClassContext(
      mock.patch.dict(os.environ, {"XDG_CACHE_HOME": str(folder / "cache")})
    )

    cls.enterClassContext(trained_runs.undrawn())

    def train(name, **changes):
      run = trained_runs.settings_of(
        name, SEEDS, **tiny_images.SETTINGS, data_dir=str(folder), **changes
      )
      return trained_runs.train(folder, run)[1].results

    run = train("dcgan_fashion_mnist")
    cls.runs = {
      image_runs.GARMENTS: run,
      # The tiny images are noise, so they can serve as faces too.
      image_runs.FACES: run,
      dcgan_samples.EARLY: run,
      nearest_neighbours.FEW: run,
    }
    of_few = train("conditional_mnist", training_images=NUM_LEARNT_FROM)
    cls.runs |= {augmentation.name_of(n): of_few for n in augmentation.NUMBERS}
    cls.averaged = train("dcgan_fashion_mnist", generator_average=0.5)

  @parameterized.named_parameters(
    (module.REPRODUCTION.id, module)
    for module in (
      batch_statistics,
      dcgan_samples,
      latent_arithmetic,
      filters,
      interpolation,
      nearest_neighbours,
      turn,
      window_drop,
      augmentation,
    )
  )
  def test_figure_is_computed_and_drawn(self, module):
    fewer = {
      "NUM_SAMPLES": 20,
      "NUM_WALKS": 10,
      "NUM_LEARNT": 100,
      "NUM_TESTED": 20,
      "NUM_SUMS": 6,
      "NUM_RANDOM": 1,
      "NUM_IMAGES": 200,
    }
    for name, value in fewer.items():
      if hasattr(module, name):
        self.enterContext(mock.patch.object(module, name, value))
    reproduction = module.REPRODUCTION
    with jax.numpy_rank_promotion("allow"):
      computed = reproduction.compute(Inputs(self.runs))
    for check in computed.checks:
      self.assertTrue(np.isfinite(check.measured), check)
    self.assertIsInstance(reproduction.draw(computed.drawn), Figure)

  def test_networks_are_loaded(self):
    run = self.runs[image_runs.GARMENTS]
    network = image_runs.load_networks(run)
    self.assertEqual(int(network.state.step), 2)
    self.assertEqual(network.seed, SEEDS[0])
    assert run.workdir is not None
    member = load_run.load_run(run.workdir, 0, jax.devices()[0])
    # The loaded networks generate the samples that the run saved.
    key = training.member_keys(0).evaluation
    problem = member.experiment.build(member.settings)
    np.testing.assert_array_equal(
      problem.snapshot(network.state, key)["samples"],
      run.snapshots["samples"][0, -1],
    )
    made = network.generate(network.sample_latents(0, 4))
    self.assertEqual(made.shape, (4, 16, 16, 1))
    self.assertGreater(float(jnp.std(made)), 0)

  def test_the_generator_is_the_average_that_is_scored(self):
    network = image_runs.load_networks(self.averaged)
    assert self.averaged.workdir is not None
    member = load_run.load_run(self.averaged.workdir, 0, jax.devices()[0])
    generator = network.state.params.generator
    chex.assert_trees_all_equal(generator, member.state.averages)
    with self.assertRaises(AssertionError):
      chex.assert_trees_all_equal(generator, member.state.params.generator)

  def test_networks_of_each_seed_are_measured(self):
    def measure(network):
      made = network.generate(jnp.ones((1, network.latent_dim)))
      return [float(jnp.mean(made)), 7.0], made

    run = self.runs[image_runs.GARMENTS]
    (means, sevens), drawn = image_runs.measure_each(run, measure)
    np.testing.assert_array_equal(sevens, [7.0, 7.0])
    for seed, mean in zip(SEEDS, means, strict=True):
      network = image_runs.load_networks(run, seed)
      self.assertEqual(network.seed, seed)
      self.assertEqual(mean, measure(network)[0][0])
    self.assertNotEqual(*means)
    self.assertEqual(means[0], float(jnp.mean(drawn)))

  def test_images_are_generated_in_chunks(self):
    network = image_runs.load_networks(self.runs[OF_FEW])
    latents, labels = network.sample_latents(0, 7), jnp.arange(7)
    whole = network.generate(latents, labels)
    self.enterContext(mock.patch.object(image_runs, "_CHUNK", 3))
    parts = network.generate(latents, labels)
    np.testing.assert_allclose(parts, whole, atol=1e-6)

  def test_conditional_run_with_few_images(self):
    network = image_runs.load_networks(self.runs[OF_FEW])
    self.assertLen(network.trained_on.pixels, NUM_LEARNT_FROM)
    self.assertLen(network.train.pixels, tiny_images.NUM_TRAIN)
    latents = network.sample_latents(0, 4)
    zeros, ones = (
      network.generate(latents, jnp.full(4, label)) for label in (0, 1)
    )
    self.assertGreater(float(jnp.abs(zeros - ones).max()), 1e-5)

  def test_dropping_a_map_equals_zero_weights_on_it(self):
    network = image_runs.load_networks(self.runs[image_runs.FACES])
    latents = network.sample_latents(0, 4)
    generate = window_drop.generate_without
    images, maps = generate(network, latents, jnp.ones(8))
    self.assertEqual(maps.shape, (4, 4, 4, 8))
    np.testing.assert_allclose(images, network.generate(latents), atol=1e-6)
    kept = jnp.array([1.0, 0, 1, 1, 0, 1, 1, 1])
    dropped, maps = generate(network, latents, kept)
    self.assertEqual(float(jnp.abs(maps[..., 1]).max()), 0)
    # Kernels of transposed convolutions are [4, 4, outputs, inputs].
    params = dict(network.state.params.generator)
    layer = params["TransposedConvolution_0"]
    params["TransposedConvolution_0"] = {
      "kernel": layer["kernel"] * kept.reshape(1, 1, 1, -1)
    }
    collections = {**network.generator_collections(), "params": params}
    expected: Any = network.networks.generator.apply(collections, latents)
    np.testing.assert_allclose(dropped, expected, atol=1e-6)
    self.assertGreater(float(jnp.abs(dropped - images).max()), 1e-6)

  def test_logistic_regression_is_stationary(self):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(400, 3)) * [1, 5, 0.2] + [0, 3, -1]
    labels = inputs @ [2.0, 0, -5] + rng.normal(size=400) > 5
    weights = window_drop.logistic_regression(inputs, labels)
    x = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    scaled = weights * inputs.std(axis=0)

    def cost(w):
      def with_bias(b):
        odds = x @ w + b
        likelihood = np.where(labels, 1 / (1 + np.exp(-odds)), 0)
        likelihood += np.where(labels, 0, 1 / (1 + np.exp(odds)))
        return -np.log(likelihood).mean() + window_drop.RIDGE * w @ w / 2

      found: Any = optimize.minimize_scalar(with_bias, (-5, 5))
      return found.fun

    at_rest = cost(scaled)
    for change in np.concatenate([np.eye(3), -np.eye(3)]):
      self.assertGreater(cost(scaled + 0.05 * change), at_rest + 1e-5)
    self.assertGreater(weights[0], 0)
    self.assertLess(weights[2], 0)

  def test_great_circle_has_constant_length_and_speed(self):
    start, end = (
      jax.random.normal(jax.random.key(seed), (5, 30)) for seed in (0, 1)
    )
    # Both ends have the same length, so every point of the walk has it too, and
    # neighbouring points are equally far apart.
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
    # The middle of the straight line is nearer to the origin.
    middles = np.linalg.norm((start + end) / 2, axis=-1)
    self.assertTrue((middles < 0.9 * lengths[3]).all())


if __name__ == "__main__":
  absltest.main()
