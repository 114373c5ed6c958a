"""Trials in the order of their scores, and what is written of them."""

import csv
import tempfile
from pathlib import Path

import numpy as np
from absl.testing import absltest
from scipy import stats

from experiments.configs.habr import NORMAL_JSD
from experiments.configs.toy_1d import DISJOINT_JSD
from experiments.errors import RunFolderError
from experiments.run_folder import results
from experiments.sweeps import conclude, labels, ranking
from gan_jax.statistics import Difference
from tests.experiments.sweeps import finished_sweeps

SCORES = {
  0.1: [0.5, 0.5, 0.8],
  0.2: [0.7, 0.8, 0.9],
  0.3: [0.2, 0.1, 0.3],
  0.4: [0.8, 0.0, 0.7],
}
"""Learning rate -> scores, whose means are 0.6, 0.8, 0.2 and 0.5."""
NOTHING = Difference(None, None, None)
GRID = "generator_learning_rate=0.1,0.2,0.3,0.4"
NAMES = [f"generator_learning_rate={each}" for each in SCORES]


class RankingTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    cls.plan = finished_sweeps.plan(GRID, batch_size=32)
    finished_sweeps.finish(
      cls.plan,
      cls.folder,
      lambda values: SCORES[values["generator_learning_rate"]],
      {NAMES[3]: {6: 50}},
    )
    cls.trials = ranking.read_trials(cls.plan, cls.folder)
    cls.ranked = ranking.rank_trials(cls.trials)
    cls.seconds = conclude.program_seconds(cls.plan, cls.folder, cls.trials)

  def test_order_and_ties(self):
    self.assertEqual(
      [(each.rank, each.trial.name) for each in self.ranked],
      list(enumerate([NAMES[1], NAMES[0], NAMES[3], NAMES[2]], 1)),
    )
    np.testing.assert_allclose(
      np.array([each.score.mean for each in self.ranked], float),
      [0.8, 0.6, 0.5, 0.2],
    )
    self.assertIsNone(self.ranked[0].difference)
    for each, tie in zip(self.ranked[1:], (True, True, False), strict=True):
      low, high = stats.ttest_ind(
        each.results.final["score"], SCORES[0.2], equal_var=False
      ).confidence_interval(0.95)
      difference = each.difference or NOTHING
      np.testing.assert_allclose(
        np.array(difference[:2], float), [(low + high) / 2, (high - low) / 2]
      )
      self.assertEqual(difference.tie, tie)
      self.assertEqual(low <= 0 <= high, tie)
    self.assertEqual(
      [each.is_best for each in self.ranked], 3 * [True] + [False]
    )
    self.assertEqual(labels.verdict(self.ranked[0]), "best")
    self.assertRegex(
      labels.verdict(self.ranked[1]), r"^tie \(-0\.2 ± 0\.\d\d\)"
    )
    self.assertRegex(labels.verdict(self.ranked[3]), r"^-0\.6 ± 0\.23$")

  def test_a_table_of_seeds(self):
    path = self.folder / "table.csv"
    conclude.write_seed_table(self.plan, self.trials, path)
    with path.open(newline="") as file:
      rows = list(csv.DictReader(file))
    self.assertLen(rows, 12)
    for index, row in enumerate(rows):
      rate = list(SCORES)[index // 3]
      self.assertEqual(row["trial"], NAMES[index // 3])
      self.assertEqual(int(row["seed"]), 5 + index % 3)
      self.assertEqual(float(row["generator_learning_rate"]), rate)
      self.assertEqual(row["batch_size"], "32")
      self.assertEqual(row["penalty"], "none")
      self.assertEqual(float(row["score_final"]), SCORES[rate][index % 3])
    each = rows[0]
    jsd = float(each["jensen_shannon_final"])
    # repr keeps every digit.
    self.assertEqual(jsd, self.trials[0].final["jensen_shannon"][0])
    np.testing.assert_allclose(
      (DISJOINT_JSD - jsd) / (DISJOINT_JSD - NORMAL_JSD), 0.5
    )
    self.assertEqual((each["failed"], each["failed_at"]), ("false", ""))
    # The seed that failed scores 0, and has no metrics at the end.
    lost = rows[10]
    self.assertEqual((lost["failed"], lost["failed_at"]), ("true", "50"))
    self.assertEqual(lost["score_final"], "0.0")
    self.assertEqual(lost["jensen_shannon_final"], "")
    self.assertNotEqual(lost["jensen_shannon_best"], "")

  def test_the_summary(self):
    path = self.folder / "content.json"
    results.write_json(
      path, conclude.summary_json(self.plan, self.ranked, self.seconds)
    )
    found = results.read_json(path)
    self.assertEqual(found["experiment"], "normal")
    self.assertEqual(found["settings"]["batch_size"], 32)
    self.assertEqual(found["seeds"], [5, 6, 7])
    self.assertEqual((found["num_trials"], found["num_programs"]), (4, 1))
    # The four train together.
    self.assertEqual(found["program_seconds"], finished_sweeps.SECONDS)
    self.assertEqual(
      found["environments"], [{**finished_sweeps.MACHINE, "num_trials": 4}]
    )
    best, second, third, last = found["trials"]
    self.assertEqual(best["values"], {"generator_learning_rate": 0.2})
    self.assertEqual(best["score"]["final"]["per_seed"], SCORES[0.2])
    self.assertAlmostEqual(best["score"]["final"]["mean"], 0.8)
    self.assertIn("ci95", best["metrics"]["jensen_shannon"])
    self.assertEqual((best["difference"], best["tie"]), (None, None))
    self.assertAlmostEqual(second["difference"]["mean"], -0.2)
    self.assertTrue(second["tie"])
    self.assertEqual(third["failures"], [{"seed": 6, "step": 50}])
    self.assertFalse(last["tie"])
    self.assertEqual(last["rank"], 4)

  def test_rounds_that_are_not_known(self):
    plan = finished_sweeps.plan("batch_size=4,8")
    folder = self.folder / "two"
    finished_sweeps.finish(plan, folder, lambda values: [0.5, 0.6, 0.7])
    trials = ranking.read_trials(plan, folder)
    self.assertEqual(
      conclude.program_seconds(plan, folder, trials),
      2 * finished_sweeps.SECONDS,
    )
    (folder / "programs" / "001" / "rounds.json").unlink()
    self.assertIsNone(conclude.program_seconds(plan, folder, trials))

  def test_one_seed(self):
    plan = finished_sweeps.plan(GRID, num_seeds=1)
    folder = self.folder / "one"
    finished_sweeps.finish(
      plan, folder, lambda values: [values["generator_learning_rate"]]
    )
    ranked = ranking.rank_trials(ranking.read_trials(plan, folder))
    self.assertEqual(ranked[0].trial.name, NAMES[3])
    for each in ranked[1:]:
      self.assertEqual((each.difference or NOTHING)[1:], (None, None))
      self.assertIsNotNone((each.difference or NOTHING).mean)
      self.assertFalse(each.is_best)
    self.assertEqual(labels.verdict(ranked[1]), "-0.1")

  def test_equals_share_a_rank(self):
    plan = finished_sweeps.plan(GRID)
    folder = self.folder / "equal"
    finished_sweeps.finish(
      plan,
      folder,
      lambda values: [float(values["generator_learning_rate"] < 0.15)] * 3,
      {name: {5: 0, 6: 0, 7: 50} for name in NAMES[1:]},
    )
    ranked = ranking.rank_trials(ranking.read_trials(plan, folder))
    self.assertEqual([each.rank for each in ranked], [1, 2, 2, 2])
    self.assertEqual([each.trial.name for each in ranked], NAMES)
    self.assertEqual(ranked[1].difference, (-1.0, 0.0, False))
    self.assertFalse(ranking.all_failed(ranked))
    self.assertTrue(ranking.all_failed(ranked[1:]))

  def test_a_trial_that_failed_ties_with_none(self):
    # The best one's interval is so wide that 0 is in it.
    plan = finished_sweeps.plan("generator_learning_rate=0.1,0.2")
    folder = self.folder / "failed"
    finished_sweeps.finish(
      plan,
      folder,
      lambda values: (
        [0.1, 0.0, 0.0] if values["generator_learning_rate"] < 0.15 else [0] * 3
      ),
      {NAMES[1]: {5: 0, 6: 0, 7: 0}},
    )
    best, failed = ranking.rank_trials(ranking.read_trials(plan, folder))
    mean, ci95, tie = failed.difference or NOTHING
    self.assertLess(abs(mean or np.inf), ci95 or 0)
    self.assertFalse(tie)
    self.assertFalse(failed.is_best)
    self.assertEqual(labels.verdict(failed), "failed")
    self.assertEqual(labels.verdict(best), "best")


class DamagedTest(absltest.TestCase):
  def test_one_line_that_names_the_folder(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    plan = finished_sweeps.plan(GRID)
    finished_sweeps.finish(plan, folder, lambda values: [0.1, 0.2, 0.3])
    path = folder / "trials" / NAMES[1] / results.SUMMARY
    whole = results.read_json(path)
    for damage, message in (
      (lambda each: each.clear(), "is a damaged run: KeyError"),
      (lambda each: each["score"].update(final=3), "is a damaged run"),
      (
        lambda each: each["score"]["final"]["per_seed"].pop(),
        "score of 2 seeds, not of 3",
      ),
      (lambda each: each.update(failures=[[]]), "is a damaged run"),
      (lambda each: each.update(seeds=[1, 2, 3]), "another run than its sweep"),
      (
        lambda each: each["settings"].update(generator_learning_rate=0.1),
        "another run than its sweep",
      ),
      (
        lambda each: each["settings"].update(steps=10**6),
        "trained for 1,000,000 steps since, not the .*move that folder away",
      ),
    ):
      content = results.read_json(path)
      damage(content)
      results.write_json(path, content)
      with self.assertRaisesRegex(RunFolderError, message) as caught:
        ranking.read_trials(plan, folder)
      self.assertIn(NAMES[1], str(caught.exception))
      self.assertLen(str(caught.exception).splitlines(), 1)
      results.write_json(path, whole)
    path.write_text("{")
    with self.assertRaisesRegex(RunFolderError, "is damaged: it is not JSON"):
      ranking.read_trials(plan, folder)


if __name__ == "__main__":
  absltest.main()
