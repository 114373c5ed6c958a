"""Checks pass right values and fail wrong ones."""

import json
import math

from absl.testing import absltest, parameterized

from experiments.reproduce.common import checks

ALGEBRA = "algebra"
# The interval of these is 1 +- 0.0248: t(0.975, 3) * 0.0155 / 2, by a table.
SEEDS = (0.98, 1.0, 1.0, 1.02)


class ChecksTest(parameterized.TestCase):
  @parameterized.parameters(
    (1.0, 1.04, True),
    (1.0, 0.96, True),
    (1.0, 1.06, False),
    (1.0, 0.94, False),
    (1.0, -1.0, False),
    (1.0, 2.0, False),
    (math.inf, math.inf, True),
    (math.inf, 1e300, False),
    (1.0, math.inf, False),
    (1.0, math.nan, False),
  )
  def test_close(self, expected, measured, passed):
    check = checks.close("x", measured, expected, 0.05, ALGEBRA)
    self.assertIs(check.passed, passed)

  @parameterized.parameters(
    (checks.at_least, 9.0, True),
    (checks.at_least, 0.96, True),
    (checks.at_least, 0.94, False),
    (checks.at_least, math.nan, False),
    (checks.at_most, -9.0, True),
    (checks.at_most, 1.04, True),
    (checks.at_most, 1.06, False),
    (checks.at_most, math.nan, False),
  )
  def test_bounds(self, bound, measured, passed):
    check = bound("x", measured, 1.0, ALGEBRA, margin=0.05)
    self.assertIs(check.passed, passed)
    self.assertIsNone(check.ci95)

  @parameterized.parameters(
    (1.0, 0.03, True),
    # The near end of the interval, 1.0260, is .024 and .014 away.
    (1.05, 0.026, True),
    (1.04, 0.026, True),
    (1.08, 0.026, False),
    (0.92, 0.026, False),
    # Narrower than the interval.
    (1.0, 0.02, False),
  )
  def test_covers(self, expected, margin, passed):
    check = checks.covers("x", SEEDS, expected, margin, ALGEBRA)
    self.assertIs(check.passed, passed)
    self.assertAlmostEqual(check.measured, 1.0)
    assert check.ci95 is not None
    self.assertAlmostEqual(check.ci95, 3.182446 * 0.0163299 / 2, places=5)

  @parameterized.parameters(
    (checks.at_least, 1.04, True),
    (checks.at_least, 1.08, False),
    (checks.at_most, 0.96, True),
    (checks.at_most, 0.92, False),
  )
  def test_bounds_of_seeds(self, bound, value, passed):
    check = bound("x", SEEDS, value, ALGEBRA, margin=0.03)
    self.assertIs(check.passed, passed)

  def test_seeds_that_disagree_prove_nothing(self):
    # Half of the seeds collapse. The interval, 4.5 +- 5.9, reaches 8.
    check = checks.at_least("modes", [8, 1, 8, 1], 7, ALGEBRA, margin=1)
    self.assertIs(check.passed, False)

  def test_a_failed_seed_fails_the_check(self):
    check = checks.at_most("x", [1.0, math.nan, 1.0], 2, ALGEBRA, margin=1)
    self.assertIs(check.passed, False)

  def test_one_seed_has_no_interval(self):
    with self.assertRaisesRegex(ValueError, "two seeds"):
      checks.covers("x", [1.0], 1, 1, ALGEBRA)

  def test_a_published_number_is_shown_and_not_judged(self):
    record = checks.compare("x", 17.0, published=3.0).record()
    self.assertIsNone(record["passed"])
    self.assertIsNone(record["expected"])
    self.assertEqual(record["published"], 3.0)
    self.assertTrue(record["unconfirmed"])
    record = checks.compare("x", 17.0, 3.0, "table 1").record()
    self.assertFalse(record["unconfirmed"])

  @parameterized.parameters(
    (checks.close("x", 1.0, 1.0, 0.1, ALGEBRA), "computed", False),
    # A number that is printed beside an expected one has its place or none.
    (checks.close("x", 1.0, 1.0, 0.1, ALGEBRA, 1.1), "computed", True),
    (checks.close("x", 1.0, 1.0, 0.1, "", 1.1, "table 1"), "computed", False),
    (
      checks.covers("x", SEEDS, 1.0, 0.1, "", 1.0, "table 1"),
      "published",
      False,
    ),
    (
      checks.at_least("x", 2.0, 1.0, "", 0.1, 1.0, "table 1"),
      "published",
      False,
    ),
    (checks.at_most("x", 0.0, 1.0, "", 0.1, 1.0), "unconfirmed", True),
    (checks.compare("x", 1.0, 1.1), "unconfirmed", True),
    (checks.compare("x", 1.0, 1.1, "table 1"), "published", False),
  )
  def test_provenance(self, check, provenance, unconfirmed):
    record = check.record()
    self.assertEqual(record["provenance"], provenance)
    self.assertIs(record["unconfirmed"], unconfirmed)

  @parameterized.parameters(math.inf, -math.inf, math.nan, 0.5)
  def test_a_record_is_json(self, measured):
    record = checks.close("x", measured, math.inf, 0.0, ALGEBRA).record()
    read = json.loads(json.dumps(record, allow_nan=False))
    self.assertEqual(read, record)
    # float() reads the strings back.
    self.assertEqual(str(float(read["measured"])), str(measured))

  def test_lower_end(self):
    self.assertAlmostEqual(checks.lower_end(SEEDS), 1 - 0.02598, places=4)
    self.assertTrue(math.isnan(checks.lower_end([1.0])))
    self.assertTrue(math.isnan(checks.lower_end([1.0, 1.1, math.nan])))


if __name__ == "__main__":
  absltest.main()
