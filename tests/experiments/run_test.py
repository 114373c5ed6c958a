"""The command, run as a user runs it, in another process."""

import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from PIL import Image

from experiments.configs.registry import EXPERIMENTS
from experiments.run_folder import results
from gan_jax.types import Players
from tests.experiments import commands, trained_runs
from tests.experiments.drawn_runs import count_colors

SMALL = ("--steps=20", "--log_every=10", "--evaluation_samples=64")

run = functools.partial(commands.run, "experiments.run")


class RunTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.folder = Path(folder.name)

  def test_a_run_whose_seeds_all_fail(self):
    flags = ("--experiment=ring", "--num_seeds=2", *SMALL, "--optimizer=sgd")
    rates = [f"--{name}_learning_rate=1e30" for name in Players._fields]
    done = run(*flags, *rates, "--workdir=run", cwd=self.folder)
    self.assertEqual(done.returncode, 1)
    self.assertRegex(
      done.stderr.splitlines()[-1],
      "^error: all 2 seeds failed; seed 0: .* was not finite at step .*; "
      "training stopped at step .* of 20, and what was logged is kept$",
    )
    again = run("--resume", "--workdir=run", "--steps=40", cwd=self.folder)
    self.assertEqual(again.returncode, 1)
    self.assertRegex(
      again.stderr, "^error: all seeds of run have failed, .* nothing to resume"
    )

  def test_a_run_leaves_its_folder(self):
    flags = ("--experiment=ring", "--num_seeds=3", "--seed=5", *SMALL)
    done = run(*flags, "--workdir=run", cwd=self.folder)
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertNotIn("Traceback", done.stderr)
    self.assertNotIn("Warning", done.stderr)
    workdir = self.folder / "run"
    summary = json.loads((workdir / "summary.json").read_text())
    self.assertEqual(summary["experiment"], "ring")
    self.assertEqual(summary["seeds"], [5, 6, 7])
    self.assertEqual(summary["steps"], 20)
    self.assertEqual(summary["settings"]["log_every"], 10)
    self.assertGreater(summary["steps_per_second"], 0)
    self.assertGreater(summary["wall_seconds"], 0)
    self.assertIn("jax", summary["versions"])
    self.assertIn("cpu", summary["device"])
    for entry in (summary["score"], *summary["metrics"].values()):
      for when in ("final", "best"):
        self.assertLen(entry[when]["per_seed"], 3)
        self.assertIsNotNone(entry[when]["mean"])
        self.assertIsNotNone(entry[when]["ci95"])
    for name in ("modes_covered", "high_quality_fraction", "reverse_kl"):
      self.assertIn(name, summary["metrics"])
      self.assertIn(f"average_{name}", summary["metrics"])
    settings = json.loads((workdir / "settings.json").read_text())
    self.assertEqual(settings["settings"], summary["settings"])
    self.assertIn("git_commit", settings)
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    self.assertEqual(
      [(row["step"], row["seed"]) for row in rows],
      [(step, seed) for step in (0, 10, 20) for seed in (5, 6, 7)],
    )
    times = [row["wall_seconds"] for row in rows]
    self.assertEqual(times, sorted(times))
    self.assertBetween(times[0], 0, summary["wall_seconds"])
    # The score of the last rows is that of the summary.
    self.assertEqual(
      [row["score"] for row in rows[-3:]],
      summary["score"]["final"]["per_seed"],
    )
    self.assertNotIn("score", summary["metrics"])
    for name in (
      "costs",
      "discriminator",
      "gradients",
      "score",
      "modes",
      "samples",
      "final",
    ):
      self.assertGreater(count_colors(workdir / "figures" / f"{name}.png"), 100)
    with Image.open(workdir / "training.gif") as animation:
      # One for each logged step.
      self.assertEqual(getattr(animation, "n_frames", 1), 3)
    read = results.read_results(workdir)
    np.testing.assert_array_equal(
      read.metrics["modes_covered"][:, -1],
      summary["metrics"]["modes_covered"]["final"]["per_seed"],
    )

  @pytest.mark.slow
  def test_the_same_seed_gives_the_same_rows_whatever_is_logged(self):
    flags = ("--experiment=mixture_near", "--steps=20")
    runs = [("a", 10, 1), ("b", 10, 1), ("c", 4, 1), ("d", 10, 2)]
    for name, log_every, num_seeds in runs:
      done = run(
        *flags,
        f"--log_every={log_every}",
        f"--num_seeds={num_seeds}",
        f"--workdir={name}",
        cwd=self.folder,
        draws=False,
      )
      self.assertEqual(done.returncode, 0, done.stderr)

    def rows(name):
      table = trained_runs.measured_rows(self.folder / name)
      return {row["step"]: row for row in table if row["seed"] == 0}

    first = rows("a")
    self.assertEqual(first, rows("b"))
    for step in (0, 20):
      self.assertEqual(first[step], rows("c")[step])
    # Where two seeds share a core, the compiler sums in another order.
    for step, row in rows("d").items():
      self.assertEqual(list(row), list(first[step]))
      np.testing.assert_allclose(
        [*row.values()], [*first[step].values()], rtol=1e-4, atol=1e-6
      )

  @pytest.mark.slow
  def test_without_a_workdir_runs_are_numbered(self):
    for _ in range(2):
      done = run("--experiment=normal", *SMALL, cwd=self.folder, draws=False)
      self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEqual(
      sorted(path.name for path in (self.folder / "runs").iterdir()),
      ["normal-001", "normal-002"],
    )

  def test_a_cost_that_is_not_finite_ends_the_run(self):
    done = run(
      "--experiment=normal",
      "--optimizer=sgd",
      "--loss=least_squares",
      "--generator_learning_rate=1e30",
      "--steps=50",
      "--log_every=5",
      "--workdir=run",
      cwd=self.folder,
      draws=False,
    )
    self.assertEqual(done.returncode, 1, done.stderr)
    self.assertNotIn("Traceback", done.stderr)
    last = done.stderr.strip().splitlines()[-1]
    self.assertRegex(
      last,
      r"^error: seed 0: .* of the .*(generator|discriminator).* at step",
    )
    rows = (self.folder / "run" / "metrics.jsonl").read_text().splitlines()
    self.assertIsNotNone(json.loads(rows[0])["generator_cost"])
    self.assertIsNone(json.loads(rows[-1])["generator_cost"])
    summary = json.loads((self.folder / "run" / "summary.json").read_text())
    self.assertEqual(summary["score"]["final"]["per_seed"], [0.0])
    self.assertLen(summary["failures"], 1)
    self.assertLess(summary["steps"], 50)

  def test_list_and_help(self):
    # Python starts this one, as `commands` does not.
    done = subprocess.run(
      [sys.executable, "-m", "experiments.run", "--list"],
      cwd=self.folder,
      env=commands.ENVIRONMENT,
      capture_output=True,
      text=True,
      timeout=commands.TIMEOUT_SECONDS,
    )
    self.assertEqual(done.returncode, 0)
    lines = done.stdout.splitlines()
    self.assertEqual(
      [line.split()[0] for line in lines if not line.startswith(" ")],
      [each.name for each in EXPERIMENTS],
    )
    self.assertLessEqual(max(map(len, lines)), 80)
    words = " ".join(done.stdout.split())
    for each in EXPERIMENTS:
      row = f"{each.name} {each.minutes} min {each.summary} ({each.source})"
      self.assertIn(row, words)
    done = run("--help", cwd=self.folder)
    self.assertEqual(done.returncode, 0)
    self.assertIn("--num_seeds", done.stdout)
    self.assertIn("--radius", done.stdout)
    done = run("--experiment=normal", "--help", cwd=self.folder)
    self.assertIn("--input_mean", done.stdout)
    self.assertNotIn("--radius", done.stdout)
    self.assertEmpty(list(self.folder.iterdir()))


# Each: the flags, and what the one line must say.
MISTAKES = (
  (["--experiment=rng"], "did you mean 'ring'?"),
  (["--loss=hing"], "--loss=hing is not allowed; did you mean --loss=hinge?"),
  (["--batchsize=3"], "did you mean --batch_size?"),
  (["--radius=2"], "'normal' has no --radius; it is a setting of ring\n"),
  (["--latent_dim=2"], "of mixture_near_mlp, mixture_far_mlp, ring, grid, swi"),
  (["--experiment=ring,grid"], "name one experiment"),
  (["--experiment=mnist"], "did you mean 'dcgan_mnist'?"),
  (["--steps=3", "--steps=4"], "--steps is given twice, as '3' and '4'"),
  (["--resume", "--workdir=ful"], "no folder ful; did you mean full?"),
  (["--resume", "--workdir=file"], "file is not a folder"),
  (["--steps=many"], "--steps=many is not allowed; it must be a whole number"),
  (["--generator_learning_rate=nan"], "above 0"),
  (["--platform=gpu"], "--platform=gpu is not on this machine; here: cpu"),
  (["--steps"], "--steps"),
  (["ring"], "unexpected argument 'ring'; did you mean --experiment=ring?"),
  (["--workdir=full"], "workdir full exists"),
  (["--workdir=full", "--overwrite"], "not a run folder"),
  (["--workdir=file"], "cannot be made"),
)
MORE_MISTAKES = (
  (["--experiment="], "unknown experiment ''; allowed: normal"),
  (["--steps=-1"], "at least 1"),
  (["--batch_size=0"], "at least 1"),
  (["--generator_learning_rate=-1"], "above 0"),
  (["--discriminator_dropout=1"], "below 1"),
  (["--seed=-1"], "at least 0"),
  (["--seed=4294967295", "--num_seeds=2"], "range of seeds"),
  (["--num_seeds=0"], "at least 1"),
  (["--num_seeds=two"], "a whole number"),
  (["--platform=abacus"], "one of auto, cpu, gpu, tpu"),
  (["--discriminator_steps=5", "--experiment=ring"], "--update=alternating"),
  (["--input_mean=1,2", "--input_stddev=1,2,3"], "3 numbers for the 2"),
  (["--overwrite=maybe"], "--overwrite"),
  # Before its images, which are not there, are looked for.
  (
    ["--experiment=dcgan_mnist", "--data_dir=none", "--workdir=full"],
    "workdir full exists",
  ),
  (["--workdir=file/below", "--overwrite"], "cannot be made"),
  (["--workdir=/proc/run"], "cannot be made"),
)


class MistakesTest(parameterized.TestCase):
  """Every mistake ends with one line, and leaves the folder as it was."""

  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    (self.folder / "full").mkdir()
    (self.folder / "full" / "precious").write_text("content")
    (self.folder / "file").write_text("content")

  def listing(self):
    return {
      str(path): path.read_text() if path.is_file() else None
      for path in self.folder.rglob("*")
    }

  @parameterized.parameters(*MISTAKES)
  def test_one_line(self, flags, message):
    self.check_one_line(flags, message)

  @parameterized.parameters(*MORE_MISTAKES)
  @pytest.mark.slow
  def test_one_line_for_more(self, flags, message):
    self.check_one_line(flags, message)

  def check_one_line(self, flags, message):
    before = self.listing()
    done = run(*flags, cwd=self.folder)
    self.assertEqual(done.returncode, 2)
    self.assertEmpty(done.stdout)
    self.assertLen(done.stderr.splitlines(), 1, done.stderr)
    self.assertIn(message, done.stderr)
    self.assertEqual(self.listing(), before)


if __name__ == "__main__":
  absltest.main()
