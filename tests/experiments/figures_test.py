"""The command, run as a user runs it, in another process."""

import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from absl.testing import absltest, parameterized

from experiments import figures
from experiments.reproduce.registry import REPRODUCTIONS
from tests.experiments import commands
from tests.experiments.drawn_runs import count_colors

run = functools.partial(commands.run, "experiments.figures")


class FiguresTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.folder = Path(folder.name)

  def assert_refused(self, done, *words):
    """The process ended with one line that holds the words."""
    self.assertEqual(done.returncode, 2, done.stdout)
    self.assertEqual(done.stdout, "")
    self.assertLen(done.stderr.splitlines(), 1, done.stderr)
    for word in words:
      self.assertIn(word, done.stderr)

  def test_a_figure_leaves_its_picture_and_its_checks(self):
    flags = ("--figure=disjoint_lines", "--out=deep/figures")
    done = run(*flags, cwd=self.folder)
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertNotIn("Warning", done.stderr)
    self.assertIn("9 of 9", done.stdout)
    out = self.folder / "deep" / "figures"
    self.assertEqual(
      sorted(path.name for path in out.iterdir()),
      ["disjoint_lines.json", "disjoint_lines.png"],
    )
    self.assertGreater(count_colors(out / "disjoint_lines.png"), 100)
    record = json.loads((out / "disjoint_lines.json").read_text())
    self.assertEqual(record["id"], "disjoint_lines")
    self.assertIs(record["passed"], True)
    self.assertLessEqual(
      {"id", "source", "checks", "passed"}, set(record), record
    )
    for check in record["checks"]:
      self.assertLessEqual(
        {
          "name",
          "measured",
          "expected",
          "tolerance",
          "published",
          "passed",
        },
        set(check),
      )
    # No runs were needed, so no folder for them was made.
    self.assertFalse((out / "runs").exists())

    picture = out / "disjoint_lines.png"
    picture.write_bytes(b"mine")
    self.assert_refused(
      run(*flags, cwd=self.folder), "disjoint_lines", "--overwrite"
    )
    self.assertEqual(picture.read_bytes(), b"mine")
    done = run(*flags, "--overwrite", cwd=self.folder)
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertNotEqual(picture.read_bytes(), b"mine")

  def test_a_failed_check_is_said_and_exits_with_1(self):
    # A figure whose check is told a wrong number, through the command's main.
    script = (
      "import sys\n"
      "from experiments import figures\n"
      "from experiments.cli import flags\n"
      "from experiments.reproduce import registry\n"
      "good = registry.BY_ID['disjoint_lines']\n"
      "def wrong(inputs):\n"
      "  right = good.compute(inputs)\n"
      "  checks = [c._replace(expected=0.25) for c in right.checks]\n"
      "  return right._replace(checks=checks)\n"
      "figures.BY_ID['disjoint_lines'] = good._replace(compute=wrong)\n"
      "flags.main(figures.run)\n"
    )
    done = subprocess.run(
      [sys.executable, "-c", script, "--figure=disjoint_lines"],
      cwd=self.folder,
      env=commands.ENVIRONMENT,
      capture_output=True,
      text=True,
      timeout=300,
    )
    self.assertEqual(done.returncode, 1, done.stderr)
    self.assertIn("FAILED", done.stdout)
    self.assertIn("wasserstein at theta = 0.5 is 0.5, expected", done.stderr)
    record = json.loads(
      (self.folder / "figures" / "disjoint_lines.json").read_text()
    )
    self.assertIs(record["passed"], False)

  @pytest.mark.slow
  def test_a_full_disk_ends_with_one_line_and_no_half_files(self):
    if not Path("/dev/full").exists():
      self.skipTest("no /dev/full")
    out = self.folder / "out"
    out.mkdir()
    script = (
      "import pathlib\n"
      "from experiments import figures\n"
      "from experiments.cli import flags\n"
      "def full(self, *args, **kwargs):\n"
      "  with open('/dev/full', 'w') as file: file.write('x'); file.flush()\n"
      "pathlib.Path.write_text = full\n"
      "flags.main(figures.run)\n"
    )
    done = subprocess.run(
      [sys.executable, "-c", script, "--figure=disjoint_lines", "--out=out"],
      cwd=self.folder,
      env=commands.ENVIRONMENT,
      capture_output=True,
      text=True,
      timeout=300,
    )
    self.assertEqual(done.returncode, 2, done.stderr)
    self.assertIn("No space left on device", done.stderr)
    self.assertNotIn("Traceback", done.stderr)
    self.assertEmpty(list(out.iterdir()))

  def test_a_reader_that_has_gone_is_no_failed_check(self):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
      [sys.executable, "-m", "experiments.figures", "--list"],
      cwd=self.folder,
      env=commands.ENVIRONMENT,
      stdout=writer,
      stderr=subprocess.PIPE,
      text=True,
      timeout=300,
    )
    os.close(writer)
    self.assertEqual(done.returncode, 141, done.stderr)
    self.assertEqual(done.stderr, "")

  def test_the_rest_of_an_interrupted_command(self):
    options = figures.FiguresOptions(
      figure="dirac_gan,disjoint_lines", out="elsewhere", full=True
    )
    self.assertEqual(
      figures._remaining_flags(options, 1),
      "--figure=disjoint_lines --out=elsewhere --full=true",
    )

  def test_list(self):
    done = run("--list", cwd=self.folder)
    self.assertEqual(done.returncode, 0, done.stderr)
    lines = done.stdout.splitlines()
    self.assertEqual(
      [line.split()[0] for line in lines], [each.id for each in REPRODUCTIONS]
    )
    self.assertEmpty(list(self.folder.iterdir()))

  @parameterized.parameters(
    (("--figure=disjoint_line",), "did you mean disjoint_lines?"),
    (("--figure=disjoint_lines,nonsense",), "unknown figure 'nonsense'"),
    (("--figure=all,nonsense",), "unknown figure 'nonsense'"),
    (("--list=maybe",), "--list=maybe is not allowed; it must be true or"),
    (("--figure=habr_fig15", "--runs=file"), "--runs=file"),
    ((), "--figure is missing"),
    (("--figure=,",), "--figure is missing"),
    (("--figure=disjoint_lines", "--seed=-1"), "seed"),
    (("--figure=disjoint_lines", "--out=file"), "--out=file"),
    (("--figure=disjoint_lines", "--out=file/deeper"), "--out=file/deeper"),
    (("--figure=disjoint_lines", "--platform=tpu"), "--platform=tpu"),
    (("--figure=disjoint_lines", "--platform=abacus"), "abacus"),
  )
  def test_mistakes_end_with_one_line(self, flags, words):
    (self.folder / "file").write_text("mine")
    self.assert_refused(run(*flags, cwd=self.folder), words)
    self.assertEqual((self.folder / "file").read_text(), "mine")


if __name__ == "__main__":
  absltest.main()
