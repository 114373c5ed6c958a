"""The script of an array, run as Slurm would, with another `scontrol`."""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from absl.testing import absltest, parameterized

from experiments.configs.registry import BY_NAME
from experiments.run_folder import results
from experiments.run_folder.results import RunFolderError
from experiments.sweeps import plan as plans
from experiments.sweeps import search_space
from experiments.sweeps.engines import slurm
from experiments.sweeps.engines.engine import EngineOptions
from experiments.training.run_config import RunSettings
from tests.experiments import commands

FLAGS = (
  "--experiment=normal",
  "--grid=generator_learning_rate=0.03,0.1;loss=hinge,non_saturating",
  "--steps=5000",
  "--log_every=2500",
  "--evaluation_samples=64",
  "--discriminator_width=8",
  "--engine=slurm",
)


def make_plan(text, max_members=0):
  experiment = BY_NAME["normal"]
  axes = search_space.read_grid(text, experiment.settings)
  base = RunSettings(experiment, experiment.settings, (0,))
  return plans.make_plan(
    base,
    axes,
    search_space.crossed(axes, ()),
    plans.PlanOptions(max_members=max_members),
    False,
  )


def directives(script):
  """Reads what Slurm would, which splits these lines as a shell does."""
  return [
    shlex.split(line.removeprefix("#SBATCH"))[0]
    for line in script.splitlines()
    if line.startswith("#SBATCH")
  ]


class ScriptTest(parameterized.TestCase):
  def script(self, folder="/tmp/sweep", programs=(0,), **options):
    plan = make_plan("generator_learning_rate=0.01,0.02,0.03,0.04", 1)
    return slurm.script(plan, Path(folder), programs, EngineOptions(**options))

  @parameterized.parameters(
    ((0, 1, 2, 3), 0, "0-3"),
    ((0, 1, 2, 3), 2, "0-3%2"),
    ((1, 3), 5, "1,3%5"),
    ((0, 2, 3), 0, "0,2-3"),
  )
  def test_tasks_are_the_programs_that_are_left(self, programs, most, array):
    script = self.script(programs=programs, max_parallel=most)
    self.assertIn(f"--array={array}", directives(script))

  @parameterized.parameters(("gpu", 1), ("cpu", 0), ("auto", 0))
  def test_gpus_are_asked_for_where_they_are_named(self, platform, count):
    script = self.script(platform=platform)
    self.assertEqual(directives(script).count("--gpus-per-task=1"), count)
    self.assertIn(f" --platform={platform} ", script)

  def test_paths_are_taken_as_they_are(self):
    script = self.script('/tmp/it\'s 50% of # "a"')
    self.assertIn(
      '--output=/tmp/it\'s 50%% of # "a"/programs/%3a/log.txt',
      directives(script),
    )
    checked = subprocess.run(["bash", "-n"], input=script, text=True)
    self.assertEqual(checked.returncode, 0)

  def test_a_path_that_cannot_be_written_is_refused(self):
    with self.assertRaisesRegex(RunFolderError, "cannot have in paths"):
      self.script("/tmp/a\nb")


class ArrayTest(absltest.TestCase):
  def setUp(self):
    self.root = Path(self.enter_context(tempfile.TemporaryDirectory()))
    self.folder = self.root / "50% it's"
    bin_ = self.root / "bin"
    bin_.mkdir()
    (bin_ / "scontrol").write_text(f'#!/bin/sh\necho "$@" > {self.root}/told\n')
    (bin_ / "scontrol").chmod(0o755)

  def start(self, task):
    return subprocess.Popen(
      ["bash", str(self.folder / "array.sh")],
      env={
        **commands.ENVIRONMENT,
        "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
        "SLURM_ARRAY_TASK_ID": str(task),
        "SLURM_JOB_ID": "77",
      },
      stderr=subprocess.PIPE,
      text=True,
    )

  def test_a_task_saves_before_its_time_is_up_and_goes_on(self):
    written = commands.run(
      "experiments.sweep", *FLAGS, f"--workdir={self.folder}", cwd=commands.ROOT
    )
    self.assertEqual(written.returncode, 0, written.stderr)
    said = re.search("submit it with: sbatch (.*)", written.stderr)
    assert said
    self.assertEqual(
      shlex.split(said[1]), [str(self.folder / "array.sh")], written.stderr
    )
    log = self.folder / "programs" / "001" / "log.txt"
    # Slurm makes files, not folders.
    self.assertTrue(log.parent.is_dir())

    process = self.start(1)
    deadline = time.monotonic() + 120
    while not list(log.parent.glob("0")) and time.monotonic() < deadline:
      time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGUSR1)
    _, error = process.communicate(timeout=120)
    self.assertEqual(process.returncode, 143, error)
    self.assertEqual((self.root / "told").read_text(), "requeue 77\n")
    (self.root / "told").unlink()

    process = self.start(1)
    _, error = process.communicate(timeout=120)
    self.assertEqual(process.returncode, 0, error)
    self.assertFalse((self.root / "told").exists())
    done = {
      path.parent.name
      for path in self.folder.glob(f"trials/*/{results.SUMMARY}")
    }
    self.assertEqual(
      done,
      {
        "generator_learning_rate=0.03,loss=non_saturating",
        "generator_learning_rate=0.1,loss=non_saturating",
      },
    )
    events = self.folder / "trials" / min(done) / results.EVENTS
    self.assertIn('"resumed"', events.read_text())

  def test_a_dry_run_writes_nothing(self):
    shown = commands.run(
      "experiments.sweep",
      *FLAGS,
      f"--workdir={self.folder}",
      "--dry_run",
      cwd=self.root,
    )
    self.assertEqual(shown.returncode, 0, shown.stderr)
    self.assertIn("#SBATCH --array=0-1\n", shown.stdout)
    self.assertIn(sys.executable, shown.stdout)
    self.assertFalse(self.folder.exists())


if __name__ == "__main__":
  absltest.main()
