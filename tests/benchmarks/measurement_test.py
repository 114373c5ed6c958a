"""Tests of `benchmarks.measurement` with a clock that only steps advance."""

from unittest import mock

import numpy as np
from absl.testing import absltest

from benchmarks import cold_start, measurement, timing
from benchmarks.cold_start import ColdStart
from benchmarks.measurement import Budget, Implementation
from benchmarks.timing import Training, UnavailableError

BUDGET = Budget(num_rounds=3, seconds=8.0, cold_start_steps=5)


def unavailable(batch_size):
  raise UnavailableError(f"no compiler for {batch_size}")


class MeasureGameTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.now = 0.0
    self.cold_starts = []

    def measure_cold_start(start, num_steps, cache):
      self.cold_starts.append((start(), num_steps, cache, cache.is_dir()))
      return ColdStart(float(len(self.cold_starts)), 100.0)

    self.enter_context(
      mock.patch.object(timing.time, "perf_counter", lambda: self.now)
    )
    self.enter_context(
      mock.patch.object(cold_start, "measure_cold_start", measure_cold_start)
    )

  def start(self, seconds_per_sample, sample=0.0):
    """Returns a start whose steps take this time for each sample of a batch."""

    def start(batch_size):
      def take_steps(count):
        self.now += count * batch_size * seconds_per_sample

      return Training(take_steps, int, lambda: np.full((2, 1), sample))

    return start

  def test_rows(self):
    implementations = (
      Implementation(
        "pytorch_a",
        "alternating",
        {"one": self.start(0.25), "two": self.start(0.125)},
      ),
      Implementation("pytorch_b", "alternating", {"": unavailable}),
      Implementation(
        "c",
        "simultaneous",
        {"": self.start(0.5)},
        num_seeds=10,
        max_rounds=2,
        restarts=True,
      ),
    )
    measurements = measurement.measure_game(
      "a_game", 4, implementations, BUDGET
    )
    a, c = measurements.rows
    # Steps of 1, 0.5 and 2 seconds.
    self.assertEqual(a.by_variant, {"one": 1.0, "two": 2.0})
    self.assertEqual(a.variant, "two")
    self.assertEqual(a.rounds, (2.0,) * 3)
    self.assertEqual(a.steps_per_second, 2.0)
    self.assertEqual((a.game, a.batch_size, a.num_seeds), ("a_game", 4, 1))
    # The rates are summed over the seeds, and there are fewer rounds.
    self.assertEqual(c.rounds, (5.0, 5.0))
    self.assertEqual(
      [(entry.name, entry.reason) for entry in measurements.missing],
      [("pytorch_b", "no compiler for 4")],
    )
    # One cold start of the faster variant of a, then two of c with one cache.
    trainings, num_steps, caches, existed = zip(*self.cold_starts, strict=True)
    started = self.now
    trainings[0].take_steps(1)
    self.assertEqual(self.now - started, 0.5)
    self.assertEqual(num_steps, (5, 5, 1))
    self.assertEqual(caches[1], caches[2])
    self.assertNotEqual(caches[0], caches[1])
    self.assertEqual(existed, (True,) * 3)
    self.assertFalse(caches[2].exists())
    self.assertEqual((a.first_step_seconds, a.restart_seconds), (1.0, None))
    self.assertEqual((c.first_step_seconds, c.restart_seconds), (2.0, 3.0))
    self.assertEqual(c.peak_memory_mib, 100.0)

  def test_without_cold_starts(self):
    implementations = (
      Implementation("a", "alternating", {"": self.start(1.0)}, restarts=True),
    )
    measurements = measurement.measure_game(
      "a_game", 4, implementations, BUDGET, cold_starts=False
    )
    (row,) = measurements.rows
    self.assertEqual(self.cold_starts, [])
    self.assertIsNone(row.first_step_seconds)
    self.assertIsNone(row.restart_seconds)
    self.assertIsNone(row.peak_memory_mib)

  def test_a_diverged_training_is_an_error(self):
    implementations = (
      Implementation("a", "alternating", {"": self.start(1.0, np.nan)}),
    )
    with self.assertRaisesRegex(RuntimeError, "'a'.*diverged"):
      measurement.measure_game("a_game", 4, implementations, BUDGET)


if __name__ == "__main__":
  absltest.main()
