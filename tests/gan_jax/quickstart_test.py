"""Tests the step that one call makes from a loss."""

import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest

import gan_jax
from gan_jax import games, losses, penalties, steps
from gan_jax.data import latents
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players

KEY = jax.random.key(0)
RATES = Players(0.1, 0.2)
NETWORKS = MLP(features=2, hidden=(8,)), MLP(features=1, hidden=(8,))
PRIOR = latents.normal(3)
OPTIMIZERS = Players(*map(optax.sgd, RATES))


def batches(num_batches):
  keys = jax.random.split(jax.random.key(1), num_batches)
  return [(3 + jax.random.normal(key, (16, 2)), key) for key in keys]


class SimultaneousTest(absltest.TestCase):
  def test_training_is_that_of_the_separate_parts(self):
    penalty = penalties.r1(0.3)
    init, step = gan_jax.simultaneous(
      losses.hinge(), *NETWORKS, PRIOR, OPTIMIZERS, penalty=penalty
    )
    game = games.adversarial(*NETWORKS, losses.hinge(), PRIOR, penalty=penalty)
    long_step = jax.jit(steps.simultaneous(game, OPTIMIZERS))

    state, long_state = init(KEY), steps.init_state(game, OPTIMIZERS, KEY)
    chex.assert_trees_all_equal(state, long_state)
    for batch, key in batches(3):
      state, metrics = step(state, batch, key)
      long_state, long_metrics = long_step(long_state, batch, key)
      chex.assert_trees_all_equal(
        (state, metrics), (long_state, long_metrics), strict=True
      )
    self.assertIn("penalty", metrics)
    self.assertEqual(state.step, 3)

  def test_each_player_descends_its_cost_from_the_old_parameters(self):
    loss = losses.hinge()
    init, step = gan_jax.simultaneous(loss, *NETWORKS, PRIOR, OPTIMIZERS)
    game = games.adversarial(*NETWORKS, loss, PRIOR)
    ((batch, key),) = batches(1)
    old = init(KEY).params

    def costs(params):
      return game.costs(params, Players({}, {}), batch, key)[0]

    # Gradients are about 0.1 to 1, so an update with the other cost or the
    # other rate differs by far more than the tolerance.
    expected = Players(
      optax.tree.add_scale(
        old.generator,
        -RATES.generator,
        jax.grad(lambda params: costs(params).generator)(old).generator,
      ),
      optax.tree.add_scale(
        old.discriminator,
        -RATES.discriminator,
        jax.grad(lambda params: costs(params).discriminator)(old).discriminator,
      ),
    )
    new, _ = step(init(KEY), batch, key)
    chex.assert_trees_all_close(new.params, expected, atol=1e-6)

  def test_generator_moves_towards_the_data(self):
    init, step = gan_jax.simultaneous(
      losses.non_saturating(), *NETWORKS, PRIOR, OPTIMIZERS
    )
    game = games.adversarial(*NETWORKS, losses.non_saturating(), PRIOR)

    def distance(state):
      samples = game.sample(state.params, state.variables, KEY, 256)
      return np.linalg.norm(jnp.mean(samples, axis=0) - 3)

    # In 128 trainings 0.01 to 0.47 of the distance is left. It does not change
    # if the generator stands still, and grows if it climbs its cost; if the
    # discriminator climbs, at least 0.75 is left.
    for start in jax.random.split(KEY, 3):
      state = init(start)
      before = distance(state)
      for batch, key in batches(40):
        state, _ = step(state, batch, key)
      self.assertLess(distance(state), 0.6 * before)

  def test_compiles_once_and_donates_the_state(self):
    traced_loss = losses.hinge()
    discriminator_cost = chex.assert_max_traces(n=1)(traced_loss.discriminator)
    init, step = gan_jax.simultaneous(
      traced_loss._replace(discriminator=discriminator_cost),
      *NETWORKS,
      PRIOR,
      OPTIMIZERS,
    )
    state = init(KEY)
    for batch, key in batches(3):
      old, (state, _) = state, step(state, batch, key)
      self.assertTrue(all(x.is_deleted() for x in jax.tree.leaves(old)))

  def test_replay_memory_is_donated_and_filled(self):
    init, step = gan_jax.simultaneous(
      losses.hinge(), *NETWORKS, PRIOR, OPTIMIZERS, replay=games.Replay(20)
    )
    state = init(KEY)
    stored = []
    for batch, key in batches(3):
      state, _ = step(state, batch, key)
      stored.append(int(state.variables.discriminator["memory"].num_stored))
    # Half of each batch of 16 is stored, up to the size.
    self.assertEqual(stored, [8, 16, 20])

  def test_imports_only_what_a_step_needs(self):
    heavy = {"matplotlib", "orbax", "PIL", "tensorflow_datasets"}
    program = (
      "import sys, gan_jax\n"
      "assert 'jax' not in sys.modules\n"
      "gan_jax.simultaneous\n"
      f"assert not {heavy} & set(sys.modules), sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

  def test_unknown_names_are_errors(self):
    with self.assertRaisesRegex(AttributeError, "no attribute 'simultanous'"):
      gan_jax.simultanous  # noqa: B018  # pyright: ignore


if __name__ == "__main__":
  absltest.main()
