"""Tests of `benchmarks.timing` with a clock that only steps advance."""

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

  def fake_steps(self, name, seconds_per_step, first_call=0.0):
    def take_steps(count):
      if (name, 1) not in self.taken:
        self.now += first_call
      self.taken.append((name, count))
      self.now += count * seconds_per_step

    return take_steps

  def test_calibrate_fills_the_time(self):
    take_steps = self.fake_steps("a", 0.125, first_call=100.0)
    self.assertEqual(timing.calibrate(take_steps, 16.0), 128)

  def test_calibrate_of_a_step_longer_than_the_time(self):
    take_steps = self.fake_steps("a", 8.0)
    self.assertEqual(timing.calibrate(take_steps, 2.0), 1)
    self.assertEqual(set(self.taken), {("a", 1)})

  def test_trainings_take_turns(self):
    step_functions = {
      "slow": self.fake_steps("slow", 0.5),
      "fast": self.fake_steps("fast", 0.25),
    }
    rates = timing.interleave(
      step_functions, {"slow": 3, "fast": 3}, seconds=10.0
    )
    self.assertEqual(rates, {"slow": [2.0] * 3, "fast": [4.0] * 3})
    # 10 seconds are 20 and 40 steps. A tenth of them runs before as warm-up.
    turn = [("slow", 2), ("slow", 20), ("fast", 4), ("fast", 40)]
    self.assertEqual(self.taken[-12:], 3 * turn)

  def test_a_slow_training_may_run_fewer_rounds(self):
    # One step fills a turn, so there are no steps to warm up.
    step_functions = {
      "slow": self.fake_steps("slow", 8.0),
      "fast": self.fake_steps("fast", 2.0),
    }
    rates = timing.interleave(
      step_functions, {"slow": 1, "fast": 3}, seconds=2.0
    )
    self.assertEqual(rates, {"slow": [0.125], "fast": [0.5] * 3})
    fast = [("fast", 0), ("fast", 1)]
    self.assertEqual(self.taken[-8:], [("slow", 0), ("slow", 1), *3 * fast])
    self.assertEqual(timing.median_ratio(rates["fast"], rates["slow"]), 4.0)

  def test_median_ratio_compares_within_rounds(self):
    # The ratios are 3, 2, 4 with median 3. The medians' ratio is 6 / 2.5 = 2.4.
    self.assertEqual(
      timing.median_ratio((6.0, 5.0, 16.0), (2.0, 2.5, 4.0)), 3.0
    )


if __name__ == "__main__":
  absltest.main()
