"""The commands of docs/hosts_and_devices.md for Slurm, run as it would."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from absl.testing import absltest

from experiments.run_folder import results
from tests.experiments import commands

DOCUMENT = commands.ROOT / "docs" / "hosts_and_devices.md"
SMALL = (
  "--steps=20000",
  "--log_every=10000",
  "--evaluation_samples=64",
  "--discriminator_width=8",
)


@pytest.mark.slow
class RecipeTest(absltest.TestCase):
  def setUp(self):
    self.root = Path(self.enter_context(tempfile.TemporaryDirectory()))
    # A folder of commands in place of Slurm's, and of an activated environment.
    bin_ = self.root / "bin"
    bin_.mkdir()
    scripts = {
      "python": f'exec "{sys.executable}" "$@"',
      "srun": 'shift\nexec "$@"',
      "scontrol": f'echo "$@" > "{self.root}/requeued"',
    }
    for name, line in scripts.items():
      (bin_ / name).write_text(f"#!/bin/bash\n{line}\n")
      (bin_ / name).chmod(0o755)
    self.environment = {
      **commands.ENVIRONMENT,
      "PATH": f"{bin_}:{os.environ['PATH']}",
      "SLURM_CPUS_PER_TASK": "1",
      "SLURM_JOB_ID": "77",
    }
    text = DOCUMENT.read_text()
    (section,) = re.findall(r"^## Slurm\n(.*?)^## ", text, re.DOTALL | re.M)
    blocks = re.findall(r"```(\w+)\n(.*?)\n```", section, re.DOTALL)
    (script,) = (code for language, code in blocks if language == "sh")
    (self.root / "sweep.sbatch").write_text(script + "\n")
    self.plan, self.submit, self.rank = (
      code for language, code in blocks if language == "bash"
    )

  def shell(self, command):
    return subprocess.run(
      ["bash", "-c", command],
      cwd=self.root,
      env=self.environment,
      capture_output=True,
      text=True,
      timeout=commands.TIMEOUT_SECONDS,
    )

  def start(self, task):
    """Starts a task of the array, with the arguments that sbatch is given."""
    sbatch, array, *arguments = self.submit.split()
    self.assertEqual((sbatch, array), ("sbatch", "--array=0-1"))
    return subprocess.Popen(
      ["bash", *arguments],
      cwd=self.root,
      env={**self.environment, "SLURM_ARRAY_TASK_ID": str(task)},
      stderr=subprocess.PIPE,
      text=True,
    )

  def test_the_recipe_trains_a_sweep(self):
    planned = self.shell(f"{self.plan} {' '.join(SMALL)}")
    self.assertEqual(planned.returncode, 0, planned.stderr)
    self.assertEndsWith(planned.stdout, "rates: --array=0-1\n")
    folder = self.root / "rates"
    self.assertLen(list(folder.glob("trials/*")), 4)
    self.assertEmpty(list(folder.glob("trials/*/*")))

    # Slurm signals the steps of a job before its time is up.
    task = self.start(1)
    progress = folder / "programs" / "001" / "progress.json"
    wait_for(progress.exists)
    (program,) = children(task.pid)
    os.kill(program, signal.SIGTERM)
    _, error = task.communicate(timeout=commands.TIMEOUT_SECONDS)
    self.assertEqual(task.returncode, 143, error)
    self.assertEqual((self.root / "requeued").read_text(), "requeue 77\n")
    (self.root / "requeued").unlink()

    task = self.start(1)
    _, error = task.communicate(timeout=commands.TIMEOUT_SECONDS)
    self.assertEqual(task.returncode, 0, error)
    self.assertFalse((self.root / "requeued").exists())
    finished = [path.parent for path in folder.glob("trials/*/summary.json")]
    self.assertEqual(
      sorted(path.name for path in finished),
      [
        "generator_learning_rate=0.03,loss=non_saturating",
        "generator_learning_rate=0.1,loss=non_saturating",
      ],
    )
    for path in finished:
      lines = (path / results.EVENTS).read_text().splitlines()
      kinds = [json.loads(line)["kind"] for line in lines]
      kinds.remove("saved")
      self.assertEqual(kinds, ["began", "stopped", "resumed", "ended"])

    left = self.shell(self.rank)
    self.assertEqual(left.returncode, 0, left.stderr)
    self.assertEndsWith(left.stdout, "rates: --array=0\n")
    self.assertFalse((folder / results.SUMMARY).exists())

    task = self.start(0)
    _, error = task.communicate(timeout=commands.TIMEOUT_SECONDS)
    self.assertEqual(task.returncode, 0, error)
    ranked = self.shell(self.rank)
    self.assertEqual(ranked.returncode, 0, ranked.stderr)
    self.assertLen(results.read_json(folder / results.SUMMARY)["trials"], 4)


def children(process):
  """Returns the processes that a process has started, as Linux lists them."""
  path = Path(f"/proc/{process}/task/{process}/children")
  return [int(child) for child in path.read_text().split()]


def wait_for(condition):
  deadline = time.monotonic() + commands.TIMEOUT_SECONDS
  while not condition():
    if time.monotonic() > deadline:
      raise AssertionError("waited in vain")
    time.sleep(0.05)


if __name__ == "__main__":
  absltest.main()
