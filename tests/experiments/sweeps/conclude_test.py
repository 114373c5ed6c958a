"""What a sweep leaves behind: files, a page, a table on the terminal."""

import contextlib
import io
import os
import tempfile
import urllib.parse
from pathlib import Path
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from experiments.datasets import data_record
from experiments.errors import RunFolderError
from experiments.run_folder import results
from experiments.sweeps import conclude as outcome
from experiments.sweeps import folders, report
from gan_jax.data import images
from tests.experiments import shown_pages
from tests.experiments.sweeps import finished_sweeps

GRID = "generator_learning_rate=0.03,0.1;discriminator_learning_rate=0.01,0.1"
FIRST, LAST = (
  f"generator_learning_rate={each},discriminator_learning_rate={each}"
  for each in ("0.1", "0.03")
)


def score(values):
  """Is the higher the higher both rates are."""
  mean = 5 * sum(values.values())
  return [mean - 0.25, mean - 0.24, mean - 0.26]


def conclude(plan, folder):
  """Returns the exit code, and what was printed and said."""
  with (
    contextlib.redirect_stdout(io.StringIO()) as printed,
    contextlib.redirect_stderr(io.StringIO()) as said,
  ):
    code = outcome.conclude(plan, folder)
  return code, printed.getvalue(), said.getvalue()


def make(folder, **changes):
  """Makes a sweep one of whose seeds failed."""
  plan = finished_sweeps.plan(GRID, **changes)
  worst = plan.trials[0].name
  finished_sweeps.finish(
    plan,
    folder,
    lambda values: score(values)[: len(plan.base.seeds)],
    {worst: {5: 50}},
  )
  return plan


class OutcomeTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    parent = self.enterContext(tempfile.TemporaryDirectory())
    self.folder = Path(parent) / "sweep"

  def test_files_and_the_terminal(self):
    plan = make(self.folder)
    code, printed, said = conclude(plan, self.folder)
    self.assertEqual((code, said), (0, ""))
    for name in (folders.CSV, results.SUMMARY, results.REPORT):
      self.assertTrue((self.folder / name).exists(), name)
    figures = self.folder / results.FIGURES
    self.assertEqual(
      sorted(each.name for each in figures.iterdir()),
      ["heat_map.png", "learning_curves.png"],
    )
    lines = printed.splitlines()
    self.assertEqual(lines[-1], f"written to {self.folder}")
    self.assertLess(max(map(len, lines[:-1])), 81)
    text = " ".join(printed.split())
    self.assertIn("4 trials of 3 seeds in 1 compiled program, 100 steps", text)
    self.assertRegex(
      text, r"1 generator_learning_rate=0\.1 0\.75 ± 0\.025 best discriminator"
    )
    self.assertIn(
      "all pairs of comparable trials that did not fail: 6 comparisons)", text
    )
    # No trial ties.
    self.assertNotIn("not told apart", text)
    # Once more: everything is there, and the same.
    before = (self.folder / results.SUMMARY).read_text()
    self.assertEqual(conclude(plan, self.folder)[0], 0)
    self.assertEqual((self.folder / results.SUMMARY).read_text(), before)

  def test_the_page(self):
    plan = make(self.folder)
    conclude(plan, self.folder)
    read = shown_pages.Reader((self.folder / results.REPORT).read_text())
    self.assertEmpty(read.open)
    for source in read.sources:
      self.assertStartsWith(source, "data:")
    # Two figures, and the icon.
    self.assertLen(read.sources, 3)
    # It leads to each trial's page, and to the files.
    self.assertLen(read.links, 6)
    for link in read.links:
      target = self.folder / urllib.parse.unquote(link)
      self.assertTrue(target.exists(), link)
    self.assertIn("0.1/report.html", urllib.parse.unquote(read.links[0]))
    text = " ".join(read.words)
    self.assertIn("4 trials of 3 seeds in 1 compiled program", text)
    self.assertIn("The best trial is generator_learning_rate=0.1,discr", text)
    self.assertIn("0 of the 3 others tie with it", text)
    self.assertIn("1 of 12 seeds of all trials failed", text)
    self.assertIn("it is optimistic", text)
    self.assertIn(
      "all pairs of comparable trials that did not fail: 6 comparisons): of "
      "equal trials, about one in twenty sweeps calls some trial worse; more "
      "where seeds collapse and there are fewer than 8.",
      text,
    )
    self.assertIn("discriminator_learning_rate 0.01, 0.1 learning rate", text)
    self.assertRegex(text, r"1 0\.1 0\.1 0\.75 ± 0\.025 best")
    self.assertRegex(text, r"4 0\.03 0\.01 .* 1 of 3")
    self.assertIn("python -m experiments.sweep --experiment=normal", text)
    self.assertIn(finished_sweeps.MACHINE["device"], text)
    self.assertIn("git commit abc123", text)

  def test_one_seed(self):
    plan = make(self.folder, num_seeds=1)
    code, printed, _ = conclude(plan, self.folder)
    self.assertEqual(code, 0)
    note = "one seed: no intervals; differences may be noise"
    self.assertIn(note, printed)
    text = (self.folder / results.REPORT).read_text()
    self.assertIn(note[1:], text)
    self.assertNotIn("±", text)
    self.assertNotIn("tie with", text)

  def test_more_trials_than_a_page_has(self):
    self.enterContext(mock.patch.object(report, "MAX_ROWS", 25))
    num_trials = report.MAX_ROWS + 5
    values = ",".join(str(each) for each in range(1, num_trials + 1))
    plan = finished_sweeps.plan(f"batch_size={values}", num_seeds=1)
    finished_sweeps.finish(
      plan, self.folder, lambda each: [1 / each["batch_size"]]
    )
    code, printed, _ = conclude(plan, self.folder)
    self.assertEqual(code, 0)
    self.assertIn(f"and {num_trials - 10} more", printed)
    read = shown_pages.Reader((self.folder / results.REPORT).read_text())
    self.assertEmpty(read.open)
    self.assertLen(read.links, report.MAX_ROWS + 2)
    self.assertIn("And 5 more.", " ".join(read.words))

  def test_everything_has_failed(self):
    plan = finished_sweeps.plan("loss=hinge,minimax", num_seeds=2)
    finished_sweeps.finish(
      plan,
      self.folder,
      lambda values: [0.5, 0.5],
      {each.name: {5: 50, 6: 100} for each in plan.trials},
    )
    code, _, said = conclude(plan, self.folder)
    self.assertEqual(code, 1)
    self.assertEqual(said, "error: every seed of every trial failed\n")
    read = shown_pages.Reader((self.folder / results.REPORT).read_text())
    text = " ".join(read.words)
    self.assertIn("Every seed of every trial failed.", text)
    self.assertIn("No trial is the best", text)
    for claim in ("it is optimistic", "are bold", "best is bold"):
      self.assertNotIn(claim, text)
    self.assertTrue((self.folder / results.SUMMARY).exists())

  def test_features_that_may_know_nothing(self):
    # The seed that failed has the score 0, and is not the best for it.
    plan = make(self.folder)
    finished_sweeps.forget_scores(plan, self.folder, range(4), "it may be luck")
    code, printed, said = conclude(plan, self.folder)
    self.assertEqual((code, said), (0, ""))
    line = "o trial is ranked: not scored because it may be luck"
    self.assertIn(f"\nn{line}\n", printed)
    read = shown_pages.Reader((self.folder / results.REPORT).read_text())
    self.assertEmpty(read.open)
    text = " ".join(read.words)
    self.assertIn(f"N{line}. 1 of 12 seeds", text)
    self.assertRegex(text, r"- 0\.03 0\.01 - - .* 1 of 3")
    for shown in (printed, text):
      self.assertNotRegex(shown, "The best (trial|is|of)")
      self.assertNotRegex(
        shown, "tie: |comparison|it is optimistic|are bold|is bold"
      )
    self.assertNotIn("Figures", text)
    self.assertEqual(list((self.folder / results.FIGURES).iterdir()), [])
    found = results.read_json(self.folder / results.SUMMARY)["trials"]
    self.assertEqual(
      [(each["rank"], each["score"]["final"]["mean"]) for each in found],
      [(None, None)] * 4,
    )

  def test_ties_and_settings_on_a_narrow_terminal(self):
    plan = finished_sweeps.plan(
      "generator_learning_rate=0.0001208,0.0002;"
      "discriminator_learning_rate=0.00012345,0.1"
    )
    finished_sweeps.finish(plan, self.folder, lambda values: [0.25, 0.9, 0.6])
    for columns in (60, 80, 140):
      with mock.patch.dict(os.environ, {"COLUMNS": str(columns)}):
        _, printed, _ = conclude(plan, self.folder)
      lines = printed.splitlines()
      self.assertLessEqual(max(map(len, lines[:-1])), columns)
      for value in ("0.0001208", "0.00012345"):
        # The name is before it, or above it.
        self.assertRegex(printed, rf"learning_rate=(\s.*\n\s+)?{value}\s")
      self.assertIn(
        "tie: not told apart from the best by these seeds",
        " ".join(printed.split()),
      )

  @parameterized.parameters((0.0, "ties"), (0.5, "does not tie"))
  def test_two_trials(self, effect, verb):
    plan = finished_sweeps.plan("batch_size=8,9")
    finished_sweeps.finish(
      plan,
      self.folder,
      lambda values: (
        np.array([0.2, 0.21, 0.22]) + effect * (values["batch_size"] == 9)
      ),
    )
    conclude(plan, self.folder)
    read = shown_pages.Reader((self.folder / results.REPORT).read_text())
    self.assertIn(f"The other {verb} with it.", " ".join(read.words))

  def test_images_that_were_read(self):
    plan = finished_sweeps.plan(
      "generator_learning_rate=0.1,0.2",
      name="dcgan_cifar10",
      dataset="folder",
      data_dir="/far/photos",
    )
    finished_sweeps.finish(plan, self.folder, lambda values: [0.1, 0.2, 0.3])
    finished_sweeps.forget_scores(plan, self.folder, range(2), "luck")
    photos = images.Images(np.zeros((3, 4, 4, 1), np.uint8), None, ())
    record = data_record.make(
      "folder", "/far/photos", images.Dataset(photos, photos, "a half", {}, ())
    )
    for index in range(2):
      path = plan.workdir(self.folder, index) / results.SETTINGS
      results.write_json(path, {**results.read_json(path), "data": record})
    conclude(plan, self.folder)
    read = shown_pages.Reader((self.folder / results.REPORT).read_text())
    text = " ".join(read.words)
    self.assertIn("convolutional networks on the images of photos; 2", text)
    self.assertNotIn("small photographs", text)
    self.assertEqual(text.count("Images of /far/photos: 3 training and 3"), 1)

  def test_the_average_of_a_generator_is_what_is_shown(self):
    plan = make(self.folder)
    path = plan.workdir(self.folder, 3) / results.SUMMARY
    content = results.read_json(path)
    each = {"mean": 3.25, "ci95": None, "per_seed": [3.25] * 3}
    content["metrics"]["average_jensen_shannon"] = {"final": each, "best": each}
    results.write_json(path, content)
    conclude(plan, self.folder)
    read = shown_pages.Reader((self.folder / results.REPORT).read_text())
    self.assertRegex(
      " ".join(read.words),
      r"best jensen shannon failed 1 0\.1 0\.1 0\.75 ± 0\.025 best 3\.25",
    )

  def test_a_damaged_trial_is_told(self):
    plan = make(self.folder)
    path = self.folder / "trials" / plan.trials[1].name / results.SUMMARY
    path.write_text("[]")
    with self.assertRaisesRegex(RunFolderError, plan.trials[1].name):
      conclude(plan, self.folder)
    # Nothing says that the sweep has come to an end.
    self.assertFalse((self.folder / results.SUMMARY).exists())

  def test_a_page_that_a_trial_lacks_is_made(self):
    plan = make(self.folder)
    workdir = plan.workdir(self.folder, 2)
    (workdir / results.REPORT).unlink()
    (workdir / results.EVENTS).touch()
    self.assertEqual(conclude(plan, self.folder)[0], 0)
    self.assertIn("It took 100 steps", (workdir / results.REPORT).read_text())
    self.assertTrue(results.is_finished(workdir))


@absltest.skipUnless(shown_pages.HAS_BROWSER, shown_pages.NO_BROWSER)
class BrowserTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    conclude(make(cls.folder), cls.folder)
    cls.browser = cls.enterClassContext(shown_pages.browser())

  @parameterized.parameters(390, 1280)
  def test_it_renders(self, width):
    path = self.folder / results.REPORT
    seen = shown_pages.look(self.browser, path, width)
    self.assertEmpty(seen["log"])
    self.assertEqual(seen["view"], width)
    self.assertLessEqual(seen["page"], width)
    self.assertTrue(seen["drawn"])
    self.assertGreater(seen["widest"], 0.4 * min(width, 1000))
    self.assertEqual(seen["count"], 2)


if __name__ == "__main__":
  absltest.main()
