"""Tests augmentations by their moments."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from gan_jax import augmentations


class InstanceNoiseTest(absltest.TestCase):
  def test_adds_normal_noise(self):
    x = jnp.stack([jnp.zeros(20_000), jnp.full(20_000, 5.0)], axis=1)
    noisy = augmentations.instance_noise(0.3)(jax.random.key(0), x)
    noise = np.asarray(noisy - x)
    # The standard errors of a mean and a deviation: .3 / sqrt(20,000) = .002.
    np.testing.assert_allclose(noise.mean(axis=0), 0.0, atol=0.01)
    np.testing.assert_allclose(noise.std(axis=0), 0.3, atol=0.01)
    np.testing.assert_allclose(np.corrcoef(noise.T)[0, 1], 0.0, atol=0.04)

  def test_passes_the_gradient(self):
    augment = augmentations.instance_noise(0.3)
    gradient = jax.grad(lambda x: jnp.sum(augment(jax.random.key(0), x)))(
      jnp.zeros((3, 2))
    )
    np.testing.assert_array_equal(gradient, np.ones((3, 2)))


if __name__ == "__main__":
  absltest.main()
