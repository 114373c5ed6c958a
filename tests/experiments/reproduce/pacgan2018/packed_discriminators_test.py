"""Checks of PacGAN's table, on results that are made up."""

import numpy as np
from absl.testing import absltest
from matplotlib.figure import Figure

from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.pacgan2018 import packed_discriminators
from experiments.run_folder.results import Results

NAMES = tuple(packed_discriminators.COLORS)
# The last value of each metric, by row of the table.
MODES = (6.3, 7.9, 7.8, 7.8)
QUALITY = (0.982, 0.956, 0.977, 0.959)
REVERSE_KL = (0.45, 0.07, 0.10, 0.07)


def runs(modes=MODES, reverse_kl=REVERSE_KL):
  """Returns a run of four seeds and two logs for each row of the table."""
  rng = np.random.default_rng(0)
  settings = packed_discriminators.REPRODUCTION.trainings["GAN"].settings

  def of_seeds(last):
    # Seeds are 2 % below and above the given mean.
    offsets = np.array([-0.02, 0.02, -0.02, 0.02])
    return np.stack([np.zeros(4), last + offsets * last], axis=1)

  return {
    name: Results(
      "ring",
      dict(settings),
      np.arange(4),
      np.array([0, 3000]),
      {
        "modes_covered": of_seeds(modes[row]),
        "high_quality_fraction": of_seeds(QUALITY[row]),
        "reverse_kl": of_seeds(reverse_kl[row]),
      },
      {"samples": rng.normal(size=(1, 2, 9, 2)), "modes": np.eye(2)},
    )
    for row, name in enumerate(NAMES)
  }


def failed(**changes):
  """Returns the names of the checks that fail."""
  checks = packed_discriminators.compute(Inputs(runs(**changes))).checks
  return [check.name for check in checks if check.passed is False]


class PackedDiscriminatorsTest(absltest.TestCase):
  def test_the_published_table_passes(self):
    computed = packed_discriminators.compute(Inputs(runs()))
    by_name = {check.name: check for check in computed.checks}
    for row, name in enumerate(NAMES):
      modes = by_name[f"modes, {name}"]
      self.assertTrue(modes.passed)
      self.assertAlmostEqual(modes.measured, MODES[row])
      quality = by_name[f"high quality (%), {name}"]
      self.assertIsNone(quality.passed)
      self.assertAlmostEqual(quality.measured, 100 * QUALITY[row])
    self.assertEmpty(failed())
    self.assertIsInstance(packed_discriminators.draw(computed.drawn), Figure)

  def test_difference_in_standard_errors(self):
    # Means 2 and 6; standard errors 1 / sqrt(2) and, of the four values of the
    # other rows, sqrt(8 / 3) / 2.
    values = np.array([[1.0, 3.0], [4.0, 6.0], [6.0, 8.0]])
    self.assertAlmostEqual(
      packed_discriminators._difference(values),
      4 / np.sqrt(1 + 8 / 12),
    )

  def test_mistakes_fail(self):
    # No row differs from the first.
    same = {"modes": (6.3,) * 4, "reverse_kl": (0.45,) * 4}
    self.assertLen(failed(**same), 5)
    # The rows of the GAN and of packs of two are exchanged.
    self.assertIn("modes, GAN", failed(modes=(7.9, 6.3, 7.8, 7.8)))
    self.assertIn("modes, PacGAN2", failed(modes=(7.9, 6.3, 7.8, 7.8)))
    self.assertIn(
      "reverse KL (nats), packs against GAN (standard errors)",
      failed(reverse_kl=(0.07, 0.45, 0.10, 0.07)),
    )
    # Everything collapses, or a seed is lost.
    self.assertLen(failed(modes=(1.0,) * 4), 4)
    self.assertNotEmpty(failed(modes=(6.3, 7.9, np.nan, 7.8)))


if __name__ == "__main__":
  absltest.main()
