"""Tests that two processes on this machine train as one and end together."""

import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from experiments.cli import flags
from experiments.devices import multihost
from experiments.training import checkpoints
from tests.experiments import commands, trained_runs

SECONDS_TO_END = multihost.SECONDS_UNTIL_LOST + 30
LOST_EXIT_CODES = (flags.LOST_EXIT_CODE, -signal.SIGABRT)
"""JAX aborts a process if it notices a lost process first."""
FLAGS = (
  "--experiment=mixture_far",
  "--learning_rate_decay=none",
  "--num_seeds=2",
  "--batch_size=8",
  "--discriminator_width=8",
  "--evaluation_samples=64",
  "--log_every=10",
)


def free_port() -> int:
  with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    return listener.getsockname()[1]


def start(
  folder: Path, *flags: str, flags_by_process=((), ())
) -> list[subprocess.Popen]:
  """Starts the same command in two processes, plus flags for one of them."""
  port = free_port()
  return [
    subprocess.Popen(
      [
        *(sys.executable, "-m", "experiments.run", *flags),
        *flags_by_process[process],
        f"--coordinator_address=127.0.0.1:{port}",
        *("--num_processes=2", f"--process_id={process}"),
      ],
      cwd=folder,
      env={**commands.ENVIRONMENT, "XDG_CACHE_HOME": str(folder / "cache")},
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    for process in range(2)
  ]


def read_rows(workdir: Path) -> list[dict[str, float]]:
  return trained_runs.measured_rows(workdir)


class MultihostTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enter_context(tempfile.TemporaryDirectory()))

  def start_training(self, *flags: str) -> list[subprocess.Popen]:
    """Starts a long run and returns when it has a checkpoint."""
    processes = start(
      self.folder, *FLAGS, *flags, "--steps=1000000", "--checkpoint_every=10"
    )
    while not checkpoints.steps(self.folder / "two"):
      self.assertIsNone(processes[0].poll(), "it ended before its checkpoint")
      time.sleep(0.05)
    return processes

  @pytest.mark.slow
  def test_losing_process_0_ends_the_other(self):
    first, second = self.start_training("--workdir=two")
    first.send_signal(signal.SIGKILL)
    second.communicate(timeout=SECONDS_TO_END)
    first.communicate()
    self.assertIn(second.returncode, LOST_EXIT_CODES)

  @pytest.mark.slow
  def test_a_run_that_lost_process_1_resumes_like_one_process(self):
    workdir = self.folder / "two"
    common = ("--workdir=two", "--mesh=data:2")
    first, second = self.start_training(*common)
    second.send_signal(signal.SIGKILL)
    first.communicate(timeout=SECONDS_TO_END)
    second.communicate()
    self.assertIn(first.returncode, LOST_EXIT_CODES)

    steps = checkpoints.steps(workdir)[0] + 20
    both = start(self.folder, *common, "--resume", f"--steps={steps}")
    outputs = [process.communicate() for process in both]
    self.assertEqual([process.returncode for process in both], [0, 0], outputs)
    self.assertIn("written to two", outputs[0][0])
    self.assertNotIn("Gloo", outputs[0][0])
    self.assertEqual(outputs[1], ("", ""))

    alone = commands.run(
      "experiments.run",
      *(*FLAGS, "--workdir=one", f"--steps={steps}"),
      cwd=self.folder,
    )
    self.assertEqual(alone.returncode, 0, alone.stderr)
    resumed_rows, rows = read_rows(workdir), read_rows(self.folder / "one")
    self.assertEqual(
      [(row["step"], row["seed"]) for row in resumed_rows],
      [(row["step"], row["seed"]) for row in rows],
    )
    for resumed_row, row in zip(resumed_rows, rows, strict=True):
      np.testing.assert_allclose(
        [*resumed_row.values()], [*row.values()], rtol=1e-3, atol=1e-4
      )

  @pytest.mark.slow
  def test_sigterm_to_one_process_saves_and_stops_both(self):
    first, second = self.start_training("--workdir=two")
    second.send_signal(signal.SIGTERM)
    _, errors = first.communicate(timeout=SECONDS_TO_END)
    second.communicate()
    stopped = 128 + signal.SIGTERM
    self.assertEqual((first.returncode, second.returncode), (stopped,) * 2)
    self.assertRegex(errors.splitlines()[-1], "^stopped at step .* --resume")

  @pytest.mark.slow
  def test_different_flags_end_both_with_one_line(self):
    self.check_mistake(
      "--steps=20", "--steps=30", "have the flags of process 0"
    )

  def test_a_wrong_value_ends_both_with_one_line(self):
    self.check_mistake("--steps=0", "--steps=0", "--steps=0 is not allowed")

  def check_mistake(self, first, second, message):
    both = start(
      self.folder,
      *(*FLAGS, "--workdir=two"),
      flags_by_process=((first,), (second,)),
    )
    for process in both:
      output, errors = process.communicate(timeout=SECONDS_TO_END)
      self.assertEqual(process.returncode, 2)
      self.assertRegex(errors, rf"^error: .*{message}.*\n$")
      self.assertEqual(output, "")
    self.assertFalse((self.folder / "two").exists())


if __name__ == "__main__":
  absltest.main()
