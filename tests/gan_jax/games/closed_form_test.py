"""Tests that the dynamics of closed-form games are the known ones."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from gan_jax import games, losses, penalties, steps
from gan_jax.games import closed_form
from gan_jax.types import Players

BATCH = jnp.zeros((1, 1))


def play(game, make_step, rate, num_steps):
  """Plays SGD and returns both players' params after each step."""
  optimizers = Players(optax.sgd(rate), optax.sgd(rate))
  step = make_step(game, optimizers)
  state = steps.init_state(game, optimizers, jax.random.key(0))

  def body(state, key):
    state, _ = step(state, BATCH, key)
    return state, state.params

  keys = jax.random.split(jax.random.key(1), num_steps)
  return jax.tree.map(np.asarray, jax.lax.scan(body, state, keys)[1])


class ClosedFormGamesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.enable_x64(True))

  def test_bilinear_spirals_outwards_by_1_plus_h_squared(self):
    start = Players(jnp.array(2.0), jnp.array(0.5))
    game = closed_form.bilinear(start)
    x, y = play(game, steps.simultaneous, 0.1, 10)
    # (x - h y, y + h x) has the squared length (1 + h^2) (x^2 + y^2).
    np.testing.assert_allclose(
      x**2 + y**2, 4.25 * 1.01 ** np.arange(1, 11), rtol=1e-12
    )
    # The first step: x descends x y, y ascends it.
    np.testing.assert_allclose((x[0], y[0]), (1.95, 0.7), rtol=1e-12)

  def test_quadratic(self):
    start = Players(jnp.array([1.0]), jnp.array([1.0]))
    game = closed_form.quadratic(start, 0.09)
    x, y = play(game, steps.simultaneous, 0.2, 5)
    # Eigenvalues 1 - h c +- i h: |.|^2 = 0.982^2 + 0.04 = 1.004324.
    np.testing.assert_allclose(
      x[:, 0] ** 2 + y[:, 0] ** 2, 2 * 1.004324 ** np.arange(1, 6), rtol=1e-12
    )
    # Alternating, the discriminator first: y' = (1 - h c) y + h x, and
    # x' = (1 - h c) x - h y'.
    x, y = play(game, steps.alternating, 0.2, 1)
    np.testing.assert_allclose(y[0], 0.982 + 0.2, rtol=1e-12)
    np.testing.assert_allclose(x[0], 0.982 - 0.2 * 1.182, rtol=1e-12)

  @parameterized.parameters(
    (losses.minimax(), 3.10, 0.01),
    (losses.non_saturating(), 0.640, 0.001),
  )
  def test_dirac_gan(self, loss, radius, digit):
    # Final radii of the scalar recursion in plain Python, 500 simultaneous
    # steps of rate 0.2 from theta = 1 and the paper's psi = 1.
    start = Players(jnp.array(1.0), jnp.array(-1.0))
    game = closed_form.dirac_gan(start, loss)
    theta, psi = play(game, steps.simultaneous, 0.2, 500)
    self.assertAlmostEqual(math.hypot(theta[-1], psi[-1]), radius, delta=digit)

  def test_dirac_gan_pays_its_penalty(self):
    def penalty(critic, real, fake, key):
      del real, key
      return 3 * jnp.sum(critic(fake) ** 2)

    game = closed_form.dirac_gan(
      Players(jnp.array(0.5), jnp.array(2.0)), losses.wasserstein(), penalty
    )
    params, variables = game.init(jax.random.key(0))
    gradients, costs, _ = games.pullbacks(game.costs)(
      params, variables, BATCH, jax.random.key(0)
    )
    # J_D = -0 + psi theta + 3 (psi theta)^2 and J_G = -psi theta.
    chex.assert_trees_all_close(
      jax.tree.map(float, costs), Players(-1.0, 1.0 + 3.0)
    )
    # d J_D / d psi = theta + 6 psi theta^2; d J_G / d theta = -psi.
    chex.assert_trees_all_close(
      jax.tree.map(float, gradients), Players(-2.0, 0.5 + 3.0)
    )

  def test_weight_clipping_bounds_the_dirac_gan(self):
    game = closed_form.dirac_gan(
      Players(jnp.array(1.0), jnp.array(-1.0)), losses.wasserstein()
    )

    optimizers = Players(
      optax.sgd(0.2),
      optax.chain(optax.sgd(0.2), penalties.weight_clipping(1.0)),
    )
    step = steps.simultaneous(game, optimizers)
    state = steps.init_state(game, optimizers, jax.random.key(0))
    state = jax.lax.fori_loop(
      0, 500, lambda i, s: step(s, BATCH, jax.random.key(i))[0], state
    )
    self.assertAlmostEqual(
      math.hypot(*map(float, state.params)), 1.00, delta=0.005
    )

  def test_learn_a_mean_cycles(self):
    mean = jnp.array([3.0, 4.0])
    start = Players(jnp.full(2, 1.7), jnp.full(2, 1.4))
    game = closed_form.learn_a_mean(start, mean)
    theta, w = play(game, steps.simultaneous, 0.1, 3)
    # theta + h w and w + h (v - theta), so that |theta - v|^2 + |w|^2 grows by
    # 1 + h^2 a step.
    np.testing.assert_allclose(theta[0], 1.84, rtol=1e-12)
    np.testing.assert_allclose(w[0], [1.53, 1.63], rtol=1e-12)
    radii = np.sum((theta - np.asarray(mean)) ** 2 + w**2, axis=1)
    np.testing.assert_allclose(radii[1:] / radii[:-1], 1.01, rtol=1e-12)
    samples = game.sample(start, Players({}, {}), jax.random.key(0), 10_000)
    np.testing.assert_allclose(samples.mean(axis=0), 1.7, atol=0.05)


if __name__ == "__main__":
  absltest.main()
