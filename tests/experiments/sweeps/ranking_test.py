"""Trials in the order of their scores, and what is written of them."""

import contextlib
import csv
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from experiments.configs.habr import NORMAL_JSD
from experiments.configs.toy_1d import DISJOINT_JSD
from experiments.errors import RunFolderError
from experiments.run_folder import results
from experiments.sweeps import conclude, labels, ranking
from experiments.sweeps.plots import overview
from gan_jax.statistics import Difference
from tests.experiments import shown_pages
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
      # Each of the six pairs of four trials has its share of the level.
      low, high = stats.ttest_ind(
        each.results.final["score"], SCORES[0.2], equal_var=False
      ).confidence_interval(1 - 0.05 / 6)
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
    self.assertRegex(labels.verdict(self.ranked[1]), r"^tie, -0\.2 ± 0\.\d\d$")
    self.assertRegex(labels.verdict(self.ranked[3]), r"^-0\.6 ± 0\.4$")

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
    self.assertEqual(found["comparison"]["num_comparisons"], 6)
    self.assertEqual(found["comparison"]["num_trials"], 4)
    self.assertIn("Bonferroni", found["comparison"]["method"])
    (protocol,) = found["protocols"]
    self.assertEqual(protocol["dataset"], "normal")
    self.assertEqual([each["protocol"] for each in found["trials"]], [0] * 4)

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

  def test_a_trial_that_failed_follows_its_equals(self):
    plan = finished_sweeps.plan(GRID)
    folder = self.folder / "nothing"
    finished_sweeps.finish(
      plan,
      folder,
      lambda values: [0.0] * 3,
      {name: {5: 0, 6: 0, 7: 0} for name in NAMES[:2]},
    )
    ranked = ranking.rank_trials(ranking.read_trials(plan, folder))
    self.assertEqual([each.rank for each in ranked], [1] * 4)
    self.assertEqual(
      [each.trial.name for each in ranked], [*NAMES[2:], *NAMES[:2]]
    )
    self.assertEqual(
      [(each.leads, each.is_best) for each in ranked],
      [(True, True), (False, True), (False, False), (False, False)],
    )
    # None is the best if all failed.
    finished_sweeps.finish(
      plan,
      self.folder / "all",
      lambda values: [0.5] * 3,
      {name: {5: 0, 6: 0, 7: 0} for name in NAMES},
    )
    for each in ranking.rank_trials(
      ranking.read_trials(plan, self.folder / "all")
    ):
      self.assertFalse(each.leads or each.is_best)
      self.assertEqual(labels.verdict(each), "failed")

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

  def test_a_trial_that_failed_is_no_comparison(self):
    plan = finished_sweeps.plan(GRID)
    folder = self.folder / "counted"
    finished_sweeps.finish(
      plan,
      folder,
      lambda values: [0.5, 0.6, 0.7],
      {NAMES[1]: {5: 0, 6: 0, 7: 0}, NAMES[2]: {5: 0}},
    )
    ranked = ranking.rank_trials(ranking.read_trials(plan, folder))
    # Three trials are left, and one seed that failed is a score of 0.
    trials = [each.results for each in ranked]
    self.assertEqual(ranking.num_compared(trials), 3)
    self.assertEqual(ranking.num_comparisons(trials), 3)

  def test_a_seed_that_diverged_does_not_improve_its_trial(self):
    plan = finished_sweeps.plan("generator_learning_rate=0.1,0.2")
    folder = self.folder / "diverged"
    finished_sweeps.finish(plan, folder, lambda values: [0.5, 0.6, 0.7])
    path = folder / "trials" / NAMES[1] / results.SUMMARY
    for lost in (None, "inf", "-inf"):
      content = results.read_json(path)
      content["score"]["final"]["per_seed"] = [lost, 0.9, 0.9]
      results.write_json(path, content)
      best, second = ranking.rank_trials(ranking.read_trials(plan, folder))
      self.assertEqual((best.trial.name, second.score.n), (NAMES[0], 3))
      self.assertAlmostEqual(second.score.mean or 0, 0.6)


def drawn_scores(kind, rng, num_sweeps, num_trials, num_seeds):
  """Draws the scores of equal trials, [num_sweeps, num_trials, num_seeds]."""
  shape = num_sweeps, num_trials, num_seeds
  if kind == "normal":
    return rng.normal(size=shape)
  if kind == "unequal":
    return rng.normal(size=shape) * np.geomspace(0.1, 1, num_trials)[:, None]
  if kind == "skewed":
    return rng.beta(8, 2, size=shape)
  # Good scores, and every seventh seed has collapsed.
  good = np.clip(rng.normal(0.95, 0.02, shape), 0, 1)
  return np.where(rng.random(shape) < 0.15, 0.0, good)


def find_ties(scores):
  """Tells which trials are the best of their sweep or tie with it, with SciPy.

  Args:
    scores: [num_sweeps, num_trials, num_seeds].

  Returns:
    [num_sweeps, num_trials].
  """
  num_trials = scores.shape[1]
  best = np.argmax(scores.mean(-1), axis=1)[:, None]
  best_scores = np.take_along_axis(scores, best[..., None], axis=1)
  test: Any = stats.ttest_ind(scores, best_scores, axis=-1, equal_var=False)
  ties = test.pvalue >= 0.05 / (num_trials * (num_trials - 1) / 2)
  np.put_along_axis(ties, best, True, axis=1)
  return ties


class EqualTrialsTest(parameterized.TestCase):
  """Of equal trials, at most one sweep in twenty calls some trial worse."""

  def ties(self, scores):
    """Ranks trials [num_trials, num_seeds]; tells which are the best or tie."""
    num_seeds = scores.shape[1]
    (trial,) = finished_sweeps.plan("batch_size=8", num_seeds=num_seeds).trials
    ranked = ranking.rank_trials(
      [
        ranking.TrialResults(
          trial, Path(str(i)), {"score": x}, {}, {}, 0.0, {}, {}, {}
        )
        for i, x in enumerate(scores)
      ]
    )
    found = {int(str(each.results.workdir)): each.is_best for each in ranked}
    return np.array([found[index] for index in range(len(scores))])

  @parameterized.product(
    kind=("normal", "unequal", "skewed", "collapsing"), num_seeds=(4, 8)
  )
  def test_a_difference_is_seldom_found(self, kind, num_seeds):
    rng = np.random.default_rng(num_seeds)
    for num_trials in (2, 5, 20, 50):
      scores = drawn_scores(kind, rng, 4000, num_trials, num_seeds)
      tied = find_ties(scores)
      share = np.mean(~tied.all(axis=1))
      self.assertLess(share, 0.06, f"{num_trials} trials")
      # The ranking finds the same: in sweeps drawn, and in some with claims.
      claiming = np.flatnonzero(~tied.all(axis=1))[:5]
      for index in (*range(10), *claiming):
        np.testing.assert_array_equal(self.ties(scores[index]), tied[index])

  @parameterized.parameters((4, 18), (8, 8))
  def test_real_differences_are_found(self, num_seeds, errors):
    # One of 20 trials is better by several standard errors of a difference.
    rng = np.random.default_rng(0)
    found = []
    for _ in range(25):
      scores = rng.normal(size=(20, num_seeds))
      scores[7] += errors * np.sqrt(2 / num_seeds)
      ties = self.ties(scores)
      self.assertTrue(ties[7])
      found.append(np.mean(~np.delete(ties, 7)))
    self.assertGreater(np.mean(found), 0.9)


class ProtocolTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.plan = finished_sweeps.plan("batch_size=8,9;evaluation_samples=50,60")
    finished_sweeps.finish(
      self.plan,
      self.folder,
      lambda values: (
        0.01 * values["evaluation_samples"]
        + 0.1 * (values["batch_size"] == 9)
        + np.array([-0.01, 0, 0.01])
      ),
    )
    trials = ranking.read_trials(self.plan, self.folder)
    self.ranked = ranking.rank_trials(trials)

  def test_trials_are_ranked_apart(self):
    self.assertEqual(
      [
        (each.protocol, each.rank, *each.trial.values.values())
        for each in self.ranked
      ],
      [(0, 1, 9, 50), (0, 2, 8, 50), (1, 1, 9, 60), (1, 2, 8, 60)],
    )
    first, second = ranking.groups(self.ranked)
    for best, other in (first, second):
      self.assertIsNone(best.difference)
      self.assertAlmostEqual((other.difference or NOTHING).mean or 0, -0.1)
    # Of the 6 pairs of the 4 trials, 2 can be compared.
    trials = [each.results for each in self.ranked]
    self.assertEqual(ranking.num_comparisons(trials), 2)
    self.assertIn("2 comparisons", labels.method(self.ranked))

  def test_the_table_the_page_and_the_summary_say_it(self):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
      self.assertEqual(conclude.conclude(self.plan, self.folder), 0)
    line = (
      "not comparable, so ranked apart: evaluation samples is 50 in A, 60 in B"
    )
    self.assertIn(line, " ".join(printed.getvalue().split()))
    page = shown_pages.Reader((self.folder / results.REPORT).read_text())
    text = " ".join(page.words)
    self.assertIn(line, text)
    for name in ("A", "B"):
      self.assertIn(f" {name}: The best trial is batch_size=9,evaluat", text)
    found = results.read_json(self.folder / results.SUMMARY)
    self.assertEqual(
      [each["evaluation_samples"] for each in found["protocols"]], ["50", "60"]
    )
    self.assertEqual(
      [each["protocol"] for each in found["trials"]], [0, 0, 1, 1]
    )
    figures = overview.figures(self.plan, self.ranked)
    for figure in figures.values():
      self.assertIn(line, " ".join(figure.get_suptitle().split()))

  def test_a_protocol_without_scores_is_not_ranked(self):
    # The trials of 60 samples, which would be the best.
    finished_sweeps.forget_scores(self.plan, self.folder, (1, 3), "bad luck")
    ranked = ranking.rank_trials(ranking.read_trials(self.plan, self.folder))
    self.assertEqual(
      [(each.protocol, each.rank, each.leads) for each in ranked],
      [(0, 1, True), (0, 2, False), (1, None, False), (1, None, False)],
    )
    self.assertEqual([labels.verdict(each) for each in ranked[2:]], ["-"] * 2)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
      conclude.conclude(self.plan, self.folder)
    line = "o trial is ranked: not scored because bad luck"
    self.assertIn(f"\nB: n{line}\n", printed.getvalue())
    page = shown_pages.Reader((self.folder / results.REPORT).read_text())
    text = " ".join(page.words)
    self.assertIn(f"B: N{line}.", text)
    self.assertIn("A: The best trial is batch_size=9,", text)
    figure = overview.figures(self.plan, ranked)["learning_curves.png"]
    (curve,) = figure.axes[0].lines
    self.assertStartsWith(str(curve.get_label()), "best of A: batch_size=9,")

  def test_features_of_images_are_a_protocol(self):
    protocols = ("A", "B", "A", "A")
    for index, features in enumerate(protocols):
      path = self.plan.workdir(self.folder, index) / results.SUMMARY
      content = results.read_json(path)
      content["protocol"] = {
        "features": features,
        "features_accuracy": 0.9 + 1e-9 * index,
      }
      results.write_json(path, content)
    ranked = ranking.rank_trials(ranking.read_trials(self.plan, self.folder))
    self.assertEqual([each.protocol for each in ranked], [0, 0, 0, 1])


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
