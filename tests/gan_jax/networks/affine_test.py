"""Tests the affine generator."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from gan_jax.networks.affine import Affine


class AffineTest(absltest.TestCase):
  def test_starts_as_the_identity(self):
    z = jnp.array([[-1.0], [2.0]])
    params = Affine().init(jax.random.key(0), z)
    np.testing.assert_array_equal(np.asarray(Affine().apply(params, z)), z)

  def test_scale_is_the_absolute_value(self):
    params = {"params": {"mean": jnp.array([3.0]), "stddev": jnp.array([-2.0])}}
    z = jnp.array([[-1.0], [0.0], [2.0]])
    samples = np.asarray(Affine().apply(params, z))
    np.testing.assert_allclose(samples, [[1.0], [3.0], [7.0]])
    # d/dstddev of the sum is sign(stddev) sum z = -1; d/dmean counts samples.
    gradient = jax.grad(lambda p: jnp.sum(jnp.asarray(Affine().apply(p, z))))(
      params
    )["params"]
    np.testing.assert_allclose(gradient["stddev"], [-1.0])
    np.testing.assert_allclose(gradient["mean"], [3.0])

  def test_wrong_rank_is_refused(self):
    with self.assertRaises(AssertionError):
      Affine().init(jax.random.key(0), jnp.zeros(3))


if __name__ == "__main__":
  absltest.main()
