"""Tests gan_jax.divergences.samples."""

from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import spatial, special, stats

from gan_jax import divergences
from gan_jax.divergences import samples
from gan_jax.divergences.f_divergences import F_DIVERGENCES

LOG_2 = np.log(2)
N = 2000

entropy_from_samples = jax.jit(
  divergences.entropy_from_samples, static_argnums=1
)
kl_from_samples = jax.jit(divergences.kl_from_samples, static_argnums=2)


def column(*values):
  return jnp.asarray(values, jnp.float32)[:, None]


class StrictTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.numpy_dtype_promotion("strict"))


class NeighboursTest(StrictTestCase):
  X = (0, 1, 3)  # The nearest others are at 1, 1, 2; the second at 3, 2, 3.

  @parameterized.parameters(
    # psi(3) - psi(1) = 1 + 1/2, V_1 = 2.
    (1, 1.5 + LOG_2 + LOG_2 / 3),
    (2, 0.5 + LOG_2 + np.log(18) / 3),
  )
  def test_entropy_of_three_points(self, k, expected):
    measured = entropy_from_samples(column(*self.X), k)
    np.testing.assert_allclose(measured, expected, rtol=1e-6)

  @parameterized.parameters(
    # y is at 1/2, 1/2, 2 from the x, and m / (n - 1) = 1.
    (1, (0.5, 5), -2 * LOG_2 / 3),
    # Second neighbours at 5, 4, 5/2.
    (2, (0.5, 5), np.log(50 / 18) / 3),
    (1, (0.5, 5, 50), -2 * LOG_2 / 3 + np.log(1.5)),
  )
  def test_kl_of_three_points(self, k, y, expected):
    measured = kl_from_samples(column(*self.X), column(*y), k)
    np.testing.assert_allclose(measured, expected, rtol=1e-6)

  def test_gradients(self):
    # d/dx of the logs of x_1 - x_0 (twice) and x_2 - x_1, over 3.
    slopes = jax.grad(entropy_from_samples)(column(*self.X), 1)
    np.testing.assert_allclose(slopes[:, 0], [-2 / 3, 1 / 2, 1 / 6], rtol=1e-5)
    # log |y_0 - x_i| with y_0 = 1/2 cancels for the first two; 1 / (1/2 - 3)
    # would be the third's, but 5 is nearer.
    slopes = jax.grad(kl_from_samples, argnums=1)(
      column(*self.X), column(0.5, 5), 1
    )
    np.testing.assert_allclose(slopes[:, 0], [0, 1 / 6], atol=1e-6)

  # The deviation is sqrt((Var log p + psi'(3)) / n), below 0.04.
  @parameterized.named_parameters(
    ("uniform", stats.uniform(0, 4), np.log(4)),
    ("normal", stats.norm(5, 0.1), stats.norm(5, 0.1).entropy()),
  )
  def test_entropy(self, distribution, expected):
    x = distribution.rvs(size=(N, 1), random_state=0)
    x = jnp.asarray(x, jnp.float32)
    measured = entropy_from_samples(x)
    chex.assert_type(measured, jnp.float32)
    np.testing.assert_allclose(measured, expected, atol=0.12)
    # A second coordinate, of the same entropy, and a shear of determinant 1.
    y = distribution.rvs(size=(N, 1), random_state=1)
    plane = jnp.concatenate([x, jnp.asarray(y, jnp.float32) + 2 * x], axis=-1)
    np.testing.assert_allclose(
      entropy_from_samples(plane), 2 * expected, atol=0.15
    )

  def test_kl_and_its_swap(self):
    # log s + 1 / (2 s^2) - 1/2 and -log s + s^2 / 2 - 1/2, s = 3/2.
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(N, 1)), jnp.float32)
    y = jnp.asarray(random.normal(size=(N + 500, 1), scale=1.5), jnp.float32)
    for a, b, expected in (
      (x, y, np.log(1.5) + 1 / 4.5 - 0.5),
      (y, x, -np.log(1.5) + 1.125 - 0.5),
    ):
      np.testing.assert_allclose(kl_from_samples(a, b), expected, atol=0.04)

  def test_against_a_tree(self):
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 3)).astype(np.float32)
    y = random.normal(size=(200, 3), scale=2).astype(np.float32)
    rho = spatial.KDTree(x).query(x, 5)[0][:, -1]
    nu = spatial.KDTree(y).query(x, 4)[0][:, -1]
    np.testing.assert_allclose(
      kl_from_samples(jnp.asarray(x), jnp.asarray(y), 4),
      3 * np.mean(np.log(nu / rho)) + np.log(200 / 299),
      rtol=1e-5,
    )
    # The unit ball has volume 4 pi / 3.
    np.testing.assert_allclose(
      entropy_from_samples(jnp.asarray(x), 4),
      special.digamma(300)
      - special.digamma(4)
      + np.log(4 * np.pi / 3)
      + 3 * np.mean(np.log(rho)),
      rtol=1e-5,
    )

  def test_translation_and_scale(self):
    # Far from the origin the distances must not cancel.
    x = np.random.default_rng(0).integers(0, 4096, size=(100, 3))
    x = jnp.asarray(x, jnp.float32)
    entropy = entropy_from_samples(x)
    np.testing.assert_allclose(
      entropy_from_samples(x + 2.0**20), entropy, rtol=1e-5
    )
    np.testing.assert_allclose(
      entropy_from_samples(0.25 * x), entropy - 6 * LOG_2, rtol=1e-5
    )

  def test_chunks_do_not_matter(self):
    random = np.random.default_rng(0)
    x, y = (jnp.asarray(random.normal(size=(n, 2))) for n in (50, 33))
    whole = divergences.kl_from_samples(x, y)
    for chunk in (1, 33 * 2 * 7):
      with mock.patch.object(samples, "_CHUNK", chunk):
        np.testing.assert_allclose(
          divergences.kl_from_samples(x, y), whole, rtol=1e-5
        )

  def test_float64(self):
    with jax.enable_x64(True):
      x = jnp.asarray(self.X, jnp.float64)[:, None]
      entropy = entropy_from_samples(x, 1)
      kl = kl_from_samples(x, x + 0.25, 1)
      chex.assert_type([entropy, kl], jnp.float64)
      np.testing.assert_allclose(entropy, 1.5 + 4 / 3 * LOG_2, rtol=1e-12)

  def test_coinciding_samples(self):
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(100, 2)), jnp.float32)
    doubled, point = jnp.concatenate([x, x]), jnp.full((100, 2), 0.7)
    for a in (doubled, point, 0 * point):
      entropy, slopes = jax.value_and_grad(entropy_from_samples)(a, 1)
      chex.assert_tree_all_finite((entropy, slopes))
      self.assertLess(entropy, -10)
      chex.assert_tree_all_finite(jax.grad(kl_from_samples)(a, x, 1))
    # A point that q lacks, and one that it has.
    self.assertGreater(kl_from_samples(point, x), 15)
    np.testing.assert_allclose(
      kl_from_samples(point, point), np.log(100 / 99), rtol=1e-5
    )

  def test_wrong_arguments_raise(self):
    x = jnp.zeros((5, 2))
    for k in (0, 5):
      with self.assertRaisesRegex(ValueError, "from 1 to .*4"):
        entropy_from_samples(x, k)
    with self.assertRaisesRegex(ValueError, "from 1 to 2"):
      kl_from_samples(x, x[:2], 3)
    with self.assertRaises(AssertionError):
      entropy_from_samples(x[0])
    with self.assertRaises(AssertionError):
      kl_from_samples(x, x[:, :1])


class LogRatiosTest(StrictTestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    # p = N(1/2, 1), q = N(0, 1): r = x / 2 - 1/8. Evenly spaced quantiles.
    levels = (np.arange(N) + 0.5) / N
    cls.at_p, cls.at_q = (
      jnp.asarray(stats.norm(mean, 1).ppf(levels) / 2 - 1 / 8, jnp.float32)
      for mean in (0.5, 0)
    )

  def test_kl(self):
    # mean^2 / 2, in both directions.
    np.testing.assert_allclose(
      divergences.kl_from_log_ratios(self.at_p), 1 / 8, rtol=1e-4
    )
    np.testing.assert_allclose(
      -divergences.kl_from_log_ratios(self.at_q), 1 / 8, rtol=1e-4
    )

  # By adaptive quadrature.
  JSD = 0.0303113

  def test_jensen_shannon(self):
    measured = divergences.jensen_shannon_from_log_ratios(self.at_p, self.at_q)
    np.testing.assert_allclose(measured, self.JSD, atol=2e-5)
    # A lower bound for any other r.
    for r in (lambda r: 0.7 * r, lambda r: 1.5 * r, lambda r: r + 0.2):
      bound = divergences.jensen_shannon_from_log_ratios(
        r(self.at_p), r(self.at_q)
      )
      self.assertLess(bound, measured - 1e-3)

  @parameterized.parameters(
    ("kl", 1 / 8),
    ("reverse_kl", 1 / 8),
    ("jensen_shannon", 2 * JSD),
    ("gan", 2 * JSD - np.log(4)),
    ("pearson", np.exp(1 / 4) - 1),
    ("neyman", np.exp(1 / 4) - 1),
    ("squared_hellinger", 2 - 2 * np.exp(-1 / 32)),
    ("jeffrey", 1 / 4),
    ("total_variation", 2 * stats.norm.cdf(1 / 4) - 1),
  )
  def test_f_divergence(self, name, expected):
    measured = divergences.f_divergence_from_log_ratios(name, self.at_q)
    # The last quantile stands for a tail of 1/2000.
    np.testing.assert_allclose(measured, expected, rtol=0.02)

  def test_direction(self):
    # One sample with p / q = 2: f(2).
    at_q = jnp.asarray([LOG_2], jnp.float32)
    for name, expected in (
      ("kl", 2 * LOG_2),
      ("reverse_kl", -LOG_2),
      ("pearson", 1),
      ("neyman", 0.5),
      ("jeffrey", LOG_2),
    ):
      np.testing.assert_allclose(
        divergences.f_divergence_from_log_ratios(name, at_q),
        expected,
        rtol=1e-5,
      )

  @parameterized.parameters(*F_DIVERGENCES)
  def test_extreme_ratios(self, name):
    divergence = F_DIVERGENCES[name]
    low, high = (
      divergences.f_divergence_from_log_ratios(name, jnp.full((3,), r))
      for r in (-1e4, 1e4)
    )
    if divergence.at_zero < np.inf:
      np.testing.assert_allclose(low, divergence.at_zero, rtol=1e-6)
    else:
      self.assertGreater(low, 9e3)
    self.assertFalse(np.isnan(high))
    if divergence.slope_at_infinity == 0:
      np.testing.assert_allclose(high, -1e4, rtol=1e-3)
    else:
      self.assertGreater(high, 1e38)

  def test_extreme_ratios_of_jensen_shannon(self):
    large = jnp.full((3,), 1e4)
    np.testing.assert_allclose(
      divergences.jensen_shannon_from_log_ratios(large, -large), LOG_2
    )
    np.testing.assert_allclose(
      divergences.jensen_shannon_from_log_ratios(-large, large), -1e4, rtol=1e-3
    )

  def test_gradients(self):
    # -1/2 D(-r) / n is minus the slope of softplus(-r) / 2; f'(u) u of kl is
    # u (log u + 1).
    at_p, at_q = jnp.asarray([LOG_2, -LOG_2]), jnp.zeros(1)
    slopes = jax.grad(
      divergences.jensen_shannon_from_log_ratios, argnums=(0, 1)
    )(at_p, at_q)
    np.testing.assert_allclose(slopes[0], [1 / 12, 1 / 6], rtol=1e-5)
    np.testing.assert_allclose(slopes[1], [-1 / 4], rtol=1e-5)
    # The second derivative in at_p is -1/2 s(r) s(-r).
    bend = jax.hessian(divergences.jensen_shannon_from_log_ratios)(
      jnp.full(1, -30.0), at_q
    )
    np.testing.assert_allclose(bend, [[-0.5 * np.exp(-30)]], rtol=1e-5)
    np.testing.assert_allclose(
      jax.grad(divergences.f_divergence_from_log_ratios, argnums=1)("kl", at_p),
      [1 + LOG_2, (1 - LOG_2) / 4],
      rtol=1e-5,
    )

  def test_float64(self):
    with jax.enable_x64(True):
      r = jnp.asarray([0.1, -0.2], jnp.float64)
      chex.assert_type(divergences.kl_from_log_ratios(r), jnp.float64)
      chex.assert_type(
        divergences.jensen_shannon_from_log_ratios(r, r), jnp.float64
      )
      for name in F_DIVERGENCES:
        chex.assert_type(
          divergences.f_divergence_from_log_ratios(name, r), jnp.float64
        )

  def test_wrong_arguments_raise(self):
    with self.assertRaisesRegex(ValueError, "'renyi'.*kl, reverse_kl, .*tot"):
      divergences.f_divergence_from_log_ratios("renyi", jnp.zeros(3))
    with self.assertRaises(AssertionError):
      divergences.f_divergence_from_log_ratios("kl", jnp.zeros((3, 1)))
    with self.assertRaises(AssertionError):
      divergences.kl_from_log_ratios(jnp.zeros((3, 1)))
    with self.assertRaises(AssertionError):
      divergences.jensen_shannon_from_log_ratios(
        jnp.zeros(3), jnp.zeros((3, 1))
      )


if __name__ == "__main__":
  absltest.main()
