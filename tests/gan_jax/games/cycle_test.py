"""Tests the game of two translations by hand, with affine networks."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest
from flax import linen as nn

from gan_jax import games, losses, steps
from gan_jax.types import Conditional, Players
from tests.gan_jax.games.affine_games import KEY

A = jnp.array([[1.0], [2.0], [4.0]])
B = jnp.array([[0.0], [-3.0], [6.0]])


class Times(nn.Module):
  """Multiplies a number by a parameter."""

  normalized: bool = False

  @nn.compact
  def __call__(self, x, train=False):
    y = x * self.param("w", nn.initializers.ones, (1, 1))
    if self.normalized:
      y = nn.BatchNorm(use_running_average=not train)(y)
    return y


def game(**options):
  return games.cycle(
    {"forward": Times(), "backward": Times()},
    {"of_a": Times(), "of_b": Times()},
    losses.wasserstein(),
    lambda key, n: jnp.resize(A, (n, 1)),
    **options,
  )


def params(g, f, d_a, d_b):
  def of(w):
    return {"w": jnp.array([[w]])}

  return Players(
    {"forward": of(g), "backward": of(f)}, {"of_a": of(d_a), "of_b": of(d_b)}
  )


NONE = Players({}, {})


class CycleTest(absltest.TestCase):
  def test_costs_and_gradients_by_hand(self):
    # G(a) = 2 a, F(b) = b / 4, D_A(a) = 3 a, D_B(b) = -b.
    made = game(cycle_weight=5.0, identity_weight=7.0)
    at = params(2.0, 0.25, 3.0, -1.0)
    # Means: a 7/3, b 1, |a| 7/3, |b| 3. F G = 1/2, so that the two cycles lose
    # half: (7/3 + 3) / 2. The identities: |2 b - b| = 3, |a / 4 - a| = 7/4.
    fooling = 1.0 * (2 * 7 / 3) - 3 * 0.25 * 1
    cycle, identity = (7 / 3 + 3) / 2, 3 + 7 / 4
    # Critics: D(real) - D(fake), minimised with the other sign.
    of_b = -1 - -(14 / 3)
    of_a = 3 * 7 / 3 - 3 / 4
    gradients = games.pullbacks(made.costs)
    slopes, costs, (_, metrics) = gradients(at, NONE, Conditional(B, A), KEY)
    np.testing.assert_allclose(metrics["cycle"], cycle, rtol=1e-5)
    np.testing.assert_allclose(metrics["identity"], identity, rtol=1e-5)
    np.testing.assert_allclose(
      costs.generator, fooling + 5 * cycle + 7 * identity, rtol=1e-5
    )
    np.testing.assert_allclose(costs.discriminator, -of_a - of_b, rtol=1e-5)
    np.testing.assert_allclose(
      metrics["critic_real"], (-1 + 3 * 7 / 3) / 2, rtol=1e-5
    )
    np.testing.assert_allclose(
      metrics["critic_fake"], (-14 / 3 + 3 / 4) / 2, rtol=1e-5
    )
    # d/dg: 7/3 of fooling, -f (7/3 + 3) of cycles, +3 of |g b - b|.
    np.testing.assert_allclose(
      slopes.generator["forward"]["w"][0],
      [7 / 3 - 5 * 0.25 * 16 / 3 + 7 * 3],
      rtol=1e-5,
    )
    # d/df: -3 of fooling, -g (7/3 + 3) of cycles, -7/3 of |f a - a|.
    np.testing.assert_allclose(
      slopes.generator["backward"]["w"][0],
      [-3 - 5 * 2 * 16 / 3 - 7 * 7 / 3],
      rtol=1e-5,
    )
    np.testing.assert_allclose(
      slopes.discriminator["of_b"]["w"][0], [14 / 3 - 1], rtol=1e-5
    )
    np.testing.assert_allclose(
      slopes.discriminator["of_a"]["w"][0], [1 / 4 - 7 / 3], rtol=1e-5
    )

  def test_without_identity(self):
    at = params(2.0, 0.25, 3.0, -1.0)
    costs, (_, metrics) = game(cycle_weight=0.0).costs(
      at, NONE, Conditional(B, A), KEY
    )
    self.assertNotIn("identity", metrics)
    np.testing.assert_allclose(costs.generator, 14 / 3 - 3 / 4, rtol=1e-5)

  def test_samples_are_translations(self):
    at = params(2.0, 0.25, 3.0, -1.0)
    made = game()
    np.testing.assert_allclose(made.sample(at, NONE, KEY, 3), 2 * A)
    np.testing.assert_allclose(made.sample(at, NONE, KEY, 3, B), 2 * B)
    assert made.discriminate is not None
    np.testing.assert_allclose(made.discriminate(at, NONE, B), -B[:, 0])

  def test_cycle_consistency_makes_inverses(self):
    # With critics that do not move, only the cycles are left to minimise.
    made = game(cycle_weight=1.0)
    optimizers = Players(optax.adam(0.02), optax.set_to_zero())
    step = jax.jit(steps.simultaneous(made, optimizers))
    state = steps.init_state(made, optimizers, KEY)
    state = state.replace(params=params(2.0, 0.1, 0.0, 0.0))
    for _ in range(300):
      state, _ = step(state, Conditional(B, A), KEY)
    g, f = (x["w"][0, 0] for x in state.params.generator.values())
    np.testing.assert_allclose(g * f, 1.0, atol=0.05)

  def test_batch_statistics_are_refused(self):
    with self.assertRaisesRegex(
      ValueError, "^Times has batch_stats; networks of a cycle can have no"
    ):
      games.cycle(
        {"forward": Times(normalized=True), "backward": Times()},
        {"of_a": Times(), "of_b": Times()},
        losses.wasserstein(),
        lambda key, n: jnp.resize(A, (n, 1)),
      ).init(KEY)


if __name__ == "__main__":
  absltest.main()
