"""Measurements of runs written by hand."""

import numpy as np
from absl.testing import absltest

from experiments.reproduce.habr2018 import measures
from experiments.run_folder.results import Results


def make(snapshots=None, metrics=None):
  """Returns a run of two seeds and eight logs."""
  return Results(
    "x", {}, np.arange(2), np.arange(8), metrics or {}, snapshots or {}
  )


class MeasuresTest(absltest.TestCase):
  def test_metric_averages_the_last_quarter(self):
    values = np.arange(16.0).reshape(2, 8)
    # Logs 6 and 7 of both seeds: 6, 7, 14, 15.
    self.assertEqual(measures.metric("a")(make(metrics={"a": values})), 10.5)

  def test_seeds_that_lose_different_modes_do_not_cancel(self):
    samples = np.zeros([2, 8, 4, 1])
    samples[0, :, :3], samples[0, :, 3:] = 1.0, 5.0
    samples[1, :, :1], samples[1, :, 1:] = 1.0, 5.0
    # The lighter mode has a quarter of the samples, on another side per seed.
    run = make({"samples": samples})
    self.assertEqual(measures.lighter_mode(2.0)(run), 0.25)
    samples[1] = 5.0
    self.assertEqual(measures.lighter_mode(2.0)(run), 0.125)

  def test_valley_is_within_one_of_zero(self):
    samples = np.full([2, 8, 4, 1], 3.0)
    samples[:, 6:, 0] = -0.9
    samples[:, :6] = 0.0
    self.assertEqual(measures.valley(make({"samples": samples})), 0.25)

  def test_discriminator_uses_the_nearest_point(self):
    values = np.zeros([2, 8, 3])
    values[:, 6:, 1] = 0.75
    run = make({"x": np.array([-4.0, 0.1, 4.0]), "discriminator": values})
    self.assertEqual(measures.discriminator_at(0.0)(run), 0.75)
    self.assertEqual(measures.discriminator_at(-3.0)(run), 0.0)


if __name__ == "__main__":
  absltest.main()
