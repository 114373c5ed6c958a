"""Every registered experiment trains, is scored and is drawn."""

import contextlib
import dataclasses
import io
import os
import tempfile
from pathlib import Path
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments.cli import console
from experiments.configs import image_to_image, images
from experiments.configs.fields import fields_of
from experiments.configs.image_settings import DCGANSettings, ImageSettings
from experiments.configs.image_to_image import ImageToImageSettings
from experiments.configs.registry import BY_NAME, EXPERIMENTS
from experiments.configs.settings import with_values
from experiments.datasets import image_datasets
from experiments.run_folder import results
from experiments.training import run_config
from gan_jax import training
from gan_jax.data import faces, image_source
from tests.experiments import tiny_images, trained_runs

# Small enough for a test, structure unchanged.
SMALL = {
  "steps": 2,
  "log_every": 1,
  "evaluation_samples": 64,
  "discriminator_width": 8,
}
# One of each kind: on the line, in the plane, of images.
FAST = ("normal", "ring", "dcgan_mnist")


class RegistryTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    tiny_images.write(Path(cls.folder))
    cls.enterClassContext(
      mock.patch.dict(os.environ, {"XDG_CACHE_HOME": cls.folder})
    )
    cls.enterClassContext(mock.patch.dict(faces.NUM_IMAGES, train=160, test=20))

  def small(self, settings):
    if isinstance(settings, ImageSettings):
      small = tiny_images.SETTINGS
      if isinstance(settings, ImageToImageSettings):
        small = small | {"image_channels": settings.image_channels}
      names = {field.name for field in fields_of(type(settings))}
      settings = settings.replace(
        **{name: value for name, value in small.items() if name in names}
      )
      # The images in the folder have no colours to learn.
      needs_colours = getattr(settings, "task", "") == image_to_image.COLOURING
      if settings.dataset == image_source.FACES or needs_colours:
        return settings.replace(dataset=image_source.FACES)
      return settings.replace(dataset=image_source.FOLDER, data_dir=self.folder)
    return settings.replace(**SMALL)

  @parameterized.named_parameters((name, BY_NAME[name]) for name in FAST)
  def test_two_steps(self, experiment):
    self.check_two_steps(experiment)

  @parameterized.named_parameters(
    (experiment.name, experiment)
    for experiment in EXPERIMENTS
    if experiment.name not in FAST
  )
  @pytest.mark.slow
  def test_two_steps_of_the_others(self, experiment):
    self.check_two_steps(experiment)

  def check_two_steps(self, experiment):
    settings = self.small(experiment.settings)
    result = training.train(
      experiment.build(settings),
      [3, 4],
      training.Schedule(
        settings.steps, settings.log_interval(), settings.evaluation_interval()
      ),
      jax.devices()[:1],
    )
    np.testing.assert_array_equal(result.steps, [0, 1, 2])
    self.assertEmpty(result.failures)
    for name, values in result.history.items():
      self.assertEqual(values.shape, (2, 3), name)
      self.assertTrue(np.isfinite(values).all(), name)
      # Both steps changed what is measured.
      if name.endswith("cost"):
        self.assertTrue((np.diff(values, axis=1) != 0).all(), name)
    run = results.Results(
      experiment.name,
      dataclasses.asdict(settings),
      np.array([3, 4]),
      result.steps,
      result.history,
      result.snapshots,
    )
    score = experiment.score(run)
    self.assertEqual(score.shape, (2, 3))
    self.assertTrue(((score >= 0) & (score <= 1)).all())
    for name, draw in experiment.figures.items():
      figure = draw(run)
      if name.endswith(".gif"):
        self.assertLen(list(figure), 3)
      else:
        self.assertIsInstance(figure, Figure)

  @parameterized.named_parameters((name, BY_NAME[name]) for name in FAST)
  def test_without_evaluation(self, experiment):
    self.check_without_evaluation(experiment)

  @parameterized.named_parameters(
    (experiment.name, experiment)
    for experiment in EXPERIMENTS
    if experiment.name not in FAST
  )
  @pytest.mark.slow
  def test_the_others_without_evaluation(self, experiment):
    self.check_without_evaluation(experiment)

  def check_without_evaluation(self, experiment):
    settings = self.small(experiment.settings).replace(evaluate=False)
    run = run_config.RunSettings(experiment, settings, (3,))
    refused = AssertionError("a network that measures images is made")
    with (
      mock.patch.object(image_datasets, "feature_net", side_effect=refused),
      mock.patch.object(image_datasets, "inception_net", side_effect=refused),
      tempfile.TemporaryDirectory() as folder,
    ):
      workdir, (run_results, summary) = trained_runs.train(Path(folder), run)
      files = {path.name for path in workdir.rglob("*") if path.is_file()}
      page = (workdir / results.REPORT).read_text()
      read = results.read_results(workdir)
    for metrics in (run_results.metrics, read.metrics, summary["metrics"]):
      self.assertContainsSubset(("generator_cost", "generator_norm"), metrics)
      players = ("generator_", "discriminator_", "critic_", "generated_spread")
      # What the players' costs add to the loss is logged too.
      terms = (
        *("reconstruction", "cycle", "identity"),
        *("label_cost", "feature_distance"),
        *("code_information", "code_error"),
      )
      for name in set(metrics) - set(terms):
        self.assertStartsWith(name, players)
    self.assertEqual(summary["score"]["final"]["per_seed"], [None])
    self.assertEqual(summary["score"]["best"]["per_seed"], [None])
    self.assertNotIn("protocol", summary)
    self.assertContainsSubset(
      set(experiment.figures) - set(experiment.metric_figures), files
    )
    self.assertNoCommonElements(
      (*experiment.metric_figures, results.STATISTICS), files
    )
    self.assertIn("<h3>Metrics</h3>", page)
    self.assertNotIn("<td>score</td>", page)
    with contextlib.redirect_stdout(io.StringIO()) as output:
      console.print_summary(summary)
    self.assertIn("generator_cost", output.getvalue())
    self.assertNotIn("score", output.getvalue())

  def test_presets_are_allowed_and_change_something(self):
    for experiment in EXPERIMENTS:
      for preset, values in experiment.presets.items():
        with self.subTest(f"{experiment.name}, {preset}"):
          changed = with_values(experiment.settings, values)
          for name, value in values.items():
            self.assertNotEqual(getattr(experiment.settings, name), value)
            self.assertEqual(getattr(changed, name), value)

  def test_published_networks_of_faces(self):
    experiment = BY_NAME["dcgan_faces"]
    settings = with_values(experiment.settings, experiment.presets["published"])
    assert isinstance(settings, DCGANSettings)
    players = images.networks(settings, 0)
    counts = [
      sum(
        leaf.size
        for leaf in jax.tree.leaves(
          jax.eval_shape(network.init, jax.random.key(0), inputs)["params"]
        )
      )
      for network, inputs in (
        (players.generator, jnp.zeros((2, settings.latent_dim))),
        (players.discriminator, jnp.zeros((2, 64, 64, 3))),
      )
    ]
    # 512-256-128-64 filters, counted by hand.
    self.assertEqual(counts, [3_576_704, 2_765_568])

  def test_names_are_unique(self):
    self.assertLen(BY_NAME, len(EXPERIMENTS))


if __name__ == "__main__":
  absltest.main()
