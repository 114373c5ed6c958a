"""Tests consensus and symplectic steps against explicit Jacobians."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized
from flax import linen as nn
from jax.flatten_util import ravel_pytree

from gan_jax import games, losses, penalties, steps
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players

KEY = jax.random.key(0)
BATCH = jnp.zeros((4, 1))
# These programs are compiled for one use.
QUICKLY = {"xla_backend_optimization_level": 0}


def game_of(costs, x=1.0, y=2.0):
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


def potential(x, y):
  return x * y, x * y


def spiral(curvature):
  """Returns costs whose field is c w + R w, with R w = (y, -x)."""

  def costs(x, y):
    return (
      0.5 * curvature * x**2 + x * y,
      0.5 * curvature * y**2 - x * y,
    )

  return costs


def network_game(loss, penalty=None):
  """Two networks of float64, as the game of the one pass back plays them."""

  def network(features):
    return MLP((3,), features, activation=nn.tanh)

  game = games.adversarial(
    network(2),
    network(1),
    loss,
    lambda key, n: jnp.linspace(-1.0, 1.0, n).reshape(n, 1),
    discriminator_l2=0.1,
    penalty=penalty,
  )

  def init(key):
    return jax.tree.map(lambda x: x.astype(float), game.init(key))

  return game._replace(init=init)


def one_step(rule, game, rate, *args, batch=BATCH):
  optimizers = Players(optax.sgd(rate), optax.sgd(rate))
  state = steps.init_state(game, optimizers, KEY)
  step = jax.jit(rule(game, optimizers, *args), compiler_options=QUICKLY)
  return step(state, batch, KEY)


def field_and_jacobian(game, params, batch):
  """v [n] and dv/dw [n, n], from the whole Hessian of each player's cost."""
  flat, unravel = ravel_pytree(params)
  cut = ravel_pytree(params.generator)[0].size

  def costs(flat):
    return game.costs(unravel(flat), Players({}, {}), batch, KEY)[0]

  gradients = jax.jit(jax.jacrev(costs), compiler_options=QUICKLY)(flat)
  hessians = jax.jit(jax.hessian(costs), compiler_options=QUICKLY)(flat)

  def player_rows(of_both):
    return np.concatenate(
      [of_both.generator[:cut], of_both.discriminator[cut:]]
    )

  return player_rows(gradients), player_rows(hessians)


class InFloat64(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.enable_x64(True))


class ConsensusTest(InFloat64):
  @parameterized.parameters((0.1, 0.3), (0.5, 2.0))
  def test_bilinear_is_drawn_to_the_centre(self, rate, weight):
    # 1/2 |v|^2 = (x^2 + y^2)/2, so both descend v + weight w:
    # x' = (1 - h g) x - h y, y' = (1 - h g) y + h x.
    state, _ = one_step(steps.consensus, game_of(bilinear), rate, weight)
    kept = 1.0 - rate * weight
    np.testing.assert_allclose(
      state.params, (kept - 2.0 * rate, 2.0 * kept + rate), rtol=1e-12
    )
    np.testing.assert_allclose(
      np.sum(np.square(state.params)), 5.0 * (kept**2 + rate**2)
    )

  def test_unstable_spiral(self):
    # v = (c + R) w, J^T v = (c - R)(c + R) w = (c^2 + 1) w as R^2 = -1; with
    # c = -1, h = .1 and weight .5, w' = w - .1 (-w + R w + w) = w - .1 R w.
    state, _ = one_step(steps.consensus, game_of(spiral(-1.0)), 0.1, 0.5)
    np.testing.assert_allclose(state.params, (1.0 - 0.2, 2.0 + 0.1))

  def test_weight_zero_is_simultaneous(self):
    state, _ = one_step(steps.consensus, game_of(bilinear), 0.1, 0.0)
    np.testing.assert_allclose(state.params, (1.0 - 0.2, 2.0 + 0.1))


class SymplecticGradientAdjustmentTest(InFloat64):
  @parameterized.parameters((0.1, 1.0), (0.5, 0.3))
  def test_bilinear_is_drawn_to_the_centre(self, rate, weight):
    # The Jacobian R is antisymmetric and R^T v = w.
    rule = steps.symplectic_gradient_adjustment
    state, _ = one_step(rule, game_of(bilinear), rate, weight)
    kept = 1.0 - rate * weight
    np.testing.assert_allclose(
      state.params, (kept - 2.0 * rate, 2.0 * kept + rate), rtol=1e-12
    )

  def test_potential_game_needs_no_adjustment(self):
    # The Jacobian of (y, x) is symmetric.
    rule = steps.symplectic_gradient_adjustment
    state, _ = one_step(rule, game_of(potential), 0.1)
    np.testing.assert_allclose(state.params, (1.0 - 0.2, 2.0 - 0.1))

  # With v = (c + R) w: A^T v = -R v = w - c R w and h = J^T v = (c^2 + 1) w, so
  # that at c = -1 <v, h><A^T v, h>/2 = -2 |w|^4, and at c = 1 it is 2 |w|^4.
  @parameterized.named_parameters(
    # v + A^T v = 2 w.
    ("stable", 1.0, 1.0, 2.0, True, (0.8, 1.6)),
    # v - A^T v = -2 w.
    ("unstable", -1.0, 1.0, 2.0, True, (1.2, 2.4)),
    # v + A^T v = 2 R w.
    ("unstable_not_aligned", -1.0, 1.0, 2.0, False, (0.6, 2.2)),
    # -2 |w|^4 = -.08 is less than the bias; -4 |w|^4 would not be.
    ("unstable_but_weak", -1.0, 0.4, 0.2, True, (0.36, 0.28)),
  )
  def test_alignment(self, curvature, x, y, align, expected):
    rule = steps.symplectic_gradient_adjustment
    state, _ = one_step(rule, game_of(spiral(curvature), x, y), 0.1, 1.0, align)
    np.testing.assert_allclose(state.params, expected, rtol=1e-12)


class NetworksTest(InFloat64):
  @parameterized.named_parameters(
    ("minimax", losses.minimax(), None),
    ("non_saturating", losses.non_saturating(), None),
    ("wasserstein_gp", losses.wasserstein(), penalties.gradient_penalty(1.0)),
  )
  def test_against_the_whole_jacobian(self, loss, penalty):
    rate, weight = 0.1, 0.7
    game = network_game(loss, penalty)
    batch = jax.random.normal(jax.random.key(1), (5, 2))
    params, _ = game.init(KEY)
    v, jacobian = field_and_jacobian(game, params, batch)
    slope = jacobian.T @ v
    symplectic = 0.5 * (jacobian - jacobian.T).T @ v
    for rule, adjustment in (
      (steps.consensus, slope),
      (steps.symplectic_gradient_adjustment, symplectic),
    ):
      self.assertGreater(np.linalg.norm(adjustment), 1e-3)
      state, _ = one_step(rule, game, rate, weight, batch=batch)
      np.testing.assert_allclose(
        ravel_pytree(state.params)[0],
        ravel_pytree(params)[0] - rate * (v + weight * adjustment),
        rtol=1e-9,
        atol=1e-12,
      )


class SureDiscriminatorTest(parameterized.TestCase):
  @parameterized.product(
    rule=(steps.consensus, steps.symplectic_gradient_adjustment),
    loss=(losses.minimax, losses.non_saturating),
    logit=(-1e4, -60.0, -44.0, -42.0, 44.0, 1e4),
  )
  def test_one_pass_back_equals_two(self, rule, loss, logit):
    # In float32, where the slope of J_D in a sure logit is below its floor or
    # its square is below the smallest number.
    game = games.adversarial(
      MLP((), 1),
      MLP((), 1, bias_init=nn.initializers.constant(logit)),
      loss(),
      lambda key, n: jnp.ones((n, 1)),
    )
    optimizers = Players(optax.sgd(0.1), optax.sgd(0.1))
    state = steps.init_state(game, optimizers, KEY)
    ends = [
      rule(each, optimizers, 1.0)(state, BATCH, KEY)[0].params
      for each in (game, game._replace(gradients=None))
    ]
    for one, two in zip(*map(jax.tree.leaves, ends), strict=True):
      self.assertTrue(np.isfinite(one).all())
      np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


class MeasuredTest(InFloat64):
  @parameterized.named_parameters(
    ("consensus", lambda *args: steps.consensus(*args, weight=1.0)),
    ("symplectic", steps.symplectic_gradient_adjustment),
  )
  def test_measures_once_at_the_old_parameters(self, rule):
    state, metrics = one_step(rule, game_of(bilinear), 0.1)
    self.assertEqual(metrics["generator_cost"], 2.0)
    self.assertEqual(metrics["discriminator_cost"], -2.0)
    self.assertEqual(metrics["x"], 1.0)
    self.assertEqual(state.variables.generator["uses"], 1)
    self.assertEqual(state.step, 1)


if __name__ == "__main__":
  absltest.main()
