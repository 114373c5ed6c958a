"""Tests how networks are applied whose parameters and variables are apart."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from flax import linen as nn

from gan_jax.networks import application


class _Network(nn.Module):
  """Batch normalisation without scale, plus dropout noise and a condition."""

  @nn.compact
  def __call__(self, x, train=False, condition=None):
    x = nn.BatchNorm(
      use_running_average=not train,
      momentum=0.75,
      use_bias=False,
      use_scale=False,
    )(x)
    shift = self.param("shift", nn.initializers.constant(2.0), ())
    if train:
      x = x + jax.random.normal(self.make_rng("dropout"), x.shape)
    return x + shift + (0.0 if condition is None else condition)


class ApplicationTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.x = jnp.array([[1.0], [5.0]])
    self.params, self.variables = application.split_variables(
      _Network().init(jax.random.key(0), self.x)
    )

  def test_parameters_are_apart_from_other_variables(self):
    chex.assert_trees_all_equal(self.params, {"shift": jnp.array(2.0)})
    self.assertEqual(set(self.variables), {"batch_stats"})
    self.assertEqual(application.split_variables({}), ({}, {}))

  def test_training_has_noise_and_changes_the_variables(self):
    key = jax.random.key(3)
    outputs, updated = application.apply_network(
      _Network(), self.params, self.variables, self.x, key, jnp.float32(10)
    )
    again, _ = application.apply_network(
      _Network(), self.params, self.variables, self.x, key, jnp.float32(10)
    )
    other, _ = application.apply_network(
      _Network(), self.params, self.variables, self.x, jax.random.key(4)
    )
    np.testing.assert_array_equal(outputs, again)
    self.assertTrue((outputs != other + 10).all())
    # A quarter of the batch's mean 3 and variance 4, and 3/4 of 0 and 1.
    statistics = updated["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(statistics["mean"], [0.75])
    np.testing.assert_allclose(statistics["var"], [1.75])
    np.testing.assert_array_equal(
      self.variables["batch_stats"]["BatchNorm_0"]["mean"], [0.0]
    )

  def test_evaluation_has_neither(self):
    outputs = application.evaluate_network(
      _Network(), self.params, self.variables, self.x, jnp.float32(10)
    )
    np.testing.assert_allclose(outputs, [[13.0], [17.0]], rtol=1e-4)

  def test_samples_are_of_as_many_latents(self):
    def latents(key, n):
      return 100 + jax.random.normal(key, (n, 1))

    samples, updated = application.generate_samples(
      _Network(),
      latents,
      self.params,
      self.variables,
      jax.random.key(0),
      1000,
    )
    chex.assert_shape(samples, (1000, 1))
    # Normalised latents and as much noise, around the shift.
    np.testing.assert_allclose(jnp.mean(samples), 2, atol=0.15)
    np.testing.assert_allclose(jnp.var(samples), 2, atol=0.3)
    mean = updated["batch_stats"]["BatchNorm_0"]["mean"]
    np.testing.assert_allclose(mean, [25], atol=0.1)


if __name__ == "__main__":
  absltest.main()
