"""The command, as a user runs it: mistakes, a sweep, and one that is killed."""

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from absl.testing import absltest, parameterized

from experiments import sweep
from experiments.errors import RunFolderError, SettingError, UsageError
from experiments.run_folder import results
from experiments.sweeps import plan as plans
from experiments.training import run_config
from tests.experiments import commands

SMALL = (
  "--experiment=normal",
  "--steps=3000",
  "--log_every=100",
  "--evaluation_samples=64",
  "--discriminator_width=8",
  "--batch_size=8",
  "--platform=cpu",
)
GRID = "--grid=generator_learning_rate=0.05,0.1;loss=hinge,non_saturating"


class MistakesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.enterContext(contextlib.chdir(self.folder))

  @parameterized.parameters(
    ((), "name what to vary"),
    (("--experiment=rin", "--grid=loss=hinge"), "did you mean 'ring'"),
    (("--grid=",), "name what to vary"),
    (("--grid=;",), "--grid is empty"),
    (("--grid=los=hinge",), "no --los; did you mean --loss"),
    (("--grid=lr=1,2",), "--generator_learning_rate and --discriminator_learn"),
    (("--grid=radius=1,2",), "no --radius; it is a setting of ring"),
    (
      ("--grid=loss=hinge", "--grid=steps=1"),
      "separate settings by semicolons",
    ),
    (
      ("--grid=loss=minimax,hinge,generator_learning_rate=1e-3",),
      "'generator_learning_rate=1e-3' is not a value of loss; settings are "
      "separated by ;",
    ),
    (
      ("--random=loss=hinge,--steps=log:1:9", "--trials=2"),
      "settings are separated by ;",
    ),
    (("--experiment=ring,gird",), "did you mean 'grid'"),
    (("--experiment=ring,ring",), "it has ring twice"),
    (("--experiment=ring,grid", "--radius=2"), "'grid' has no --radius"),
    (("--grid=experiment=ring,grid",), "--experiment=ring,grid"),
    (("--loss=hinge,minimax",), "--grid=loss=hinge,minimax"),
    (("--noevaluate", "--grid=loss=hinge,minimax"), "cannot have --noevaluate"),
    (("--grid=steps=1.5",), "whole number"),
    (("--radius=2", "--grid=loss=hinge"), "has no --radius"),
    (("--loss=hinge", "--grid=loss=hinge,minimax"), "both given and varied"),
    (("--random=loss=hinge,minimax",), "--random and --trials go together"),
    (("--trials=3", "--grid=loss=hinge"), "--random and --trials go together"),
    (
      ("--random=steps=log:1:9", "--trials=3", "--grid=steps=1,2"),
      "both in --grid and in --random",
    ),
    (("--random=steps=log:1:9", "--trials=10001"), "10,001 trials.*--yes"),
    (("--grid=loss=hinge", "--engine=slum"), "allowed: local, ray"),
    (("--grid=loss=hinge", "--engine=slurm"), "docs/hosts_and_devices.md"),
    (("--grid=loss=hinge", "--address=auto"), "--engine=ray"),
    (("--grid=batch_size=0",), "at least 1"),
    (("--program=0",), "needs --workdir"),
    (("--program=0", "--workdir=here"), "there is no folder here"),
    (("--program=0", "--workdir=."), "no folder of a sweep"),
    (("--workdir=here",), "there is no folder here; to start a sweep"),
    (("--workdir=.",), "no sweep in . to resume"),
  )
  def test_refused_before_anything_is_written(self, flags, reason):
    with self.assertRaisesRegex(
      (UsageError, SettingError, RunFolderError), reason
    ) as caught:
      sweep.run(["sweep", *flags])
    self.assertNotIn("\n", str(caught.exception))
    self.assertEqual(list(self.folder.iterdir()), [])

  def test_a_dry_run_writes_nothing(self):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
      code = sweep.run(["sweep", *SMALL, GRID, "--num_seeds=2", "--dry_run"])
    self.assertEqual(code, 0)
    self.assertIn(
      "4 trials of 2 seeds in 2 compiled programs", output.getvalue()
    )
    self.assertRegex(output.getvalue(), r"about \d+ (s|min) on")
    self.assertEqual(list(self.folder.iterdir()), [])

  def test_folders_that_are_there(self):
    taken = self.folder / "taken"
    taken.mkdir()
    (taken / "notes.txt").write_text("mine")
    flags = ["sweep", *SMALL, GRID, f"--workdir={taken}"]
    for overwrite in ([], ["--overwrite"]):
      with self.assertRaisesRegex(RunFolderError, "no folder of a sweep"):
        sweep.run([*flags, *overwrite])
    self.assertEqual([path.name for path in taken.iterdir()], ["notes.txt"])


class SweepTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

  def start(self, *flags):
    return subprocess.Popen(
      [sys.executable, "-m", "experiments.sweep", *flags],
      cwd=self.folder,
      env={
        **commands.ENVIRONMENT,
        **os.environ,
        "PYTHONPATH": str(commands.ROOT),
      },
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )

  def finish(self, process):
    stdout, stderr = process.communicate(timeout=commands.TIMEOUT_SECONDS)
    return process.returncode, stdout, stderr

  @pytest.mark.slow
  def test_killed_and_gone_on_with(self):
    flags = (*SMALL, GRID, "--num_seeds=2", "--checkpoint_every=100")
    killed = self.start(*flags, "--workdir=killed")
    workdir = self.folder / "killed"
    deadline = time.monotonic() + commands.TIMEOUT_SECONDS
    while not list(workdir.glob("programs/*/0/checkpoints/*/files.json")):
      self.assertLess(time.monotonic(), deadline)
      self.assertIsNone(killed.poll())
      time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    self.finish(killed)
    self.assertFalse((workdir / results.SUMMARY).exists())

    # Another grid is not this sweep.
    code, _, stderr = self.finish(
      self.start(*SMALL, "--grid=loss=hinge", "--workdir=killed")
    )
    self.assertEqual(code, 2)
    self.assertRegex(stderr, "error: killed has another sweep, .*\n$")

    code, stdout, stderr = self.finish(self.start("--workdir=killed"))
    self.assertEqual(code, 0, stderr)
    self.assertIn("killed", stdout)
    plan = plans.read_plan(workdir)
    self.assertEqual(plan.unfinished_programs(workdir), [])
    for index in range(4):
      trial = plan.workdir(workdir, index)
      rows = [
        json.loads(line)
        for line in (trial / results.METRICS).read_text().splitlines()
      ]
      self.assertEqual(
        [(row["step"], row["seed"]) for row in rows],
        [(step, seed) for step in range(0, 3001, 100) for seed in (0, 1)],
      )
    with (workdir / "results.csv").open() as file:
      table = list(csv.DictReader(file))
    self.assertEqual(
      sorted((row["trial"], row["seed"]) for row in table),
      sorted((trial.name, seed) for trial in plan.trials for seed in "01"),
    )
    self.assertTrue((workdir / results.REPORT).exists())

    with self.assertRaisesRegex(
      RunFolderError, "of a sweep, whose page is .*report.html; name"
    ):
      run_config.read_settings(workdir)
    with self.assertRaisesRegex(UsageError, "has a sweep, which cannot change"):
      sweep.run(["sweep", f"--workdir={workdir}", "--num_seeds=4"])

    # Nothing is left to do, and nothing is done twice.
    before = sorted(
      (path, path.stat().st_mtime_ns) for path in workdir.glob("trials/*/*")
    )
    code, _, stderr = self.finish(self.start("--workdir=killed"))
    self.assertEqual(code, 0, stderr)
    after = sorted(
      (path, path.stat().st_mtime_ns) for path in workdir.glob("trials/*/*")
    )
    self.assertEqual(before, after)


if __name__ == "__main__":
  absltest.main()
