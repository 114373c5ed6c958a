"""Tests unrolled steps against derivatives taken by hand."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from gan_jax import games, steps
from gan_jax.types import Players

KEY = jax.random.key(0)
BATCH = jnp.zeros((4, 1))
SLOPE = 0.5


def game_of(x=1.0, y=2.0):
  """J_G = x^2 / 2 + x y; J_D = (y - a x)^2 / 2, least at y = a x."""

  def costs(params, variables, batch, key):
    del batch, key
    x, y = params
    uses = jax.tree.map(lambda n: n + 1, variables)
    return Players(0.5 * x**2 + x * y, 0.5 * (y - SLOPE * x) ** 2), (
      uses,
      {"x": x},
    )

  return games.Game(
    init=lambda key: (
      Players(jnp.asarray(x, float), jnp.asarray(y, float)),
      Players({"uses": jnp.int32(0)}, {"uses": jnp.int32(0)}),
    ),
    costs=costs,
    sample=lambda params, variables, key, n: jnp.full((n, 1), params.generator),
  )


def play(game, optimizers, num_unrolled_steps, num_steps=1):
  state = steps.init_state(game, optimizers, KEY)
  step = steps.unrolled(game, optimizers, num_unrolled_steps)
  metrics = {}
  for _ in range(num_steps):
    state, metrics = step(state, BATCH, KEY)
  return state, metrics


class UnrolledTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.enable_x64(True))

  @parameterized.parameters((1, 2.9), (2, 2.81), (5, 2.59049))
  def test_generator_learns_through_the_answers(
    self, num_unrolled_steps, gradient
  ):
    # Each inner step draws y to a x by the factor q = 1 - h:
    # y_K = q^K y + (1 - q^K) a x, so dy_K/dx = (1 - q^K) a and
    # dJ_G(x, y_K(x))/dx = x + y_K + x dy_K/dx. For h = .1, a = .5 and (1, 2):
    # K = 1 gives 1 + 1.85 + .05, K = 2 gives 1 + 1.715 + .095, and K = 5, with
    # q^5 = .59049, gives 1 + 1.385735 + .204755.
    rate, generator_rate = 0.1, 0.2
    optimizers = Players(optax.sgd(generator_rate), optax.sgd(rate))
    state, metrics = play(game_of(), optimizers, num_unrolled_steps)
    # The discriminator takes one step against the old generator.
    np.testing.assert_allclose(
      state.params,
      (1.0 - generator_rate * gradient, 2.0 - rate * (2.0 - SLOPE)),
      rtol=1e-12,
    )
    # 1/2 + 2 and (2 - .5)^2 / 2, at the old parameters.
    self.assertEqual(metrics["generator_cost"], 2.5)
    self.assertEqual(metrics["discriminator_cost"], 1.125)
    self.assertEqual(metrics["x"], 1.0)
    self.assertEqual(state.variables.generator["uses"], 1)
    self.assertEqual(state.step, 1)

  def test_inner_steps_start_from_the_optimizers_state(self):
    # Momentum m from trace t: t' = m t + g, y' = y - h t'. With g = y - a x and
    # two inner steps, dt1 = -a, dy1 = h a, dt2 = -m a + (h a - a), dy2 = h a -
    # h dt2, all by x; the trace itself is a constant of the step.
    h, m, generator_rate = 0.1, 0.9, 0.2
    x, y, trace = 1.0, 2.0, 0.0
    for _ in range(3):
      t1 = m * trace + y - SLOPE * x
      y1 = y - h * t1
      t2 = m * t1 + y1 - SLOPE * x
      y2 = y1 - h * t2
      dt2 = -m * SLOPE + h * SLOPE - SLOPE
      dy2 = h * SLOPE - h * dt2
      x, y, trace = x - generator_rate * (x + y2 + x * dy2), y1, t1
    optimizers = Players(optax.sgd(generator_rate), optax.sgd(h, momentum=m))
    state, _ = play(game_of(), optimizers, 2, num_steps=3)
    np.testing.assert_allclose(state.params, (x, y), rtol=1e-12)

  def test_discriminator_keeps_one_step_of_its_optimizer(self):
    optimizers = Players(optax.adam(0.1), optax.adam(0.1))
    state, _ = play(game_of(), optimizers, 3)
    game = game_of()
    start = steps.init_state(game, optimizers, KEY)
    other, _ = steps.simultaneous(game, optimizers)(start, BATCH, KEY)
    chex.assert_trees_all_close(
      (state.params.discriminator, state.optimizer_states.discriminator),
      (other.params.discriminator, other.optimizer_states.discriminator),
      rtol=1e-12,
    )

  def test_none_is_simultaneous_exactly(self):
    game, optimizers = game_of(), Players(optax.adam(0.1), optax.sgd(0.1))
    start = steps.init_state(game, optimizers, KEY)
    chex.assert_trees_all_equal(
      steps.unrolled(game, optimizers, 0)(start, BATCH, KEY),
      steps.simultaneous(game, optimizers)(start, BATCH, KEY),
    )

  def test_adam_with_eps_root_passes_a_zero_gradient(self):
    # At y = a x the discriminator's gradient is exactly 0, where the root in
    # Adam has no derivative without eps_root.
    optimizers = Players(optax.sgd(0.1), optax.adam(0.1, eps_root=1e-12))
    state, _ = play(game_of(y=SLOPE), optimizers, 2)
    chex.assert_tree_all_finite(state.params)

  def test_negative_count_is_refused(self):
    with self.assertRaisesRegex(ValueError, "is -1, and may not be negative"):
      steps.unrolled(game_of(), Players(optax.sgd(0.1), optax.sgd(0.1)), -1)


if __name__ == "__main__":
  absltest.main()
