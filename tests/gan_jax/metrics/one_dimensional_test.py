"""Tests for gan_jax.metrics.one_dimensional."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import integrate, stats

from gan_jax.data import densities
from gan_jax.metrics import one_dimensional

LOG_2 = np.log(2)
N = 10_000
NORMAL = densities.normal(0, 1)


@functools.partial(jax.jit, static_argnames="exact")
def measure_two(data, generated, exact):
  """Measures one pair against another, each the means and the stddev of two."""
  data, generated = (
    densities.normal_mixture(pair[:2], [pair[2]] * 2)
    for pair in (data, generated)
  )
  generated_key, data_key = jax.random.split(jax.random.key(0))
  return one_dimensional.measure(
    generated.sample(generated_key, N),
    data.sample(data_key, N),
    data.log_prob,
    generated.log_prob if exact else None,
  )


@jax.jit
def measure_samples(samples):
  data = NORMAL.sample(jax.random.key(0), N)
  return one_dimensional.measure(samples, data, NORMAL.log_prob)


class MeasureTest(parameterized.TestCase):
  # By adaptive quadrature in double precision, or in closed form.
  PAIRS = (
    ("equal", (0.0, 0.0, 1.0), (0.0, 0.0, 1.0), 0.0),
    ("equal_modes", (-3.0, 3.0, 1.0), (-3.0, 3.0, 1.0), 0.0),
    ("shift_1", (0.0, 0.0, 1.0), (1.0, 1.0, 1.0), 0.11142),
    ("shift_2", (0.0, 0.0, 1.0), (2.0, 2.0, 1.0), 0.33683),
    ("averaged_modes", (-3.0, 3.0, 1.0), (0.0, 0.0, 3.12), 0.1284),
    # Half of the data is missed: 3/4 log(4/3).
    ("missed_mode", (-3.0, 7.0, 1.0), (-3.0, -3.0, 1.0), 0.21576),
    ("disjoint", (0.0, 0.0, 1.0), (30.0, 30.0, 1.0), LOG_2),
    ("far", (0.0, 0.0, 1.0), (-1e6, -1e6, 1.0), LOG_2),
    ("nearly_collapsed", (0.0, 0.0, 1.0), (0.3, 0.3, 1e-7), LOG_2),
  )

  @parameterized.named_parameters(*PAIRS)
  def test_jensen_shannon_of_known_densities(self, data, generated, expected):
    measured = measure_two(data, generated, exact=True)["jensen_shannon"]
    np.testing.assert_allclose(measured, expected, atol=6e-5)

  @parameterized.named_parameters(*PAIRS)
  def test_jensen_shannon_of_estimated_density(self, data, generated, expected):
    measured = measure_two(data, generated, exact=False)["jensen_shannon"]
    # The largest differences: 1.1e-3 with averaged modes, 6e-4 with equal ones.
    np.testing.assert_allclose(measured, expected, atol=2e-3)

  @parameterized.parameters(1e-3, 0.1, 30.0, 1e3)
  def test_jensen_shannon_of_other_widths(self, stddev):
    # Twice the integral over x > 0, in z = log x, where both densities are
    # smooth whatever their widths.
    def integrand(z):
      x = np.exp(z)
      p, q = stats.norm.pdf(x), stats.norm.pdf(x, scale=stddev)
      m = 0.5 * (p + q)
      return x * sum(d * np.log(d / m) if d > 0 else 0 for d in (p, q))

    expected, _ = integrate.quad(integrand, -20, 12, limit=500)
    for exact, tolerance in ((True, 2e-4), (False, 4e-3)):
      measured = measure_two((0.0, 0.0, 1.0), (0.0, 0.0, stddev), exact=exact)[
        "jensen_shannon"
      ]
      np.testing.assert_allclose(measured, expected, atol=tolerance)

  def test_other_metrics(self):
    # Means 1 and 0: W1 of a pure shift is the shift. Standard errors are .01.
    measured = measure_two((0.0, 0.0, 1.0), (1.0, 1.0, 1.0), exact=True)
    chex.assert_shape(list(measured.values()), ())
    chex.assert_type(list(measured.values()), jnp.float32)
    np.testing.assert_allclose(measured["generated_mean"], 1, atol=0.03)
    np.testing.assert_allclose(measured["generated_stddev"], 1, atol=0.03)
    np.testing.assert_allclose(measured["wasserstein_1"], 1, atol=0.04)

  def test_other_metrics_by_hand(self):
    # The generated come first: deviations 3, 1, 1, 3 from a mean of 3.
    measured = jax.jit(
      lambda x, y: one_dimensional.measure(x, y, NORMAL.log_prob)
    )(
      jnp.array([[0.0], [2.0], [4.0], [6.0]]),
      jnp.array([[0.0], [1.0], [-1.0], [0.0]]),
    )
    np.testing.assert_allclose(measured["generated_mean"], 3)
    np.testing.assert_allclose(measured["generated_stddev"], np.sqrt(5))
    # Sorted: -1, 0, 0, 1 onto 0, 2, 4, 6, moves of 1, 2, 4, 5.
    np.testing.assert_allclose(measured["wasserstein_1"], 3)

  @parameterized.parameters(0.0, 0.3, -3.0, 1e6, -1e15)
  def test_collapse_to_a_point(self, point):
    samples = jnp.full((N, 1), point)
    measured = measure_samples(samples)
    chex.assert_tree_all_finite(measured)
    np.testing.assert_allclose(measured["jensen_shannon"], LOG_2, atol=1e-4)
    np.testing.assert_allclose(measured["generated_stddev"], 0, atol=1e-6)

  @parameterized.named_parameters(
    ("two_points", lambda z: jnp.sign(z)),
    ("half_a_point", lambda z: jnp.maximum(z, 0)),
    ("strays", lambda z: jnp.where(z > 3.5, 1e15, z)),
    ("huge", lambda z: 1e15 * z),
    ("heavy_tails", lambda z: jnp.exp(z**2)),
  )
  def test_stays_finite_and_in_range(self, transform):
    samples = transform(NORMAL.sample(jax.random.key(1), N))
    measured = measure_samples(samples)
    chex.assert_tree_all_finite(measured)
    self.assertBetween(measured["jensen_shannon"], 0, LOG_2 + 1e-5)

  def test_strays_do_not_hide_the_rest(self):
    samples = NORMAL.sample(jax.random.key(1), N).at[:5].set(1e6)
    measured = measure_samples(samples)
    self.assertLess(measured["jensen_shannon"], 2e-3)

  def test_population(self):
    samples = jax.random.normal(jax.random.key(0), (2, 500, 1))
    means = jnp.array([0.0, 2.0])

    def member(samples, mean):
      return one_dimensional.measure(
        samples,
        samples[::-1] + 1,
        NORMAL.log_prob,
        densities.normal(mean, 1.0).log_prob,
      )

    measured = jax.jit(jax.vmap(member))(samples, means)
    for i in range(2):
      chex.assert_trees_all_close(
        jax.tree.map(lambda leaf, i=i: leaf[i], measured),
        jax.jit(member)(samples[i], means[i]),
        rtol=1e-4,
        atol=1e-6,
      )

  def test_wrong_shapes_raise(self):
    x = jnp.zeros((10, 1))
    for samples, data in (
      (x[:, 0], x[:, 0]),
      (x, x[:5]),
      (x, jnp.zeros((10, 2))),
    ):
      with self.assertRaises(AssertionError):
        one_dimensional.measure(samples, data, NORMAL.log_prob)


class KernelDensityTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("normal", 0, 0), ("two_modes", -3, 3), ("far_modes", -3, 7)
  )
  def test_is_close_to_the_density(self, *means):
    density = densities.normal_mixture(means, [1, 1])
    samples = density.sample(jax.random.key(0), N)[:, 0]
    x = jnp.linspace(-12, 16, 1401)
    estimate = one_dimensional.kernel_density(samples, x)
    chex.assert_shape(estimate, (1401,))
    chex.assert_type(estimate, jnp.float32)
    np.testing.assert_allclose(np.trapezoid(estimate, x), 1, atol=1e-3)
    # A kernel of h = 0.3 lowers a peak of width 1 by 1 - 1 / sqrt(1.09) = 4 %;
    # the noise of a peak p is sqrt(p / (2 sqrt(pi) n h)), below 2 %.
    p = np.exp(density.log_prob(x[:, None]))
    np.testing.assert_allclose(estimate, p, atol=0.07 * np.max(p))
    # Standard deviations are little larger than the density's.
    mean = np.trapezoid(estimate * x, x)
    stddev = np.sqrt(np.trapezoid(estimate * (x - mean) ** 2, x))
    np.testing.assert_allclose(stddev, np.std(samples), rtol=0.02)

  def test_is_a_sum_of_kernels(self):
    # Four samples, of which the closest two, a quarter and one more, are 1
    # apart: h = 0.9 / 4^(1/5) / 0.6373. Bins smear by 8 h / 511 at most.
    samples = np.array([0.0, 1.0, 3.0, 6.0], np.float32)
    bandwidth = 0.9 * 4**-0.2 / (2 * stats.norm.ppf(0.625))
    x = np.linspace(-5, 12, 50, dtype=np.float32)
    expected = np.mean(stats.norm.pdf(x[:, None], samples, bandwidth), axis=1)
    np.testing.assert_allclose(
      one_dimensional.kernel_density(jnp.asarray(samples), jnp.asarray(x)),
      expected,
      atol=0.02 * np.max(expected),
    )

  @parameterized.parameters(0.0, -2.0, 1e6)
  def test_is_finite_where_samples_coincide(self, point):
    x = point + jnp.linspace(-1, 1, 101) * 1e-5 * (1 + abs(point))
    estimate = one_dimensional.kernel_density(jnp.full((50,), point), x)
    chex.assert_tree_all_finite(estimate)
    self.assertEqual(jnp.argmax(estimate), 50)
    np.testing.assert_allclose(np.trapezoid(estimate, x), 1, atol=0.05)

  def test_wrong_shape_raises(self):
    with self.assertRaises(AssertionError):
      one_dimensional.kernel_density(jnp.zeros((5, 1)), jnp.zeros(3))


class DensityRatioErrorTest(parameterized.TestCase):
  @parameterized.parameters(
    # The logit of D, as slope and intercept, and the label of data.
    (0.0, 0.0, 1.0),
    (0.0, 2.0, 1.0),
    (-3.0, 1.0, 1.0),
    (1.0, 0.0, 0.7),
  )
  def test_is_the_integral(self, slope, intercept, label):
    def integrand(x):
      p, q = stats.norm.pdf(x, 1.0, 0.5), stats.norm.pdf(x, -1.0, 2.0)
      error = 1 / (1 + np.exp(-slope * x - intercept)) - label * p / (p + q)
      return abs(error) * (p + q) / 2

    expected, _ = integrate.quad(integrand, -15, 15, limit=500)
    data, generated = densities.normal(1.0, 0.5), densities.normal(-1.0, 2.0)
    data_key, key = jax.random.split(jax.random.key(0))
    error = one_dimensional.density_ratio_error(
      lambda x: jax.nn.sigmoid(slope * x[:, 0] + intercept),
      data.sample(data_key, 4 * N),
      generated.sample(key, 4 * N),
      data.log_prob,
      generated.log_prob,
      label,
    )
    np.testing.assert_allclose(error, expected, atol=0.006)


if __name__ == "__main__":
  absltest.main()
