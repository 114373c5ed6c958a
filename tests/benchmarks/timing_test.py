"""Tests of the clockwork, on a clock that stands still between steps."""

from unittest import mock

from absl.testing import absltest

from benchmarks import timing


class TimingTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.now = 0.0
    self.taken = []
    self.enter_context(
      mock.patch.object(timing.time, "perf_counter", lambda: self.now)
    )

  def contestant(self, name, seconds_per_step, first_call=0.0):
    def take(count):
      if (name, 1) not in self.taken:
        self.now += first_call
      self.taken.append((name, count))
      self.now += count * seconds_per_step

    return take

  def test_calibrate_fills_the_time(self):
    take = self.contestant("a", 0.125, first_call=100.0)
    self.assertEqual(timing.calibrate(take, 16.0), 128)

  def test_calibrate_takes_a_step_that_is_too_long(self):
    take = self.contestant("a", 8.0)
    self.assertEqual(timing.calibrate(take, 2.0), 1)
    self.assertEqual(set(self.taken), {("a", 1)})

  def test_contestants_take_turns(self):
    takes = {
      "slow": self.contestant("slow", 0.5),
      "fast": self.contestant("fast", 0.25),
    }
    rates = timing.interleave(takes, {"slow": 3, "fast": 3}, seconds=10.0)
    self.assertEqual(rates, {"slow": [2.0] * 3, "fast": [4.0] * 3})
    # 10 seconds are 20 and 40 steps, after a tenth of them to warm up.
    turn = [("slow", 2), ("slow", 20), ("fast", 4), ("fast", 40)]
    self.assertEqual(self.taken[-12:], 3 * turn)

  def test_a_slow_contestant_leaves(self):
    # Steps so long that one is a turn, with no other to warm up.
    takes = {
      "slow": self.contestant("slow", 8.0),
      "fast": self.contestant("fast", 2.0),
    }
    rates = timing.interleave(takes, {"slow": 1, "fast": 3}, seconds=2.0)
    self.assertEqual(rates, {"slow": [0.125], "fast": [0.5] * 3})
    fast = [("fast", 0), ("fast", 1)]
    self.assertEqual(self.taken[-8:], [("slow", 0), ("slow", 1), *3 * fast])
    self.assertEqual(timing.ratio(rates["fast"], rates["slow"]), 4.0)

  def test_ratio_is_taken_within_rounds(self):
    # Ratios 3, 2, 4: their median is 3, that of the medians 6 / 2.5 = 2.4.
    self.assertEqual(timing.ratio((6.0, 5.0, 16.0), (2.0, 2.5, 4.0)), 3.0)


if __name__ == "__main__":
  absltest.main()
