"""The turn vector is found in a generator that draws known rectangles."""

from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from scipy import stats

from experiments.reproduce.dcgan2016 import turn
from gan_jax.metrics.classifier import Features

SIDE, LATENT_DIM = 28, 10


def rectangles(widths, heights, brightness):
  """Draws centred rectangles in [-1, 1] with soft edges, [n, 28, 28, 1]."""
  offsets = jnp.abs(jnp.arange(SIDE) - (SIDE - 1) / 2)

  def profile(lengths):
    lengths = jnp.asarray(lengths, jnp.float32)
    return jnp.clip(lengths[:, None] / 2 + 0.5 - offsets[None], 0, 1)

  area = profile(heights)[:, :, None] * profile(widths)[:, None]
  return 2 * (jnp.asarray(brightness)[:, None, None] * area)[..., None] - 1


def generate(latents):
  """Draws garments of two classes: bright ones are wider on average."""
  is_bright = latents[:, 1] > 0
  widths = 10 + 4 * jnp.tanh(latents[:, 0]) + 6 * is_bright
  heights = jnp.full(len(latents), 12)
  return rectangles(widths, heights, jnp.where(is_bright, 1, 0.5))


def classify(images):
  bright = jnp.max(images, axis=(1, 2, 3)) > 0.5
  return images, jax.nn.one_hot(bright.astype(int), 2)


def network():
  return mock.Mock(
    seed=0,
    generate=generate,
    features=Features("brightness", classify),
    sample_latents=lambda seed, n: jax.random.normal(
      jax.random.key(seed), (n, LATENT_DIM)
    ),
  )


class TurnTest(absltest.TestCase):
  def test_aspect_of_rectangles(self):
    widths, heights = np.array([4.0, 8, 20]), np.array([10.0, 8, 2])
    images = rectangles(widths, heights, np.array([1, 0.3, 0.6]))
    # The variance of m equally likely neighbouring integers.
    expected = np.log((widths**2 - 1) / (heights**2 - 1)) / 2
    np.testing.assert_allclose(turn.aspect(images), expected, atol=1e-4)

  def test_vector_is_of_width_and_not_of_class(self):
    latents = network().sample_latents(5, 4000)
    images = generate(latents)
    classes = np.asarray(classify(images)[1]).argmax(axis=1)
    vector = np.asarray(turn.turn_vector(latents, turn.aspect(images), classes))
    # The 20 largest of 2,000 normal values have this mean.
    largest = 100 * stats.norm.pdf(stats.norm.ppf(0.99))
    self.assertAlmostEqual(vector[0], 2 * largest, delta=0.3)
    # Means of 20 values, of two ends and of two classes.
    self.assertLess(np.abs(vector[1:]).max(), 4 / np.sqrt(20))

  def test_small_classes(self):
    latents = jnp.arange(5.0)[:, None]
    aspects, classes = np.array([3.0, 1, 2, 9, 0]), np.array([0, 0, 0, 0, 1])
    with mock.patch.object(turn, "NUM_AVERAGED", 2):
      vector = turn.turn_vector(latents, aspects, classes)
    # (3 + 0) / 2 less (1 + 2) / 2; a single sample has no difference.
    np.testing.assert_allclose(vector, [0])
    with mock.patch.object(turn, "NUM_AVERAGED", 1):
      vector = turn.turn_vector(latents, aspects, classes)
    np.testing.assert_allclose(vector, [3 - 1])

  def test_rank_correlations(self):
    values = np.random.default_rng(0).normal(size=(6, 9))
    # Its type is not known to the type checker.
    spearmanr: Any = stats.spearmanr
    expected = [spearmanr(row, np.arange(9)).statistic for row in values]
    np.testing.assert_allclose(turn.rank_correlations(values), expected)

  def test_walks_widen_rectangles_of_the_same_class(self):
    measured, drawn = turn.walk(network())
    correlation, widened, kept, *of_random = measured
    self.assertGreater(correlation, 0.99)
    self.assertEqual(widened, 100)
    self.assertGreater(kept, 80)
    self.assertAlmostEqual(of_random[0], 0, delta=0.15)
    self.assertAlmostEqual(of_random[1], 50, delta=8)
    aspects = drawn["turn"]["aspects"].mean(axis=0)
    self.assertTrue((np.diff(aspects) > 0).all())
    # The middle is the unmoved sample.
    start = generate(network().sample_latents(1, turn.NUM_WALKS))
    np.testing.assert_allclose(
      drawn["turn"]["aspects"][:, turn.NUM_STEPS // 2],
      turn.aspect(start),
      atol=1e-5,
    )

  def test_a_single_class_is_kept(self):
    always = network()
    always.features = Features(
      "none", lambda images: (images, jnp.ones((len(images), 1)))
    )
    measured, _ = turn.walk(always)
    self.assertEqual(measured[2::3], [100, 100])


if __name__ == "__main__":
  absltest.main()
