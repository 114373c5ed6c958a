"""Pages about runs: what they say, and how a browser shows them."""

import base64
import contextlib
import io
import json
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from absl.testing import absltest, parameterized

from experiments import report
from experiments.errors import RunFolderError, UsageError
from experiments.run_folder import results, run_logs
from tests.experiments import shown_pages, trained_runs
from tests.experiments.shown_pages import Reader

SMALL = {
  "steps": 6,
  "log_every": 2,
  "evaluation_samples": 64,
  "batch_size": 16,
  "generator_width": 8,
  "discriminator_width": 8,
}


class ReportTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    cls.runs = []
    for loss in ("hinge", "wasserstein"):
      settings = trained_runs.settings_of("ring", [3, 4], loss=loss, **SMALL)
      cls.runs.append(trained_runs.train(cls.folder, settings)[0])

  def report(self, *arguments):
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
      self.assertEqual(report.run(["report", *map(str, arguments)]), 0)
    return Path(stdout.getvalue().removeprefix("written to ").strip())

  def read(self, path):
    page = Reader(path.read_text())
    self.assertEmpty(page.open)
    # Nothing is fetched from anywhere.
    for source in page.sources:
      self.assertStartsWith(source, "data:")
    return page, " ".join(page.words)

  def test_a_run_leaves_its_page(self):
    page, text = self.read(self.runs[0] / results.REPORT)
    summary = results.read_json(self.runs[0] / results.SUMMARY)
    final = summary["metrics"]["modes_covered"]["final"]
    low, high = sorted(final["per_seed"])
    self.assertIn(
      f"modes_covered {final['mean']:.4g} ({low:.4g} and {high:.4g})", text
    )
    self.assertIn("It took 6 steps", text)
    self.assertIn(
      "python -m experiments.run --experiment=ring --loss=hinge", text
    )
    self.assertIn("--seed=3 --num_seeds=2", text)
    self.assertIn("loss hinge", text)
    self.assertIn(summary["device"], text)
    # Its pictures, its animation and the icon that stops a browser's request.
    figures = list((self.runs[0] / results.FIGURES).iterdir())
    self.assertNotEmpty(figures)
    self.assertCountEqual(
      [
        base64.b64decode(source.partition("base64,")[2])
        for source in page.sources[1:]
      ],
      [
        path.read_bytes()
        for path in (self.runs[0] / results.ANIMATION, *figures)
      ],
    )
    self.assertIn("began", text)
    self.assertIn("ended", text)

  def test_the_command_of_a_page_trains_the_same(self):
    described = results.read_json(self.runs[0] / results.SETTINGS)
    again = self.report(self.runs[0])
    self.assertEqual(again, self.runs[0] / results.REPORT)
    _, text = self.read(again)
    for name, value in SMALL.items():
      self.assertEqual(described["settings"][name], value)
      self.assertIn(f"--{name}={value}", text)
    self.assertIn(f"--threads={described['threads']}", text)

  def test_runs_are_compared(self):
    out = self.folder / "page.html"
    self.report(*self.runs, f"--out={out}")
    page, text = self.read(out)
    self.assertIn("2 runs compared", text)
    self.assertIn("loss hinge wasserstein", text)
    self.assertNotIn("batch_size 16 16", text)
    finals = [
      results.read_json(workdir / results.SUMMARY)["score"]["final"]["mean"]
      for workdir in self.runs
    ]
    self.assertRegex(text, rf"score {finals[0]:.4g}.* {finals[1]:.4g}")
    alone = [Reader((each / results.REPORT).read_text()) for each in self.runs]
    self.assertLen(
      page.sources, 4 + sum(len(each.sources) - 1 for each in alone)
    )
    with self.assertRaisesRegex(UsageError, "exists; pass --overwrite"):
      self.report(*self.runs, f"--out={out}")
    self.report(*self.runs, f"--out={out}", "--overwrite")

  def test_good_values_and_meanings(self):
    _, text = self.read(self.runs[1] / results.REPORT)
    self.assertRegex(
      text,
      r"modes_covered [\d.]+ \([^)]*\) [\d.]+ \([^)]*\) modes, higher is "
      "better, ideal all number of modes with one sample",
    )
    self.assertRegex(text, r"critic_distance .* lower is better, ideal 0")
    out = self.folder / "guides.html"
    self.report(*self.runs, f"--out={out}")
    _, text = self.read(out)
    mean = r"[\d.]+ \([^)]*\) "
    self.assertRegex(text, f"score {mean}{mean}higher is better, ideal 1")

  def test_runs_of_different_length(self):
    settings = trained_runs.settings_of("ring", [3, 4], **{**SMALL, "steps": 2})
    short, _ = trained_runs.train(self.folder, settings)
    text, _ = self.compared(self.runs[0], short)
    self.assertIn("These runs are of different length", text)
    self.assertIn(f"{short.name} has taken 2 steps", text)
    self.assertIn("steps 6 2", text)
    self.assertNotIn("different length", self.compared(*self.runs)[0])

  def test_final_pictures_are_side_by_side(self):
    out = self.folder / "finals.html"
    self.report(*self.runs, f"--out={out}")
    page, text = self.read(out)
    self.assertIn("The final pictures", text)
    finals = [
      base64.b64encode((each / results.FIGURES / "final.png").read_bytes())
      for each in self.runs
    ]
    # After the icon and the curves; and again, each with its run.
    self.assertEqual(
      [source.partition("base64,")[2] for source in page.sources[2:4]],
      [each.decode() for each in finals],
    )

  @pytest.mark.slow
  def test_a_comparison_of_long_runs_is_fast(self):
    num_steps = 25_000  # Of two seeds: 50,000 rows.
    workdirs, texts = [], []
    for index, run in enumerate(self.runs):
      workdir = self.folder / f"long-{index}"
      shutil.copytree(run, workdir)
      rows = results.read_rows(workdir / results.METRICS).rows
      text = "".join(
        json.dumps({**row, "step": step}) + "\n"
        for step in range(num_steps)
        for row in rows[:2]
      )
      (workdir / results.METRICS).write_text(text)
      (workdir / results.SUMMARY).unlink()
      workdirs.append(workdir)
      texts.append(text)
    started = time.process_time()
    for text in texts:
      list(map(json.loads, text.splitlines()))
    parsed = time.process_time()
    self.report(*workdirs, f"--out={self.folder / 'long.html'}")
    finished = time.process_time()
    # A busy machine parses more slowly, too. It was 3.1 to 3.6 times as long,
    # and 28 times with every point drawn.
    self.assertLess(finished - parsed, 7 * (parsed - started))

  def test_a_run_of_an_earlier_version_without_new_rows(self):
    workdir = self.folder / "without_gradients"
    shutil.copytree(self.runs[1], workdir)
    trained_runs.forget_metrics(
      workdir,
      "critic_distance",
      "generator_gradient_norm",
      "discriminator_gradient_norm",
    )
    path = workdir / results.METRICS
    rows = results.read_rows(path).rows
    for row in rows:
      del row["score"], row["wall_seconds"]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    summary = results.read_json(workdir / results.SUMMARY)
    summary["metrics_sha256"] = results.checksum(path.read_text())
    results.write_json(workdir / results.SUMMARY, summary)
    final = summary["score"]["final"]["mean"]
    _, text = self.read(self.report(workdir))
    self.assertIn(f"score {final:.4g}", text)
    self.assertNotIn("gradient_norm", text)
    self.assertNotIn("has changed since", text)
    text, _ = self.compared(workdir, self.runs[1])
    self.assertIn("critic_distance -", text)

  def test_a_run_of_an_earlier_version_keeps_its_score(self):
    workdir = self.folder / "earlier"
    shutil.copytree(self.runs[0], workdir)
    trained_runs.forget_metrics(workdir, "mode_overlap", "average_mode_overlap")
    summary = results.read_json(workdir / results.SUMMARY)
    summary["score"]["final"]["mean"] = 0.4321
    results.write_json(workdir / results.SUMMARY, summary)
    _, text = self.read(self.report(workdir))
    self.assertIn("score 0.4321", text)
    self.assertNotIn("mode_overlap", text)

  def compared(self, *runs):
    """Returns the text of a comparison, and the lines that are printed."""
    out = self.folder / "compared.html"
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
      report.run(["report", *map(str, runs), f"--out={out}", "--overwrite"])
    return self.read(out)[1], stdout.getvalue().splitlines()

  def test_metrics_that_are_not_comparable_are_marked(self):
    text, lines = self.compared(*self.runs)
    self.assertLen(lines, 1)
    self.assertNotIn("omparable", text)
    self.assertNotIn("score *", text)
    settings = trained_runs.settings_of(
      "ring", [3, 4], **{**SMALL, "evaluation_samples": 32}
    )
    fewer, _ = trained_runs.train(self.folder, settings)
    text, lines = self.compared(self.runs[0], fewer)
    difference = (
      f"evaluation samples is 64 in {self.runs[0].name}, 32 in {fewer.name}"
    )
    self.assertEqual(lines[0], f"* not comparable: {difference}")
    self.assertIn(f"* Not comparable: {difference}.", text)
    self.assertIn("score *", text)
    self.assertIn("high_quality_fraction *", text)
    self.assertNotIn("generator_cost *", text)

  def test_features_of_other_networks_are_not_comparable(self):
    other = self.folder / "other_features"
    shutil.copytree(self.runs[0], other)
    protocol = {"features": "B", "features_accuracy": 0.9, "dataset": "mnist"}
    for workdir, features, name in (
      (self.runs[0], "A", results.SETTINGS),
      # An older run has its protocol in its summary only.
      (other, "B", results.SUMMARY),
    ):
      content = results.read_json(workdir / name)
      self.addCleanup(results.write_json, workdir / name, content)
      changed = {**content, "protocol": {**protocol, "features": features}}
      results.write_json(workdir / name, changed)
    _, lines = self.compared(self.runs[0], other)
    self.assertEqual(
      lines[0],
      f"* not comparable: features is A in {self.runs[0].name}, B in "
      "other_features",
    )
    # A classifier trained elsewhere differs in its last digits.
    protocol |= {"features": "A", "features_accuracy": 0.9000001}
    content = results.read_json(other / results.SUMMARY)
    results.write_json(
      other / results.SUMMARY, {**content, "protocol": protocol}
    )
    self.assertLen(self.compared(self.runs[0], other)[1], 1)

  def test_a_run_that_has_not_finished(self):
    workdir = self.folder / "unfinished"
    shutil.copytree(self.runs[0], workdir)
    for name in (results.SUMMARY, results.SNAPSHOTS, results.REPORT):
      (workdir / name).unlink()
    shutil.rmtree(workdir / results.FIGURES)
    (workdir / results.ANIMATION).unlink()
    run_logs.cut_logs(workdir, 3)
    run_logs.append_event(workdir, "collapsed", 2, "<b>bad</b> & sad", seed=4)
    _, text = self.read(self.report(workdir))
    self.assertIn("It has logged 2 of 6 steps, and not finished.", text)
    self.assertIn("Step 2, seed 4: <b>bad</b> & sad.", text)
    self.assertIn("modes_covered", text)
    _, text = self.read(
      self.report(workdir, self.runs[1], f"--out={self.folder / 'c.html'}")
    )
    self.assertIn("2 runs compared", text)
    self.assertIn("unfinished (step 2 of 6)", text)
    self.assertIn(f"--resume --workdir={workdir}", text)
    (workdir / results.METRICS).unlink()
    _, text = self.read(self.report(workdir))
    self.assertIn("It has logged 0 of 6 steps", text)

  def test_runs_of_one_name_are_told_apart(self):
    other = self.folder / "elsewhere" / self.runs[0].name
    shutil.copytree(self.runs[0], other)
    out = self.folder / "same.html"
    self.report(self.runs[0], other, f"--out={out}")
    _, text = self.read(out)
    self.assertIn(f"run {self.runs[0]} {other}", text)

  def test_a_damaged_run_is_told(self):
    other = self.folder / "damaged"
    shutil.copytree(self.runs[0], other)
    (other / results.SUMMARY).write_text("{}")
    with self.assertRaisesRegex(RunFolderError, "is a damaged run"):
      self.report(other)

  @parameterized.parameters(
    ([], UsageError, "name a run folder"),
    (["nowhere"], RunFolderError, "there is no folder nowhere"),
    (["a", "a"], UsageError, "named twice"),
    (["a", "--out=nowhere/page.html"], UsageError, "there is no folder"),
    (["a", "--ot=b"], UsageError, "did you mean --out"),
  )
  def test_mistakes(self, arguments, error, message):
    with self.assertRaisesRegex(error, message):
      report.run(["report", *arguments])


@absltest.skipUnless(shown_pages.HAS_BROWSER, shown_pages.NO_BROWSER)
class BrowserTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    settings = trained_runs.settings_of("ring", [0], **SMALL)
    cls.run_folder, _ = trained_runs.train(cls.folder, settings)
    cls.browser = cls.enterClassContext(shown_pages.browser())

  @parameterized.parameters(390, 1280)
  def test_it_renders(self, width):
    page = self.run_folder / results.REPORT
    seen = shown_pages.look(self.browser, page, width)
    self.assertEmpty(seen["log"])
    self.assertEqual(seen["view"], width)
    self.assertLessEqual(seen["page"], width)
    self.assertTrue(seen["drawn"])
    self.assertGreater(seen["widest"], 0.4 * min(width, 1000))
    self.assertGreaterEqual(seen["count"], 5)


if __name__ == "__main__":
  absltest.main()
