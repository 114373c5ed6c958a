"""Extragradient against Korpelevich's and Popov's iterations in NumPy.

All on f = x y, whose field v = (y, -x) turns every point by a quarter: J_G = f,
J_D = -f.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from gan_jax import games, penalties, steps
from gan_jax.types import Players

KEY = jax.random.key(0)
BATCH = jnp.zeros((4, 1))


def bilinear_game(x=1.0, y=2.0):
  def costs(params, variables, batch, key):
    del key
    # The batch drops out of the field and shows in the costs.
    product = params.generator * params.discriminator
    costs = Players(product + jnp.sum(batch), -product)
    return costs, (jax.tree.map(lambda n: n + 1, variables), {})

  return games.Game(
    init=lambda key: (
      Players(jnp.asarray(x, float), jnp.asarray(y, float)),
      Players({"uses": jnp.int32(0)}, {"uses": jnp.int32(0)}),
    ),
    costs=costs,
    sample=lambda params, variables, key, n: jnp.full((n, 1), params.generator),
  )


def field(point):
  return np.array([point[1], -point[0]])


def play(rule, optimizers, num_steps, **start):
  game = bilinear_game(**start)
  state = steps.init_state(game, optimizers, KEY)
  step = jax.jit(rule(game, optimizers))
  for _ in range(num_steps):
    state, _ = step(state, BATCH, KEY)
  return state


class NumpyAdam:
  """Kingma and Ba's algorithm 1 (arXiv 1412.6980)."""

  def __init__(self, rate, b1, b2):
    self.rate, self.b1, self.b2 = rate, b1, b2
    self.first, self.second, self.count = np.zeros(2), np.zeros(2), 0

  def update(self, gradient):
    self.count += 1
    self.first = self.b1 * self.first + (1 - self.b1) * gradient
    self.second = self.b2 * self.second + (1 - self.b2) * gradient**2
    first = self.first / (1 - self.b1**self.count)
    second = self.second / (1 - self.b2**self.count)
    return -self.rate * first / (np.sqrt(second) + 1e-8)


class ExtragradientTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.enable_x64(True))

  @parameterized.parameters(0.1, 0.5)
  def test_bilinear_contracts(self, rate):
    # With v = J w and J^2 = -1, w' = w - h J (w - h J w) = (1 - h^2) w - h J w:
    # x' = (1 - h^2) x - h y and y' = (1 - h^2) y + h x, and x^2 + y^2 is
    # multiplied by (1 - h^2)^2 + h^2 = 1 - h^2 + h^4.
    optimizers = Players(optax.sgd(rate), optax.sgd(rate))
    one = play(steps.extragradient, optimizers, 1)
    kept = 1.0 - rate**2
    np.testing.assert_allclose(
      one.params, (kept - 2.0 * rate, 2.0 * kept + rate), rtol=1e-12
    )
    five = play(steps.extragradient, optimizers, 5)
    np.testing.assert_allclose(
      np.sum(np.square(five.params)),
      5.0 * (1.0 - rate**2 + rate**4) ** 5,
      rtol=1e-12,
    )

  def test_rates_of_the_players_differ(self):
    # ahead = (1 - a * 2, 2 + b * 1); x' = 1 - a ahead_y, y' = 2 + b ahead_x.
    a, b = 0.1, 0.3
    state = play(
      steps.extragradient, Players(optax.sgd(a), optax.sgd(b)), num_steps=1
    )
    np.testing.assert_allclose(
      state.params, (1.0 - a * (2.0 + b), 2.0 + b * (1.0 - 2.0 * a))
    )

  def test_projection_holds_at_both_points(self):
    # From (2, .9) at rate .5 with |y| <= 1: ahead = (1.55, 1), not (1.55, 1.9),
    # so x' = 2 - .5 * 1 = 1.5, and y' = min(.9 + .5 * 1.55, 1) = 1.
    clipped = optax.chain(optax.sgd(0.5), penalties.weight_clipping(1.0))
    state = play(
      steps.extragradient, Players(optax.sgd(0.5), clipped), 1, x=2.0, y=0.9
    )
    np.testing.assert_allclose(state.params, (1.5, 1.0), rtol=1e-12)

  def test_moments_of_adam_take_both_gradients(self):
    rate, b1, b2 = 0.1, 0.5, 0.9
    optimizer = optax.adam(rate, b1, b2)
    state = play(
      steps.extragradient, Players(optimizer, optimizer), num_steps=4
    )
    adam, point = NumpyAdam(rate, b1, b2), np.array([1.0, 2.0])
    for _ in range(4):
      ahead = point + adam.update(field(point))
      point = point + adam.update(field(ahead))
    np.testing.assert_allclose(state.params, point, rtol=1e-12)
    for optimizer_state in state.optimizer_states:
      self.assertEqual(optax.tree.get(optimizer_state, "count"), 8)

  def test_measures_once_at_the_old_parameters(self):
    game = bilinear_game()
    optimizers = Players(optax.sgd(0.1), optax.sgd(0.1))
    state = steps.init_state(game, optimizers, KEY)
    new, metrics = steps.extragradient(game, optimizers)(
      state, jnp.ones((4, 1)), KEY
    )
    # x y + the sum of the batch, and -x y, at (1, 2).
    self.assertEqual(metrics["generator_cost"], 6.0)
    self.assertEqual(metrics["discriminator_cost"], -2.0)
    self.assertEqual(new.variables.generator["uses"], 1)
    self.assertEqual(new.step, 1)

  def test_both_gradients_are_of_one_sample(self):
    # J_G = z x^2 / 2 with z drawn from the key: x' = x - h z (x - h z x).
    def costs(params, variables, batch, key):
      del batch
      z = jax.random.normal(key)
      x, y = params
      return Players(0.5 * z * x**2, 0.5 * y**2), (variables, {})

    game = bilinear_game()._replace(costs=costs)
    optimizers = Players(optax.sgd(0.5), optax.sgd(0.5))
    state = steps.init_state(game, optimizers, KEY)
    new, _ = steps.extragradient(game, optimizers)(state, BATCH, KEY)
    z = float(jax.random.normal(KEY))
    np.testing.assert_allclose(
      new.params, (1.0 - 0.5 * z * (1.0 - 0.5 * z), 2.0 - 0.5 * (2.0 - 1.0))
    )


class PastExtragradientTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.enable_x64(True))

  @parameterized.named_parameters(("free", np.inf), ("clipped", 1.0))
  def test_is_popovs_iteration(self, limit):
    # x_{n+1} = P(x_n - h v(y_n)), y_{n+1} = P(x_{n+1} - h v(y_n)), y_0 = x_0.
    rate = 0.5

    def project(point):
      return np.array([point[0], np.clip(point[1], -limit, limit)])

    plain = optax.sgd(rate)
    clipped = optax.chain(plain, penalties.weight_clipping(limit))
    optimizers = Players(
      steps.past_extragradient(plain), steps.past_extragradient(clipped)
    )
    iterate = ahead = np.array([2.0, 0.5])
    for num_steps in range(1, 7):
      gradient = field(ahead)
      iterate = project(iterate - rate * gradient)
      ahead = project(iterate - rate * gradient)
      state = play(steps.simultaneous, optimizers, num_steps, x=2.0, y=0.5)
      leads = [optimizer.lead for optimizer in state.optimizer_states]
      np.testing.assert_allclose(state.params, ahead, atol=1e-14)
      np.testing.assert_allclose(
        np.subtract(state.params, leads), iterate, atol=1e-14
      )

  def test_is_optimistic_gradient_descent_after_one_step(self):
    # ahead_{t+1} = ahead_t - 2 h v(ahead_t) + h v(ahead_{t-1}); Popov's first
    # step is -2 h v, optax's -h v.
    rate = 0.3
    past = steps.past_extragradient(optax.sgd(rate))
    optimistic = optax.optimistic_gradient_descent(rate)
    gradients = [jnp.array([1.0, -2.0]), jnp.array([0.5, 3.0]), jnp.ones(2)]
    params = jnp.array([1.0, 2.0])
    state, other = past.init(params), optimistic.init(params)
    for gradient, factor in zip(gradients, (2.0, 1.0, 1.0), strict=True):
      updates, state = past.update(gradient, state, params)
      expected, other = optimistic.update(gradient, other, params)
      chex.assert_trees_all_close(
        updates, jax.tree.map(lambda x, f=factor: f * x, expected), atol=1e-12
      )

  def test_moments_of_adam_take_each_gradient_twice(self):
    rate, b1, b2 = 0.1, 0.5, 0.9
    optimizer = steps.past_extragradient(optax.adam(rate, b1, b2))
    state = play(steps.simultaneous, Players(optimizer, optimizer), num_steps=4)
    adam = NumpyAdam(rate, b1, b2)
    iterate = ahead = np.array([1.0, 2.0])
    for _ in range(4):
      gradient = field(ahead)
      iterate = iterate + adam.update(gradient)
      ahead = iterate + adam.update(gradient)
    np.testing.assert_allclose(state.params, ahead, rtol=1e-12)

  def test_follows_parameters_that_are_replaced(self):
    # The state holds a lead and no point, so a state that is given other
    # parameters before it starts plays from them.
    optimizer = steps.past_extragradient(optax.sgd(0.5))
    game, optimizers = bilinear_game(), Players(optimizer, optimizer)
    state = steps.init_state(game, optimizers, KEY)
    moved = state.replace(params=Players(jnp.array(3.0), jnp.array(4.0)))
    new, _ = steps.simultaneous(game, optimizers)(moved, BATCH, KEY)
    np.testing.assert_allclose(new.params, (3.0 - 4.0, 4.0 + 3.0))

  def test_compiled_step_may_keep_the_state(self):
    optimizer = steps.past_extragradient(optax.sgd(0.5))
    game, optimizers = bilinear_game(), Players(optimizer, optimizer)
    state = steps.init_state(game, optimizers, KEY)
    step = steps.compiled(steps.simultaneous(game, optimizers))
    state, _ = step(state, BATCH, KEY)
    np.testing.assert_allclose(state.params, (1.0 - 2.0, 2.0 + 1.0))

  def test_parameters_are_needed(self):
    optimizer = steps.past_extragradient(optax.sgd(0.1))
    state = optimizer.init(jnp.ones(2))
    with self.assertRaisesRegex(ValueError, "needs params"):
      optimizer.update(jnp.ones(2), state)

  def test_keeps_the_dtype(self):
    optimizer = steps.past_extragradient(optax.adam(0.1))
    params = jnp.ones(2, jnp.float32)
    start = optimizer.init(params)
    updates, state = optimizer.update(params, start, params)
    chex.assert_trees_all_equal_shapes_and_dtypes(updates, params)
    chex.assert_trees_all_equal_shapes_and_dtypes(state, start)


if __name__ == "__main__":
  absltest.main()
