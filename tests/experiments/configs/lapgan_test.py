"""Games on a Laplacian pyramid: what is refused, and the sizes of levels."""

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

from experiments.configs import lapgan
from experiments.configs.registry import BY_NAME
from experiments.configs.settings import with_values
from experiments.errors import SettingError
from tests.experiments import tiny_images

SETTINGS: Any = BY_NAME["lapgan_cifar10"].settings


class LapganTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"image_size": "24"}, "--image_size=24 must be a multiple of 16: "),
    ({"depth": "4"}, "multiple of 64: --num_bands=2 halve it"),
    ({"packing": "2"}, "--packing=2 .* would lose their coarser images"),
    ({"replay_size": "9"}, "--replay_size=9 cannot be combined with a Lap"),
  )
  def test_what_makes_no_sense_is_refused(self, values, message):
    with self.assertRaisesRegex(SettingError, message):
      with_values(SETTINGS, values)

  def test_sizes_of_levels(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    tiny_images.write(folder)
    cache = {"XDG_CACHE_HOME": str(folder / "cache")}
    self.enterContext(mock.patch.dict(os.environ, cache))
    settings = SETTINGS.replace(
      **tiny_images.SETTINGS,
      dataset="mnist",
      data_dir=str(folder),
      evaluate=False,
      latent_prior="uniform",
    )
    problem = lapgan.build(settings.replace(depth=1))
    state = jax.eval_shape(problem.init, jax.random.key(0))
    params, statistics = state.params, state.variables.generator
    levels = ("level_0", "level_1", "level_2")
    for each in (*params, statistics["batch_stats"]):
      self.assertSameElements(each, levels)
    # 16 x 16 images are halved to 8 x 8 and 4 x 4, and once by networks: 100
    # latents become 2 x 2 positions of 4 channels.
    coarsest = params.generator["level_2"]["Dense_0"]["kernel"]
    chex.assert_shape(coarsest, (100, 2 * 2 * 4))
    for level in levels[:2]:
      # The networks of bands take the coarser image, and noise or a band.
      for each in params:
        kernel = each[level]["Convolution_0"]["kernel"]
        chex.assert_shape(kernel, (4, 4, 2, 4))
    samples = jax.eval_shape(problem.snapshot, state, jax.random.key(0))
    chex.assert_shape(samples["samples"], (64, 16, 16, 1))

  def test_a_run_is_sampled_without_its_images(self):
    settings = SETTINGS.replace(
      image_size=16, depth=1, generator_filters=4, discriminator_filters=4
    )
    generator = lapgan.generator(settings, {})
    self.assertEqual(generator.class_names, ())
    state = generator.init(jax.random.key(0))
    samples = jax.jit(generator.sample, static_argnums=2)(
      state, jax.random.key(1), 4
    )
    chex.assert_shape(samples, (4, 16, 16, 3))
    self.assertLessEqual(jnp.abs(samples).max(), 1)
    # Each sample has noise of its own.
    self.assertGreater(np.ptp(np.asarray(samples), axis=0).max(), 0)


if __name__ == "__main__":
  absltest.main()
