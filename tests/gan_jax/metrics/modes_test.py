"""Tests mode coverage on known samples."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import stats

from gan_jax.data import densities
from gan_jax.metrics import modes


class ModesTest(parameterized.TestCase):
  def assert_measures(
    self, samples, density, covered, quality, kl, **tolerance
  ):
    measured = jax.jit(lambda x: modes.measure(x, density))(samples)
    chex.assert_shape(list(measured.values()), ())
    chex.assert_type(list(measured.values()), jnp.float32)
    self.assertEqual(measured["modes_covered"], covered)
    np.testing.assert_allclose(
      measured["high_quality_fraction"], quality, **tolerance
    )
    np.testing.assert_allclose(measured["reverse_kl"], kl, **tolerance)

  def test_counts_by_hand(self):
    # Modes at 0, 10 and 20 with standard deviations 1, 2 and 1. The samples of
    # the first are both good; of the second one is good (5.9 <= 6), one is not;
    # the third owns one, 4 off, which is bad though within 3 * 2.
    density = densities.mixture(
      np.array([[0.0], [10.0], [20.0]]),
      np.array([1, 2, 1]),
      np.array([0.5, 0.25, 0.25]),
    )
    samples = jnp.array([[-2.9], [0.0], [4.9], [10 - 3.9], [24.0]])
    # 4.9 belongs to 0 and is bad: shares 3/5, 1/5, 1/5; good are 3 of 5.
    kl = (
      0.6 * np.log(0.6 / 0.5)
      + 0.2 * np.log(0.2 / 0.25)
      + 0.2 * np.log(0.2 / 0.25)
    )
    self.assert_measures(samples, density, 2, 0.6, kl, rtol=1e-5)

  def test_shares_by_hand(self):
    # Of 20 samples the first mode has 8 good ones of its 10, which counts 8,
    # the second 9 of its 4, which counts 4, and the third 1 of its 6, which is
    # less than a quarter. Two more are assigned to the third, but are bad.
    density = densities.mixture(
      np.array([[0.0], [10.0], [20.0]]),
      np.ones(3),
      np.array([0.5, 0.2, 0.3]),
    )
    samples = np.repeat([0.0, 10.0, 20.0, 25.0], [8, 9, 1, 2])
    measured = modes.measure(jnp.asarray(samples)[:, None], density)
    np.testing.assert_allclose(
      measured["mode_overlap"], (8 + 4 + 1) / 20, rtol=1e-6
    )
    self.assertEqual(measured["modes_covered"], 3)
    self.assertEqual(measured["modes_balanced"], 2)

  @parameterized.parameters((8, 64), (25, 2500), (100, 2000), (7, 1400))
  def test_a_quarter_of_a_share_is_enough(self, num_modes, n):
    # w n / 4 is a whole number, although w may not be one of float32.
    density = densities.ring(num_modes, radius=100)
    quarter = n // num_modes // 4
    counts = np.full(num_modes, quarter)
    counts[0] -= 1
    counts[1] += n - counts.sum()
    samples = density.modes[np.repeat(np.arange(num_modes), counts)]
    measured = jax.jit(lambda x: modes.measure(x, density))(samples)
    self.assertEqual(measured["modes_balanced"], num_modes - 1)

  @parameterized.parameters(1, 3, 64, 2500)
  def test_expected_overlap(self, n):
    # The sum over all outcomes of each mode, and draws of exact samples.
    weights = np.array([0.5, 0.3, 0.16, 0.04])
    quality = stats.chi2(2).cdf(9)
    counts = np.arange(n + 1)
    expected = sum(
      stats.binom.pmf(counts, n, w * quality) @ np.minimum(w, counts / n)
      for w in weights
    )
    overlap = modes.expected_overlap(weights, n)
    np.testing.assert_allclose(overlap, expected, rtol=1e-10)
    shares = [*(weights * quality), 1 - quality]
    drawn = np.random.default_rng(0).multinomial(n, shares, 20_000)[:, :4] / n
    overlaps = np.minimum(drawn, weights).sum(axis=1)
    error = overlaps.std() / np.sqrt(len(overlaps))
    np.testing.assert_allclose(overlap, overlaps.mean(), atol=4 * error)

  def test_expected_overlap_of_many_samples(self):
    np.testing.assert_allclose(
      modes.expected_overlap(np.full(8, 1 / 8), 10**9),
      modes.PERFECT_HIGH_QUALITY,
      rtol=1e-4,
    )
    self.assertEqual(
      modes.expected_overlap(np.ones(1), 100), modes.PERFECT_HIGH_QUALITY
    )

  def test_modes_have_different_stddevs(self):
    density = densities.mixture(np.array([[0.0], [10.0]]), np.array([1, 0.1]))
    samples = jnp.array([[2.5], [12.5]])
    self.assert_measures(samples, density, 1, 0.5, 0, atol=1e-6)

  def test_a_good_distance_to_a_farther_mode_does_not_count(self):
    # The sample at 7 is within 3 * 3 of the mode at 0, but belongs to 10.
    density = densities.mixture(np.array([[0.0], [10.0]]), np.array([3, 0.5]))
    self.assert_measures(
      jnp.array([[7.0]]), density, 0, 0, np.log(2), rtol=1e-6
    )

  @parameterized.named_parameters(
    ("ring", densities.ring(), 8, 0.0014),
    ("pacgan_ring", densities.ring(stddev=0.01), 8, 0.0014),
    ("grid", densities.grid(), 25, 0.0048),
  )
  def test_perfect_samples(self, density, num_modes, floor):
    # 2 n KL is nearly chi-square with num_modes - 1 degrees of freedom, of mean
    # num_modes - 1 and variance twice that; 200 draws of n = 2500.
    keys = jax.random.split(jax.random.key(0), 200)
    measured = jax.jit(
      lambda keys: jax.lax.map(
        lambda key: modes.measure(density.sample(key, 2500), density), keys
      )
    )(keys)
    np.testing.assert_array_equal(measured["modes_covered"], num_modes)
    np.testing.assert_array_equal(measured["modes_balanced"], num_modes)
    overlap = modes.expected_overlap(np.full(num_modes, 1 / num_modes), 2500)
    # The overlaps of draws have a standard deviation of 0.0064.
    np.testing.assert_allclose(
      np.mean(measured["mode_overlap"]), overlap, atol=4 * 0.0064 / np.sqrt(200)
    )
    standard_error = np.sqrt(2 * (num_modes - 1)) / 5000 / np.sqrt(200)
    np.testing.assert_allclose(
      np.mean(measured["reverse_kl"]), floor, atol=4 * standard_error
    )
    # Half a million samples: a standard error of sqrt(.989 * .011 / 5e5).
    np.testing.assert_allclose(
      np.mean(measured["high_quality_fraction"]), 0.98889, atol=6e-4
    )

  def test_perfect_high_quality(self):
    np.testing.assert_allclose(
      modes.PERFECT_HIGH_QUALITY, stats.chi2(2).cdf(9), rtol=1e-12
    )

  def test_collapse_to_one_mode(self):
    density = densities.ring()
    noise = 0.05 * jax.random.normal(jax.random.key(0), (20_000, 2))
    self.assert_measures(
      density.modes[3][None] + noise, density, 1, 0.98889, np.log(8), atol=3e-3
    )

  @parameterized.parameters(5.0, 1e4, 1e30)
  def test_far_samples(self, distance):
    density = densities.ring()
    # All belong to the mode at angle 0, or at 1e30 to any one mode.
    samples = jnp.full((10, 2), distance) * jnp.array([[1.0, 0.0]])
    self.assert_measures(samples, density, 0, 0, np.log(8), atol=1e-5)

  @parameterized.parameters(np.nan, np.inf)
  def test_samples_that_are_not_finite(self, bad):
    # Half of the samples are modes 0 to 3, the others would be mode 0.
    density = densities.ring()
    samples = jnp.concatenate([density.modes[:4], jnp.full((4, 2), bad)])
    self.assert_measures(samples, density, 4, 0.5, np.nan)
    # One bad coordinate is enough.
    samples = density.modes.at[5, 1].set(bad)
    self.assert_measures(samples, density, 7, 7 / 8, np.nan, rtol=1e-6)

  def test_swiss_roll(self):
    # 0.991, by a nearest-neighbour search in double precision over 200,000
    # samples; the floor of reverse_kl is 99 / 40,000.
    density = densities.swiss_roll()
    samples = density.sample(jax.random.key(0), 20_000)
    self.assert_measures(samples, density, 100, 0.991, 0.0025, atol=2e-3)
    # The inner half of its quantiles: half of the stations, log 2.
    self.assert_measures(
      density.modes[:50], density, 50, 1, np.log(2), rtol=1e-5
    )

  def test_population(self):
    samples = jax.random.normal(jax.random.key(0), (2, 100, 2))
    stddevs = jnp.array([0.1, 0.4])

    def member(x, stddev):
      return modes.measure(x, densities.ring(stddev=stddev))

    measured = jax.jit(jax.vmap(member))(samples, stddevs)
    for i in range(2):
      alone = jax.jit(member)(samples[i], stddevs[i])
      chex.assert_trees_all_close(
        jax.tree.map(lambda leaf, i=i: leaf[i], measured), alone, rtol=1e-5
      )

  def test_wrong_shape_raises(self):
    with self.assertRaises(AssertionError):
      modes.measure(jnp.zeros((10, 1)), densities.ring())
    with self.assertRaises(AssertionError):
      modes.measure(jnp.zeros((10,)), densities.ring())


if __name__ == "__main__":
  absltest.main()
