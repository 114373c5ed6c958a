"""A sweep on a Ray cluster of this machine, whose workers are killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import pytest
from absl.testing import absltest, parameterized

from experiments.errors import RunFolderError, UsageError
from experiments.run_folder import results, workdirs
from experiments.sweeps import engines
from experiments.sweeps.engines import EngineOptions, ray
from tests.experiments import commands

STEPS, LOG_EVERY = 4000, 1000
FLAGS = (
  "--experiment=normal",
  "--grid=generator_learning_rate=0.03,0.1;loss=hinge,non_saturating",
  f"--steps={STEPS}",
  f"--log_every={LOG_EVERY}",
  "--checkpoint_every=500",
  "--evaluation_samples=64",
  "--discriminator_width=8",
  "--engine=ray",
)
SECONDS = 240
SERVES = """
import os, sys
from pathlib import Path
from experiments.sweeps import engines

engines.check(engines.EngineOptions(engine="ray"))
from experiments.sweeps.engines import ray

with ray.places("", Path(sys.argv[1]), 1, "cpu", 1, []):
  address = ray.ray.get_runtime_context().gcs_address
  print(address, os.environ["RAY_AUTH_TOKEN"], file=sys.__stdout__, flush=True)
  sys.stdin.read()
"""
"""Starts a cluster as a sweep does, until its input is closed."""


def start(folder):
  """Begins a sweep on two cores, in a process group as a terminal makes."""
  process = subprocess.Popen(
    [
      sys.executable,
      "-m",
      "experiments.sweep",
      *FLAGS,
      f"--workdir={folder}",
    ],
    env=commands.ENVIRONMENT,
    cwd=folder.parent,
    stderr=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
    start_new_session=True,
  )
  os.sched_setaffinity(process.pid, sorted(os.sched_getaffinity(0))[:2])
  return process


def wait_for(condition):
  deadline = time.monotonic() + SECONDS
  while time.monotonic() < deadline:
    found = condition()
    if found:
      return found
    time.sleep(0.05)
  raise AssertionError("waited in vain")


def saved(folder, program):
  """Returns the whole checkpoints of a program."""
  return list(folder.glob(f"programs/{program:03d}/0/checkpoints/*/files.json"))


def ray_worker(folder, program):
  """Returns the Ray worker whose process trains a program; None if none does.

  That process writes its number to the lock of the program's folder.
  """
  lock = folder / "programs" / f"{program:03d}" / workdirs.LOCK
  try:
    process = lock.read_text().split()[1]
    status = Path(f"/proc/{process}/status").read_text()
    worker = int(status.partition("PPid:")[2].split()[0])
    name = Path(f"/proc/{worker}/comm").read_text()
  except (FileNotFoundError, IndexError):
    return None
  return worker if name.startswith("ray::") else None


def events(folder, loss):
  """Returns the kinds of events of each trial with a loss."""
  return [
    [json.loads(line)["kind"] for line in path.read_text().splitlines()]
    for path in sorted(folder.glob(f"trials/*loss={loss}/{results.EVENTS}"))
  ]


def contents(folder):
  return {
    path: path.read_bytes() for path in folder.rglob("*") if path.is_file()
  }


@pytest.mark.slow
# Ray forks to start its processes, and then starts another program in them.
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
class ClusterTest(absltest.TestCase):
  def setUp(self):
    self.folder = (
      Path(self.enter_context(tempfile.TemporaryDirectory())) / "sweep"
    )

  def assert_complete(self):
    trials = sorted(self.folder.glob("trials/*"))
    self.assertLen(trials, 4)
    for trial in trials:
      rows = (trial / results.METRICS).read_text().splitlines()
      self.assertEqual(
        [json.loads(row)["step"] for row in rows],
        list(range(0, STEPS + 1, LOG_EVERY)),
      )
      summary = results.read_json(trial / results.SUMMARY)
      self.assertEqual(summary["steps"], STEPS)
      self.assertFalse((trial / results.FRAMES).exists())
    self.assertEmpty(list(self.folder.rglob(f"{results.PARTIAL}*")))

  def test_nothing_is_lost(self):
    # The first is stopped when a checkpoint has been written.
    first = start(self.folder)
    wait_for(lambda: saved(self.folder, 0))
    os.killpg(first.pid, signal.SIGINT)
    _, error = first.communicate(timeout=SECONDS)
    self.assertEqual(first.returncode, 128 + signal.SIGINT, error)
    self.assertIn("stopped; resume with: ", error)
    self.assertEmpty(list(self.folder.glob(f"trials/*/{results.SUMMARY}")))

    # Of the second, a worker is killed while its program trains.
    second = start(self.folder)
    worker = wait_for(lambda: ray_worker(self.folder, 0))
    before = saved(self.folder, 0)
    wait_for(lambda: saved(self.folder, 0) != before)
    os.kill(worker, signal.SIGKILL)
    output, error = second.communicate(timeout=SECONDS)
    self.assertEqual(second.returncode, 0, error)
    self.assertNotIn("Traceback", error)
    self.assertNotIn("raylet", output)
    self.assertIn("program 0: its process was ended by SIGKILL", error)
    self.assert_complete()
    for path in self.folder.glob(f"trials/*/{results.SUMMARY}"):
      # Two programs share two cores.
      self.assertStartsWith(results.read_json(path)["device"], "1 x cpu")
    for kinds in events(self.folder, "hinge"):
      kinds = [kind for kind in kinds if kind not in ("stopped", "saved")]
      self.assertEqual(kinds, ["began", "resumed", "resumed", "ended"])

    # The third trains what is missing, and nothing else.
    name = "generator_learning_rate=0.03,loss=hinge"
    (self.folder / "trials" / name / results.SUMMARY).unlink()
    others = [
      path for path in self.folder.glob("trials/*") if path.name != name
    ]
    earlier = [contents(path) for path in others]
    third = start(self.folder)
    _, error = third.communicate(timeout=SECONDS)
    self.assertEqual(third.returncode, 0, error)
    self.assert_complete()
    self.assertEqual([contents(path) for path in others], earlier)

  def test_others_cannot_use_its_ports(self):
    serving = subprocess.Popen(
      [sys.executable, "-c", SERVES, str(self.folder)],
      env=commands.ENVIRONMENT,
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
    )
    assert serving.stdout
    address, token = serving.stdout.readline().split()
    for variables, connects in (
      ({}, False),
      ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": 64 * "0"}, False),
      ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}, True),
    ):
      done = subprocess.run(
        [sys.executable, "-c", ray._PROBE, address],
        env={**commands.ENVIRONMENT, "HOME": str(self.folder), **variables},
        capture_output=True,
        timeout=SECONDS,
      )
      self.assertEqual(done.returncode == 0, connects, done.stderr)
    serving.communicate()

  def test_a_folder_that_the_workers_do_not_see(self):
    # As on a machine without the storage: the folder has no plan.
    with self.assertRaisesRegex(
      RunFolderError, "on storage that all machines of the cluster share"
    ):
      engines.train_programs(
        EngineOptions("ray"), self.folder, [0], [], lambda: None, lambda: False
      )
    self.assertFalse(self.folder.exists())


class ShareTest(parameterized.TestCase):
  @parameterized.parameters(
    # One program has all cores of the larger machine.
    ([(2, 0), (8, 0)], "auto", 0, 1, (1, 8, 0)),
    # 8 // 4 + 4 // 4 are three; of five cores, only one would fit.
    ([(8, 0), (4, 0)], "cpu", 0, 3, (3, 4, 0)),
    # One core each, though there are more programs.
    ([(2, 0)], "auto", 0, 9, (2, 1, 0)),
    ([(2, 0)], "auto", 7, 9, (2, 1, 0)),
    ([(4, 0)], "auto", 2, 9, (2, 2, 0)),
    # A machine that only directs.
    ([(0, 0), (4, 0)], "auto", 0, 2, (2, 2, 0)),
    ([(4, 0), (8, 2)], "auto", 0, 9, (2, 1, 1)),
    ([(4, 0), (8, 2)], "gpu", 1, 9, (1, 1, 1)),
    ([(4, 0), (8, 2)], "cpu", 0, 3, (3, 4, 0)),
  )
  def test_each_program_has_as_much_as_there_is(
    self, nodes, platform, most, num_programs, expected
  ):
    self.assertEqual(ray.share(nodes, platform, most, num_programs), expected)

  @parameterized.parameters(("gpu", [(4, 0)]), ("auto", [(0, 0)]))
  def test_a_cluster_without_what_it_takes_is_refused(self, platform, nodes):
    with self.assertRaisesRegex(UsageError, "Ray cluster has no"):
      ray.share(nodes, platform, 0, 1)


class AddressTest(parameterized.TestCase):
  def test_one_that_nobody_listens_at_is_refused_and_nothing_written(self):
    with (
      socket.socket() as taken,
      tempfile.TemporaryDirectory() as folder,
    ):
      # Bound, but not listening: no one else can take the port.
      taken.bind(("127.0.0.1", 0))
      address = f"127.0.0.1:{taken.getsockname()[1]}"
      done = commands.run(
        "experiments.sweep",
        *FLAGS,
        f"--address={address}",
        f"--workdir={folder}/sweep",
        cwd=Path(folder),
      )
      self.assertEqual(os.listdir(folder), [])
    self.assertEqual(done.returncode, 2)
    self.assertEqual(
      done.stderr,
      f"error: --address={address} cannot be reached: Connection refused\n",
    )

  def test_something_else_that_listens_is_no_cluster(self):
    with socket.create_server(("127.0.0.1", 0)) as server:
      address = f"127.0.0.1:{server.getsockname()[1]}"
      with (
        mock.patch.object(ray, "CONNECT_SECONDS", 2.0),
        self.assertRaisesRegex(UsageError, "no Ray cluster answers there"),
      ):
        ray.check_address(address)

  @parameterized.parameters("ray://host:10001", "host", "host:port", ":1", "1:")
  def test_what_is_none_is_refused(self, address):
    with self.assertRaisesRegex(UsageError, f"--address={address}"):
      ray.check_address(address)

  def test_it_is_said_how_to_install_ray(self):
    with (
      mock.patch("importlib.util.find_spec", lambda name: None),
      self.assertRaisesRegex(UsageError, "pip install ray"),
    ):
      engines.check(EngineOptions("ray"))


if __name__ == "__main__":
  absltest.main()
