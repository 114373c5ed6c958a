"""Every contestant of a game on images learns their mean, in as many steps."""

import functools
import importlib
import importlib.util
import unittest
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from benchmarks import dcgan_flax, dcgan_game, dcgan_gan_jax
from benchmarks.dcgan_game import Setting

BATCH_SIZE = 8
NUM_STEPS = 60
SETTING = Setting(8, 1, 2, filters=4)
LEVEL = 0.7


class ContestantsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    for name, value in (
      # Fewer layers, as they compile for long.
      ("PLAIN_BLOCKS", 0),
      ("LEARNING_RATE", 1e-2),
      ("images", lambda setting, n: np.full((n, 8, 8, 1), LEVEL, np.float32)),
    ):
      self.enter_context(mock.patch.object(dcgan_game, name, value))

  def check(self, start):
    """Checks that samples come near the data, which they start far from."""
    training = start(BATCH_SIZE, setting=SETTING)
    self.assertEqual(training.num_steps(), 0)
    before = training.generate()
    self.assertLen(before, dcgan_game.NUM_GENERATED)
    self.assertEqual(before.dtype, np.float32)
    training.take(1)
    training.take(NUM_STEPS - 1)
    self.assertEqual(training.num_steps(), NUM_STEPS)
    after = training.generate()
    self.assertLess(abs(np.mean(after) - LEVEL), 0.45)
    self.assertGreater(np.mean(after) - np.mean(before), 0.2)

  @parameterized.named_parameters(
    ("flax", dcgan_flax.textbook),
    ("simultaneous", dcgan_gan_jax.simultaneous),
    ("streamed", functools.partial(dcgan_gan_jax.drawing, on_device=False)),
  )
  def test_jax_learns(self, start):
    self.check(start)

  @parameterized.named_parameters(
    ("resident", functools.partial(dcgan_gan_jax.drawing, on_device=True)),
    ("wgan_gp", dcgan_gan_jax.wgan_gp_simultaneous),
    ("wgan_gp_alternating", dcgan_gan_jax.wgan_gp_alternating),
  )
  @pytest.mark.slow
  def test_the_others_learn(self, start):
    self.check(start)

  @parameterized.product(
    module=("dcgan_torch", "wgan_gp_torch"),
    name=("textbook", "simultaneous"),
    channels_last=(False, True),
  )
  @pytest.mark.slow
  @unittest.skipUnless(
    importlib.util.find_spec("torch"),
    "PyTorch, the extra `bench`, is not installed",
  )
  def test_pytorch_learns(self, module, name, channels_last):
    importlib.import_module("torch").manual_seed(0)
    arrangement = importlib.import_module("benchmarks.dcgan_torch").Arrangement(
      "cpu", threads=1, channels_last=channels_last
    )
    start = getattr(importlib.import_module(f"benchmarks.{module}"), name)
    self.check(functools.partial(start, arrangement=arrangement))


if __name__ == "__main__":
  absltest.main()
