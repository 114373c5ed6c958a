"""How means and their intervals are written."""

import math

import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from experiments.run_folder import intervals, results
from gan_jax.statistics import Difference


class IntervalsTest(parameterized.TestCase):
  @parameterized.parameters(
    # Student's t of 3 degrees of freedom is 3.182, so of these 0.0257.
    ([0.5, 0.52, 0.54, 0.52], "score", "0.52 ± 0.026"),
    # 0.95 +- 0.092 leaves the range of a fraction, and of nothing else.
    ([0.9, 1.0, 0.9, 1.0], "score", "0.95 (0.8581 to 1)"),
    ([0.9, 1.0, 0.9, 1.0], "average_recall", "0.95 (0.8581 to 1)"),
    ([0.9, 1.0, 0.9, 1.0], "frechet_distance", "0.95 ± 0.092"),
    ([0.0, 0.1, 0.0, 0.1], "frechet_distance", "0.05 (0 to 0.1419)"),
    # The estimate of a kernel distance may be negative.
    ([0.0, 0.1, 0.0, 0.1], "kid", "0.05 ± 0.092"),
    ([-5.0, 5.0, -5.0, 5.0], "generator_cost", "0 ± 9.2"),
    ([1.0, 1.0, 1.0], "precision", "1 ± 0"),
    ([0.9, 0.8], "score", "0.85 (0.8 and 0.9)"),
    ([0.9], "score", "0.9"),
    ([np.nan, 0.9], "coverage", "0.9, 1 of 2 seeds"),
    ([0.9, np.nan, 0.8], "coverage", "0.85 (0.8 and 0.9), 2 of 3 seeds"),
    ([np.nan, np.nan], "score", "-"),
    ([1.0, np.inf, 2.0], "frechet_distance", "inf"),
    ([1.0, -np.inf, np.nan], "kid", "-inf, 2 of 3 seeds"),
  )
  def test_a_mean(self, values, name, expected):
    entry = results.seed_summary(np.array(values))
    self.assertEqual(intervals.text(entry, name), expected)

  @parameterized.parameters(
    # 6 +- 3.1824 * 2.3094 / 2 = 6 +- 3.6748, of 8 and of 9 modes.
    ({"num_modes": 8}, "6 (2.325 to 8)", 8.0),
    ({"grid_side": 3}, "6 (2.325 to 9)", 9.0),
    ({}, "6 ± 3.7", 9.675),
  )
  def test_no_interval_has_more_modes_than_there_are(self, settings, text, end):
    values = np.array([8.0, 8.0, 4.0, 4.0])
    entry = results.seed_summary(values)
    for name in ("modes_covered", "average_modes_balanced"):
      self.assertEqual(intervals.text(entry, name, settings=settings), text)
      self.assertAlmostEqual(
        intervals.ends(values, name, settings)[1], end, places=3
      )

  def test_ends_are_those_of_the_text(self):
    values = np.array([0.9, 1.0, 0.9, 1.0])
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    self.assertGreater(high, 1)
    np.testing.assert_allclose(intervals.ends(values, "score"), (low, 1.0))
    np.testing.assert_allclose(intervals.ends(values, "kid"), (low, high))
    self.assertEqual(
      intervals.ends(np.array([0.9, np.nan, 0.2]), "score"), (0.2, 0.9)
    )
    for unknown in ([0.5], [np.nan, 0.5], [0.5, np.inf]):
      self.assertTrue(
        all(map(math.isnan, intervals.ends(np.array(unknown), "score")))
      )

  @parameterized.parameters(
    ((-0.2, 0.3, True), "-0.2 ± 0.3"),
    ((-0.9, 0.3, False), "-0.9 (-1 to -0.6)"),
    ((-0.25, 12.7, True), "-0.25 (-1 to 1)"),
    ((-0.25, None, None), "-0.25"),
    ((None, None, None), "-"),
  )
  def test_a_difference_of_scores(self, difference, expected):
    self.assertEqual(
      intervals.difference_text(Difference(*difference)), expected
    )


if __name__ == "__main__":
  absltest.main()
