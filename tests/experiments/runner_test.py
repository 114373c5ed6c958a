"""Finished runs are found again by what they were told."""

import json
import tempfile
from pathlib import Path

import jax
import numpy as np
from absl.testing import absltest, parameterized

from experiments import results, runner
from experiments.fields import SettingError
from experiments.registry import BY_NAME

EXPERIMENT = BY_NAME["mixture_near"]
SETTINGS = EXPERIMENT.settings.replace(
  steps=2, log_every=1, evaluation_samples=64, discriminator_width=8
)
SEEDS = range(2)


class RunnerTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.parent = Path(folder.name)

  def find(self, experiment=EXPERIMENT, settings=SETTINGS, seeds=SEEDS):
    return runner.find(self.parent, experiment, settings, seeds)

  def test_a_run_is_found_by_experiment_settings_and_seeds(self):
    self.assertIsNone(self.find())
    workdir = results.create_numbered(self.parent, "mixture_near")
    devices = jax.devices()[:1]
    problem = runner.prepare(EXPERIMENT, SETTINGS, len(SEEDS), devices)
    run = runner.train(EXPERIMENT, SETTINGS, problem, SEEDS, devices, workdir)
    found = self.find()
    assert found is not None
    self.assertEqual(found[0], workdir)
    np.testing.assert_array_equal(
      found[1].metrics["jensen_shannon"],
      run.results.metrics["jensen_shannon"],
    )
    read = results.read(workdir)
    np.testing.assert_array_equal(
      read.metrics["jensen_shannon"], run.results.metrics["jensen_shannon"]
    )
    written = json.loads((workdir / results.SUMMARY).read_text())
    self.assertEqual(written["score"], run.summary["score"])

    self.assertIsNone(self.find(settings=SETTINGS.replace(batch_size=32)))
    self.assertIsNone(self.find(settings=SETTINGS.replace(input_mean=(-3.0,))))
    self.assertIsNone(self.find(seeds=range(3)))
    self.assertIsNone(self.find(seeds=range(1, 3)))
    self.assertIsNone(self.find(experiment=BY_NAME["mixture_far"]))

    # A run that never finished has no summary.
    (workdir / results.SUMMARY).rename(workdir / "elsewhere")
    self.assertIsNone(self.find())
    (workdir / "elsewhere").rename(workdir / results.SUMMARY)

    # What is damaged is passed over, whichever folder it is in.
    other = results.create_numbered(self.parent, "other")
    for damage in (b"", b"{", b"[]", b"\xff\xfe\x00"):
      (other / results.SUMMARY).write_bytes(damage)
      (other / results.SETTINGS).write_bytes(damage)
      self.assertIsNotNone(self.find())
    for name in (
      results.SUMMARY,
      results.SETTINGS,
      results.METRICS,
      results.SNAPSHOTS,
    ):
      path = workdir / name
      whole = path.read_bytes()
      for damage in (b"", b"{}", whole[: len(whole) // 2]):
        if (name, damage) == (results.SUMMARY, b"{}"):
          continue
        path.write_bytes(damage)
        self.assertIsNone(self.find(), f"{name}: {damage[:9]}")
      path.write_bytes(whole)
    self.assertIsNotNone(self.find())


class ScoreTest(parameterized.TestCase):
  @parameterized.parameters(
    # Images too few to be measured have no score; who failed has the lowest.
    ({}, None),
    ({"discriminator_learning_rate": 1e38}, 0.0),
  )
  def test_what_is_not_measured(self, values, expected):
    experiment = EXPERIMENT._replace(
      score=lambda run: np.full(run.metrics["generator_cost"].shape, np.nan),
    )
    settings = SETTINGS.replace(**values)
    folder = self.enterContext(tempfile.TemporaryDirectory())
    workdir = results.create_numbered(Path(folder), "mixture_near")
    devices = jax.devices()[:1]
    problem = runner.prepare(experiment, settings, len(SEEDS), devices)
    run = runner.train(experiment, settings, problem, SEEDS, devices, workdir)
    self.assertEqual(run.summary["score"]["final"]["mean"], expected)
    self.assertLen(run.summary["failures"], 0 if expected is None else 2)


class PrepareTest(absltest.TestCase):
  def test_states_that_do_not_fit_are_refused(self):
    # A memory of 4 bytes a sample, twice: 8 TB.
    settings = SETTINGS.replace(replay_size=10**9)
    with self.assertRaisesRegex(SettingError, "1000 seeds take 7,45.* GiB"):
      runner.prepare(EXPERIMENT, settings, 1000, jax.devices()[:1])


if __name__ == "__main__":
  absltest.main()
