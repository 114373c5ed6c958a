"""Tests the priors of latents."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from gan_jax.data import latents


class LatentsTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("normal", latents.normal, stats.norm()),
    ("uniform", latents.uniform, stats.uniform(-1, 2)),
    ("gumbel", latents.gumbel, stats.gumbel_r()),
  )
  def test_distribution(self, factory, expected):
    z = factory(3)(jax.random.key(0), 5000)
    chex.assert_shape(z, (5000, 3))
    chex.assert_type(z, jnp.float32)
    for column in np.asarray(z).T:
      self.assertGreater(stats.kstest(column, expected.cdf).pvalue, 0.01)
    # Independent coordinates: a correlation has a standard error of .014.
    np.testing.assert_allclose(np.corrcoef(z.T), np.eye(3), atol=0.06)

  def test_classes_are_equally_likely(self):
    labels = latents.classes(4)(jax.random.key(1), 2000)
    chex.assert_shape(labels, (2000,))
    chex.assert_type(labels, jnp.int32)
    counts = np.bincount(labels)
    self.assertLen(counts, 4)
    self.assertGreater(stats.chisquare(counts).pvalue, 0.01)

  def test_one_hot_symbols_are_equally_likely(self):
    z = np.asarray(latents.one_hot(4)(jax.random.key(1), 2000))
    chex.assert_shape(z, (2000, 4))
    np.testing.assert_array_equal(np.sort(z, axis=1), [[0, 0, 0, 1]] * 2000)
    self.assertGreater(stats.chisquare(z.sum(axis=0)).pvalue, 0.01)

  def test_joined_latents_are_independent(self):
    z = latents.joined(latents.normal(1), latents.uniform(2), latents.normal(1))
    first, *_, last = np.asarray(z(jax.random.key(0), 5000)).T
    self.assertGreater(stats.kstest(first, stats.norm.cdf).pvalue, 0.01)
    middle = np.asarray(z(jax.random.key(0), 5000))[:, 1:3]
    self.assertLessEqual(np.abs(middle).max(), 1)
    self.assertLess(abs(np.corrcoef(first, last)[0, 1]), 0.06)


if __name__ == "__main__":
  absltest.main()
