"""Checks pass right values and fail wrong ones."""

import json
import math

from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments.reproduce.common.figure import Check, Computed, Reproduction


class CheckTest(parameterized.TestCase):
  @parameterized.parameters(
    ("within", 1.0, 1.04, True),
    ("within", 1.0, 0.96, True),
    ("within", 1.0, 1.06, False),
    ("within", 1.0, 0.94, False),
    ("within", 1.0, -1.0, False),
    ("within", math.inf, math.inf, True),
    ("within", math.inf, 1e300, False),
    ("within", 1.0, math.inf, False),
    ("at least", 1.0, 9.0, True),
    ("at least", 1.0, 0.96, True),
    ("at least", 1.0, 0.94, False),
    ("at most", 1.0, -9.0, True),
    ("at most", 1.0, 1.04, True),
    ("at most", 1.0, 1.06, False),
    *(
      (relation, 1.0, math.nan, False)
      for relation in ("within", "at least", "at most")
    ),
  )
  def test_judgement(self, relation, expected, measured, passed):
    check = Check("x", expected, 0.05, "algebra", relation)
    self.assertIs(check.judge(measured)["passed"], passed)

  def test_a_computed_expectation(self):
    check = Check("x", lambda: math.log(2), 1e-6, "closed form: log 2")
    self.assertTrue(check.judge(0.6931472)["passed"])
    self.assertEqual(check.judge(0.0)["expected"], math.log(2))

  def test_check_without_expectation_is_not_judged(self):
    check = Check("x", None, 0.0, "", published=3.0, unconfirmed=True)
    record = check.judge(17.0)
    self.assertIsNone(record["passed"])
    self.assertEqual(record["published"], 3.0)
    self.assertTrue(record["unconfirmed"])

  def test_record_is_json(self):
    check = Check("x", math.inf, 0.0, "closed form: infinite")
    for measured in (math.inf, -math.inf, math.nan, 0.5):
      record = check.judge(measured)
      read = json.loads(json.dumps(record, allow_nan=False))
      self.assertEqual(read, record)
      # float() reads the strings back.
      self.assertEqual(str(float(read["measured"])), str(measured))


class ReproductionTest(absltest.TestCase):
  def test_measurements_must_match_the_checks(self):
    reproduction = Reproduction(
      id="x",
      source="",
      summary="",
      compute=lambda runs: Computed({}, {}),
      checks=(Check("a", 1.0, 0.1, ""), Check("b", 1.0, 0.1, "")),
      draw=lambda drawn: Figure(),
    )
    passed = [
      check["passed"]
      for check in reproduction.judge(Computed({"b": 0.0, "a": 1.0}, {}))
    ]
    self.assertEqual(passed, [True, False])
    for measured in ({"a": 1.0}, {"a": 1.0, "b": 1.0, "c": 1.0}):
      with self.assertRaises(KeyError):
        reproduction.judge(Computed(measured, {}))


if __name__ == "__main__":
  absltest.main()
