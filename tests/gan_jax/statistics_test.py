"""Means, differences of means and their intervals, against SciPy."""

from typing import Any

import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from gan_jax import statistics


def known(difference):
  """Returns the mean, interval and tie of two sides with enough seeds."""
  mean, ci95, tie = difference
  assert mean is not None and ci95 is not None and tie is not None
  return mean, ci95, tie


class MeanTest(parameterized.TestCase):
  @parameterized.parameters(2, 3, 30)
  def test_the_interval_is_students(self, n):
    values = np.random.default_rng(n).normal(3.0, 2.0, n)
    found = statistics.mean_and_interval(values)
    low, high = stats.t.interval(
      0.95, n - 1, loc=values.mean(), scale=stats.sem(values)
    )
    np.testing.assert_allclose(
      np.array(found, float), [values.mean(), (high - low) / 2, n], rtol=1e-9
    )

  def test_failed_seeds_are_left_out_and_one_seed_has_no_interval(self):
    for values, expected in (
      ([np.nan, 3.0], (3.0, None, 1)),
      ([np.nan, np.nan], (None, None, 0)),
      ([], (None, None, 0)),
      # An infinite value is one: a seed that diverged does not help its mean.
      ([np.nan, np.inf], (np.inf, None, 1)),
      ([1.0, 2.0, np.inf], (np.inf, None, 3)),
      ([1.0, -np.inf, -np.inf], (-np.inf, None, 3)),
      ([np.inf, -np.inf], (None, None, 2)),
      ([2.0, np.nan, 2.0], (2.0, 0.0, 2)),
    ):
      self.assertEqual(statistics.mean_and_interval(np.array(values)), expected)


class FractionTest(parameterized.TestCase):
  @parameterized.parameters((0, 7), (3, 7), (7, 7), (1, 1), (450, 5000))
  def test_the_interval_is_clopper_and_pearsons(self, successes, n):
    found = statistics.fraction_interval(successes / n, n)
    expected = stats.binomtest(successes, n).proportion_ci(0.95, "exact")
    np.testing.assert_allclose(found, expected, rtol=1e-9)

  def test_nothing_is_known_without_draws(self):
    self.assertEqual(statistics.fraction_interval(np.nan, 0), (0.0, 1.0))


class WelchTest(parameterized.TestCase):
  @parameterized.parameters((2, 2, 1.0), (3, 3, 0.1), (5, 8, 30.0))
  def test_the_interval_is_scipys(self, num_values, num_others, spread):
    rng = np.random.default_rng(num_values)
    values = rng.normal(size=num_values)
    others = 0.3 + spread * rng.normal(size=num_others)
    mean, ci95, _ = known(statistics.welch_difference(values, others))
    low, high = stats.ttest_ind(
      values, others, equal_var=False
    ).confidence_interval(0.95)
    self.assertAlmostEqual(mean, (low + high) / 2, places=12)
    self.assertAlmostEqual(ci95 / ((high - low) / 2), 1, places=9)

  @parameterized.parameters((5, 3), (8, 20), (4, 10_000))
  def test_of_several_means_every_pair_has_its_share(self, n, k):
    rng = np.random.default_rng(n)
    values, others = rng.normal(size=n), 3 * rng.normal(size=n + 1)
    _, ci95, _ = known(
      statistics.welch_difference(values, others, k * (k - 1) // 2)
    )
    test: Any = stats.ttest_ind(values, others, equal_var=False)
    half = stats.t.isf(0.05 / (k * (k - 1)), test.df)
    error = np.hypot(stats.sem(values), stats.sem(others))
    self.assertAlmostEqual(ci95 / error / half, 1, places=6)

  def test_an_infinite_mean_has_no_interval(self):
    finite = np.array([1.0, 2.0])
    diverged = np.array([1.0, np.inf])
    for values, others, mean in (
      (diverged, finite, np.inf),
      (finite, diverged, -np.inf),
      (diverged, diverged, None),
    ):
      self.assertEqual(
        statistics.welch_difference(values, others), (mean, None, None)
      )

  def test_a_tie_is_an_interval_with_0(self):
    # Of equal variances v and n = 3 the interval is t(0.975, 4) sqrt(2 v / 3),
    # 2.7764 * 0.8165 = 2.267 for v = 1.
    values = np.array([-1.0, 0, 1])
    for shift, tie in ((2.26, True), (2.27, False), (-2.26, True)):
      mean, ci95, found = known(
        statistics.welch_difference(values, values + shift)
      )
      self.assertAlmostEqual(mean, -shift)
      self.assertAlmostEqual(ci95, 2.267, places=3)
      self.assertEqual(found, tie)

  def test_what_does_not_vary(self):
    self.assertEqual(
      statistics.welch_difference(np.zeros(3), np.ones(3)), (-1.0, 0.0, False)
    )
    self.assertEqual(
      statistics.welch_difference(np.ones(3), np.ones(2)), (0.0, 0.0, True)
    )
    # One side varies: 0.5 +- t(0.975, 1) * sqrt(0.5 / 2).
    _, ci95, _ = known(
      statistics.welch_difference(np.array([0.0, 1.0]), np.zeros(2))
    )
    self.assertAlmostEqual(ci95, 12.7062 / 2, places=3)
    # Variances whose squares are no numbers any more.
    tiny = np.array([0.0, 1e-120])
    found = statistics.welch_difference(tiny, tiny)
    self.assertEqual((found.mean, found.tie), (0.0, True))

  def test_one_seed_has_no_interval(self):
    self.assertEqual(
      statistics.welch_difference(np.array([0.25]), np.array([0.5])),
      (-0.25, None, None),
    )
    self.assertEqual(
      statistics.welch_difference(
        np.array([0.25, np.nan]), np.array([0.5, 0.5])
      ),
      (-0.25, None, None),
    )
    self.assertEqual(
      statistics.welch_difference(np.array([np.nan]), np.array([0.5])),
      (None, None, None),
    )


if __name__ == "__main__":
  absltest.main()
