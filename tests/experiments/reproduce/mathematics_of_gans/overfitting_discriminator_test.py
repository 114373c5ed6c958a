"""The figure of overfitting fails if D does not overfit, or is not compared."""

import numpy as np
from absl.testing import absltest, parameterized

from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.mathematics_of_gans import (
  overfitting_discriminator as figure,
)
from experiments.run_folder.results import Results

TRAIN = dict(zip(figure.SIZES, (0.9, 0.75, 0.65, 0.605), strict=True))
HELD_OUT = dict(zip(figure.SIZES, (0.3, 0.5, 0.57, 0.6), strict=True))


def run(**values):
  """Makes a run with the given means of D at its end, of 8 seeds."""
  wiggle = np.linspace(-0.01, 0.01, 8)[:, None]
  over_steps = np.array([0.0] * 9 + [1.0])
  metrics = {
    f"discriminator_{name}": (value + wiggle) * over_steps
    for name, value in values.items()
  }
  return Results("ring", {}, np.arange(8), np.arange(10) + 1, metrics, {})


def checks_of(train, held_out, fresh=0.6):
  runs = {
    f"{size} samples": run(train=train[size], held_out=held_out[size])
    for size in figure.SIZES
  }
  checks = figure.compute(
    Inputs({**runs, figure.FRESH: run(real=fresh)})
  ).checks
  return {check.name: check.passed for check in checks}


class OverfittingTest(parameterized.TestCase):
  def test_a_gap_that_falls_passes(self):
    passed = checks_of(TRAIN, HELD_OUT)
    self.assertLen(passed, 6)
    self.assertTrue(all(passed.values()), passed)

  @parameterized.named_parameters(
    ("held_out_is_training", TRAIN, TRAIN, 0.6, 1),
    ("swapped", HELD_OUT, TRAIN, 0.6, 4),
    ("other_than_fresh", TRAIN, HELD_OUT, 0.8, 1),
  )
  def test_others_fail(self, train, held_out, fresh, num_failed):
    passed = checks_of(train, held_out, fresh)
    self.assertEqual(list(passed.values()).count(False), num_failed, passed)


if __name__ == "__main__":
  absltest.main()
