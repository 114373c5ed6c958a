"""Runs of figures are loaded, resumed or trained."""

import shutil
import tempfile
from pathlib import Path
from unittest import mock

import jax
import numpy as np
from absl.testing import absltest, parameterized

from experiments.errors import RunFolderError
from experiments.reproduce.common.figure import Training
from experiments.reproduce.common.trained_runs import load_or_train
from experiments.run_folder import results, workdirs
from experiments.training import trainer
from tests.experiments import trained_runs

SETTINGS = {
  "steps": 12,
  "log_every": 3,
  "evaluation_samples": 64,
  "discriminator_width": 8,
}
TRAINING = Training("mixture_near", SETTINGS, num_seeds=2)


class LoadOrTrainTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
    cls.enterClassContext(trained_runs.undrawn())
    cls.enterClassContext(trained_runs.traced_once())
    cls.whole = folder / "whole"
    cls.trained = load_or_train(TRAINING, 4, cls.whole, jax.devices()[:1])
    run = trained_runs.settings_of("mixture_near", [4, 5], **SETTINGS)
    cls.stopped = folder / "stopped"
    cls.stopped.mkdir()
    trained_runs.train_until(cls.stopped / "mixture_near-007", run, 7)

  def setUp(self):
    super().setUp()
    self.parent = (
      Path(self.enterContext(tempfile.TemporaryDirectory())) / "runs"
    )

  def load(self, seed=4):
    return load_or_train(TRAINING, seed, self.parent, jax.devices()[:1])

  def assert_same(self, run):
    """The run has the results of the one that was never stopped."""
    for found, expected in (
      (run.results.metrics, self.trained.results.metrics),
      (run.results.snapshots, self.trained.results.snapshots),
    ):
      self.assertEqual(found.keys(), expected.keys())
      for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, name)

  def test_a_finished_run_is_loaded(self):
    shutil.copytree(self.whole, self.parent)
    with mock.patch.object(trainer, "train", side_effect=AssertionError):
      loaded = self.load()
    self.assertEqual(loaded.workdir, self.parent / "mixture_near-001")
    self.assert_same(loaded)
    provenance = loaded.provenance()
    self.assertEqual(provenance["folder"], str(loaded.workdir))
    self.assertEqual(provenance["seeds"], [4, 5])
    self.assertEqual(provenance["versions"]["jax"], jax.__version__)

  @parameterized.parameters(
    (True, ["began", "saved", "stopped", "resumed", "ended"]),
    # A process may be killed before its first checkpoint.
    (False, ["began", "stopped", "began", "saved", "ended"]),
  )
  def test_an_unfinished_run_resumes(self, has_checkpoint, kinds):
    shutil.copytree(self.stopped, self.parent)
    workdir = self.parent / "mixture_near-007"
    self.assertFalse(results.is_finished(workdir))
    if not has_checkpoint:
      shutil.rmtree(workdir / results.CHECKPOINTS)
      events = workdir / results.EVENTS
      rows = events.read_text().splitlines(keepends=True)
      events.write_text("".join(row for row in rows if "saved" not in row))
    resumed = self.load()
    self.assertEqual(resumed.workdir, workdir)
    self.assertEqual(list(self.parent.iterdir()), [workdir])
    self.assert_same(resumed)
    events = results.read_rows(workdir / results.EVENTS).rows
    self.assertEqual([row["kind"] for row in events], kinds)
    self.assertTrue((workdir / results.REPORT).exists())

  def test_a_run_that_another_process_trains_is_refused(self):
    shutil.copytree(self.stopped, self.parent)
    with (
      workdirs.claim(self.parent / "mixture_near-007"),
      self.assertRaisesRegex(RunFolderError, "is being written to by"),
    ):
      self.load()

  def test_other_seeds_are_another_run(self):
    shutil.copytree(self.whole, self.parent)
    other = self.load(seed=5)
    self.assertEqual(other.workdir, self.parent / "mixture_near-002")
    np.testing.assert_array_equal(other.results.seeds, [5, 6])
    # The last seed of one run is the first of the other.
    (before, shared), (same, after) = (
      run.results.metrics["generated_mean"] for run in (self.trained, other)
    )
    np.testing.assert_allclose(shared, same, rtol=1e-4)
    for values in (before, after):
      self.assertGreater(np.abs(values - shared).max(), 1e-3)


if __name__ == "__main__":
  absltest.main()
