"""The run folder and the statistics in its summary."""

import json
import tempfile
from pathlib import Path

import numpy as np
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure
from PIL import Image, ImageSequence

from experiments.errors import RunFolderError
from experiments.run_folder import results, run_logs
from gan_jax.training import Log

ROWS = [
  f'{{"step": {step}, "seed": {seed}, "cost": 1.5}}\n'
  for step in (0, 10)
  for seed in (4, 5)
]
"""metrics.jsonl of a run."""
SETTINGS = {"experiment": "ring", "settings": {"steps": 10}, "seeds": [4, 5]}
"""settings.json of the run."""


class SummaryTest(parameterized.TestCase):
  def test_a_summary_has_every_seed(self):
    summary = results.seed_summary(np.array([1.0, 2.0, np.nan, 4.5]))
    # t(0.975, 2) * 1.8028 / sqrt(3), by a table of t.
    self.assertAlmostEqual(summary.pop("ci95"), 4.4784, places=3)
    self.assertEqual(summary, {"mean": 2.5, "per_seed": [1.0, 2.0, None, 4.5]})

  def test_too_few_seeds_have_no_interval(self):
    for values, expected in (
      ([np.nan, 3.0], {"mean": 3.0, "ci95": None, "per_seed": [None, 3.0]}),
      ([np.nan], {"mean": None, "ci95": None, "per_seed": [None]}),
      (
        [2.0, np.inf],
        {"mean": "inf", "ci95": None, "per_seed": [2.0, "inf"]},
      ),
      ([-np.inf], {"mean": "-inf", "ci95": None, "per_seed": ["-inf"]}),
    ):
      self.assertEqual(results.seed_summary(np.array(values)), expected)

  def test_best_is_where_the_score_is_highest(self):
    score = np.array([[0.1, 0.9, 0.2], [0.3, 0.3, 0.1]])
    metrics = {"distance": np.array([[5.0, 6.0, 7.0], [1.0, 2.0, 3.0]])}
    summary = results.final_and_best(metrics, score)
    self.assertEqual(summary["score"]["final"]["per_seed"], [0.2, 0.1])
    self.assertEqual(summary["score"]["best"]["per_seed"], [0.9, 0.3])
    distance = summary["metrics"]["distance"]
    self.assertEqual(distance["final"]["per_seed"], [7.0, 3.0])
    score[0] = np.nan
    best = results.final_and_best(metrics, score)["metrics"]["distance"]["best"]
    self.assertEqual(best["per_seed"], [None, 1.0])
    self.assertEqual(distance["best"]["per_seed"], [6.0, 1.0])

  def test_a_seed_that_diverged_has_the_score_0(self):
    nan, inf = np.nan, np.inf
    score = np.array(
      [
        [0.5, nan, nan, 0.2, 0.5],
        [0.5, 0.8, nan, inf, -inf],
        [0.5, nan, nan, nan, nan],
      ]
    )
    # Where no seed was measured, the score stays unknown.
    np.testing.assert_array_equal(
      results.count_diverged(score),
      [
        [0.5, 0.0, nan, 0.2, 0.5],
        [0.5, 0.8, nan, 0.0, 0.0],
        [0.5, 0.0, nan, 0.0, 0.0],
      ],
    )


class RunFolderTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.parent = Path(folder.name)

  def test_what_is_written_is_read_back(self):
    metrics = {"cost": np.array([[1.0, 2.0], [3.0, np.nan]])}
    snapshots = {"x": np.arange(3.0), "step": np.array([0, 10])}
    results.write_json(
      self.parent / results.SETTINGS,
      SETTINGS,
    )
    for index, step in enumerate((0, 10)):
      log = Log(step, {"cost": metrics["cost"][:, index]}, (), None)
      run_logs.append_log(self.parent, [4, 5], log, 1.5)
    np.savez_compressed(
      self.parent / results.SNAPSHOTS, allow_pickle=False, **snapshots
    )
    summary = {**SETTINGS, "metrics": {}}
    results.write_json(self.parent / results.SUMMARY, summary)
    read = results.read_results(self.parent)
    self.assertEqual(read.experiment, "ring")
    self.assertEqual(read.settings, {"steps": 10})
    np.testing.assert_array_equal(read.seeds, [4, 5])
    np.testing.assert_array_equal(read.steps, [0, 10])
    np.testing.assert_array_equal(read.metrics["cost"], metrics["cost"])
    np.testing.assert_array_equal(read.snapshots["x"], snapshots["x"])
    rows = (self.parent / results.METRICS).read_text().splitlines()
    self.assertEqual(
      json.loads(rows[3]),
      {"step": 10, "seed": 5, "wall_seconds": 1.5, "cost": None},
    )

  def test_another_folder_is_refused(self):
    with self.assertRaisesRegex(RunFolderError, "not a run folder: it has no"):
      results.read_results(self.parent)

  @parameterized.named_parameters(
    ("no_rows", "", 0, "0 of 2 logged steps"),
    ("a_torn_row", ROWS[0] + ROWS[1][:9] + "\n", 0, "line 2 of .*metrics"),
    ("one_row_of_two", "".join(ROWS[:3]), 1, "1 of 2 logged steps"),
    ("a_lost_row", "".join(ROWS[1:]), 2, "no row of step 0, seed 4"),
    ("swapped_rows", "".join(ROWS[::-1]), 2, None),
  )
  def test_damaged_rows_are_named(self, text, num_steps, message):
    results.write_json(
      self.parent / results.SETTINGS,
      SETTINGS,
    )
    summary = {**SETTINGS, "num_logs": 2, "metrics": {}}
    results.write_json(self.parent / results.SUMMARY, summary)
    np.savez(self.parent / results.SNAPSHOTS, x=np.arange(3))
    (self.parent / results.METRICS).write_text(text)
    read = results.read_results(self.parent)
    self.assertLen(read.steps, num_steps)
    if message is None:
      self.assertEmpty(read.faults)
    else:
      self.assertRegex(" ".join(read.faults), message)

  @parameterized.named_parameters(
    ("no_rows", (), []),
    ("a_row_of_one_seed", ROWS[:1], []),
    ("one_row_of_two", ROWS[:3], [0]),
  )
  def test_an_unfinished_run_has_its_whole_rows(self, rows, steps):
    results.write_json(
      self.parent / results.SETTINGS,
      SETTINGS,
    )
    (self.parent / results.METRICS).write_text("".join(rows))
    read = results.read_results(self.parent)
    self.assertEqual(read.steps.tolist(), steps)
    self.assertEqual(read.snapshots, {})
    for values in read.metrics.values():
      self.assertEqual(values.shape, (2, len(steps)))

  def test_figures_and_animations(self):
    frames = [
      Image.new("RGB", (16, 8), color) for color in ("red", "green", "blue")
    ]
    results.write_figures(
      self.parent, {"final.png": Figure(), "training.gif": iter(frames)}
    )
    with Image.open(self.parent / "training.gif") as image:
      self.assertLen(list(ImageSequence.Iterator(image)), 3)
    self.assertTrue((self.parent / "figures" / "final.png").exists())


class ResultsTest(absltest.TestCase):
  def test_the_average_generator_is_preferred(self):
    run = results.Results(
      "ring",
      {},
      np.arange(1),
      np.arange(1),
      {
        "modes_covered": np.array([[3.0]]),
        "average_modes_covered": np.array([[8.0]]),
        "reverse_kl": np.array([[0.5]]),
      },
      {},
    )
    self.assertEqual(run.sampled("modes_covered"), 8.0)
    self.assertEqual(run.sampled("reverse_kl"), 0.5)
    np.testing.assert_array_equal(run.sampled("not_measured"), [[np.nan]])


if __name__ == "__main__":
  absltest.main()
