"""Every contestant of the toy suite learns the ring, in as many steps."""

import functools
import importlib.util
import unittest
import warnings

import jax
import numpy as np
from absl.testing import absltest, parameterized

from benchmarks import toy_flax, toy_game, toy_gan_jax

BATCH_SIZE = 64
NUM_STEPS = 2000
NEAR = 5 * toy_game.STDDEV


def near_the_circle(samples):
  """Returns the share of samples close to where the data is."""
  radius = np.hypot(samples[:, 0], samples[:, 1])
  return np.mean(np.abs(radius - toy_game.RADIUS) < NEAR)


def modes_near(samples):
  """Returns how many modes have a sample close by."""
  angles = np.arange(toy_game.NUM_MODES) * 2 * np.pi / toy_game.NUM_MODES
  modes = toy_game.RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
  distances = np.linalg.norm(samples[:, None] - modes, axis=-1)
  return np.sum(np.min(distances, axis=0) < NEAR)


class ContestantsTest(parameterized.TestCase):
  def check(self, start, num_samples=toy_game.NUM_GENERATED):
    training = start(BATCH_SIZE)
    self.assertEqual(training.num_steps(), 0)
    before = training.generate()
    self.assertEqual(before.shape, (num_samples, 2))
    self.assertEqual(before.dtype, np.float32)
    self.assertLess(near_the_circle(before), 0.5)
    training.take(1)
    training.take(NUM_STEPS - 1)
    self.assertEqual(training.num_steps(), NUM_STEPS)
    after = training.generate()
    self.assertGreater(near_the_circle(after), 0.85)
    self.assertEqual(modes_near(after), toy_game.NUM_MODES)

  @parameterized.named_parameters(
    ("flax", toy_flax.textbook),
    ("alternating", toy_gan_jax.alternating),
    ("simultaneous", toy_gan_jax.simultaneous),
  )
  def test_jax_learns(self, start):
    self.check(start)

  def test_a_population_learns(self):
    seeds = 2 * len(jax.devices())
    self.check(
      functools.partial(toy_gan_jax.simultaneous, num_seeds=seeds),
      seeds * toy_game.NUM_GENERATED,
    )

  @parameterized.parameters("textbook", "simultaneous", "compiled")
  @unittest.skipUnless(
    importlib.util.find_spec("torch"),
    "PyTorch, the extra `bench`, is not installed",
  )
  def test_pytorch_learns(self, name):
    importlib.import_module("torch").manual_seed(0)
    toy_torch = importlib.import_module("benchmarks.toy_torch")
    start = {
      "textbook": toy_torch.textbook,
      "simultaneous": toy_torch.simultaneous,
      "compiled": toy_torch.compiled,
    }[name]
    with warnings.catch_warnings():
      # PyTorch's compiler calls functions that PyTorch has deprecated.
      warnings.simplefilter("ignore", DeprecationWarning)
      self.check(functools.partial(start, threads=1))


if __name__ == "__main__":
  absltest.main()
