"""The number of threads, not of cores, decides the bits of a run."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from absl.testing import absltest, parameterized

from experiments.devices import environment
from experiments.run_folder import results
from tests.experiments import commands, trained_runs

ON_CORES = """
import os, sys
os.sched_setaffinity(0, map(int, sys.argv.pop(1).split(",")))
from experiments import run
from experiments.cli import flags
flags.main(run.run)
"""
RING = (
  "--experiment=ring",
  "--batch_size=256",
  "--seed=3",
  "--log_every=10",
  "--learning_rate_decay=none",
  "--instance_noise=0",
)


def train(workdir, cores, *flags):
  """Trains on some cores; returns the rows of metrics, and the threads."""
  subprocess.run(
    [
      *(sys.executable, "-c", ON_CORES, ",".join(map(str, cores))),
      f"--workdir={workdir}",
      *flags,
    ],
    env={**commands.ENVIRONMENT, "NPROC": ""},
    check=True,
    capture_output=True,
  )
  threads = results.read_json(workdir / results.SETTINGS)["threads"]
  return trained_runs.measured_rows(workdir), threads


class ThreadsTest(parameterized.TestCase):
  @parameterized.parameters(
    ("", 3), ("0", 3), ("many", 3), ("1", 1), ("2", 2), ("8", 8)
  )
  def test_the_number_is_what_xla_takes(self, variable, expected):
    with (
      mock.patch.dict(os.environ, NPROC=variable),
      mock.patch.object(os, "sched_getaffinity", lambda _: {0, 1, 2}),
    ):
      self.assertEqual(environment.num_threads(), expected)

  @pytest.mark.slow
  def test_a_run_has_the_same_bits_on_one_core_and_on_all(self):
    cores = sorted(os.sched_getaffinity(0))
    parent = Path(self.enterContext(tempfile.TemporaryDirectory()))
    flags = (*RING, "--steps=40")
    two, threads = train(parent / "two", cores, *flags, "--threads=2")
    self.assertEqual(threads, 2)
    one = train(parent / "one", cores[:1], *flags, "--threads=2")
    self.assertEqual(one, (two, 2))
    train(parent / "longer", cores, *RING, "--steps=20", "--threads=2")
    resume = ("--resume", "--steps=40")
    self.assertEqual(train(parent / "longer", cores[:1], *resume), (two, 2))
    # Else this would test nothing.
    default, threads = train(parent / "default", cores[:1], *flags)
    self.assertEqual(threads, 1)
    self.assertNotEqual(default, two)


if __name__ == "__main__":
  absltest.main()
