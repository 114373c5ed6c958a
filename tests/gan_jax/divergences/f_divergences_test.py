"""Tests f-divergences in float64 against NumPy and SciPy."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.integrate
import scipy.special
import scipy.stats
from absl.testing import absltest, parameterized

from gan_jax import losses
from gan_jax.divergences import f_divergences

F_DIVERGENCES = f_divergences.F_DIVERGENCES

# name: (f, f', the v that solves g(v) = f'(u), upper end of the domain of f*,
# lower end). Where v is None, f'(u) is reached only for v -> +-inf.
EXPECTED = {
  "kl": (
    lambda u: u * np.log(u),
    lambda u: np.log(u) + 1,
    lambda u: np.log(u) + 1,
    (-np.inf, np.inf),
  ),
  "reverse_kl": (
    lambda u: -np.log(u),
    lambda u: -1 / u,
    np.log,
    (-np.inf, 0.0),
  ),
  "jensen_shannon": (
    lambda u: u * np.log(u) - (u + 1) * np.log((1 + u) / 2),
    lambda u: np.log(2 * u / (1 + u)),
    np.log,
    (-np.inf, np.log(2)),
  ),
  "gan": (
    lambda u: u * np.log(u) - (u + 1) * np.log(1 + u),
    lambda u: np.log(u / (1 + u)),
    np.log,
    (-np.inf, 0.0),
  ),
  "pearson": (
    lambda u: (u - 1) ** 2,
    lambda u: 2 * (u - 1),
    lambda u: 2 * (u - 1),
    (-np.inf, np.inf),
  ),
  "neyman": (
    lambda u: (1 - u) ** 2 / u,
    lambda u: 1 - u**-2,
    lambda u: 2 * np.log(u),
    (-np.inf, 1.0),
  ),
  "squared_hellinger": (
    lambda u: (np.sqrt(u) - 1) ** 2,
    lambda u: 1 - u**-0.5,
    lambda u: np.log(u) / 2,
    (-np.inf, 1.0),
  ),
  "jeffrey": (
    lambda u: (u - 1) * np.log(u),
    lambda u: np.log(u) + 1 - 1 / u,
    lambda u: np.log(u) + 1 - 1 / u,
    (-np.inf, np.inf),
  ),
  "total_variation": (
    lambda u: abs(u - 1) / 2,
    lambda u: np.sign(u - 1) / 2,
    None,
    (-0.5, 0.5),
  ),
}
NAMES = tuple(EXPECTED)
SMOOTH = tuple(name for name in NAMES if name != "total_variation")

# u on both sides of 1, never 1 itself, where total variation has its kink.
RATIOS = np.exp(np.linspace(-4, 4, 18))

# Counts of three outcomes among 8 draws from p and 8 from q.
P_COUNTS = np.array([1, 2, 5])
Q_COUNTS = np.array([4, 3, 1])


def elementwise_grad(function):
  return jax.vmap(jax.grad(function))


class FDivergencesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.enable_x64(True))

  def test_names_and_order(self):
    self.assertSequenceEqual(tuple(F_DIVERGENCES), NAMES)

  @parameterized.parameters(*NAMES)
  def test_f(self, name):
    f, slope, *_ = EXPECTED[name]
    measured = F_DIVERGENCES[name].f
    np.testing.assert_allclose(measured(jnp.asarray(RATIOS)), f(RATIOS), 1e-12)
    np.testing.assert_allclose(
      elementwise_grad(measured)(jnp.asarray(RATIOS)), slope(RATIOS), 1e-12
    )
    # f(1) = 0 makes D_f(p || p) = 0; the GAN's is log 4 below.
    at_one = -np.log(4) if name == "gan" else 0.0
    np.testing.assert_allclose(measured(jnp.ones(())), at_one, atol=1e-12)

  @parameterized.parameters(*NAMES)
  def test_conjugate(self, name):
    # sup_u [u t - f(u)] is reached where t = f'(u).
    f, slope, *_ = EXPECTED[name]
    t = slope(RATIOS)
    np.testing.assert_allclose(
      F_DIVERGENCES[name].conjugate(jnp.asarray(t)),
      RATIOS * t - f(RATIOS),
      rtol=1e-10,
      atol=1e-12,
    )

  @parameterized.parameters(*SMOOTH)
  def test_slope_of_conjugate_inverts_slope_of_f(self, name):
    slope = EXPECTED[name][1]
    np.testing.assert_allclose(
      elementwise_grad(F_DIVERGENCES[name].conjugate)(
        jnp.asarray(slope(RATIOS))
      ),
      RATIOS,
      rtol=1e-10,
    )

  @parameterized.parameters(*NAMES)
  def test_activation(self, name):
    low, high = EXPECTED[name][-1]
    # Up to 30 the open ends of the domains are not yet rounded to.
    v = np.linspace(-30, 30, 121)
    t = np.asarray(F_DIVERGENCES[name].activation(jnp.asarray(v)))
    if name == "total_variation":  # Its domain is closed.
      self.assertTrue(np.all((low <= t) & (t <= high)))
      self.assertTrue(np.all(np.diff(t) >= 0))
    else:
      self.assertTrue(np.all((low < t) & (t < high)))
      self.assertTrue(np.all(np.diff(t) > 0))

  @parameterized.parameters(*SMOOTH)
  def test_activation_reaches_the_slope_of_f(self, name):
    _, slope, best, _ = EXPECTED[name]
    np.testing.assert_allclose(
      F_DIVERGENCES[name].activation(jnp.asarray(best(RATIOS))),
      slope(RATIOS),
      rtol=1e-10,
    )
    # The best v is the log ratio exactly where sigmoid(v) is a probability.
    self.assertEqual(
      F_DIVERGENCES[name].probability,
      np.allclose(best(RATIOS), np.log(RATIOS)),
    )

  @parameterized.parameters(*NAMES)
  def test_conjugate_of_activation(self, name):
    divergence = F_DIVERGENCES[name]
    # Beyond 20 on both sides, so that the bent part counts too. Composed, it
    # loses e^24 of float64's 1e16.
    v = jnp.asarray(np.linspace(-40, 24, 129))
    np.testing.assert_allclose(
      divergence.conjugate_of_activation(v),
      divergence.conjugate(divergence.activation(v)),
      rtol=1e-5,
      atol=1e-12,
    )

  @parameterized.parameters(*NAMES)
  def test_bound_is_tight(self, name):
    f, slope, *_ = EXPECTED[name]
    p, q = P_COUNTS / 8, Q_COUNTS / 8
    t = jnp.asarray(slope(p / q))
    bound = p @ t - q @ np.asarray(F_DIVERGENCES[name].conjugate(t))
    np.testing.assert_allclose(bound, q @ f(p / q), rtol=1e-10)

  @parameterized.parameters(*SMOOTH)
  def test_best_critic_of_the_game(self, name):
    f, _, best, _ = EXPECTED[name]
    p, q = P_COUNTS / 8, Q_COUNTS / 8
    loss = losses.f_divergence(name)

    # One logit per outcome; the batches hold each outcome as often as it
    # counts, so that their means are E_p and E_q.
    def cost(v):
      real, fake = (np.repeat(np.arange(3), n) for n in (P_COUNTS, Q_COUNTS))
      return loss.discriminator(v[real], v[fake])

    v = jnp.asarray(best(p / q))
    np.testing.assert_allclose(cost(v), -(q @ f(p / q)), rtol=1e-10)
    np.testing.assert_allclose(jax.grad(cost)(v), np.zeros(3), atol=1e-12)
    # A minimum of J_D in each logit, not a saddle.
    for step in np.concatenate([np.eye(3), -np.eye(3)]):
      self.assertGreater(cost(v + 0.1 * step), cost(v) + 1e-5)

  def test_total_variation_is_approached_by_large_logits(self):
    # f' = +-1/2 = tanh(+-inf) / 2.
    logits = jnp.asarray([-50.0, -50.0, 50.0])
    loss = losses.f_divergence("total_variation")
    real, fake = (np.repeat(np.arange(3), n) for n in (P_COUNTS, Q_COUNTS))
    # |1 - 4| + |2 - 3| + |5 - 1| = 8 eighths, halved.
    np.testing.assert_allclose(
      loss.discriminator(logits[real], logits[fake]), -0.5
    )


class GaussiansTest(parameterized.TestCase):
  """Pins direction and scale by integrals known in closed form."""

  def setUp(self):
    super().setUp()
    self.enter_context(jax.enable_x64(True))

  def divergence(self, name, p, q):
    x = np.linspace(-12, 12, 4001)
    u = jnp.asarray(np.exp(p.logpdf(x) - q.logpdf(x)))
    integrand = q.pdf(x) * np.asarray(F_DIVERGENCES[name].f(u))
    return scipy.integrate.simpson(integrand, x=x)

  @parameterized.parameters(
    ("kl", 0.5),  # mean^2 / 2
    ("reverse_kl", 0.5),
    ("jensen_shannon", 2 * 0.11142),  # quadrature of JSD, not of f
    ("gan", 2 * 0.11142 - np.log(4)),
    ("pearson", np.e - 1),  # exp(mean^2) - 1
    ("neyman", np.e - 1),
    ("squared_hellinger", 2 - 2 * np.exp(-1 / 8)),  # exp(-mean^2 / 8)
    ("jeffrey", 1.0),
    ("total_variation", 2 * scipy.stats.norm.cdf(0.5) - 1),
  )
  def test_equal_scales(self, name, expected):
    p, q = scipy.stats.norm(0, 1), scipy.stats.norm(1, 1)
    measured = self.divergence(name, p, q)
    np.testing.assert_allclose(measured, expected, atol=2e-5)

  @parameterized.parameters(
    # With q = N(0, s), s = 3/2 its variance: log(s) / 2 + 1 / (2 s) - 1/2.
    ("kl", np.log(1.5) / 2 + 1 / 3 - 0.5),
    ("reverse_kl", -np.log(1.5) / 2 + 0.75 - 0.5),
    # int p^2 / q = s / sqrt(2 s - 1), int q^2 / p = 1 / sqrt(s (2 - s)).
    ("pearson", 1.5 / np.sqrt(2) - 1),
    ("neyman", 1 / np.sqrt(0.75) - 1),
  )
  def test_direction(self, name, expected):
    p, q = scipy.stats.norm(0, 1), scipy.stats.norm(0, np.sqrt(1.5))
    measured = self.divergence(name, p, q)
    np.testing.assert_allclose(measured, expected, rtol=1e-5)


class LimitExponentTest(absltest.TestCase):
  def test_exponential_turns_linear_with_its_slope(self):
    def exponential(x):
      return jnp.exp(f_divergences.limit_exponent(x))

    with jax.enable_x64(True):
      x = jnp.asarray([-1e4, 0.0, 19.0, 20.0, 21.0, 1e4])
      e20 = np.exp(20)
      np.testing.assert_allclose(
        exponential(x), [0, 1, np.exp(19), e20, 2 * e20, 9981 * e20], 1e-12
      )
      np.testing.assert_allclose(
        elementwise_grad(exponential)(x),
        [0, 1, np.exp(19), e20, e20, e20],
        1e-12,
      )


class LogWrightOmegaTest(parameterized.TestCase):
  # A few units in the last place; the slopes, of exp(s), lose s times as many.
  @parameterized.parameters((jnp.float32, 5e-7), (jnp.float64, 1e-14))
  def test_value_and_derivatives(self, dtype, rtol):
    with jax.enable_x64(dtype == jnp.float64):
      y = np.concatenate([np.linspace(-60, 60, 241), [300.0, 1e3, 1e4]])
      measured = jnp.asarray(y, dtype)
      omega = np.real(scipy.special.wrightomega(y))
      value = f_divergences.log_wright_omega(measured)
      chex.assert_type(value, dtype)
      np.testing.assert_allclose(value, np.log(omega), rtol, rtol)
      # s + e^s = y: s' = 1 / (1 + w) and, as w' = w / (1 + w),
      # s'' = -w / (1 + w)^3.
      first = elementwise_grad(f_divergences.log_wright_omega)
      np.testing.assert_allclose(
        first(measured), 1 / (1 + omega), rtol=20 * rtol
      )
      second = elementwise_grad(jax.grad(f_divergences.log_wright_omega))
      np.testing.assert_allclose(
        second(measured), -omega / (1 + omega) ** 3, rtol=200 * rtol
      )

  def test_underflow_of_omega(self):
    # W(exp(-1e4)) = 0 in floating point, with logarithm -1e4 and slope 1.
    y = jnp.asarray([-1e4, -1e3])
    np.testing.assert_array_equal(f_divergences.log_wright_omega(y), y)
    np.testing.assert_array_equal(
      elementwise_grad(f_divergences.log_wright_omega)(y), [1.0, 1.0]
    )


if __name__ == "__main__":
  absltest.main()
