"""Runs are trained into folders and found again by their settings."""

import json
import tempfile
from pathlib import Path

import jax
import numpy as np
from absl.testing import absltest, parameterized

from experiments.configs.registry import BY_NAME
from experiments.errors import SettingError
from experiments.run_folder import results
from experiments.training import load_run, trainer
from tests.experiments import trained_runs

RUN = trained_runs.settings_of(
  "mixture_near",
  range(2),
  steps=2,
  log_every=1,
  evaluation_samples=64,
  discriminator_width=8,
)


class FindRunTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.parent = Path(folder.name)
    self.enterContext(trained_runs.undrawn())

  def find(self, run=RUN):
    return load_run.find_run(self.parent, run)

  def test_a_run_is_found_by_experiment_settings_and_seeds(self):
    self.assertIsNone(self.find())
    workdir, run = trained_runs.train(self.parent, RUN)
    found = self.find()
    assert found is not None and found[1] is not None
    self.assertEqual(found[0], workdir)
    np.testing.assert_array_equal(
      found[1].metrics["jensen_shannon"],
      run.results.metrics["jensen_shannon"],
    )
    read = results.read_results(workdir)
    np.testing.assert_array_equal(
      read.metrics["jensen_shannon"], run.results.metrics["jensen_shannon"]
    )
    written = json.loads((workdir / results.SUMMARY).read_text())
    self.assertEqual(written["score"], run.summary["score"])

    for changes in ({"batch_size": 32}, {"input_mean": (-3.0,)}):
      settings = RUN.settings.replace(**changes)
      self.assertIsNone(self.find(RUN._replace(settings=settings)))
    for seeds in (range(3), range(1, 3)):
      self.assertIsNone(self.find(RUN._replace(seeds=tuple(seeds))))
    other = RUN._replace(experiment=BY_NAME["mixture_far"])
    self.assertIsNone(self.find(other))

  def test_damaged_runs_are_skipped(self):
    workdir, _ = trained_runs.train(self.parent, RUN)
    other = self.parent / "other"
    other.mkdir()
    for damage in (b"", b"{", b"[]", b"\xff\xfe\x00"):
      (other / results.SUMMARY).write_bytes(damage)
      (other / results.SETTINGS).write_bytes(damage)
      self.assertIsNotNone(self.find())
    for name in (results.SETTINGS, results.METRICS, results.SNAPSHOTS):
      path = workdir / name
      whole = path.read_bytes()
      for damage in (b"", b"{}", whole[: len(whole) // 2]):
        path.write_bytes(damage)
        self.assertIsNone(self.find(), f"{name}: {damage[:9]}")
      path.write_bytes(whole)
    self.assertIsNotNone(self.find())

  def test_an_unfinished_run_is_found_without_results(self):
    # The summary marks a run as finished.
    first, second, last = (
      trained_runs.train(self.parent, RUN)[0] for _ in range(3)
    )
    (last / results.SUMMARY).unlink()
    found = self.find()
    assert found is not None
    # The newest that has finished is preferred.
    self.assertEqual(found[0], second)
    self.assertIsNotNone(found[1])
    for workdir in (first, second):
      (workdir / results.SUMMARY).unlink()
    self.assertEqual(self.find(), (last, None))


class ScoreTest(parameterized.TestCase):
  @parameterized.parameters(
    # Images too few to be measured have no score; who failed has the lowest.
    ({}, None),
    ({"discriminator_learning_rate": 1e38}, 0.0),
  )
  def test_what_is_not_measured(self, values, expected):
    experiment = RUN.experiment._replace(
      score=lambda run: np.full(run.metrics["generator_cost"].shape, np.nan),
    )
    settings = RUN.settings.replace(**values)
    parent = Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.enterContext(trained_runs.undrawn())
    _, run = trained_runs.train(
      parent, RUN._replace(experiment=experiment, settings=settings)
    )
    self.assertEqual(run.summary["score"]["final"]["mean"], expected)
    self.assertLen(run.summary["failures"], 0 if expected is None else 2)

  def test_a_seed_that_is_not_finite_scores_0(self):
    # It has not failed, and leaving it out would leave the other's 0.8.
    experiment = RUN.experiment._replace(
      score=lambda run: (
        np.array([[0.8], [np.nan]]) + 0 * run.metrics["generator_cost"]
      ),
    )
    parent = Path(self.enterContext(tempfile.TemporaryDirectory()))
    self.enterContext(trained_runs.undrawn())
    _, run = trained_runs.train(parent, RUN._replace(experiment=experiment))
    final = run.summary["score"]["final"]
    self.assertEqual(final["per_seed"], [0.8, 0.0])
    self.assertEqual(final["mean"], 0.4)


class PrepareTest(absltest.TestCase):
  def test_states_that_do_not_fit_are_refused(self):
    # A memory of 4 bytes a sample, twice: 8 TB.
    settings = RUN.settings.replace(replay_size=10**9)
    run = RUN._replace(settings=settings, seeds=tuple(range(1000)))
    with self.assertRaisesRegex(SettingError, "1000 seeds take 7,45.* GiB"):
      trainer.build_problem(run, jax.devices()[:1])


if __name__ == "__main__":
  absltest.main()
