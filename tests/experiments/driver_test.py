"""The host loop: what it logs, and how it meets failures."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from experiments import driver
from gan_jax import training
from gan_jax.types import Players, TrainState


def counting_problem(fails_at=None):
  """A state that counts its steps; odd seeds fail at a step.

  `fails_at` is (player, step): that player's cost is infinite at that step.
  """

  def init(key):
    zero = jnp.zeros((), jnp.int32)
    odd = jax.random.key_data(key)[1] % jnp.uint32(2)
    return TrainState(
      step=zero,
      params=Players(odd, odd),
      variables=Players({}, {}),
      optimizer_states=Players((), ()),
    )

  def costs(state):
    costs = {name: jnp.float32(1.0) for name in Players._fields}
    if fails_at:
      player, step = fails_at
      failed = (state.params.generator == 1) & (state.step >= step)
      costs[player] = jnp.where(failed, jnp.inf, 1.0)
    return {f"{name}_cost": cost for name, cost in costs.items()}

  return training.Problem(
    init=init,
    sample_batch=lambda key, data: None,
    step=lambda state, batch, key: (
      state.replace(step=state.step + 1),
      costs(state),
    ),
    evaluate=lambda state, key, data: {
      **costs(state),
      "steps": state.step.astype(float),
    },
    snapshot=lambda state, key: {"count": state.step},
    reference={"x": jnp.arange(3)},
  )


def odd_seeds(seeds):
  """The seeds that `counting_problem` lets fail."""
  return [
    seed
    for seed in seeds
    if jax.random.key_data(training.member_keys(seed).init)[1] % 2
  ]


def train(
  problem,
  seeds,
  num_steps,
  log_every,
  logs=None,
  devices=1,
  measure_every=1,
):
  return driver.train(
    problem,
    seeds,
    num_steps,
    log_every,
    measure_every,
    jax.devices()[:devices],
    on_chunk=lambda step: None,
    on_log=(logs if logs is not None else []).append,
  )


class DriverTest(parameterized.TestCase):
  @parameterized.parameters(
    (10, 5, [0, 5, 10]), (10, 4, [0, 4, 8, 10]), (3, 10, [0, 3])
  )
  def test_logged_steps(self, num_steps, log_every, expected):
    outcome = train(counting_problem(), [0, 1], num_steps, log_every)
    np.testing.assert_array_equal(outcome.steps, expected)
    np.testing.assert_array_equal(outcome.metrics["steps"], [expected] * 2)
    np.testing.assert_array_equal(outcome.snapshots["step"], expected)
    np.testing.assert_array_equal(outcome.snapshots["count"], [expected] * 2)
    np.testing.assert_array_equal(outcome.snapshots["x"], [0, 1, 2])
    self.assertGreater(outcome.steps_per_second, 0)

  def test_dear_metrics_are_measured_first_last_and_when_due(self):
    problem = counting_problem()._replace(
      measure=lambda state, key, data: {"dear": 2.0 * state.step.astype(float)}
    )
    logs = []
    outcome = train(problem, [0, 1], 11, 2, logs, measure_every=4)
    np.testing.assert_array_equal(outcome.steps, [0, 2, 4, 6, 8, 10, 11])
    nan = np.nan
    np.testing.assert_array_equal(
      outcome.metrics["dear"], [[0, nan, 8, nan, 16, nan, 22]] * 2
    )
    self.assertEqual(
      ["dear" in log.metrics for log in logs],
      [True, False, True, False, True, False, True],
    )

  def test_a_row_late_for_a_measurement_has_it(self):
    problem = counting_problem()._replace(
      measure=lambda state, key, data: {"dear": state.step.astype(float)}
    )
    outcome = train(problem, [0], 12, 3, measure_every=4)
    nan = np.nan
    np.testing.assert_array_equal(outcome.metrics["dear"], [[0, nan, 6, 9, 12]])

  def test_members_that_fill_up_devices_are_dropped(self):
    outcome = train(counting_problem(), [0, 1, 2], 2, 1, devices=2)
    self.assertEqual(outcome.metrics["steps"].shape, (3, 3))
    self.assertEqual(outcome.snapshots["count"].shape, (3, 3))

  def test_frames_are_bounded_and_the_last_is_kept(self):
    outcome = train(counting_problem(), [0], 250, 1)
    frames = outcome.snapshots["step"]
    self.assertLen(outcome.steps, 251)
    self.assertLessEqual(len(frames), driver.MAX_FRAMES + 1)
    self.assertEqual((frames[0], frames[-1]), (0, 250))

  @parameterized.parameters(*Players._fields)
  def test_healthy_members_go_on(self, player):
    seeds = list(range(6))
    failing = odd_seeds(seeds)
    self.assertIn(len(failing), range(1, 6))
    outcome = train(counting_problem((player, 4)), seeds, 10, 5)
    self.assertEqual(
      {(f.seed, f.step, f.players) for f in outcome.failures},
      {(seed, 4, (player,)) for seed in failing},
    )
    for seed in seeds:
      expected = [0, np.nan, np.nan] if seed in failing else [0, 5, 10]
      np.testing.assert_array_equal(outcome.metrics["steps"][seed], expected)

  def test_the_run_stops_when_all_have_failed(self):
    failing = odd_seeds(range(10))[:2]
    logs = []
    outcome = train(counting_problem(("generator", 4)), failing, 100, 5, logs)
    np.testing.assert_array_equal(outcome.steps, [0, 5])
    self.assertLen(logs, 2)
    self.assertLen(outcome.failures, 2)

  def test_a_last_step_that_spoils_the_state_is_a_failure(self):
    # The cost becomes infinite only when measured after the last step.
    failing = odd_seeds(range(10))[:1]
    outcome = train(counting_problem(("generator", 5)), failing, 5, 5)
    self.assertEqual(outcome.failures[0].step, 5)
    self.assertTrue(np.isnan(outcome.metrics["steps"][0, -1]))


if __name__ == "__main__":
  absltest.main()
