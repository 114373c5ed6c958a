"""Tests Runge-Kutta steps against known flows."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from gan_jax import games, steps
from gan_jax.types import Players

KEY = jax.random.key(0)
BATCH = jnp.zeros((4, 1))


def game_of(costs, x, y):
  """A game of two numbers, of costs(x, y) -> (J_G, J_D)."""

  def game_costs(params, variables, batch, key):
    del batch, key
    uses = jax.tree.map(lambda n: n + 1, variables)
    return Players(*costs(*params)), (uses, {"x": params.generator})

  return games.Game(
    init=lambda key: (
      Players(jnp.asarray(x, float), jnp.asarray(y, float)),
      Players({"uses": jnp.int32(0)}, {"uses": jnp.int32(0)}),
    ),
    costs=game_costs,
    sample=lambda params, variables, key, n: jnp.full((n, 1), params.generator),
  )


def bilinear(x, y):
  return x * y, -x * y


def one_step(game, optimizer, step_size):
  optimizers = Players(optimizer, optimizer)
  state = steps.init_state(game, optimizers, KEY)
  return steps.runge_kutta_4(game, optimizers, step_size)(state, BATCH, KEY)


class RungeKutta4Test(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.enable_x64(True))

  @parameterized.parameters(0.1, 1.0)
  def test_bilinear_is_the_rotation_to_fourth_order(self, rate):
    # The flow of (y, -x) rotates; the method is its exponential series up to
    # h^4: x' = c x - s y and y' = c y + s x with c = 1 - h^2/2 + h^4/24 and
    # s = h - h^3/6, and c^2 + s^2 = 1 - h^6/72 + h^8/576.
    state, _ = one_step(game_of(bilinear, 1.0, 2.0), optax.sgd(rate), rate)
    c, s = 1 - rate**2 / 2 + rate**4 / 24, rate - rate**3 / 6
    np.testing.assert_allclose(
      state.params, (c - 2.0 * s, 2.0 * c + s), rtol=1e-12
    )
    np.testing.assert_allclose(
      np.sum(np.square(state.params)),
      5.0 * (1 - rate**6 / 72 + rate**8 / 576),
      rtol=1e-12,
    )

  def test_nonlinear_stages_by_hand(self):
    # J_G = x^4 / 4 + x y, J_D = y^2 / 2 - x^2 y: v = (x^3 + y, y - x^2).
    def costs(x, y):
      return x**4 / 4 + x * y, y**2 / 2 - x**2 * y

    def v(w):
      return np.array([w[0] ** 3 + w[1], w[1] - w[0] ** 2])

    h, w = 0.3, np.array([0.8, -0.5])
    k1 = v(w)
    k2 = v(w - h / 2 * k1)
    k3 = v(w - h / 2 * k2)
    k4 = v(w - h * k3)
    expected = w - h * (k1 + 2 * k2 + 2 * k3 + k4) / 6
    state, _ = one_step(game_of(costs, *w), optax.sgd(h), h)
    np.testing.assert_allclose(state.params, expected, rtol=1e-12)

  def test_step_size_zero_is_simultaneous(self):
    # All four stages are v(w): the optimizer sees the plain gradient.
    game = game_of(bilinear, 1.0, 2.0)
    state, _ = one_step(game, optax.sgd(0.1), 0.0)
    np.testing.assert_allclose(state.params, (1.0 - 0.2, 2.0 + 0.1))

  def test_measures_once_at_the_old_parameters(self):
    state, metrics = one_step(game_of(bilinear, 1.0, 2.0), optax.adam(0.1), 0.5)
    self.assertEqual(metrics["generator_cost"], 2.0)
    self.assertEqual(metrics["discriminator_cost"], -2.0)
    self.assertEqual(metrics["x"], 1.0)
    self.assertEqual(state.variables.discriminator["uses"], 1)
    self.assertEqual(state.step, 1)
    for optimizer_state in state.optimizer_states:
      self.assertEqual(optax.tree.get(optimizer_state, "count"), 1)


if __name__ == "__main__":
  absltest.main()
