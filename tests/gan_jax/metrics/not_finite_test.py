"""Metrics of features and logits of which one is not finite are NaN."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax.metrics import classifier, frechet, kernel, neighbours

RNG = np.random.default_rng(0)
N, D = 40, 6


def frechet_distance(real, fake):
  return frechet.frechet_distance(frechet.moments(real), frechet.moments(fake))


OF_FEATURES = {
  "frechet": frechet_distance,
  "kernel": kernel.kernel_distance,
  "manifold": neighbours.manifold,
  "equal_manifold": neighbours.equal_manifold,
}
OF_LOGITS = {
  "classifier_score": classifier.classifier_score,
  "class_histogram": classifier.class_histogram,
  "classes_covered": classifier.classes_covered,
  "label_accuracy": lambda logits: classifier.label_accuracy(
    logits, jnp.arange(N) % D
  ),
}


class NotFiniteTest(parameterized.TestCase):
  def assert_all(self, holds, values):
    for leaf in jax.tree.leaves(values):
      self.assertTrue(holds(np.asarray(leaf)).all(), values)

  @parameterized.product(
    name=tuple(OF_FEATURES),
    bad=(np.nan, np.inf, -np.inf),
    where=("real", "fake"),
  )
  def test_one_feature(self, name, bad, where):
    samples = {
      "real": RNG.normal(size=(N, D)).astype(np.float32),
      "fake": RNG.normal(size=(2 * N, D)).astype(np.float32),
    }
    measure = jax.jit(OF_FEATURES[name])
    self.assert_all(np.isfinite, measure(**samples))
    samples[where][7, 3] = bad
    self.assert_all(np.isnan, measure(**samples))

  @parameterized.product(name=tuple(OF_LOGITS), bad=(np.nan, np.inf))
  def test_one_logit(self, name, bad):
    logits = RNG.normal(size=(N, D)).astype(np.float32)
    # The logarithm of a probability of 0.
    logits[3, 2] = -np.inf
    measure = jax.jit(OF_LOGITS[name])
    self.assert_all(np.isfinite, measure(logits))
    logits[7, 3] = bad
    self.assert_all(np.isnan, measure(logits))

  @parameterized.parameters(*OF_LOGITS)
  def test_no_class_is_possible(self, name):
    logits = RNG.normal(size=(N, D)).astype(np.float32)
    logits[7] = -np.inf
    self.assert_all(np.isnan, jax.jit(OF_LOGITS[name])(logits))


if __name__ == "__main__":
  absltest.main()
