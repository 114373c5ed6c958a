"""Tests of the settings and the count of operations of the image games."""

import numpy as np
from absl.testing import absltest

from benchmarks import dcgan_game
from benchmarks.dcgan_game import Setting


class SettingTest(absltest.TestCase):
  def test_maps(self):
    setting = Setting(32, 3, 3)
    self.assertEqual(setting.base(), 4)
    self.assertEqual(setting.widths(), [3, 64, 128, 256])
    self.assertEqual(setting.title(), "32x32x3")
    bfloat16 = setting._replace(dtype="bfloat16")
    self.assertEqual(bfloat16.title(), "32x32x3 bfloat16")

  def test_images(self):
    images = dcgan_game.images(Setting(8, 3, 1), 5)
    self.assertEqual(images.shape, (5, 8, 8, 3))
    self.assertEqual(images.dtype, np.float32)
    self.assertLessEqual(np.max(np.abs(images)), 1)
    self.assertGreater(np.std(images), 0.5)


class StepFlopsTest(absltest.TestCase):
  def test_against_a_count_by_hand(self):
    # Sides 8, 4, 2; channels 1, 4, 8; 2 * 2 * 8 = 32 units in the dense layers.
    # Multiplications of a sample:
    #   between sides 8 and 4: 16 taps * 1 * 4 channels * 16 positions = 1024,
    #   between sides 4 and 2: 16 * 4 * 8 * 4 = 2048,
    #   G's dense layer 100 * 32 = 3200, D's 32.
    # G forward 6272, weights 6272, inputs 3072: 15616.
    # D on two rows: forward 2 * 3104, weights 2 * 3104, inputs 2 * 2080: 16576.
    # Input gradient of the fake row: 1024 in one pass, 3104 in a second.
    setting = Setting(8, 1, 2, filters=4)
    together = 15_616 + 16_576
    self.assertEqual(
      dcgan_game.step_flops(setting, 1, 1), 2 * (together + 1024)
    )
    self.assertEqual(
      dcgan_game.step_flops(setting, 5, 2), 10 * (together + 3104)
    )


if __name__ == "__main__":
  absltest.main()
