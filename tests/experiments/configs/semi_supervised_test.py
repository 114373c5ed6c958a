"""Semi-supervised learning: what is refused, learnt, measured and drawn."""

import os
import tempfile
from pathlib import Path
from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments.configs import semi_supervised
from experiments.configs.registry import BY_NAME
from experiments.configs.semi_supervised import SemiSupervisedSettings
from experiments.configs.settings import with_values
from experiments.errors import SettingError
from experiments.run_folder.results import Results
from gan_jax import steps
from gan_jax.data import images
from tests.experiments import tiny_images

EXPERIMENT = BY_NAME["semi_supervised_mnist"]


class SemiSupervisedTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    tiny_images.write(self.folder)
    cache = {"XDG_CACHE_HOME": str(self.folder / "cache")}
    self.enterContext(mock.patch.dict(os.environ, cache))

  def settings(self, **values) -> SemiSupervisedSettings:
    settings = EXPERIMENT.settings.replace(
      steps=2,
      batch_size=8,
      image_size=16,
      discriminator_width=8,
      generator_width=8,
      evaluation_samples=15,
      num_labels=20,
      dataset="folder",
      data_dir=str(self.folder),
    )
    assert isinstance(settings, SemiSupervisedSettings)
    return settings.replace(**values)

  @parameterized.parameters(
    ("packing", "2"),
    ("replay_size", "9"),
    ("instance_noise", "0.1"),
    ("discriminator_l2", "0.1"),
    ("discriminator_dropout", "0.1"),
    ("discriminator_normalization", "batch"),
    ("penalty", "r1"),
    ("inception_weights", "x.pth"),
  )
  def test_what_has_no_effect_is_refused(self, name, value):
    with self.assertRaisesRegex(
      SettingError, f"^--{name} is not available for semi-supervised"
    ) as raised:
      with_values(EXPERIMENT.settings, {name: value})
    self.assertNotIn("\n", str(raised.exception))

  @parameterized.parameters(
    ("num_labels", "0", "at least 1"),
    ("num_labels", "ten", "a whole number"),
    ("discriminator_width", "3", "at least 4"),
    ("input_noise", "-1", "at least 0"),
    ("unsupervised", "half", "true or false"),
    ("generator_objective", "practical", "cannot be combined with --loss=non"),
    ("generator_objective", "features", "one of feature_matching, standard"),
  )
  def test_wrong_values_are_refused(self, name, value, message):
    with self.assertRaisesRegex(SettingError, message) as raised:
      with_values(EXPERIMENT.settings, {name: value})
    self.assertNotIn("\n", str(raised.exception))

  @parameterized.parameters("ring", "normal", "dcgan_mnist", "cycle_rings")
  def test_other_experiments_do_not_match_features(self, name):
    with self.assertRaisesRegex(SettingError, "one of standard, practical"):
      with_values(
        BY_NAME[name].settings, {"generator_objective": "feature_matching"}
      )

  @parameterized.parameters(
    ("generator_objective", "standard"),
    ("loss", "hinge"),
    ("latent_dim", "20"),
    ("generator_width", "20"),
  )
  def test_what_needs_unlabelled_images_is_refused(self, name, value):
    message = f"^--{name}={value} has no effect without --unsupervised"
    with self.assertRaisesRegex(SettingError, message):
      with_values(EXPERIMENT.settings, {"unsupervised": "false", name: value})

  def test_a_generator_that_was_not_trained_is_refused(self):
    with self.assertRaisesRegex(SettingError, "generator is not trained"):
      semi_supervised.generator(self.settings(unsupervised=False), {})

  @parameterized.parameters(
    (5, "--num_labels=5 must be a multiple of 10, the number of classes"),
    (25, "--num_labels=25 must be a multiple of 10, the number of classes"),
    (170, "--num_labels=170 are 17 of each class, .* at most 160 are possible"),
  )
  def test_impossible_subsets_are_refused(self, count, message):
    with self.assertRaisesRegex(SettingError, message) as raised:
      semi_supervised.builder(self.settings(num_labels=count))
    self.assertNotIn("\n", str(raised.exception))

  def test_labels_are_among_the_training_images_that_are_used(self):
    with self.assertRaisesRegex(SettingError, "^--num_labels=160 are 16 of ea"):
      semi_supervised.builder(
        self.settings(num_labels=160, training_images=150)
      )

  @parameterized.parameters("train", "test")
  def test_images_without_labels_are_refused(self, split):
    for name in self.folder.glob(
      f"{'t10k' if split == 'test' else '*'}-labels*"
    ):
      name.unlink()
    message = "^--num_labels=20 needs classes"
    if split == "test":
      message = "has no labelled test images to count errors of"
    with self.assertRaisesRegex(SettingError, message):
      semi_supervised.builder(self.settings())

  def test_seeds_have_the_same_labels_with_and_without_unlabelled_images(self):
    pools = {}
    for unsupervised in (True, False):
      problem = semi_supervised.build(self.settings(unsupervised=unsupervised))
      for seed in (0, 1):
        state = jax.jit(problem.init)(jax.random.key(seed))
        pools[unsupervised, seed] = state.variables.discriminator["labelled"]
    for seed in (0, 1):
      jax.tree.map(
        np.testing.assert_array_equal, pools[True, seed], pools[False, seed]
      )
    first, second = (pools[True, seed].samples for seed in (0, 1))
    self.assertGreater(np.abs(first - second).max(), 0.1)
    data = images.load("folder", self.folder, 16, 1, None)
    samples, labels = pools[True, 0]
    distances = np.abs(
      np.asarray(samples)[:, None]
      - images.to_unit(jnp.asarray(data.train.pixels))[None]
    ).max(axis=(2, 3, 4))
    found = np.argmin(distances, axis=1)
    np.testing.assert_array_equal(distances[range(20), found], 0)
    assert data.train.labels is not None
    np.testing.assert_array_equal(data.train.labels[found], labels)
    np.testing.assert_array_equal(np.bincount(labels), 2)

  def test_errors_are_of_10_000_and_of_both_players_average(self):
    problem = semi_supervised.build(self.settings(generator_average=0.5))
    state = jax.jit(problem.init)(jax.random.key(0))
    assert problem.measure
    # The logits do not depend on the images: all of them are of class 3.
    params = dict(state.params.discriminator)
    last = params["WeightNormalizedDense_5"]
    params["WeightNormalizedDense_5"] = {
      **last,
      "scale": 0 * last["scale"],
      "bias": jnp.eye(10)[3:4],
    }
    state = state.replace(
      params=state.params._replace(discriminator=params),
      averages=state.averages._replace(
        discriminator={
          **params,
          "WeightNormalizedDense_5": {
            **params["WeightNormalizedDense_5"],
            "bias": jnp.eye(10)[4:5],
          },
        }
      ),
    )
    self.assertIs(
      steps.with_average(state).variables.discriminator["labelled"],
      state.variables.discriminator["labelled"],
    )
    measured = problem.measure(state, jax.random.key(1), problem.data)
    labels = np.asarray(problem.data["test"][1])
    self.assertLen(labels, 15)
    for name, label in (("test_errors", 3), ("average_test_errors", 4)):
      wrong = 10_000 * np.mean(labels != label)
      np.testing.assert_allclose(measured[name], wrong, rtol=1e-6)

  def test_samples_without_the_images(self):
    settings = self.settings(generator_average=0.5)
    problem = semi_supervised.build(settings)
    made = semi_supervised.generator(settings, problem.data_record)
    assert problem.sample
    state = jax.jit(problem.init)(jax.random.key(0))
    chex.assert_trees_all_equal_shapes_and_dtypes(
      jax.eval_shape(problem.init, jax.random.key(0)),
      jax.eval_shape(made.init, jax.random.key(0)),
    )
    np.testing.assert_array_equal(
      made.sample(state, jax.random.key(1), 3),
      problem.sample(state, jax.random.key(1), 3),
    )

  def test_score(self):
    run = Results(
      *("any", {}, np.array([0]), np.arange(3)),
      *({"test_errors": np.array([[0, 1000.0, 10_000]])}, {}),
    )
    np.testing.assert_allclose(semi_supervised.score(run), [[1, 0.9, 0]])

  def test_figures_of_a_supervised_run(self):
    run = Results(
      "any",
      {},
      np.array([0]),
      np.arange(2),
      {
        name: np.array([[2.0, 1.0]])
        for name in ("test_errors", "discriminator_cost", "label_cost")
      },
      {},
    )
    for name in ("costs.png", "discriminator.png", "errors.png"):
      self.assertIsInstance(semi_supervised.FIGURES[name](run), Figure)


if __name__ == "__main__":
  absltest.main()
