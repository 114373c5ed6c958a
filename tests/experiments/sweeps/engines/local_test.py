"""How a machine is divided, and a program whose process is killed."""

import os
import signal
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from absl.testing import absltest, parameterized

from experiments.configs.registry import BY_NAME
from experiments.run_folder import results, workdirs
from experiments.sweeps import engines, search_space
from experiments.sweeps import plan as plans
from experiments.sweeps.engines import EngineOptions, local
from experiments.training.run_config import RunSettings


class SlotsTest(parameterized.TestCase):
  @parameterized.parameters(
    # Four cores: shares are equal, and no core is in two of them.
    ("cpu", 0, 2, [{0, 2}, {1, 3}]),
    ("cpu", 0, 9, [{0}, {1}, {2}, {3}]),
    ("cpu", 1, 9, [{0, 1, 2, 3}]),
    ("cpu", 7, 9, [{0}, {1}, {2}, {3}]),
    ("tpu", 0, 9, [{0, 1, 2, 3}]),
  )
  def test_cores(self, platform, most, num_programs, cores):
    with mock.patch.object(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}):
      slots = local.slots(platform, most, num_programs)
    self.assertEqual([slot.cores for slot in slots], cores)
    self.assertEqual([slot.environment for slot in slots], [{}] * len(cores))

  @parameterized.parameters(
    ("auto", 0, 9, ["4", "5", "7"]),
    ("gpu", 2, 9, ["4,7", "5"]),
    ("gpu", 0, 1, ["4,5,7"]),
  )
  def test_gpus(self, platform, most, num_programs, visible):
    with mock.patch.dict(os.environ, {"CUDA_VISIBLE_DEVICES": "4,5,7"}):
      slots = local.slots(platform, most, num_programs)
    self.assertEqual(
      [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots], visible
    )


class KilledTest(absltest.TestCase):
  def setUp(self):
    self.folder = Path(self.enter_context(tempfile.TemporaryDirectory()))
    experiment = BY_NAME["normal"]
    values = {"steps": 2000, "evaluation_samples": 64, "discriminator_width": 8}
    settings = experiment.settings.replace(**values)
    axes = search_space.read_grid("generator_learning_rate=0.1,0.2", settings)
    self.plan = plans.make_plan(
      RunSettings(experiment, settings, (0,)),
      values,
      axes,
      search_space.crossed(axes, ()),
      plans.PlanOptions(),
      False,
    )
    plans.write_plan(self.plan, self.folder)
    self.killed = []

  def train(self, times):
    """Trains; kills the process as soon as it has the lock, so many times."""
    lock = self.folder / "programs" / "000" / workdirs.LOCK

    def kill():
      words = lock.read_text().split() if lock.exists() else []
      if words and words[1] not in self.killed and len(self.killed) < times:
        self.killed.append(words[1])
        os.kill(int(words[1]), signal.SIGKILL)

    return engines.train_programs(
      EngineOptions(), self.folder, [0], ["--platform=cpu"], kill, lambda: False
    )

  @pytest.mark.slow
  def test_it_is_started_again(self):
    self.assertEqual(self.train(1), {})
    self.assertLen(self.killed, 1)
    for trial in range(2):
      summary = self.plan.workdir(self.folder, trial) / results.SUMMARY
      self.assertEqual(results.read_json(summary)["steps"], 2000)

  @pytest.mark.slow
  def test_it_is_lost_when_that_happens_too_often(self):
    lost = self.train(engines.MAX_STARTS)
    self.assertEqual(lost, {0: "its process was ended by SIGKILL"})
    self.assertEqual(self.plan.unfinished_programs(self.folder), [0])


if __name__ == "__main__":
  absltest.main()
