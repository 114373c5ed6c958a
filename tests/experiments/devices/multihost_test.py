"""Two processes on this machine: they train as one, and end together."""

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from absl.testing import absltest

from experiments.devices import lifeline
from experiments.run_folder import results
from experiments.training import checkpoints
from tests.experiments import commands

SECONDS_TO_END = 60
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


def start(folder: Path, *flags: str, own=((), ())) -> list[subprocess.Popen]:
  """Starts both processes; `own` are flags that only one of them has."""
  port = free_port()
  return [
    subprocess.Popen(
      [
        *(sys.executable, "-m", "experiments.run", *flags, *own[process]),
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


def rows_of(workdir: Path) -> list[dict[str, float]]:
  lines = (workdir / results.METRICS).read_text().splitlines()
  return [json.loads(line) for line in lines]


class HostsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = Path(self.enter_context(tempfile.TemporaryDirectory()))

  def wait_for_checkpoint(self, process, workdir):
    while not checkpoints.steps(workdir):
      self.assertIsNone(process.poll(), "it ended before it was killed")
      time.sleep(0.05)

  @pytest.mark.slow
  def test_a_run_that_lost_a_process_goes_on_as_one_process_would(self):
    workdir = self.folder / "two"
    shared = ("--workdir=two", "--mesh=data:2")
    first, second = start(
      self.folder, *FLAGS, *shared, "--steps=1000000", "--checkpoint_every=10"
    )
    self.wait_for_checkpoint(first, workdir)
    second.send_signal(signal.SIGKILL)
    killed_at = time.monotonic()
    _, said = first.communicate(timeout=SECONDS_TO_END)
    second.communicate()
    self.assertLess(time.monotonic() - killed_at, SECONDS_TO_END)
    self.assertEqual(first.returncode, lifeline.LOST_EXIT_CODE)
    errors = [line for line in said.splitlines() if line.startswith("error")]
    self.assertLen(errors, 1, said)
    self.assertIn("process 1 of 2 has died", errors[0])
    self.assertIn("--resume --workdir=two --mesh=data:2", errors[0])
    self.assertNotIn("Traceback", said)

    steps = checkpoints.steps(workdir)[0] + 20
    both = start(self.folder, *shared, "--resume", f"--steps={steps}")
    said = [process.communicate()[1] for process in both]
    self.assertEqual([process.returncode for process in both], [0, 0], said)
    # The second trains silently.
    self.assertEqual(said[1], "")

    alone = commands.run(
      "experiments.run",
      *(*FLAGS, "--workdir=one", f"--steps={steps}"),
      cwd=self.folder,
    )
    self.assertEqual(alone.returncode, 0, alone.stderr)
    ours, theirs = rows_of(workdir), rows_of(self.folder / "one")
    self.assertEqual(
      [(row["step"], row["seed"]) for row in ours],
      [(row["step"], row["seed"]) for row in theirs],
    )
    for row, other in zip(ours, theirs, strict=True):
      np.testing.assert_allclose(
        [*row.values()], [*other.values()], rtol=1e-3, atol=1e-4
      )

  @pytest.mark.slow
  def test_losing_the_first_process_ends_the_other_with_one_line(self):
    workdir = self.folder / "two"
    first, second = start(
      self.folder,
      *(*FLAGS, "--workdir=two", "--steps=1000000", "--checkpoint_every=10"),
    )
    self.wait_for_checkpoint(first, workdir)
    first.send_signal(signal.SIGKILL)
    _, said = second.communicate(timeout=SECONDS_TO_END)
    first.communicate()
    # JAX may be faster, and abort it.
    self.assertIn(second.returncode, (lifeline.LOST_EXIT_CODE, -signal.SIGABRT))
    self.assertLen(said.splitlines(), 1, said)
    self.assertRegex(
      said, "^error: process 0 has died; go on with: .* --resume .*=1$"
    )

  def test_processes_that_were_told_otherwise_do_not_train(self):
    both = start(
      self.folder,
      *(*FLAGS, "--workdir=two"),
      own=(("--steps=20",), ("--steps=30",)),
    )
    said = [process.communicate()[1] for process in both]
    self.assertEqual([process.returncode for process in both], [2, 2])
    for own in said:
      self.assertEqual(
        own,
        "error: process 1 does not have the flags of process 0, and all must "
        "have the same\n",
      )
    self.assertFalse((self.folder / "two").exists())


if __name__ == "__main__":
  absltest.main()
