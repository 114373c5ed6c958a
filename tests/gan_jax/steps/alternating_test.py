"""Tests alternating steps by hand."""

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


class AlternatingTest(parameterized.TestCase):
  def test_generator_answers_the_new_discriminator(self):
    # y' = y + h x, then x' = x - h y' : the map's determinant is 1, so the
    # orbit neither grows nor shrinks, but x'^2 + y'^2 is not (1 + h^2) times.
    rate = 0.5
    game, optimizers = bilinear_game(), sgd(rate)
    state = steps.init_state(game, optimizers, KEY)
    new, metrics = steps.alternating(game, optimizers)(state, BATCH, KEY)
    y = 2.0 + rate * 1.0
    x = 1.0 - rate * y
    np.testing.assert_allclose(new.params, (x, y))
    self.assertNotAlmostEqual(x**2 + y**2, 5 * (1 + rate**2))
    # Each player's cost is at the point where its gradient was taken.
    np.testing.assert_allclose(metrics["generator_cost"], 1.0 * y)
    np.testing.assert_allclose(metrics["discriminator_cost"], -1.0 * 2.0)
    self.assertEqual(new.step, 1)

  def test_counts_of_steps_and_minibatches(self):
    # k = 2 discriminator steps, then j = 3 generator steps on minibatch 0, 1, 0
    # whose means are 1 and 5.
    rate = 0.1
    game, optimizers = quadratic_game(), sgd(rate)
    state = steps.init_state(game, optimizers, KEY)
    batch = jnp.asarray([[1.0], [1.0], [5.0], [5.0]])
    step = steps.alternating(game, optimizers, 2, 3)
    new, _ = step(state, batch, KEY)
    x, y = 1.0, 2.0
    for _ in range(2):
      y -= rate * (y - 0.5 * x)
    for mean in (1.0, 5.0, 1.0):
      x -= rate * (x - y - mean)
    np.testing.assert_allclose(new.params, (x, y), rtol=1e-6)
    self.assertEqual(new.variables.discriminator["uses"], 5)
    self.assertEqual(new.step, 1)

  def test_discriminator_steps_take_different_minibatches(self):
    def costs(params, variables, batch, key):
      del key
      return Players(
        params.generator**2,
        jnp.mean(batch) * params.discriminator,
      ), (variables, {})

    game = bilinear_game()._replace(costs=costs)
    optimizers = sgd(1.0)
    state = steps.init_state(game, optimizers, KEY)
    batch = jnp.asarray([[1.0], [10.0], [100.0]])
    new, _ = steps.alternating(game, optimizers, 3)(state, batch, KEY)
    np.testing.assert_allclose(new.params.discriminator, 2.0 - 111.0)

  def test_bad_counts_are_refused(self):
    game, optimizers = bilinear_game(), sgd(0.1)
    with self.assertRaisesRegex(ValueError, "at least one step"):
      steps.alternating(game, optimizers, discriminator_steps=0)
    with self.assertRaisesRegex(ValueError, "do not divide a batch of 4"):
      steps.alternating(game, optimizers, 3)(
        steps.init_state(game, optimizers, KEY), BATCH, KEY
      )


if __name__ == "__main__":
  absltest.main()
