"""Tests neighbours' scores against the authors' package and by hand."""

import contextlib
import io

import jax
import jax.numpy as jnp
import numpy as np
import prdc
from absl.testing import absltest, parameterized
from sklearn.neighbors import NearestNeighbors

from gan_jax.metrics import neighbours

RNG = np.random.default_rng(0)

manifold = jax.jit(neighbours.manifold, static_argnums=(2, 3))
equal_manifold = jax.jit(neighbours.equal_manifold, static_argnums=(2, 3))
nearest = jax.jit(neighbours.nearest, static_argnums=(2, 3))


def as_array(x):
  return jnp.asarray(x, jnp.float32)


def on_line(*x):
  return as_array(x)[:, None]


def published(real, fake, k):
  """Computes the four scores with the code of Naeem et al., in float64."""
  with contextlib.redirect_stdout(io.StringIO()):
    scores = prdc.compute_prdc(np.float64(real), np.float64(fake), k)
  return [scores[name] for name in neighbours.NeighbourScores._fields]


def by_differences(real, fake, k):
  """Computes the same in NumPy, with equal distances exactly equal.

  The authors' code expands squares, so its ties are broken by rounding.
  """
  real, fake = np.asarray(real, float), np.asarray(fake, float)

  def distances(a, b):
    return np.sqrt(np.sum((a[:, None] - b[None]) ** 2, axis=-1))

  def radii(points):
    return np.sort(distances(points, points), axis=1)[:, k]

  between = distances(real, fake)
  in_real = between < radii(real)[:, None]
  in_fake = between < radii(fake)[None]
  return [
    in_real.any(axis=0).mean(),
    in_fake.any(axis=1).mean(),
    in_real.sum() / (k * len(fake)),
    in_real.any(axis=1).mean(),
  ]


class NearestTest(parameterized.TestCase):
  @parameterized.parameters((100, 300, 8, 4), (50, 20, 3, 20), (7, 1, 2, 1))
  def test_against_a_tree(self, m, n, d, k):
    queries, references = RNG.normal(size=(m, d)), RNG.normal(size=(n, d))
    tree = NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(references)
    expected, expected_indices = tree.kneighbors(queries)
    distances, indices = nearest(as_array(queries), as_array(references), k, 32)
    np.testing.assert_allclose(distances, expected, rtol=1e-5)
    np.testing.assert_array_equal(indices, expected_indices)
    self.assertEqual(distances.dtype, jnp.float32)
    self.assertEqual(indices.dtype, jnp.int32)

  def test_precise_far_from_the_origin_and_for_duplicates(self):
    # Steps of 1/64 at 10,000 are exact in float32, their squares are not.
    references = 10_000 + as_array(RNG.integers(64, size=(200, 6))) / 64
    distances, indices = nearest(references, references, 2, 64)
    np.testing.assert_array_equal(distances[:, 0], 0)
    np.testing.assert_array_equal(indices[:, 0], np.arange(200))
    exact = np.asarray(references, np.float64)
    offsets = exact[:, None] - exact[None]
    expected = np.sort(np.linalg.norm(offsets, axis=-1), axis=1)[:, 1]
    np.testing.assert_allclose(distances[:, 1], expected, rtol=1e-5)

  def test_images_are_found_again(self):
    images = RNG.uniform(-1, 1, size=(30, 784))
    queries = images[[4, 20]] + 0.01 * RNG.normal(size=(2, 784))
    _, indices = nearest(as_array(queries), as_array(images), 1, 8)
    np.testing.assert_array_equal(indices, [[4], [20]])

  def test_wrong_arguments_raise(self):
    with self.assertRaises(AssertionError):
      neighbours.nearest(jnp.ones((2, 3)), jnp.ones((2, 4)), 1)
    with self.assertRaises(AssertionError):
      neighbours.nearest(jnp.ones((2, 3)), jnp.ones((2, 3)), 3)


class ManifoldTest(parameterized.TestCase):
  @parameterized.parameters(
    (200, 200, 4, 5, 0.0, 1.0),
    (150, 330, 16, 3, 0.5, 1.0),
    (300, 100, 4, 10, 0.3, 0.2),
    (100, 120, 64, 1, 0.0, 1.5),
  )
  def test_against_the_authors_code(self, n, m, d, k, shift, scale):
    # Far off the origin, where plain float32 would see noise.
    real = as_array(RNG.normal(size=(n, d)) + 50)
    fake = as_array(scale * RNG.normal(size=(m, d)) + shift + 50)
    scores = manifold(real, fake, k, 64)
    np.testing.assert_allclose(scores, published(real, fake, k), rtol=1e-5)
    for score in scores:
      self.assertEqual(score.dtype, jnp.float32)

  def test_by_hand(self):
    # With k = 1 the balls are [-1, 1], [0, 2] and [1, 9] about 0, 1 and 5, and
    # [0.1, 0.5], [0.3, 0.7] and [0.5, 39.5] about 0.3, 0.5 and 20.
    real, fake = on_line(0, 1, 5), on_line(0.3, 0.5, 20)
    scores = manifold(real, fake, 1, 2)
    # 0.3 and 0.5 are each in the balls of 0 and 1, which they cover; 20 is in
    # none. 1 and 5 are in the ball of 20, 0 is in none.
    np.testing.assert_allclose(scores.precision, 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(scores.density, 4 / 3, rtol=1e-6)
    np.testing.assert_allclose(scores.coverage, 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(scores.recall, 2 / 3, rtol=1e-6)

  def test_collapse(self):
    # All fakes are one real sample, of 50 on a line. Their balls are empty.
    # With k = 3 the radius of a real sample is 2 (3 at the ends), so all fakes
    # are in the balls of 24, 25 and 26, and those at the radius are not.
    real = on_line(*range(50))
    fake = on_line(*[25] * 10)
    scores = manifold(real, fake, 3, 16)
    np.testing.assert_allclose(scores.precision, 1)
    np.testing.assert_array_equal(scores.recall, 0)
    np.testing.assert_allclose(scores.coverage, 3 / 50, rtol=1e-6)
    np.testing.assert_allclose(scores.density, 1, rtol=1e-6)

  def test_dropped_mode(self):
    # Half of the data is never generated.
    near, far = RNG.normal(size=(2, 200, 8)) + np.array([0, 40])[:, None, None]
    fake = as_array(RNG.normal(size=(200, 8)))
    scores = manifold(as_array(np.concatenate([near, far])), fake, 5, 64)
    self.assertGreater(scores.precision, 0.8)
    self.assertLess(scores.recall, 0.5)
    self.assertLess(scores.coverage, 0.5)
    self.assertGreater(scores.coverage, 0.4)

  def test_far_apart(self):
    real = as_array(RNG.normal(size=(50, 4)))
    np.testing.assert_array_equal(manifold(real, real + 100, 5, 64), [0] * 4)

  @parameterized.parameters(
    (64, 16, 0), (300, 1, 0), (200, 128, 1e3), (100, 2048, 10)
  )
  def test_of_the_same_samples(self, n, d, offset):
    # An open ball holds k points of its sample, itself included.
    real = as_array(RNG.normal(size=(n, d)) + offset)
    scores = manifold(real, real, 5, 16)
    np.testing.assert_allclose(scores, [1, 1, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(scores, by_differences(real, real, 5), rtol=1e-6)

  def test_copies_of_some_samples(self):
    # Many of the copies are the k-th neighbour of a sample, at its radius.
    real = as_array(RNG.normal(size=(120, 64)))
    for fake in (real[:20], real[::2], jnp.concatenate([real[:30]] * 2)):
      scores = manifold(real, fake, 5, 16)
      np.testing.assert_allclose(
        scores, by_differences(real, fake, 5), rtol=1e-6
      )

  def test_pairs_that_are_nearly_equal(self):
    # The points of a pair are 6e-5 apart, and 12 away from the centre.
    real = np.repeat(RNG.normal(size=(60, 16)) * 3, 2, axis=0)
    real = as_array(real + 1e-5 * RNG.normal(size=real.shape))
    for fake in (real, real[::2]):
      scores = manifold(real, fake, 1, 16)
      np.testing.assert_allclose(
        scores, by_differences(real, fake, 1), rtol=1e-6
      )

  def test_expectations_for_equal_distributions(self):
    # Density 1, coverage 1 - prod (n - j) / (n + m - j); three standard errors
    # over 40 pairs of samples are about 0.03.
    n, m, k = 60, 90, 3
    real = jax.random.normal(jax.random.key(0), (40, n, 3))
    fake = jax.random.normal(jax.random.key(1), (40, m, 3))
    scores = jax.jit(
      lambda pairs: jax.lax.map(
        lambda pair: neighbours.manifold(pair[0], pair[1], k), pairs
      )
    )((real, fake))
    j = np.arange(1, k + 1)
    coverage = 1 - np.prod((n - j) / (n + m - j))
    np.testing.assert_allclose(np.mean(scores.density), 1, atol=0.05)
    np.testing.assert_allclose(np.mean(scores.coverage), coverage, atol=0.03)
    np.testing.assert_allclose(
      neighbours.expected_coverage(n, m, k), coverage, rtol=1e-12
    )

  @parameterized.parameters(
    # The one other real sample is nearer than the fake one in half of the
    # orders; and than both in a third.
    (2, 1, 1, 1 / 2),
    (2, 2, 1, 2 / 3),
    (3, 3, 2, 1 - 2 / 5 * 1 / 4),
    (10**6, 10**6, 5, 1 - 2**-5),
  )
  def test_expected_coverage(self, n, m, k, expected):
    np.testing.assert_allclose(
      neighbours.expected_coverage(n, m, k), expected, rtol=1e-5
    )

  def test_wrong_arguments_raise(self):
    with self.assertRaises(AssertionError):
      neighbours.expected_coverage(5, 10, 5)
    with self.assertRaises(AssertionError):
      neighbours.equal_manifold(jnp.ones((9, 3)), jnp.ones((9, 4)))
    with self.assertRaises(AssertionError):
      neighbours.manifold(jnp.ones((9, 3)), jnp.ones((9, 4)))
    with self.assertRaises(AssertionError):
      neighbours.manifold(jnp.ones((9, 3)), jnp.ones((5, 3)), k=5)


class EqualManifoldTest(parameterized.TestCase):
  @parameterized.parameters((60, 60), (50, 170), (170, 50))
  def test_is_the_mean_over_subsets(self, n, m):
    real = as_array(RNG.normal(size=(n, 8)))
    fake = as_array(RNG.normal(size=(m, 8)) + 0.3)
    size = min(n, m)
    expected = [
      published(real[i : i + size], fake[j : j + size], 4)
      for i in range(0, n - size + 1, size)
      for j in range(0, m - size + 1, size)
    ]
    scores = equal_manifold(real, fake, 4, 32)
    np.testing.assert_allclose(scores, np.mean(expected, axis=0), rtol=1e-5)

  def test_garbage_does_not_cover_few_images(self):
    # A tenth of 2,000 fakes are from the data, the others are far away.
    real = as_array(RNG.normal(size=(150, 16)))
    good = RNG.normal(size=(200, 16))
    garbage = RNG.normal(size=(1800, 16)) + 100
    fake = as_array(RNG.permutation(np.concatenate([good, garbage])))
    # With all of them coverage would be that of 200 good fakes.
    self.assertGreater(manifold(real, fake, 5, 256).coverage, 0.97)
    scores = equal_manifold(real, fake, 5, 256)
    # As of 15 good fakes: the others are in no ball.
    np.testing.assert_allclose(
      scores.coverage, neighbours.expected_coverage(150, 15, 5), atol=0.05
    )
    np.testing.assert_allclose(scores.density, 0.1, atol=0.03)

  def test_a_perfect_sampler_reaches_the_expectation(self):
    real = jax.random.normal(jax.random.key(0), (30, 40, 3))
    fake = jax.random.normal(jax.random.key(1), (30, 200, 3))
    scores = jax.jit(
      lambda pairs: jax.lax.map(
        lambda pair: neighbours.equal_manifold(pair[0], pair[1], 3), pairs
      )
    )((real, fake))
    coverages = np.asarray(scores.coverage)
    np.testing.assert_allclose(
      coverages.mean(),
      neighbours.expected_coverage(40, 40, 3),
      atol=4 * coverages.std() / np.sqrt(30),
    )


if __name__ == "__main__":
  absltest.main()
