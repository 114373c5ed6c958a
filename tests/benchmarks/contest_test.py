"""Tests of a contest, on a clock that stands still between steps."""

from unittest import mock

import numpy as np
from absl.testing import absltest

from benchmarks import contest, fresh, timing
from benchmarks.contest import Contestant, Effort
from benchmarks.fresh import Fresh
from benchmarks.timing import Training, UnavailableError

EFFORT = Effort(num_rounds=3, seconds=8.0, fresh_steps=5)


def unavailable(batch_size):
  raise UnavailableError(f"no compiler for {batch_size}")


class MeasureTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.now = 0.0
    self.fresh = []

    def measure(start, num_steps, cache):
      self.fresh.append((start(), num_steps, cache, cache.is_dir()))
      return Fresh(float(len(self.fresh)), 100.0)

    self.enter_context(
      mock.patch.object(timing.time, "perf_counter", lambda: self.now)
    )
    self.enter_context(mock.patch.object(fresh, "measure", measure))

  def start(self, seconds_per_sample, sample=0.0):
    """Returns a start of steps of this length for each sample of a batch."""

    def start(batch_size):
      def take(count):
        self.now += count * batch_size * seconds_per_sample

      return Training(take, int, lambda: np.full((2, 1), sample))

    return start

  def test_rows(self):
    everyone = (
      Contestant(
        "pytorch_a",
        "alternating",
        {"one": self.start(0.25), "two": self.start(0.125)},
      ),
      Contestant("pytorch_b", "alternating", {"": unavailable}),
      Contestant(
        "c",
        "simultaneous",
        {"": self.start(0.5)},
        num_seeds=10,
        max_rounds=2,
        restarts=True,
      ),
    )
    measured = contest.measure("a_game", 4, everyone, EFFORT)
    a, c = measured.rows
    # Steps of 1, 0.5 and 2 seconds.
    self.assertEqual(a.by_variant, {"one": 1.0, "two": 2.0})
    self.assertEqual(a.variant, "two")
    self.assertEqual(a.rounds, (2.0,) * 3)
    self.assertEqual(a.steps_per_second, 2.0)
    self.assertEqual((a.game, a.batch_size, a.num_seeds), ("a_game", 4, 1))
    # Of all seeds, in fewer rounds.
    self.assertEqual(c.rounds, (5.0, 5.0))
    self.assertEqual(
      [(entry.name, entry.reason) for entry in measured.missing],
      [("pytorch_b", "no compiler for 4")],
    )
    # A fresh start of the better variant; then two of the other contestant,
    # from one cache.
    (best, *of_a), (_, *of_c), (_, *again) = self.fresh
    started = self.now
    best.take(1)
    self.assertEqual(self.now - started, 0.5)
    self.assertEqual([of_a[0], of_c[0], again[0]], [5, 5, 1])
    self.assertEqual(of_c[1], again[1])
    self.assertNotEqual(of_a[1], of_c[1])
    self.assertEqual([of_a[2], of_c[2], again[2]], [True] * 3)
    self.assertFalse(again[1].exists())
    self.assertEqual((a.first_step_seconds, a.restart_seconds), (1.0, None))
    self.assertEqual((c.first_step_seconds, c.restart_seconds), (2.0, 3.0))
    self.assertEqual(c.peak_memory_mib, 100.0)

  def test_without_fresh_starts(self):
    everyone = (
      Contestant("a", "alternating", {"": self.start(1.0)}, restarts=True),
    )
    measured = contest.measure(
      "a_game", 4, everyone, EFFORT, starts_afresh=False
    )
    (row,) = measured.rows
    self.assertEqual(self.fresh, [])
    self.assertIsNone(row.first_step_seconds)
    self.assertIsNone(row.restart_seconds)
    self.assertIsNone(row.peak_memory_mib)

  def test_a_diverged_contestant_has_no_speed(self):
    everyone = (Contestant("a", "alternating", {"": self.start(1.0, np.nan)}),)
    with self.assertRaisesRegex(RuntimeError, "'a'.*diverged"):
      contest.measure("a_game", 4, everyone, EFFORT)


if __name__ == "__main__":
  absltest.main()
