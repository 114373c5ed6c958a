"""What tells a training that goes wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from gan_jax.training import health
from gan_jax.types import Players, TrainState


def make_state(**leaves):
  """A state whose norms are 5 and 13."""
  generator = {"kernel": jnp.array([[3.0], [0.0]]), "bias": jnp.array([4.0])}
  discriminator = {"kernel": jnp.array([5.0, 12.0])}
  moments = Players(
    optax.adam(1e-3).init(generator), optax.adam(1e-3).init(discriminator)
  )
  return TrainState(
    step=jnp.int32(3),
    params=Players(generator, discriminator),
    variables=Players({}, {}),
    optimizer_states=moments,
  ).replace(**leaves)


class NormsTest(parameterized.TestCase):
  def test_norms_are_of_all_parameters(self):
    norms = jax.jit(health.norms)(make_state())
    self.assertEqual(norms, {"generator_norm": 5.0, "discriminator_norm": 13.0})

  def test_optimizers_without_a_state(self):
    norms = health.norms(make_state(optimizer_states=Players((), ())))
    self.assertEqual(norms["generator_norm"], 5.0)

  def test_gradients(self):
    gradients = make_state().params
    self.assertEqual(
      health.gradient_norms(gradients),
      {"generator_gradient_norm": 5.0, "discriminator_gradient_norm": 13.0},
    )

  @parameterized.product(bad=[np.nan, np.inf, -np.inf], player=[0, 1])
  def test_what_is_not_finite_shows(self, bad, player):
    state = make_state()
    for name in ("params", "optimizer_states"):
      trees = list(getattr(state, name))
      trees[player] = jax.tree.map(
        lambda x: (
          x.at[..., -1].set(bad) if jnp.issubdtype(x.dtype, jnp.floating) else x
        ),
        trees[player],
      )
      norms = jax.jit(health.norms)(state.replace(**{name: Players(*trees)}))
      finite = [
        bool(np.isfinite(norms[f"{own}_norm"])) for own in Players._fields
      ]
      self.assertEqual(finite, [player != 0, player != 1], name)


class SpreadTest(parameterized.TestCase):
  def test_it_is_the_ratio_of_total_variances(self):
    rng = np.random.default_rng(0)
    real = jnp.asarray(rng.normal(size=(50, 4, 3)), jnp.float32)
    fake = jnp.asarray(rng.normal(size=(30, 4, 3)) * 0.1 + 7, jnp.float32)
    expected = np.trace(np.cov(fake.reshape(30, -1).T, bias=True)) / np.trace(
      np.cov(real.reshape(50, -1).T, bias=True)
    )
    np.testing.assert_allclose(health.spread(real, fake), expected, rtol=1e-4)
    self.assertEqual(health.spread(real, real), 1)
    self.assertEqual(health.spread(real, jnp.ones_like(fake)), 0)
    same = jnp.ones_like(real)
    self.assertTrue(np.isnan(health.spread(same, same)))

  def test_samples_of_other_shapes_are_refused(self):
    with self.assertRaises(AssertionError):
      health.spread(jnp.ones((5, 2)), jnp.ones((5, 3)))


if __name__ == "__main__":
  absltest.main()
