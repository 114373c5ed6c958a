"""Games on images: what is refused, what is measured, what is drawn."""

import os
import tempfile
from pathlib import Path
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from experiments import dcgan, image_data
from experiments.fields import SettingError
from experiments.settings import with_values
from gan_jax.data import images
from tests.experiments import tiny_images


def settings_of(name: str) -> dcgan.ImageSettings:
  """Returns the defaults of an experiment."""
  (settings,) = (e.settings for e in dcgan.EXPERIMENTS if e.name == name)
  assert isinstance(settings, dcgan.ImageSettings)
  return settings


class DCGANTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.folder = Path(folder.name)
    (self.folder / "data").mkdir()
    tiny_images.write(self.folder / "data")
    cache = {"XDG_CACHE_HOME": str(self.folder / "cache")}
    self.enterContext(mock.patch.dict(os.environ, cache))

  @parameterized.parameters(
    ({"image_channels": "2"}, "must be 1 or 3"),
    ({"depth": "3"}, "cannot halve --image_size=28"),
    ({"architecture": "resnet", "depth": "1"}, "28 pixels 0 times"),
    (
      {"architecture": "resnet", "image_size": "72", "depth": "3"},
      "72 pixels 4 times",
    ),
    ({"condition": "projection", "packing": "2"}, "lose their classes"),
    ({"dataset": "folder"}, "needs a folder or zip"),
  )
  def test_what_makes_no_sense_is_refused(self, values, message):
    with self.assertRaisesRegex(SettingError, message):
      dcgan.build(with_values(settings_of("dcgan_mnist"), values))

  @parameterized.parameters(
    # The published pair: blocks from 4 x 4 places, and two that keep the side.
    (32, 3, 128, (4, 4, 128), 4, 128),
    # From 64 pixels widths double on the way down to 2 x 2 places.
    (64, 4, 64, (4, 4, 1024), 5, 1024),
  )
  def test_residual_networks_are_those_of_their_size(
    self, size, depth, filters, base, num_blocks, width
  ):
    settings = settings_of("dcgan_cifar10").replace(
      architecture="resnet",
      image_size=size,
      depth=depth,
      generator_filters=filters,
      discriminator_filters=filters,
      discriminator_normalization="spectral",
    )
    settings.check()
    generator, discriminator = dcgan.networks(settings, num_classes=0)
    key = jax.random.key(0)
    params = jax.eval_shape(generator.init, key, jnp.zeros((1, 100)))["params"]
    self.assertEqual(params["Dense_0"]["kernel"].shape, (100, np.prod(base)))
    images = jnp.zeros((1, size, size, 3))
    params = jax.eval_shape(discriminator.init, key, images)["params"]
    blocks = [name for name in params if name.startswith("DiscriminatorBlock")]
    self.assertLen(blocks, num_blocks)
    self.assertEqual(params["Dense_0"]["kernel"].shape, (width, 1))

  def test_data_that_is_not_prepared_says_the_command(self):
    settings = settings_of("dcgan_fashion_mnist").replace(
      data_dir=str(self.folder / "nothing")
    )
    with self.assertRaisesRegex(
      SettingError,
      "python -m experiments.prepare_data --dataset=fashion_mnist "
      f"--data_dir={self.folder / 'nothing'}",
    ):
      dcgan.build(settings)

  def test_classes_are_needed_to_condition_on_them(self):
    flat = self.folder / "flat"
    flat.mkdir()
    for index in range(20):
      Image.new("L", (8, 8), index).save(flat / f"{index}.png")
    settings = settings_of("conditional_mnist").replace(
      dataset="folder", data_dir=str(flat)
    )
    with self.assertRaisesRegex(SettingError, "needs classes"):
      dcgan.build(settings)

  def test_the_classifier_is_trained_once_and_says_how_well(self):
    train, test = (
      image_data.read("mnist", str(self.folder / "data"), split, 16, 1)
      for split in ("train", "test")
    )
    first = image_data.feature_net("mnist", train, test)
    with mock.patch.object(
      image_data.classifier, "train", side_effect=AssertionError
    ):
      again = image_data.feature_net("mnist", train, test)
    self.assertEqual(first.protocol, again.protocol)
    self.assertBetween(first.protocol["features_accuracy"], 0, 1)
    batch = images.to_unit(jnp.asarray(test.pixels))
    jax.tree.map(
      np.testing.assert_array_equal,
      first.features.apply(batch),
      again.features.apply(batch),
    )

  def test_images_without_classes_are_told_apart_by_their_turns(self):
    train, test = (
      image_data.read(
        "mnist", str(self.folder / "data"), split, 16, 1
      )._replace(labels=None, class_names=())
      for split in ("train", "test")
    )
    net = image_data.feature_net("mnist", train, test)
    self.assertIn("rotations", net.features.name)
    _, logits = net.features.apply(images.to_unit(jnp.asarray(test.pixels)))
    self.assertEqual(logits.shape, (tiny_images.NUM_TEST, 4))


if __name__ == "__main__":
  absltest.main()
