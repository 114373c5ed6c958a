"""Tests densities by integrals and moments."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import spatial, special, stats

from gan_jax.data import densities

MEANS = np.array([[-1.0, 0.5], [2.0, -1.0], [0.0, 3.0]])
STDDEVS = np.array([0.5, 1.0, 0.25])
WEIGHTS = np.array([0.5, 0.3, 0.2])

FACTORIES = (
  ("normal", lambda s: densities.normal(0.5, s), 1, 1),
  ("normal_mixture", lambda s: densities.normal_mixture([-3, 3], [1, s]), 1, 2),
  ("ring", lambda s: densities.ring(stddev=s), 2, 8),
  ("grid", lambda s: densities.grid(stddev=s), 2, 25),
  ("swiss_roll", lambda s: densities.swiss_roll(stddev=s), 2, 100),
)


def cell_probabilities(density, edges):
  """Returns the probability of each square cell, from the normal CDF alone."""
  means, stddevs, weights = map(
    np.asarray, (density.modes, density.mode_stddev, density.weights)
  )
  scaled = (edges - means[..., None]) / stddevs[:, None, None]
  sides = np.diff(stats.norm.cdf(scaled))
  return np.einsum("k,kx,ky->xy", weights, sides[:, 0], sides[:, 1])


def chi_square_p_value(samples, probabilities, edges):
  """Tests a histogram of 2-D samples, small cells pooled, against cells."""
  counts, _, _ = np.histogram2d(*np.asarray(samples).T, bins=(edges, edges))
  expected = len(samples) * probabilities.ravel()
  large = expected > 10
  observed = counts.ravel()[large]
  observed = np.append(observed, len(samples) - observed.sum())
  expected = expected[large]
  expected = np.append(expected, len(samples) - expected.sum())
  # The pool holds what is left of a million, so rounding may leave it tiny.
  return stats.chisquare(observed, expected + 1e-9, sum_check=False).pvalue


def evaluate(factory):
  """Returns a function of a density's stddev, a key and points x [n, d]."""

  def function(stddev, key, x):
    density = factory(stddev)
    log_prob, pullback = jax.vjp(density.log_prob, x)
    return {
      "samples": density.sample(key, 7),
      "log_prob": log_prob,
      "score": pullback(jnp.ones_like(log_prob))[0],
      "modes": density.modes,
      "mode_stddev": density.mode_stddev,
      "weights": density.weights,
    }

  return function


class ContractTest(parameterized.TestCase):
  """What every density promises."""

  @parameterized.named_parameters(*FACTORIES)
  def test_every_promise(self, factory, d, num_modes):
    # Eleven points: one among the data, and five far off on either side.
    x = 0.3 + jnp.linspace(-1, 1, 11)[:, None] * jnp.full((1, d), 1e4)
    members = jax.jit(jax.vmap(evaluate(factory), in_axes=(0, 0, None)))(
      jnp.array([0.05, 0.05, 0.05, 0.5]),
      jax.vmap(jax.random.key)(jnp.array([0, 0, 1, 0])),
      x,
    )
    first, again, other, wide = (
      jax.tree.map(lambda leaf, i=i: np.asarray(leaf[i]), members)
      for i in range(4)
    )

    with self.subTest("shapes_and_types"):
      shapes = {
        "samples": (7, d),
        "log_prob": (11,),
        "score": (11, d),
        "modes": (num_modes, d),
        "mode_stddev": (num_modes,),
        "weights": (num_modes,),
      }
      self.assertEqual(jax.tree.map(jnp.shape, first), shapes)
      chex.assert_type(list(first.values()), jnp.float32)
      np.testing.assert_allclose(jnp.sum(first["weights"]), 1, rtol=1e-6)

    with self.subTest("repeats_itself_and_only_itself"):
      chex.assert_trees_all_equal(first, again)
      self.assertFalse(np.any(first["samples"] == other["samples"]))

    with self.subTest("far_tails_are_finite"):
      chex.assert_tree_all_finite(first)
      # Uphill is toward the origin, around which all of the data lies.
      uphill = -np.sign(x)
      np.testing.assert_array_equal(np.sign(first["score"])[:5], uphill[:5])
      np.testing.assert_array_equal(np.sign(first["score"])[6:], uphill[6:])

    with self.subTest("sweeps_its_stddev"):
      log_prob, mode_stddev = jax.jit(
        lambda x: (factory(0.5).log_prob(x), factory(0.5).mode_stddev)
      )(x)
      np.testing.assert_allclose(wide["log_prob"], log_prob, rtol=1e-4)
      np.testing.assert_allclose(wide["mode_stddev"], mode_stddev)
      self.assertFalse(np.all(first["log_prob"] == wide["log_prob"]))
      self.assertFalse(np.all(first["samples"] == wide["samples"]))

  @parameterized.named_parameters(*FACTORIES)
  def test_wrong_shape_raises(self, factory, d, num_modes):
    del num_modes
    for shape in ((4, d + 1), (4,)):
      with self.assertRaises(AssertionError):
        jax.eval_shape(lambda x: factory(0.05).log_prob(x), jnp.zeros(shape))


class MixtureTest(parameterized.TestCase):
  def test_log_prob(self):
    x = np.random.default_rng(0).normal(0, 3, (50, 2))
    parts = [
      np.log(w) + stats.multivariate_normal.logpdf(x, mean, s**2)
      for mean, s, w in zip(MEANS, STDDEVS, WEIGHTS, strict=True)
    ]
    density = densities.mixture(MEANS, STDDEVS, WEIGHTS)
    np.testing.assert_allclose(
      density.log_prob(jnp.asarray(x, jnp.float32)),
      np.logaddexp.reduce(parts, axis=0),
      rtol=1e-5,
    )

  def test_normal_log_prob(self):
    x = np.array([-1e4, -3.0, 0.0, 1.5, 1e4])
    np.testing.assert_allclose(
      densities.normal(1.5, 0.5).log_prob(jnp.asarray(x[:, None], jnp.float32)),
      stats.norm.logpdf(x, 1.5, 0.5),
      rtol=1e-6,
    )

  def test_score_of_one_gaussian(self):
    x = jnp.array([[0.0, 1.0], [-2.0, 5.0]])
    mean, stddev = np.array([0.5, -1.0]), 0.7
    density = densities.mixture(mean[None], np.array([stddev]))
    np.testing.assert_allclose(
      jax.jit(jax.grad(lambda x: jnp.sum(density.log_prob(x))))(x),
      -(np.asarray(x) - mean) / stddev**2,
      rtol=1e-5,
    )

  def test_integrates_to_one(self):
    line = np.linspace(-12, 12, 2001, dtype=np.float32)
    density = densities.normal_mixture([-3, 4], [1, 0.1])
    p = np.exp(density.log_prob(jnp.asarray(line)[:, None]))
    np.testing.assert_allclose(np.trapezoid(p, line), 1, atol=1e-5)

  def test_integrates_to_one_in_two_dimensions(self):
    line = np.linspace(-6, 6, 201, dtype=np.float32)
    points = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    density = densities.mixture(MEANS, STDDEVS, WEIGHTS)
    p = np.exp(density.log_prob(jnp.asarray(points)))
    np.testing.assert_allclose(np.sum(p) * 0.06**2, 1, atol=1e-5)

  def test_samples_in_one_dimension(self):
    # The share of a component enters the test only through its weight.
    density = densities.mixture(
      np.array([[-3.0], [2.0]]), np.array([1.0, 0.5]), np.array([0.8, 0.2])
    )
    samples = np.asarray(density.sample(jax.random.key(0), 20_000))[:, 0]

    def cdf(x):
      return 0.8 * stats.norm.cdf(x, -3, 1) + 0.2 * stats.norm.cdf(x, 2, 0.5)

    self.assertGreater(stats.kstest(samples, cdf).pvalue, 0.01)

  @parameterized.named_parameters(
    ("mixture", densities.mixture(MEANS, STDDEVS, WEIGHTS), 6),
    ("ring", densities.ring(stddev=0.2), 2),
    ("grid", densities.grid(side=3, stddev=0.5), 4),
  )
  def test_samples_in_two_dimensions(self, density, extent):
    samples = density.sample(jax.random.key(0), 200_000)
    edges = np.linspace(-extent, extent, 31)
    probabilities = cell_probabilities(density, edges)
    self.assertGreater(chi_square_p_value(samples, probabilities, edges), 0.01)

  def test_a_component_without_weight_is_never_drawn(self):
    density = densities.mixture(
      np.array([[0.0], [100.0], [200.0]]), np.ones(3), np.array([0.5, 0, 0.5])
    )
    samples = jax.jit(lambda key: density.sample(key, 1000))(jax.random.key(0))
    self.assertFalse(np.any(np.abs(samples - 100) < 50))
    chex.assert_tree_all_finite(jax.jit(density.log_prob)(samples))

  def test_wrong_shapes_raise(self):
    with self.assertRaises(AssertionError):
      densities.mixture(MEANS, STDDEVS[:2])
    with self.assertRaises(AssertionError):
      densities.mixture(MEANS, STDDEVS, WEIGHTS[:1])
    with self.assertRaises(AssertionError):
      densities.mixture(MEANS[0], STDDEVS)


class RingTest(absltest.TestCase):
  def test_modes_are_distinct_and_evenly_spaced(self):
    modes = np.asarray(densities.ring(radius=2.0).modes)
    distances = np.linalg.norm(modes[:, None] - modes[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    # A chord of 1/8 of a circle of radius 2, between every pair of neighbours.
    np.testing.assert_allclose(
      np.sort(distances)[:, :2], 4 * np.sin(np.pi / 8), rtol=1e-5
    )
    np.testing.assert_allclose(np.linalg.norm(modes, axis=-1), 2, rtol=1e-6)
    np.testing.assert_allclose(modes[0], [2, 0], atol=1e-6)

  def test_moments(self):
    # E x = 0 and E |x|^2 = radius^2 + 2 stddev^2 = 9.5; standard errors .005
    # and .02.
    samples = densities.ring(5, 3.0, 0.5).sample(jax.random.key(0), 200_000)
    np.testing.assert_allclose(jnp.mean(samples, axis=0), 0, atol=0.02)
    np.testing.assert_allclose(
      jnp.mean(jnp.sum(samples**2, -1)), 9.5, atol=0.08
    )

  def test_traced_radius(self):
    radii = jnp.array([1.0, 3.0])
    modes = jax.vmap(lambda r: densities.ring(radius=r).modes)(radii)
    np.testing.assert_allclose(modes[1], 3 * modes[0], rtol=1e-6)


class GridTest(absltest.TestCase):
  def test_modes(self):
    # PacGAN's grid is {-4, -2, 0, 2, 4}^2.
    expected = {(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)}
    modes = np.asarray(densities.grid().modes)
    self.assertEqual(set(map(tuple, modes)), expected)
    self.assertLen(modes, 25)

  def test_moments(self):
    # The variance of side equally spaced points is spacing^2 (side^2 - 1) / 12,
    # so a coordinate has 1.5^2 * 15 / 12 + 0.4^2 = 2.9725.
    density = densities.grid(side=4, spacing=1.5, stddev=0.4)
    samples = density.sample(jax.random.key(0), 200_000)
    np.testing.assert_allclose(jnp.mean(samples, axis=0), 0, atol=0.015)
    np.testing.assert_allclose(np.cov(samples.T), 2.9725 * np.eye(2), atol=0.03)


class SwissRollTest(absltest.TestCase):
  def spiral(self, u):
    t = 1.5 * np.pi * (1 + 2 * u)
    return np.stack([t * np.cos(t), t * np.sin(t)], axis=-1) / 7.5

  def test_log_prob(self):
    # On the curve, up to 5 standard deviations off it, and beyond both ends,
    # against a midpoint rule in double precision.
    random = np.random.default_rng(0)
    stddev = 0.25 / 7.5
    u = np.concatenate([random.random(20), np.zeros(5), np.ones(5)])
    x = self.spiral(u) + random.uniform(-4, 4, (30, 2)) * stddev
    x = x.astype(np.float32)
    nodes = self.spiral((np.arange(100_000) + 0.5) / 100_000)
    exponents = [
      -np.sum((point - nodes) ** 2, axis=-1) / (2 * stddev**2) for point in x
    ]
    expected = special.logsumexp(exponents, axis=-1) - np.log(
      100_000 * 2 * np.pi * stddev**2
    )
    # An absolute error of the logarithm is a relative one of the density.
    np.testing.assert_allclose(
      jax.jit(densities.swiss_roll().log_prob)(jnp.asarray(x)),
      expected,
      atol=1e-4,
    )

  def test_integrates_to_one_and_matches_its_samples(self):
    # Midpoints of 5 x 5 parts of each cell, 0.6 stddev apart. Their number is
    # no multiple of the chunk's.
    density = densities.swiss_roll()
    edges = np.linspace(-2.2, 2.2, 45)
    line = -2.2 + 0.02 * (np.arange(220, dtype=np.float32) + 0.5)
    points = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    p = np.exp(jax.jit(density.log_prob)(jnp.asarray(points))) * 0.02**2
    np.testing.assert_allclose(np.sum(p), 1, atol=1e-4)
    cells = p.reshape(44, 5, 44, 5).sum(axis=(1, 3))
    samples = density.sample(jax.random.key(0), 200_000)
    self.assertGreater(chi_square_p_value(samples, cells, edges), 0.01)

  def test_modes_are_stations_of_equal_probability(self):
    density = densities.swiss_roll(num_modes=4)
    # Along the curve 7.5 |x| = t, which is uniform on [3/2 pi, 9/2 pi].
    t = 7.5 * np.linalg.norm(density.modes, axis=-1)
    np.testing.assert_allclose(
      stats.uniform(1.5 * np.pi, 3 * np.pi).cdf(t),
      [0.125, 0.375, 0.625, 0.875],
      rtol=1e-5,
    )
    np.testing.assert_allclose(
      density.modes,
      self.spiral(np.array([0.125, 0.375, 0.625, 0.875])),
      rtol=1e-4,
    )

  def test_noise(self):
    # Seen from the origin, the distance of a sample from the nearest turn of
    # the spiral is about stddev * N(0, 1); so small a noise leaves turns apart.
    samples = np.asarray(
      densities.swiss_roll(stddev=0.01).sample(jax.random.key(0), 5000)
    )
    turns = spatial.KDTree(self.spiral(np.linspace(0, 1, 20_001)))
    distances, _ = turns.query(samples)
    # E z^2 = 1, with a standard error of sqrt(2 / 5000) = .02.
    np.testing.assert_allclose(
      np.mean(np.square(distances)) / 1e-4, 1, atol=0.07
    )


if __name__ == "__main__":
  absltest.main()
