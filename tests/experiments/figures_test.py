"""The command, run as a user runs it, in another process."""

import contextlib
import functools
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments import figures
from experiments.devices import environment
from experiments.reproduce.common.checks import close
from experiments.reproduce.common.figure import (
  Computed,
  Reproduction,
  Training,
)
from experiments.reproduce.registry import BY_ID
from tests.experiments import commands, trained_runs
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
    self.assertIn("12 of 12", done.stdout)
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
      {"id", "source", "checks", "passed", "seconds"}, set(record), record
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
      figure="dirac_gan,disjoint_lines",
      out="elsewhere",
      full=True,
      runs="trained",
      seed=3,
    )
    self.assertEqual(
      figures._remaining_flags(options, 1),
      "--figure=disjoint_lines --out=elsewhere --full=true --runs=trained "
      "--seed=3",
    )

  def test_list(self):
    done = run("--list", cwd=self.folder)
    self.assertEqual(done.returncode, 0, done.stderr)
    lines = done.stdout.splitlines()
    words = [line.split() for line in lines if line[:1].strip()]
    ids = [line[0] for line in words if line[0] in BY_ID]
    self.assertCountEqual(ids, BY_ID)
    for source in (
      "GAN 2014, arXiv 1406.2661",
      "Habr 2018",
      "f-GAN 2016, arXiv 1606.00709",
    ):
      self.assertEqual(lines.count(source), 1, source)
    times = {line[0]: line[1:3] for line in words if line[0] in BY_ID}
    self.assertEqual(times["fgan_table"], ["2", "min"])
    self.assertEqual(times["disjoint_lines"][0], "seconds")
    self.assertLessEqual(max(map(len, lines)), 80)
    self.assertEmpty(list(self.folder.iterdir()))

  @parameterized.parameters(
    (("--figure=disjoint_line",), "did you mean 'disjoint_lines'?"),
    (("disjoint_lines",), "did you mean --figure=disjoint_lines?"),
    (("--figure=disjoint_lines,nonsense",), "unknown figure 'nonsense'"),
    (("--figure=all,nonsense",), "unknown figure 'nonsense'"),
    (("--list=maybe",), "--list=maybe is not allowed; it must be true or"),
    (("--figure=habr_fig15", "--runs=file"), "--runs=file"),
    ((), "--figure is missing"),
    (("--figure=,",), "--figure is missing"),
    (("--figure=disjoint_lines", "--seed=-1"), "--seed=-1"),
    # The seeds that follow it must fit in 32 bits too.
    (("--figure=disjoint_lines", "--seed=4294966296"), "--seed=4294966296"),
    (("--figure=disjoint_lines", "--out=file"), "--out=file"),
    (("--figure=disjoint_lines", "--out=file/deeper"), "--out=file/deeper"),
    (
      ("--figure=habr_fig05,disjoint_lines", "--published_settings"),
      "--published_settings has no effect on disjoint_lines; it is for habr_",
    ),
    # No figure has both.
    (
      ("--figure=habr_fig05", "--published_settings", "--full"),
      "--full has no effect on habr_fig05",
    ),
    (("--figure=disjoint_lines", "--platform=tpu"), "--platform=tpu"),
    (("--figure=disjoint_lines", "--platform=abacus"), "abacus"),
  )
  def test_mistakes_end_with_one_line(self, flags, words):
    (self.folder / "file").write_text("mine")
    self.assert_refused(run(*flags, cwd=self.folder), words)
    self.assertEqual((self.folder / "file").read_text(), "mine")


class TrainedFigureTest(parameterized.TestCase):
  """A figure of a short training, drawn by the command in this process."""

  def setUp(self):
    super().setUp()
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.out = folder / "out"
    self.elsewhere = folder / "elsewhere"
    settings = {"steps": 2, "evaluation_samples": 64}

    def compute(inputs):
      first = inputs.runs["run"].seeds[0]
      return Computed([close("seed", first, inputs.seed, 0, "the flag")], {})

    tiny = Reproduction(
      id="tiny",
      source="none",
      summary="none",
      compute=compute,
      draw=lambda drawn: Figure(),
      trainings={"run": Training("mixture_near", settings, num_seeds=2)},
    )
    self.enterContext(mock.patch.dict(figures.BY_ID, {"tiny": tiny}))
    self.enterContext(trained_runs.on_one_device())
    self.enterContext(trained_runs.undrawn())
    self.enterContext(trained_runs.traced_once())

  def draw(self, *flags):
    """Draws the figure; returns its record and what was done for its run."""
    with (
      contextlib.redirect_stdout(io.StringIO()),
      contextlib.redirect_stderr(io.StringIO()) as stderr,
    ):
      code = figures.run(
        ["figures", "--figure=tiny", f"--out={self.out}", *flags]
      )
    self.assertEqual(code, 0)
    done = [verb for verb in ("loads", "trains") if verb in stderr.getvalue()]
    return json.loads((self.out / "tiny.json").read_text()), done

  @parameterized.parameters(
    ("png", b"\x89PNG"), ("pdf", b"%PDF-1"), ("svg", b"<?xml")
  )
  def test_formats_of_pictures(self, figure_format, start):
    contents = []
    for _ in range(2):
      self.draw("--overwrite", f"--figure_format={figure_format}")
      contents.append((self.out / f"tiny.{figure_format}").read_bytes())
    self.assertStartsWith(contents[0], start)
    # Without dates and random names, the same figure is the same file.
    self.assertEqual(*contents)
    self.assertNotIn(b"CreationDate", contents[0])
    self.assertNotIn(b"dc:date", contents[0])
    self.assertNoCommonElements(
      {path.suffix for path in self.out.iterdir()},
      {".png", ".pdf", ".svg"} - {f".{figure_format}"},
    )

  @parameterized.product(cores=(1, 5), flag=(None, 3))
  def test_threads_do_not_depend_on_the_machine(self, cores, flag):
    counts = []

    def choose_devices(*_):
      counts.append(environment.num_threads())
      raise InterruptedError

    with (
      mock.patch.dict(os.environ, NPROC=""),
      mock.patch.object(os, "sched_getaffinity", lambda _: {*range(cores)}),
      mock.patch.object(environment, "choose_devices", choose_devices),
      self.assertRaises(InterruptedError),
    ):
      self.draw(*([] if flag is None else [f"--threads={flag}"]))
    self.assertEqual(counts, [flag or 2])

  def test_published_settings(self):
    tiny = figures.BY_ID["tiny"]
    settings = {**tiny.trainings["run"].settings, "batch_size": 7}

    def compute(inputs):
      run = inputs.runs["run"]
      batch = close("batch", run.settings["batch_size"], 7, 0, "the code")
      return Computed([batch], {})

    figures.BY_ID["tiny"] = tiny._replace(
      published=tiny._replace(
        compute=compute,
        trainings={"run": tiny.trainings["run"]._replace(settings=settings)},
      )
    )
    record, _ = self.draw("--published_settings")
    self.assertEqual(record["checks"][0]["name"], "batch")
    record, verbs = self.draw("--overwrite")
    # The default is another run and another check.
    self.assertEqual(record["checks"][0]["name"], "seed")
    self.assertEqual(verbs, ["trains"])

  def test_seeds_and_the_folder_of_runs(self):
    runs = self.out / "runs"
    for flags, seed, done, folder in (
      ([], 0, "trains", runs / "mixture_near-001"),
      (["--seed=7"], 7, "trains", runs / "mixture_near-002"),
      (["--seed=7"], 7, "loads", runs / "mixture_near-002"),
      ([], 0, "loads", runs / "mixture_near-001"),
      (
        [f"--runs={self.elsewhere}"],
        0,
        "trains",
        self.elsewhere / "mixture_near-001",
      ),
    ):
      record, verbs = self.draw("--overwrite", *flags)
      self.assertEqual(verbs, [done])
      self.assertEqual(record["seed"], seed)
      self.assertEqual(record["checks"][0]["measured"], seed)
      self.assertEqual(record["runs"]["run"]["seeds"], [seed, seed + 1])
      self.assertEqual(record["runs"]["run"]["folder"], str(folder))


if __name__ == "__main__":
  absltest.main()
