"""Games of two numbers in float64, whose last distances from 0 are known.

The distances are those of the same iterations written out in NumPy.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from gan_jax import games, penalties, steps
from gan_jax.types import Players

KEY = jax.random.key(0)
BATCH = jnp.zeros((1, 1))


def game_of(costs, start):
  """A game of two numbers, of costs(x, y) -> (J_G, J_D)."""

  def game_costs(params, variables, batch, key):
    del batch, key
    return Players(*costs(*params)), (variables, {})

  return games.Game(
    init=lambda key: (
      Players(*(jnp.asarray(x, float) for x in start)),
      Players({}, {}),
    ),
    costs=game_costs,
    sample=lambda params, variables, key, n: jnp.full((n, 1), params.generator),
  )


def play(game, optimizers, step, num_steps):
  state = steps.init_state(game, optimizers, KEY, average_both=True)
  return jax.jit(
    lambda state: jax.lax.fori_loop(
      0, num_steps, lambda _, state: step(state, BATCH, KEY)[0], state
    )
  )(state)


def clipped(optimizer):
  return optax.chain(optimizer, penalties.weight_clipping(1.0))


class BilinearTest(parameterized.TestCase):
  """f = x y from (2, .5), 100 steps; y, the discriminator, within [-1, 1].

  References:
    Gidel et al., A Variational Inequality Perspective on Generative Adversarial
      Networks, arXiv 1802.10551, section 3.
  """

  def setUp(self):
    super().setUp()
    self.enter_context(jax.enable_x64(True))

  def play(self, rule, generator, discriminator):
    game = game_of(lambda x, y: (x * y, -x * y), (2.0, 0.5))
    optimizers = Players(generator, discriminator)
    return play(game, optimizers, rule(game, optimizers), 100)

  @parameterized.named_parameters(
    ("simultaneous", steps.simultaneous, optax.sgd(0.1), "1.078"),
    ("alternating", steps.alternating, optax.sgd(0.1), "0.9959"),
    # x <- P(x - 2 h v_t + h v_(t-1)).
    (
      "optimistic",
      steps.simultaneous,
      optax.optimistic_gradient_descent(0.5),
      "1.231e-13",
    ),
    ("extragradient", steps.extragradient, optax.sgd(0.6), "2.983e-06"),
  )
  def test_last_iterate(self, rule, optimizer, expected):
    state = self.play(rule, optimizer, clipped(optimizer))
    self.assertEqual(f"{math.hypot(*state.params):.4g}", expected)

  def test_extragradient_whose_point_ahead_is_free(self):
    def rule(game, optimizers):
      step = steps.extragradient(game, optimizers)

      def projected(state, batch, key):
        state, metrics = step(state, batch, key)
        x, y = state.params
        params = Players(x, jnp.clip(y, -1.0, 1.0))
        return state.replace(params=params), metrics

      return projected

    state = self.play(rule, optax.sgd(0.6), optax.sgd(0.6))
    self.assertEqual(f"{math.hypot(*state.params):.4g}", "2.674e-06")

  def test_past_extragradient(self):
    # Popov's iterate: another first step than optimistic descent's.
    state = self.play(
      steps.simultaneous,
      steps.past_extragradient(optax.sgd(0.5)),
      steps.past_extragradient(clipped(optax.sgd(0.5))),
    )
    leads = [optimizer.lead for optimizer in state.optimizer_states]
    iterate = np.subtract(state.params, leads)
    self.assertEqual(f"{math.hypot(*iterate):.4g}", "1.368e-13")

  def test_average_of_decaying_steps(self):
    # Rates 2 / sqrt(t), t = 1, ..., 100; the mean of all 101 points.
    def rule(game, optimizers):
      return steps.averaged(
        steps.simultaneous(game, optimizers), steps.uniform_decay
      )

    optimizer = optax.sgd(lambda count: 2.0 / jnp.sqrt(count + 1.0))
    state = self.play(rule, optimizer, clipped(optimizer))
    self.assertEqual(f"{math.hypot(*state.averages):.4g}", "0.05178")


def gan(theta, psi):
  """f(t) = -log(1 + exp(-t)) at t = psi theta; G minimises, D maximises it."""
  value = jax.nn.log_sigmoid(psi * theta)
  return value, -value


def non_saturating(theta, psi):
  return (
    -jax.nn.log_sigmoid(-psi * theta),
    -jax.nn.log_sigmoid(psi * theta),
  )


def wasserstein(theta, psi):
  return psi * theta, -psi * theta


def with_r1(costs, weight):
  """Adds weight / 2 |dD/dx|^2 = weight / 2 psi^2 at the data."""

  def regularised(theta, psi):
    generator, discriminator = costs(theta, psi)
    return generator, discriminator + 0.5 * weight * psi**2

  return regularised


class DiracGanTest(parameterized.TestCase):
  """The Dirac-GAN, D(x) = psi x, from (1, 1), 500 steps of rate .2.

  References:
    Mescheder, Geiger and Nowozin, Which Training Methods for GANs do actually
      Converge?, arXiv 1801.04406, section 2 and figure 1.
  """

  def setUp(self):
    super().setUp()
    self.enter_context(jax.enable_x64(True))

  @parameterized.named_parameters(
    ("gan", gan, "3.1", "1.42"),
    ("non_saturating", non_saturating, "0.64", "0.284"),
    ("wgan_clip_1", wasserstein, "1", "1.02", clipped),
    ("r1_small", with_r1(gan, 0.3), "2.64e-06", "2.3e-07"),
    ("r1_critical", with_r1(gan, 1.0), "9.53e-22", "7.48e-17"),
    ("non_saturating_r1", with_r1(non_saturating, 0.3), "2.21e-06", "1.5e-07"),
  )
  def test_radius(self, costs, simultaneous, alternating, limited=lambda x: x):
    theta, psi = optax.sgd(0.2), limited(optax.sgd(0.2))
    game, optimizers = game_of(costs, (1.0, 1.0)), Players(theta, psi)
    state = play(game, optimizers, steps.simultaneous(game, optimizers), 500)
    self.assertEqual(f"{math.hypot(*state.params):.3g}", simultaneous)
    # The table's alternating step moves theta first, and ours the
    # discriminator: the players change names.
    renamed = game_of(lambda psi, theta: costs(theta, psi)[::-1], (1.0, 1.0))
    optimizers = Players(psi, theta)
    state = play(
      renamed, optimizers, steps.alternating(renamed, optimizers), 500
    )
    self.assertEqual(f"{math.hypot(*state.params):.3g}", alternating)

  def test_consensus(self):
    # v = (F psi, -F theta) with F = f'(t) = sigmoid(-t), t = psi theta, and
    # F' = -F (1 - F); 1/2 |v|^2 = F^2 r^2 / 2 with r^2 = theta^2 + psi^2, whose
    # gradient is F^2 (theta, psi) + F F' r^2 (psi, theta).
    w = np.array([1.0, 1.0])
    for _ in range(500):
      slope = 1.0 / (1.0 + np.exp(w[0] * w[1]))
      bend = -slope * (1.0 - slope)
      v = slope * np.array([w[1], -w[0]])
      w = w - 0.2 * (v + slope**2 * w + slope * bend * (w @ w) * w[::-1])
    game = game_of(gan, (1.0, 1.0))
    optimizers = Players(optax.sgd(0.2), optax.sgd(0.2))
    step = steps.consensus(game, optimizers, 1.0)
    state = play(game, optimizers, step, 500)
    self.assertEqual(f"{np.linalg.norm(w):.2g}", "2.6e-10")
    np.testing.assert_allclose(state.params, w, rtol=1e-9)

  def test_runge_kutta_follows_the_flow(self):
    # The flow keeps theta^2 + psi^2, as (theta, psi) . v = 0.
    game = game_of(gan, (1.0, 1.0))
    optimizers = Players(optax.sgd(0.2), optax.sgd(0.2))
    step = steps.runge_kutta_4(game, optimizers, 0.2)
    state = play(game, optimizers, step, 500)
    np.testing.assert_allclose(
      math.hypot(*state.params), math.sqrt(2.0), rtol=1e-4
    )


if __name__ == "__main__":
  absltest.main()
