"""Tests what all update rules have in common."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from gan_jax import games, losses, steps
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players

KEY = jax.random.key(0)

RULES = {
  "simultaneous": steps.simultaneous,
  "alternating": steps.alternating,
  "extragradient": steps.extragradient,
  # Its optimizers are wrapped below.
  "past_extragradient": steps.simultaneous,
  "consensus": lambda *args: steps.consensus(*args, weight=0.1),
  "symplectic_gradient_adjustment": lambda *args: (
    steps.symplectic_gradient_adjustment(*args, align=True)
  ),
  "runge_kutta_4": lambda *args: steps.runge_kutta_4(*args, step_size=0.01),
  "unrolled": lambda *args: steps.unrolled(*args, num_unrolled_steps=2),
}
LOSSES = {
  "minimax": losses.minimax,
  "non_saturating": losses.non_saturating,
  "hinge": losses.hinge,
  "wasserstein": losses.wasserstein,
}


def network_game(loss):
  return games.adversarial(
    MLP((4,), 2),
    MLP((4,), 1),
    loss,
    # Random bits would take most of the time to compile.
    lambda key, n: jnp.linspace(-1.0, 1.0, 2 * n).reshape(n, 2),
  )


# The gradients of the game without data, J_G = x^2 + 3 x y and J_D = y^2 / 2 -
# 2 x y, are FIELD @ (x, y). Both players start at START, each with its rate.
FIELD = np.array([[2.0, 3.0], [-2.0, 1.0]])
START = np.array([1.0, -0.5])
RATES = np.array([0.1, 0.05])


def game_without_data():
  def costs(params, variables, batch, key):
    del key
    assert batch is None
    x, y = params
    return Players(x**2 + 3 * x * y, 0.5 * y**2 - 2 * x * y), (variables, {})

  return games.Game(
    init=lambda key: (
      Players(*map(jnp.float32, START)),
      Players({}, {}),
    ),
    costs=costs,
    sample=lambda params, variables, key, n: jnp.full(n, params.generator),
  )


def moved(gradient):
  return START - RATES * gradient


def in_turns(discriminator_steps, generator_steps):
  w = START.copy()
  for player in (1,) * discriminator_steps + (0,) * generator_steps:
    w[player] -= RATES[player] * FIELD[player] @ w
  return w


def runge_kutta_gradient(h):
  k1 = FIELD @ START
  k2 = FIELD @ (START - h / 2 * k1)
  k3 = FIELD @ (START - h / 2 * k2)
  k4 = FIELD @ (START - h * k3)
  return (k1 + 2 * k2 + 2 * k3 + k4) / 6


def unrolled_step(num_unrolled_steps):
  # y after K steps is a function of x with the slope dy, and dJ_G/dx =
  # 2 x + 3 y + 3 x dy.
  (x, y), dy = START, 0.0
  for _ in range(num_unrolled_steps):
    y, dy = y - RATES[1] * (y - 2 * x), dy - RATES[1] * (dy - 2)
  w = moved(FIELD @ START)
  w[0] = x - RATES[0] * (2 * x + 3 * y + 3 * x * dy)
  return w


GRADIENT = FIELD @ START
# Name: the rule and the point after one step.
WITHOUT_DATA = {
  "simultaneous": (steps.simultaneous, moved(GRADIENT)),
  "alternating": (steps.alternating, in_turns(1, 1)),
  "alternating_in_counts": (
    lambda *args: steps.alternating(
      *args, discriminator_steps=3, generator_steps=2
    ),
    in_turns(3, 2),
  ),
  "extragradient": (steps.extragradient, moved(FIELD @ moved(GRADIENT))),
  # The params are a point ahead of the iterate, by the same gradient.
  "past_extragradient": (steps.simultaneous, moved(2 * GRADIENT)),
  "consensus": (
    lambda *args: steps.consensus(*args, weight=0.3),
    moved(GRADIENT + 0.3 * FIELD.T @ GRADIENT),
  ),
  "symplectic_gradient_adjustment": (
    lambda *args: steps.symplectic_gradient_adjustment(*args, weight=0.3),
    moved(GRADIENT + 0.3 * (FIELD - FIELD.T).T / 2 @ GRADIENT),
  ),
  "runge_kutta_4": (
    lambda *args: steps.runge_kutta_4(*args, step_size=0.2),
    moved(runge_kutta_gradient(0.2)),
  ),
  "unrolled": (
    lambda *args: steps.unrolled(*args, num_unrolled_steps=3),
    unrolled_step(3),
  ),
  "scheduled": (
    # No step was taken before, so the weight is 0.
    lambda *args: steps.scheduled(
      lambda count: steps.consensus(*args, weight=0.3 * count)
    ),
    moved(GRADIENT),
  ),
}


class RulesTest(parameterized.TestCase):
  def test_every_rule_is_here(self):
    others = {
      "Optimizers",
      "averaged",
      "compiled",
      "init_state",
      "player_gradients",
      "uniform_decay",
      "with_average",
    }
    self.assertContainsSubset(set(steps.__all__) - others, WITHOUT_DATA)

  @parameterized.named_parameters((name, name) for name in WITHOUT_DATA)
  def test_game_without_data(self, name):
    rule, expected = WITHOUT_DATA[name]
    game = game_without_data()
    optimizers = Players(*map(optax.sgd, RATES))
    if name == "past_extragradient":
      optimizers = Players(*map(steps.past_extragradient, optimizers))
    state = steps.init_state(game, optimizers, KEY, average_both=True)
    step = steps.averaged(rule(game, optimizers), steps.uniform_decay)
    step = steps.compiled(step)
    state, metrics = step(state, None, KEY)
    np.testing.assert_allclose(state.params, expected, rtol=1e-6)
    np.testing.assert_allclose(
      state.averages, (START + expected) / 2, rtol=1e-6
    )
    self.assertEqual(state.step, 1)
    chex.assert_tree_all_finite(metrics)

  @parameterized.named_parameters(*((name, name) for name in RULES))
  def test_two_steps_with_any_loss(self, name):
    optimizers = Players(optax.adam(0.01), optax.sgd(0.01))
    if name == "past_extragradient":
      optimizers = Players(*map(steps.past_extragradient, optimizers))
    all_games = {loss: network_game(make()) for loss, make in LOSSES.items()}
    start = {
      loss: steps.init_state(game, optimizers, KEY)
      for loss, game in all_games.items()
    }
    batch = 3.0 + jax.random.normal(KEY, (8, 2))

    # One program is quicker to compile than one for each loss.
    def step(states, key):
      return {
        loss: RULES[name](game, optimizers)(states[loss], batch, key)
        for loss, game in all_games.items()
      }

    chex.clear_trace_counter()
    once: Any = chex.assert_max_traces(n=1)
    step = jax.jit(
      once(step), compiler_options={"xla_backend_optimization_level": 0}
    )
    states = start
    for index in range(2):
      stepped = step(states, jax.random.fold_in(KEY, index))
      chex.assert_tree_all_finite(stepped)
      for _, metrics in stepped.values():
        self.assertIn("generator_cost", metrics)
        self.assertIn("discriminator_cost", metrics)
      states = {loss: state for loss, (state, _) in stepped.items()}
    chex.assert_trees_all_equal_shapes_and_dtypes(states, start)
    for loss, state in states.items():
      self.assertEqual(state.step, 2)
      for player in Players._fields:
        moves = jax.tree.map(
          lambda a, b: np.max(np.abs(np.subtract(a, b))),
          getattr(start[loss].params, player),
          getattr(state.params, player),
        )
        self.assertGreater(max(jax.tree.leaves(moves)), 1e-4, (loss, player))

  @parameterized.named_parameters(*((name, name) for name in RULES))
  def test_is_pure_and_maps_over_members(self, name):
    # J_G = x^2 / 2 + x y + x E batch, J_D = y^2 / 2 - x y.
    def costs(params, variables, batch, key):
      del key
      x, y = params
      generator = 0.5 * x**2 + x * y + x * jnp.mean(batch)
      return Players(generator, 0.5 * y**2 - x * y), (variables, {})

    game = games.Game(
      init=lambda key: (
        Players(*jax.random.normal(key, (2,))),
        Players({}, {}),
      ),
      costs=costs,
      sample=lambda params, variables, key, n: jnp.full(
        (n, 1), params.generator
      ),
    )
    optimizers = Players(optax.sgd(0.1), optax.sgd(0.2))
    if name == "past_extragradient":
      optimizers = Players(*map(steps.past_extragradient, optimizers))
    step = jax.jit(RULES[name](game, optimizers))
    keys = jax.random.split(KEY, 2)
    batches = jnp.arange(8.0).reshape(2, 4, 1)

    def member(key, batch):
      return jax.lax.fori_loop(
        0,
        2,
        lambda _, state: step(state, batch, KEY)[0],
        steps.init_state(game, optimizers, key),
      )

    mapped = jax.jit(jax.vmap(member))(keys, batches)
    for index in range(2):
      state = steps.init_state(game, optimizers, keys[index])
      before = jax.tree.map(jnp.copy, state)
      first, _ = step(state, batches[index], KEY)
      chex.assert_trees_all_equal(state, before)
      second, _ = step(first, batches[index], KEY)
      chex.assert_trees_all_close(
        jax.tree.map(lambda x, i=index: x[i], mapped), second, rtol=1e-5
      )


if __name__ == "__main__":
  absltest.main()
