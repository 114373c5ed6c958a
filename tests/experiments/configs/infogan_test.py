"""InfoGAN on images: what is refused, and samples of a category."""

import os
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments.configs import infogan
from experiments.configs.registry import BY_NAME, change_settings
from experiments.errors import SettingError
from experiments.run_folder.results import Results
from tests.experiments import tiny_images

EXPERIMENT = BY_NAME["infogan_mnist"]
SETTINGS: Any = EXPERIMENT.settings


class InfoGANTest(parameterized.TestCase):
  @parameterized.parameters(
    ("num_categories", "1", "at least 2"),
    ("num_categories", "ten", "a whole number"),
    ("num_continuous", "-1", "at least 0"),
    ("information_weight", "-0.1", "at least 0"),
    ("packing", "2", "--packing is not available for InfoGAN, where a pack"),
    ("image_size", "30", "--image_size=30 must be a multiple of 4"),
    ("condition", "projection", "has no --condition"),
  )
  def test_what_makes_no_sense_is_refused(self, name, value, message):
    with self.assertRaisesRegex(SettingError, message) as raised:
      change_settings(EXPERIMENT, SETTINGS, {name: value})
    self.assertNotIn("\n", str(raised.exception))

  def test_samples_have_the_category_that_is_asked_for(self):
    settings = SETTINGS.replace(
      image_size=16,
      generator_filters=4,
      discriminator_filters=4,
      num_categories=3,
    )
    made = infogan.generator(settings, {})
    self.assertEqual(made.class_names, ("0", "1", "2"))
    state = jax.jit(made.init)(jax.random.key(0))
    sample = jax.jit(made.sample, static_argnums=2)
    categories = jnp.array([2, 2, 0, 1])
    key = jax.random.key(1)
    samples = sample(state, key, 4, categories)
    chex.assert_shape(samples, (4, 16, 16, 1))
    # Other categories change the samples that have them, and no others.
    others = sample(state, key, 4, categories.at[1].set(0))
    same = [np.array_equal(*pair) for pair in zip(samples, others, strict=True)]
    self.assertEqual(same, [True, False, True, True])
    np.testing.assert_array_equal(
      sample(state, key, 4),
      sample(state, key, 4, jnp.array([0, 1, 2, 0])),
    )

  def test_pictures_have_columns_of_categories(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    tiny_images.write(folder)
    cache = {"XDG_CACHE_HOME": str(folder / "cache")}
    self.enterContext(mock.patch.dict(os.environ, cache))
    settings = SETTINGS.replace(
      **tiny_images.SETTINGS,
      dataset="mnist",
      data_dir=str(folder),
      evaluate=False,
      num_categories=4,
    )
    problem = infogan.build(settings)
    self.assertEqual(int(problem.reference["columns"]), 8)
    state = jax.eval_shape(problem.init, jax.random.key(0))
    # One logit, and the outputs of four categories and two continuous codes.
    kernel = state.params.discriminator["Dense_0"]["kernel"]
    self.assertEqual(kernel.shape[1], 1 + 4 + 2)

  def test_figure(self):
    run = Results(
      *("any", {"num_categories": 10}, np.array([0]), np.arange(2)),
      *({"code_information": np.array([[0.0, 2.2]])}, {}),
    )
    figure = infogan.FIGURES["codes.png"](run)
    self.assertIsInstance(figure, Figure)
    _, line = figure.axes[0].lines
    np.testing.assert_allclose(line.get_ydata(), np.log(10))


if __name__ == "__main__":
  absltest.main()
