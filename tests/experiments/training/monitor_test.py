"""The monitor gives each warning once, when it is sure."""

import numpy as np
from absl.testing import absltest, parameterized

from experiments.training import monitor
from gan_jax.training import Failure, Log

SEEDS = (3, 4)


def make_log(step, failures=(), **values):
  """A healthy log, but for some values of the second seed."""
  metrics = {
    "generator_norm": 2.0,
    "discriminator_norm": 0.5,
    "generated_spread": 0.9,
    "discriminator_real": 0.6,
    "discriminator_fake": 0.4,
  }
  return Log(
    step,
    {
      name: np.array([value, values.get(name, value)])
      for name, value in metrics.items()
    },
    failures,
    None,
  )


def observe(watch, logs):
  """Returns (step, seed, kind) of all warnings."""
  return [each[:3] for log in logs for each in watch.observe(log)]


class MonitorTest(parameterized.TestCase):
  @parameterized.parameters(
    ({"generated_spread": 1e-4}, "collapsed", monitor.PATIENCE),
    (
      {"discriminator_real": 0.9995, "discriminator_fake": 0.0005},
      "saturated",
      monitor.PATIENCE,
    ),
    ({"generator_norm": 2001.0}, "exploding", 1),
    ({"discriminator_norm": 1001.0}, "exploding", 1),
  )
  def test_a_warning_is_given_once_while_it_lasts(self, values, kind, patience):
    watch = monitor.Monitor(SEEDS)
    logs = [make_log(0)] + [make_log(step, **values) for step in range(1, 20)]
    self.assertEqual(observe(watch, logs), [(patience, 4, kind)])
    np.testing.assert_array_equal(watch.warned, [False, True])
    # It passes, and comes again.
    logs = [make_log(20)] + [make_log(step, **values) for step in range(21, 30)]
    self.assertEmpty(observe(watch, logs[:1]))
    np.testing.assert_array_equal(watch.warned, [False, False])
    self.assertEqual(observe(watch, logs[1:]), [(20 + patience, 4, kind)])

  @parameterized.parameters(
    {"generated_spread": 2e-3},
    {"discriminator_real": 0.9995},
    {"discriminator_fake": 0.0005},
    {"discriminator_real": 0.0005, "discriminator_fake": 0.9995},
    {"generator_norm": 1999.0},
    {"discriminator_norm": 999.0},
    {"generated_spread": np.nan},
  )
  def test_healthy_values_give_no_warning(self, **values):
    watch = monitor.Monitor(SEEDS)
    logs = [make_log(0)] + [make_log(step, **values) for step in range(1, 20)]
    self.assertEmpty(observe(watch, logs))

  def test_a_problem_that_passes_sooner_gives_no_warning(self):
    watch = monitor.Monitor(SEEDS)
    for start in (0, 10):
      steps = range(start + 1, start + monitor.PATIENCE)
      logs = [make_log(start)]
      logs += [make_log(step, generated_spread=0.0) for step in steps]
      self.assertEmpty(observe(watch, logs))

  @parameterized.parameters(
    # The spread of the second seed in rows 100 steps apart; steps of warnings.
    ([1e-4] * 10, [900]),
    ([1e-4] * 5 + [0.9] + [1e-4] * 9, [1000]),
    ([1e-4, 2e-3] + [1e-4] * 8, [600]),
    ([1e-4] * 9, []),
    ([1e-4] * 4 + [0.9] * 16, []),
    ([np.nan] * 2 + [1e-4] * 6, []),
  )
  def test_narrow_samples_at_the_start_are_no_collapse(self, spread, expected):
    watch = monitor.Monitor(SEEDS)
    logs = [
      make_log(100 * index, generated_spread=value)
      for index, value in enumerate(spread)
    ]
    self.assertEqual(
      observe(watch, logs), [(step, 4, "collapsed") for step in expected]
    )
    np.testing.assert_array_equal(watch.warned, [False, bool(expected)])

  def test_a_failure_is_warned_of_once(self):
    failure = Failure(4, 6, ("generator",))
    watch = monitor.Monitor(SEEDS)
    logs = [make_log(0), make_log(10, (failure,)), make_log(20, (failure,))]
    self.assertEqual(observe(watch, logs), [(10, 4, "failed")])
    np.testing.assert_array_equal(watch.warned, [False, True])
    self.assertIn("of the generator", monitor.describe(failure))
    self.assertIn("step 6", monitor.describe(failure))

  def test_games_without_samples_or_probabilities(self):
    watch = monitor.Monitor(SEEDS)
    names = ("generator_norm", "discriminator_norm")
    for step in range(9):
      log = make_log(step)
      metrics = {name: log.metrics[name] for name in names}
      self.assertEmpty(watch.observe(log._replace(metrics=metrics)))


if __name__ == "__main__":
  absltest.main()
