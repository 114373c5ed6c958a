"""The host loop: what it logs, and how it meets failures."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from experiments.training import pace, trainer
from experiments.training.pace import Pace
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
      "generator_norm": jnp.float32(1),
      "discriminator_norm": jnp.float32(1),
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
  return trainer.train(
    problem,
    seeds,
    Pace(num_steps, log_every, measure_every),
    jax.devices()[:devices],
    trainer.Listener(on_log=(logs if logs is not None else []).append),
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
    self.assertLessEqual(len(frames), pace.MAX_FRAMES + 1)
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

  @parameterized.parameters(*Players._fields)
  def test_a_norm_that_is_not_finite_is_a_failure(self, player):
    problem = counting_problem()

    def evaluate(state, key, data):
      metrics = problem.evaluate(state, key, data)
      norm = jnp.where(state.step >= 6, jnp.nan, 1.0)
      return metrics | {f"{player}_norm": norm}

    outcome = train(problem._replace(evaluate=evaluate), [3], 12, 4)
    self.assertEqual(outcome.failures, (trainer.Failure(3, 8, (player,)),))
    np.testing.assert_array_equal(
      outcome.metrics["generator_cost"], [[1, 1, np.nan]]
    )

  @parameterized.parameters((1, 1), (2, 1), (1, 2))
  def test_it_goes_on_from_any_checkpoint(self, before, after):
    failing = odd_seeds(range(10))
    healthy = [seed for seed in range(10) if seed not in failing]
    seeds = [failing[0], *healthy[:2]]
    # Seen by the evaluation of step 10, and by no loop.
    problem = counting_problem(("generator", 10))
    whole = train(problem, seeds, 20, 5, devices=before)
    found = []
    for stops in (1, 7, 10, 11, 20):
      step_before = [0]
      logs, saved = [], []
      trainer.train(
        problem,
        seeds,
        Pace(20, 5, 1, checkpoint_every=1),
        jax.devices()[:before],
        trainer.Listener(
          on_chunk=lambda step, now=step_before: now.append(step),
          on_log=logs.append,
          on_checkpoint=saved.append,
          should_stop=lambda now=step_before, stops=stops: now[-1] >= stops,
        ),
      )
      self.assertEqual(saved[-1].step, stops)
      self.assertEqual(saved[-1].num_logs, len(logs))
      found.append(saved[-1].num_failed)
      resumed = trainer.train(
        problem,
        seeds,
        Pace(20, 5, 1),
        jax.devices()[:after],
        start=trainer.Start(saved[-1], tuple(logs)),
      )
      for name in ("metrics", "snapshots", "steps", "failures", "step"):
        jax.tree.map(
          np.testing.assert_array_equal,
          getattr(resumed, name),
          getattr(whole, name),
        )
    self.assertEqual(found, [0, 0, 1, 1, 1])

  def test_checkpoints_are_due(self):
    saved = []
    trainer.train(
      counting_problem(),
      [0, 1],
      Pace(11, 4, 1, checkpoint_every=3),
      jax.devices()[:1],
      trainer.Listener(on_checkpoint=saved.append),
    )
    self.assertEqual([own.step for own in saved], [3, 6, 9, 11])
    np.testing.assert_array_equal(saved[0].progress.state.step, [3, 3])
    self.assertEqual([own.num_logs for own in saved], [1, 2, 3, 4])
    self.assertGreater(saved[1].seconds, saved[0].seconds)

  def test_a_last_step_that_spoils_the_state_is_a_failure(self):
    # The cost becomes infinite only when measured after the last step.
    failing = odd_seeds(range(10))[:1]
    outcome = train(counting_problem(("generator", 5)), failing, 5, 5)
    self.assertEqual(outcome.failures[0].step, 5)
    self.assertTrue(np.isnan(outcome.metrics["steps"][0, -1]))


if __name__ == "__main__":
  absltest.main()
