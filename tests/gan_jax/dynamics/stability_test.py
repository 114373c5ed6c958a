"""Tests Jacobians and Hessians of games against explicit ones."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized
from flax import linen as nn
from jax.flatten_util import ravel_pytree

from gan_jax import games, losses, penalties, steps
from gan_jax.dynamics import stability
from gan_jax.games import closed_form
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players

KEY = jax.random.key(0)
BATCH = jnp.zeros((1, 1))
NONE = Players({}, {})
# These programs are compiled for one use.
QUICKLY = {"xla_backend_optimization_level": 0}


def numbers(generator, discriminator):
  return Players(jnp.array(generator), jnp.array(discriminator))


def network_game():
  """Two networks of float64, whose discriminator is curved and pays R1."""
  game = games.adversarial(
    MLP((), 1),
    MLP((2,), 1, activation=nn.tanh),
    losses.non_saturating(),
    lambda key, n: jnp.linspace(-1.0, 1.5, n).reshape(n, 1),
    penalty=penalties.r1(0.5),
  )
  params, variables = game.init(KEY)
  return game, jax.tree.map(lambda x: x.astype(float), params), variables


def game_of(costs):
  """A game of costs(generator, discriminator, batch, variables)."""

  def game_costs(params, variables, batch, key):
    del key
    return Players(*costs(*params, batch, variables)), (variables, {})

  return games.Game(
    init=lambda key: (NONE, NONE),
    costs=game_costs,
    sample=lambda params, variables, key, n: jnp.zeros((n, 1)),
  )


def second_differences(function, x):
  """Differentiates x [n] -> [m] twice by central differences, [n, n, m]."""
  h = 1e-4
  offsets = h * jnp.eye(x.size)

  def of_pair(a, b):
    return (
      function(x + a + b)
      - function(x + a - b)
      - function(x - a + b)
      + function(x - a - b)
    ) / (4 * h**2)

  over_columns = jax.vmap(of_pair, (None, 0))
  return jax.vmap(over_columns, (0, None))(offsets, offsets)


class StabilityTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.enable_x64(True))

  def assert_close(self, actual, desired):
    np.testing.assert_allclose(actual, desired, rtol=1e-10, atol=1e-12)

  def test_field_jacobian_of_quadratic_game(self):
    game = closed_form.quadratic(numbers(0.0, 0.0), 0.3)
    params = numbers(0.7, -2.0)
    jacobian = stability.field_jacobian(game, params, NONE, BATCH, KEY)
    # v = (c x + y, c y - x), with eigenvalues c +- i.
    self.assert_close(jacobian, [[0.3, 1.0], [-1.0, 0.3]])
    self.assert_close(
      np.sort_complex(np.linalg.eigvals(jacobian)), [0.3 - 1j, 0.3 + 1j]
    )

  def test_field_jacobian_of_bilinear_game(self):
    params = numbers([1.0, 2.0], [3.0, 4.0])
    game = closed_form.bilinear(params)
    jacobian = stability.field_jacobian(game, params, NONE, BATCH, KEY)
    # v = (y, -x), of two numbers each.
    self.assert_close(
      jacobian, [[0, 0, 1, 0], [0, 0, 0, 1], [-1, 0, 0, 0], [0, -1, 0, 0]]
    )

  @parameterized.parameters(0.3, 3.0)
  def test_field_jacobian_of_dirac_gan_with_r1(self, gamma):
    params = numbers(0.0, 0.0)
    game = closed_form.dirac_gan(
      params, losses.non_saturating(), penalties.r1(gamma)
    )
    jacobian = stability.field_jacobian(game, params, NONE, BATCH, KEY)
    # v = (-psi s(-psi theta), theta s(psi theta) + gamma psi), with s(0) = 1/2.
    self.assert_close(jacobian, [[0.0, -0.5], [0.5, gamma]])
    # Mescheder et al. 2018: those of the flow -v are
    # -gamma/2 +- sqrt(gamma^2/4 - f'(0)^2).
    root = np.sqrt(gamma**2 / 4 - 0.25 + 0j)
    self.assert_close(
      np.sort_complex(np.linalg.eigvals(-np.asarray(jacobian))),
      np.sort_complex([-gamma / 2 - root, -gamma / 2 + root]),
    )

  @parameterized.parameters(0.0, 0.9)
  def test_step_jacobian_of_simultaneous(self, momentum):
    rates = Players(0.1, 0.2)
    game = closed_form.quadratic(numbers(1.0, -2.0), 0.3)
    optimizers = Players(*(optax.sgd(rate, momentum) for rate in rates))
    step = steps.simultaneous(game, optimizers)
    state = steps.init_state(game, optimizers, KEY)
    # The trace that momentum has after a step is a constant of the next one.
    state, _ = step(state, BATCH, KEY)
    jacobian = stability.step_jacobian(step, state, BATCH, KEY)
    # x' = x - 0.1 (c x + y + const),  y' = y - 0.2 (c y - x + const).
    self.assert_close(jacobian, [[0.97, -0.1], [0.2, 0.94]])

  def test_step_jacobian_of_alternating(self):
    game = closed_form.quadratic(numbers(1.0, -2.0), 0.3)
    optimizers = Players(optax.sgd(0.1), optax.sgd(0.2))
    state = steps.init_state(game, optimizers, KEY)
    jacobian = stability.step_jacobian(
      steps.alternating(game, optimizers), state, BATCH, KEY
    )
    # y' = 0.94 y + 0.2 x first, then x' = 0.97 x - 0.1 y'. The determinant is
    # (1 - 0.1 c) (1 - 0.2 c).
    self.assert_close(jacobian, [[0.97 - 0.02, -0.094], [0.2, 0.94]])
    self.assertAlmostEqual(np.linalg.det(jacobian), 0.97 * 0.94, places=12)

  @parameterized.parameters(
    # The eigenvalues of J are +- i, those of the map 1 - h J and 1 - h J (1 -
    # h J) with h = 1/10: |1 - i h| and |1 - h^2 - i h|.
    (steps.simultaneous, 1.01**0.5),
    (steps.extragradient, (0.99**2 + 0.01) ** 0.5),
  )
  def test_step_jacobian_decides_the_bilinear_game(self, rule, radius):
    game = closed_form.bilinear(numbers(1.0, 2.0))
    optimizers = Players(optax.sgd(0.1), optax.sgd(0.1))
    state = steps.init_state(game, optimizers, KEY)
    jacobian = stability.step_jacobian(
      rule(game, optimizers), state, BATCH, KEY
    )
    eigenvalues = np.linalg.eigvals(jacobian)
    self.assert_close(np.abs(eigenvalues), [radius, radius])

  def test_local_nash_of_nested_params(self):
    def costs(g, d, batch, variables):
      a, b = d["a"], d["b"]
      scale = jnp.sum(batch) * variables.generator["scale"]
      return (
        scale * (g[0] ** 2 * g[1] + a * g[0]),
        a**2 * b[0] + b[1] ** 3 - g[1] * a,
      )

    params = Players(
      jnp.array([2.0, 3.0]),
      {"a": jnp.array(5.0), "b": jnp.array([7.0, -1.0])},
    )
    variables = Players({"scale": jnp.array(0.5)}, {})
    found = stability.local_nash(
      game_of(costs), params, variables, jnp.ones(2), KEY
    )
    # v_G = (2 g0 g1 + a, g0^2) = (17, 4), v_D = (2 a b0 - g1, a^2, 3 b1^2) =
    # (67, 25, 3).
    self.assert_close(
      found.gradient_norms, [(17**2 + 4**2) ** 0.5, (67**2 + 25**2 + 9) ** 0.5]
    )
    self.assert_close(found.hessians.generator, [[6.0, 4.0], [4.0, 0.0]])
    self.assert_close(
      found.hessians.discriminator,
      [[14.0, 10.0, 0.0], [10.0, 0.0, 0.0], [0.0, 0.0, -6.0]],
    )

  def test_a_stable_point_need_not_be_a_local_nash_equilibrium(self):
    def costs(x, y, batch, variables):
      del batch, variables
      return 3 * x * y - 0.5 * x**2, y**2 - 3 * x * y

    where = (game_of(costs), numbers(0.0, 0.0), NONE, BATCH, KEY)
    found = stability.local_nash(*where)
    self.assertEqual(found.gradient_norms, Players(0.0, 0.0))
    # J = [[-1, 3], [-3, 2]] has the trace 1 and the determinant 7, so the
    # eigenvalues (1 +- sqrt(1 - 28)) / 2: stable, and yet x sits on a maximum.
    self.assert_close(found.hessians.generator, [[-1.0]])
    self.assert_close(found.hessians.discriminator, [[2.0]])
    eigenvalues = np.linalg.eigvals(stability.field_jacobian(*where))
    self.assert_close(
      np.sort_complex(eigenvalues),
      [0.5 - 0.5j * np.sqrt(27), 0.5 + 0.5j * np.sqrt(27)],
    )

  def test_networks_against_differences_of_the_costs(self):
    game, params, variables = network_game()
    batch = jnp.linspace(-2.0, 3.0, 6)[:, None]
    point, unravel = ravel_pytree(params)
    split = ravel_pytree(params.generator)[0].size

    def costs(point):
      return jnp.stack(game.costs(unravel(point), variables, batch, KEY)[0])

    # A step of rates 0.1 and 0.2 is I - diag(rates) J, by the gradients of the
    # one pass back too.
    optimizers = Players(optax.sgd(0.1), optax.sgd(0.2))
    step = steps.simultaneous(game, optimizers)
    state = steps.init_state(
      game._replace(init=lambda key: (params, variables)), optimizers, KEY
    )

    @functools.partial(jax.jit, compiler_options=QUICKLY)
    def measure():
      where = (game, params, variables, batch, KEY)
      return (
        second_differences(costs, point),
        stability.field_jacobian(*where),
        stability.local_nash(*where).hessians,
        stability.step_jacobian(step, state, batch, KEY),
      )

    of_both, jacobian, hessians, of_step = jax.tree.map(np.asarray, measure())
    # Row i differentiates the cost of the player that number i belongs to.
    expected = np.concatenate([of_both[:split, :, 0], of_both[split:, :, 1]])
    self.assertGreater(np.abs(expected[:split, split:]).max(), 0.1)
    np.testing.assert_allclose(jacobian, expected, atol=1e-6)
    np.testing.assert_allclose(
      hessians.generator, expected[:split, :split], atol=1e-6
    )
    np.testing.assert_allclose(
      hessians.discriminator, expected[split:, split:], atol=1e-6
    )
    rates = np.where(np.arange(point.size) < split, 0.1, 0.2)
    np.testing.assert_allclose(
      of_step, np.eye(point.size) - rates[:, None] * expected, atol=1e-6
    )


if __name__ == "__main__":
  absltest.main()
