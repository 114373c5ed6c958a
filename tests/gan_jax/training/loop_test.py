"""The training loop: what it logs, and what it does about failures."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.stats
from absl.testing import absltest, parameterized

from gan_jax import games, training
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
  recorder = Recorder()
  result = training.train(
    problem,
    seeds,
    training.Schedule(num_steps, log_every, measure_every),
    jax.devices()[:devices],
    [recorder],
  )
  if logs is not None:
    logs += recorder.logs
  return result


class Recorder(training.Callback):
  """Keeps what it hears, and stops after a step."""

  def __init__(self, stops=None):
    self.logs, self.saved, self.steps, self.stops = [], [], [0], stops

  @property
  def step(self):
    return self.steps[-1]

  def on_steps(self, step, steps_per_second):
    self.steps.append(step)
    self.rate = steps_per_second

  def on_log(self, log):
    self.logs.append(log)

  def on_checkpoint(self, checkpoint):
    self.saved.append(checkpoint)

  def should_stop(self):
    return self.stops is not None and self.step >= self.stops


class LoopTest(parameterized.TestCase):
  @parameterized.parameters(
    (10, 5, [0, 5, 10]), (10, 4, [0, 4, 8, 10]), (3, 10, [0, 3])
  )
  def test_logged_steps(self, num_steps, log_every, expected):
    outcome = train(counting_problem(), [0, 1], num_steps, log_every)
    np.testing.assert_array_equal(outcome.steps, expected)
    np.testing.assert_array_equal(outcome.history["steps"], [expected] * 2)
    np.testing.assert_array_equal(outcome.snapshots["step"], expected)
    np.testing.assert_array_equal(outcome.snapshots["count"], [expected] * 2)
    np.testing.assert_array_equal(outcome.snapshots["x"], [0, 1, 2])
    self.assertGreater(outcome.steps_per_second, 0)

  def test_expensive_metrics_are_measured_first_last_and_when_due(self):
    problem = counting_problem()._replace(
      measure=lambda state, key, data: {"slow": 2.0 * state.step.astype(float)}
    )
    logs = []
    outcome = train(problem, [0, 1], 11, 2, logs, measure_every=4)
    np.testing.assert_array_equal(outcome.steps, [0, 2, 4, 6, 8, 10, 11])
    nan = np.nan
    np.testing.assert_array_equal(
      outcome.history["slow"], [[0, nan, 8, nan, 16, nan, 22]] * 2
    )
    self.assertEqual(
      ["slow" in log.metrics for log in logs],
      [True, False, True, False, True, False, True],
    )

  def test_a_row_late_for_a_measurement_has_it(self):
    problem = counting_problem()._replace(
      measure=lambda state, key, data: {"slow": state.step.astype(float)}
    )
    outcome = train(problem, [0], 12, 3, measure_every=4)
    nan = np.nan
    np.testing.assert_array_equal(outcome.history["slow"], [[0, nan, 6, 9, 12]])

  def test_members_that_fill_up_devices_are_dropped(self):
    outcome = train(counting_problem(), [0, 1, 2], 2, 1, devices=2)
    self.assertEqual(outcome.history["steps"].shape, (3, 3))
    self.assertEqual(outcome.snapshots["count"].shape, (3, 3))

  def test_frames_are_bounded_and_the_last_is_kept(self):
    outcome = train(counting_problem(), [0], 250, 1)
    frames = outcome.snapshots["step"]
    self.assertLen(outcome.steps, 251)
    self.assertLessEqual(len(frames), training.MAX_FRAMES + 1)
    self.assertEqual((frames[0], frames[-1]), (0, 250))

  @parameterized.parameters(*Players._fields)
  def test_healthy_members_continue(self, player):
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
      np.testing.assert_array_equal(outcome.history["steps"][seed], expected)

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
    self.assertEqual(outcome.failures, (training.Failure(3, 8, (player,)),))
    np.testing.assert_array_equal(
      outcome.history["generator_cost"], [[1, 1, np.nan]]
    )

  @parameterized.parameters((1, 1), (2, 1), (1, 2))
  def test_it_resumes_from_any_checkpoint(self, before, after):
    failing = odd_seeds(range(10))
    healthy = [seed for seed in range(10) if seed not in failing]
    seeds = [failing[0], *healthy[:2]]
    # Seen by the evaluation of step 10, and by no loop.
    problem = counting_problem(("generator", 10))
    whole = train(problem, seeds, 20, 5, devices=before)
    found = []
    for stops in (1, 7, 10, 11, 20):
      recorder = Recorder(stops)
      training.train(
        problem,
        seeds,
        training.Schedule(20, 5, checkpoint_every=1),
        jax.devices()[:before],
        [recorder],
      )
      checkpoint = recorder.saved[-1]
      self.assertEqual(checkpoint.step, stops)
      self.assertEqual(checkpoint.num_logs, len(recorder.logs))
      found.append(checkpoint.num_failed)
      later = Recorder()
      resumed = training.train(
        problem,
        seeds,
        training.Schedule(20, 5),
        jax.devices()[:after],
        [later],
        checkpoint,
        last_log=recorder.logs[-1].step,
      )
      self.assertEqual(resumed.failures, whole.failures)
      self.assertEqual(resumed.checkpoint.step, 20)
      self.assertEqual(resumed.checkpoint.num_logs, 5)
      self.assertEqual(resumed.checkpoint.num_frames, 5)
      jax.tree.map(
        np.testing.assert_array_equal,
        training.stack_logs(
          recorder.logs + later.logs, seeds, problem.reference
        ),
        (whole.steps, whole.history, whole.snapshots),
      )
    self.assertEqual(found, [0, 0, 1, 1, 1])

  def test_checkpoints_are_due(self):
    recorder = Recorder()
    training.train(
      counting_problem(),
      [0, 1],
      training.Schedule(11, 4, checkpoint_every=3),
      jax.devices()[:1],
      [recorder],
    )
    saved = recorder.saved
    self.assertEqual([each.step for each in saved], [3, 6, 9, 11])
    np.testing.assert_array_equal(saved[0].progress.state.step, [3, 3])
    self.assertEqual([each.num_logs for each in saved], [1, 2, 3, 4])
    self.assertGreater(saved[1].seconds, saved[0].seconds)

  @parameterized.parameters(None, 6)
  def test_the_rate_counts_the_steps_of_this_process(self, resumes_at):
    problem, checkpoint = counting_problem(), None
    if resumes_at:
      before = Recorder(resumes_at)
      schedule = training.Schedule(12, 6, checkpoint_every=1)
      training.train(problem, [0], schedule, callbacks=[before])
      # The steps of the earlier process took a year.
      checkpoint = before.saved[-1]._replace(seconds=3e7)
    recorder = Recorder()
    outcome = training.train(
      problem,
      [0],
      training.Schedule(12, 6, checkpoint_every=1),
      callbacks=[recorder],
      start=checkpoint,
      last_log=resumes_at or -1,
    )
    self.assertEqual(recorder.step, 12)
    self.assertEqual(recorder.rate, outcome.steps_per_second)
    self.assertGreater(outcome.steps_per_second, 1e-3)
    self.assertEqual(recorder.steps[1:], [*range(resumes_at or 0, 13)])

  def test_a_last_step_that_spoils_the_state_is_a_failure(self):
    # The cost becomes infinite only when measured after the last step.
    failing = odd_seeds(range(10))[:1]
    outcome = train(counting_problem(("generator", 5)), failing, 5, 5)
    self.assertEqual(outcome.failures[0].step, 5)
    self.assertTrue(np.isnan(outcome.history["steps"][0, -1]))

  def test_a_result_has_metrics_states_and_samples(self):
    problem = counting_problem()._replace(
      sample=lambda state, key, n: jnp.full((n, 2), state.step)
    )
    result = training.train(problem, range(3), 200)
    self.assertLen(result.steps, 101)
    mean, ci95, n = result.metrics["steps"]
    self.assertEqual((mean, ci95, n), (200, 0, 3))
    np.testing.assert_array_equal(result.states.step, [200] * 3)
    np.testing.assert_array_equal(result.samples(5), np.full((3, 5, 2), 200))
    with self.assertRaisesRegex(ValueError, "no `sample`"):
      training.train(counting_problem(), [0], 1).samples(5)

  def test_samples_of_the_classes_that_are_asked_for(self):
    # Class y is at (y + 1)^2; without a condition only class 0 is drawn.
    table = Players(jnp.array([1.0, 4.0, 9.0]), jnp.zeros(3))

    def sample(params, variables, key, n, condition=None):
      del variables, key
      classes = jnp.zeros(n, int) if condition is None else condition
      return params.generator[classes]

    def costs(params, variables, batch, key):
      del batch, key
      total = jnp.sum(params.generator * params.discriminator)
      return Players(total, total), (variables, {})

    still = optax.set_to_zero()
    problem = training.problem(
      games.Game(lambda key: (table, Players({}, {})), costs, sample),
      Players(still, still),
      lambda key, n: jnp.zeros(n),
    )
    result = training.train(problem, range(2), 1)
    labels = jnp.array([2, 0, 1, 2])
    np.testing.assert_array_equal(
      result.samples(4, condition=labels), [[9, 1, 4, 9]] * 2
    )
    np.testing.assert_array_equal(result.samples(4), np.ones((2, 4)))

  def test_the_interval_of_a_metric_is_students(self):
    problem = counting_problem()

    def evaluate(state, key, data):
      odd = state.params.generator.astype(float)
      return problem.evaluate(state, key, data) | {"odd": odd}

    result = training.train(problem._replace(evaluate=evaluate), range(10), 1)
    num_odd = len(odd_seeds(range(10)))
    self.assertIn(num_odd, range(1, 10))
    mean, ci95, _ = result.metrics["odd"]
    np.testing.assert_allclose(np.float64(mean), num_odd / 10)
    values = np.arange(10) < num_odd
    expected = scipy.stats.t.ppf(0.975, 9) * scipy.stats.sem(values)
    np.testing.assert_allclose(np.float64(ci95), expected)


if __name__ == "__main__":
  absltest.main()
