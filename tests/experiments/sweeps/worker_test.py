"""A program's trials are runs like any other, whatever interrupts it."""

import json
import shutil
import tempfile
from pathlib import Path

import jax
import numpy as np
import pytest
from absl.testing import absltest

from experiments.configs.registry import BY_NAME
from experiments.run_folder import results, workdirs
from experiments.sweeps import plan as plans
from experiments.sweeps import search_space, worker
from experiments.training import checkpoints, load_run
from experiments.training.run_config import RunSettings
from tests.experiments import trained_runs

SMALL = {
  "steps": 12,
  "log_every": 3,
  "evaluation_samples": 64,
  "discriminator_width": 8,
  "generator_width": 8,
}
# The last rate makes costs infinite.
GRID = "generator_learning_rate=1e-3,4e-3,1e30"
SEEDS = (3, 4)


def make_plan(text=GRID, **values):
  experiment = BY_NAME["ring"]
  values = SMALL | values
  settings = experiment.settings.replace(**values)
  axes = search_space.read_grid(text, settings)
  return plans.make_plan(
    RunSettings(experiment, settings, SEEDS),
    values,
    axes,
    search_space.crossed(axes, ()),
    plans.PlanOptions(),
    skips_invalid=False,
  )


class ProgramTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.parent = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    cls.plan = make_plan()
    cls.whole = cls.parent / "whole"
    plans.write_plan(cls.plan, cls.whole)
    assert cls.train(cls.whole)

  @classmethod
  def train(cls, folder, **kwargs):
    scratch = folder / plans.PROGRAMS / "000"
    scratch.mkdir(parents=True, exist_ok=True)
    with workdirs.claim(scratch):
      return worker.train(
        cls.plan, 0, folder, scratch, jax.devices()[:2], **kwargs
      )

  def summaries(self, folder):
    return [
      results.read_json(self.plan.workdir(folder, index) / results.SUMMARY)
      for index in range(len(self.plan.trials))
    ]

  def assert_same_trials(self, folder):
    for index in range(len(self.plan.trials)):
      found, wanted = (
        self.plan.workdir(parent, index) for parent in (folder, self.whole)
      )
      self.assertEqual(
        trained_runs.measured_rows(found), trained_runs.measured_rows(wanted)
      )
      states = [
        load_run.load_run(workdir, SEEDS[1], jax.devices()[0]).state
        for workdir in (found, wanted)
      ]
      for a, b in zip(*map(jax.tree.leaves, states), strict=True):
        np.testing.assert_array_equal(a, b)

  def test_a_trial_is_the_run_alone(self):
    for index in (0, 1):
      packed = self.plan.workdir(self.whole, index)
      _, run = trained_runs.train(self.parent, self.plan.trials[index].run)
      found = results.read_results(packed)
      # As JSON reads them back.
      settings = json.loads(json.dumps(run.results.settings))
      self.assertEqual(found.settings, settings)
      np.testing.assert_array_equal(found.seeds, SEEDS)
      np.testing.assert_array_equal(found.steps, run.results.steps)
      self.assertEqual(set(found.metrics), set(run.results.metrics))
      for name, values in run.results.metrics.items():
        np.testing.assert_allclose(
          found.metrics[name], values, rtol=2e-4, atol=1e-5, err_msg=name
        )
      # The last frame alone, of both seeds.
      np.testing.assert_array_equal(found.snapshots["step"], [12])
      np.testing.assert_allclose(
        found.snapshots["samples"][:, 0],
        run.results.snapshots["samples"][:, -1],
        rtol=1e-3,
        atol=1e-5,
      )
      summary = self.summaries(self.whole)[index]
      np.testing.assert_allclose(
        summary["score"]["final"]["per_seed"],
        run.summary["score"]["final"]["per_seed"],
        atol=1e-3,
      )
      self.assertEqual(summary["failures"], [])

  def test_a_failed_trial_hurts_no_other(self):
    *others, failed = self.summaries(self.whole)
    self.assertEqual(
      [failure["seed"] for failure in failed["failures"]], [3, 4]
    )
    self.assertEqual(failed["score"]["final"]["mean"], 0)
    for other in others:
      self.assertEqual(other["failures"], [])
      self.assertEqual(other["steps"], 12)
    events = (
      (self.plan.workdir(self.whole, 2) / results.EVENTS)
      .read_text()
      .splitlines()
    )
    kinds = [json.loads(line)["kind"] for line in events]
    self.assertEqual(kinds.count("failed"), 2)

  def test_a_trial_can_be_gone_on_with(self):
    workdir = self.plan.workdir(self.whole, 1)
    self.assertEqual(checkpoints.steps(workdir), [12])
    state = load_run.load_run(workdir, 4, jax.devices()[0]).state
    self.assertEqual(int(state.step), 12)
    # Nothing of the program itself is left but what it said.
    left = {
      path.name for path in (self.whole / plans.PROGRAMS / "000").iterdir()
    }
    self.assertEqual(left, {"progress.json", "rounds.json", workdirs.LOCK})

  def test_stopped_and_gone_on_with(self):
    folder = self.parent / "stopped"
    plans.write_plan(self.plan, folder)
    asked = iter([False, False, False, True])
    self.assertFalse(self.train(folder, should_stop=lambda: next(asked, True)))
    self.assertEqual(self.plan.unfinished_programs(folder), [0])
    rows = (
      (self.plan.workdir(folder, 0) / results.METRICS).read_text().splitlines()
    )
    self.assertLess(json.loads(rows[-1])["step"], 12)
    self.assertTrue(self.train(folder))
    self.assertEqual(self.plan.unfinished_programs(folder), [])
    self.assert_same_trials(folder)

  def test_killed_between_two_trials(self):
    # As it is when the first trial has finished, and nothing after it.
    folder = self.parent / "killed"
    plans.write_plan(self.plan, folder)
    asked = 0

    def should_stop():
      nonlocal asked
      asked += self.plan.is_done(folder, 0)
      return asked > 0

    self.assertFalse(self.train(folder, should_stop=should_stop))
    self.assertTrue(self.plan.is_done(folder, 0))
    self.assertFalse(self.plan.is_done(folder, 1))
    before = (self.plan.workdir(folder, 0) / results.SUMMARY).stat().st_mtime_ns
    # A torn row of one that has not.
    with (self.plan.workdir(folder, 1) / results.METRICS).open("a") as file:
      file.write('{"step": 12, "se')
    self.assertTrue(self.train(folder))
    after = (self.plan.workdir(folder, 0) / results.SUMMARY).stat().st_mtime_ns
    self.assertEqual(before, after)
    self.assert_same_trials(folder)

  def test_a_folder_that_was_removed_is_trained_again(self):
    folder = self.parent / "removed"
    shutil.copytree(self.whole, folder)
    shutil.rmtree(self.plan.workdir(folder, 1))
    kept = [
      (self.plan.workdir(folder, index) / results.METRICS).read_bytes()
      for index in (0, 2)
    ]
    self.assertEqual(self.plan.unfinished_programs(folder), [0])
    self.assertTrue(self.train(folder))
    self.assert_same_trials(folder)
    for index, content in zip((0, 2), kept, strict=True):
      path = self.plan.workdir(folder, index) / results.METRICS
      self.assertEqual(path.read_bytes(), content)

  @pytest.mark.slow
  def test_rounds_that_fit_into_memory(self):
    folder = self.parent / "rounds"
    plans.write_plan(self.plan, folder)
    scratch = folder / plans.PROGRAMS / "000"
    scratch.mkdir(parents=True)
    results.write_json(scratch / "rounds.json", {"trials": [1, 2]})
    self.assertTrue(self.train(folder))
    self.assert_same_trials(folder)

  def test_pictures(self):
    folder = self.parent / "pictures"
    plan = make_plan("generator_learning_rate=1e-3", steps=2, log_every=1)
    plans.write_plan(plan, folder)
    scratch = folder / plans.PROGRAMS / "000"
    scratch.mkdir(parents=True)
    worker.train(plan, 0, folder, scratch, jax.devices()[:1], draws=True)
    workdir = plan.workdir(folder, 0)
    self.assertTrue((workdir / results.ANIMATION).exists())
    self.assertEqual(
      {path.name for path in (workdir / results.FIGURES).iterdir()},
      {name for name in BY_NAME["ring"].figures if name.endswith(".png")},
    )
    np.testing.assert_array_equal(
      results.read_results(workdir).snapshots["step"], [0, 1, 2]
    )
    shutil.rmtree(folder)


if __name__ == "__main__":
  absltest.main()
