"""Tests simultaneous steps by hand."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from gan_jax import games, steps
from gan_jax.games import closed_form
from gan_jax.types import Players

KEY = jax.random.key(0)
BATCH = jnp.zeros((4, 1))


def bilinear_game():
  return closed_form.bilinear(Players(jnp.float32(1), jnp.float32(2)))


def quadratic_game():
  """J_G = (x - y - batch mean)^2 / 2, J_D = (y - x / 2)^2 / 2."""

  def costs(params, variables, batch, key):
    del key
    x, y = params
    generator = 0.5 * (x - y - jnp.mean(batch)) ** 2
    discriminator = 0.5 * (y - 0.5 * x) ** 2
    count = jax.tree.map(lambda n: n + 1, variables)
    return Players(generator, discriminator), (count, {"x": x})

  return games.Game(
    init=lambda key: (
      Players(jnp.float32(1.0), jnp.float32(2.0)),
      Players({"uses": jnp.int32(0)}, {"uses": jnp.int32(0)}),
    ),
    costs=costs,
    sample=lambda params, variables, key, n: jnp.full((n, 1), params.generator),
  )


def sgd(rate, discriminator_rate=None):
  return Players(optax.sgd(rate), optax.sgd(discriminator_rate or rate))


class SimultaneousTest(parameterized.TestCase):
  @parameterized.parameters(0.1, 0.5)
  def test_bilinear_radius_grows_by_one_plus_rate_squared(self, rate):
    # x' = x - h y, y' = y + h x, so x'^2 + y'^2 = (1 + h^2)(x^2 + y^2).
    game, optimizers = bilinear_game(), sgd(rate)
    state = steps.init_state(game, optimizers, KEY)
    step = jax.jit(steps.simultaneous(game, optimizers))
    for _ in range(5):
      x, y = state.params
      state, metrics = step(state, BATCH, KEY)
      np.testing.assert_allclose(state.params, (x - rate * y, y + rate * x))
      np.testing.assert_allclose(metrics["generator_cost"], x * y)
      np.testing.assert_allclose(metrics["discriminator_cost"], -x * y)
    radius = state.params[0] ** 2 + state.params[1] ** 2
    np.testing.assert_allclose(radius, 5 * (1 + rate**2) ** 5, rtol=1e-5)

  def test_both_players_read_the_old_state(self):
    # x = 1, y = 2, batch mean 3: dJ_G/dx = x - y - 3 = -4;
    # dJ_D/dy = y - x/2 = 1.5. Rates 0.1 and 0.2: x' = 1.4, y' = 1.7.
    game, optimizers = quadratic_game(), sgd(0.1, 0.2)
    state = steps.init_state(game, optimizers, KEY)
    batch = jnp.full((4, 1), 3.0)
    new, metrics = steps.simultaneous(game, optimizers)(state, batch, KEY)
    np.testing.assert_allclose(new.params, (1.4, 1.7), rtol=1e-6)
    np.testing.assert_allclose(metrics["generator_cost"], 8.0)
    np.testing.assert_allclose(metrics["discriminator_cost"], 1.125)
    np.testing.assert_allclose(metrics["x"], 1.0)
    self.assertEqual(new.step, 1)
    self.assertEqual(new.variables.generator["uses"], 1)

  def test_step_is_pure(self):
    game, optimizers = quadratic_game(), sgd(0.1)
    state = steps.init_state(game, optimizers, KEY)
    before = jax.tree.map(jnp.copy, state)
    step = steps.simultaneous(game, optimizers)
    first, second = step(state, BATCH, KEY), step(state, BATCH, KEY)
    chex.assert_trees_all_equal(state, before)
    chex.assert_trees_all_equal(first, second)


if __name__ == "__main__":
  absltest.main()
