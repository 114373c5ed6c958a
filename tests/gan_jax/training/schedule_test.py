"""The stopwatch of a training: its rate, and what it leaves out."""

import contextlib
from unittest import mock

from absl.testing import absltest, parameterized

from gan_jax.training import schedule


class StopwatchTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.now = 1000.0
    self.enterContext(
      mock.patch.object(schedule.time, "perf_counter", lambda: self.now)
    )

  @parameterized.parameters(
    # First step, seconds before it; chunks of steps, evaluations and
    # compilations, each with its seconds; the rate.
    (0, 0.0, [(10, 2.0)], 5.0),
    (0, 0.0, [(1, 9.0), (10, 2.0), ("evaluates", 3.0)], 2.0),
    (0, 0.0, [("compiles", 60.0), (1, 1.0), (4, 2.0)], 2.0),
    # The first evaluation imports, and the first step allocates.
    (0, 0.0, [("evaluates", 60.0), (1, 30.0), (10, 2.0)], 5.0),
    # 100 steps of an earlier process took 1 s.
    (100, 1.0, [("compiles", 60.0), (20, 10.0)], 2.0),
    (100, 1.0, [("compiles", 60.0), (1, 10.0), (20, 10.0)], 2.0),
    (100, 1.0, [("compiles", 60.0)], 100.0),
    (0, 0.0, [("compiles", 60.0)], 0.0),
  )
  def test_rate(self, step, before, parts, expected):
    stopwatch, counted = schedule.Stopwatch(step, before), before
    for part, seconds in parts:
      context = contextlib.nullcontext()
      if part == "compiles":
        context = stopwatch.paused()
      elif part != "evaluates":
        context = stopwatch.chunk(part)
        step += part
      with context:
        self.now += seconds
      counted += 0 if part == "compiles" else seconds
    self.assertAlmostEqual(stopwatch.rate(step), expected)
    self.assertAlmostEqual(stopwatch.seconds, counted)

  def test_chunks_grow_to_half_a_second(self):
    # A step takes 0.1 s.
    stopwatch, sizes = schedule.Stopwatch(), []
    for _ in range(5):
      sizes.append(stopwatch.num_steps)
      with stopwatch.chunk(sizes[-1]):
        self.now += 0.1001 * sizes[-1]
    self.assertEqual(sizes, [1, 2, 4, 4, 4])


if __name__ == "__main__":
  absltest.main()
