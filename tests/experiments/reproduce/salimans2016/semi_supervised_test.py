"""The figure of semi-supervised learning: checks of good runs, and of bad ones.

The metrics of runs are made up, so that nothing trains.
"""

import numpy as np
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments.reproduce.common.figure import Inputs
from experiments.reproduce.salimans2016 import semi_supervised
from experiments.run_folder.results import Results

SEMI = {20: [1500, 1000, 1800], 100: [90, 100, 95], 200: [80, 90, 85]}
SUPERVISED = {20: [5000, 4600, 4800], 100: [2300, 2200, 2100], 200: [1500] * 3}


def run(errors):
  last = np.array(errors, float)
  unknown = np.full(3, np.nan)
  return Results(
    "any",
    {},
    np.arange(3),
    np.array([0, 5, 10]),
    {
      "test_errors": np.full((3, 3), 9000.0),
      "average_test_errors": np.stack([last + 500, unknown, last], axis=1),
    },
    {"samples": np.zeros((3, 2, 64, 8, 8, 1), np.uint8)},
  )


def computed(semi, supervised):
  runs = {}
  for n in semi_supervised.LABELS:
    runs[f"{n} labels, semi-supervised"] = run(semi[n])
    runs[f"{n} labels, labels alone"] = run(supervised[n])
  return semi_supervised.compute(Inputs(runs))


class SemiSupervisedTest(parameterized.TestCase):
  def test_good_runs_pass_and_are_drawn(self):
    made = computed(SEMI, SUPERVISED)
    self.assertLen(made.checks, 4)
    for check in made.checks:
      self.assertIs(check.passed, True, check)
    self.assertAlmostEqual(made.checks[0].measured, 95)
    self.assertEqual(made.checks[0].published, 93)
    self.assertIsInstance(semi_supervised.draw(made.drawn), Figure)

  @parameterized.parameters(
    ({100: [500, 520, 510]}, {}, [0]),
    ({100: [20, 20, 900]}, {}, [0]),
    ({200: [1400, 2000, 900]}, {}, [3]),
    ({20: [4900, 5000, 4700]}, {}, [1]),
    (SUPERVISED, SEMI, [0, 1, 2, 3]),
    ({100: [90, float("nan"), 95]}, {}, [0, 2]),
  )
  def test_bad_runs_fail(self, semi, supervised, failed):
    made = computed(SEMI | semi, SUPERVISED | supervised)
    found = [i for i, check in enumerate(made.checks) if not check.passed]
    self.assertEqual(found, failed)

  def test_the_goal_is_trained_first(self):
    names = list(semi_supervised.REPRODUCTION.trainings)
    self.assertEqual(
      names[:2], ["100 labels, semi-supervised", "100 labels, labels alone"]
    )


if __name__ == "__main__":
  absltest.main()
