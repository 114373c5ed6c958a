"""Tests gan_jax.divergences.information."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import integrate, stats

from gan_jax import divergences
from gan_jax.divergences.f_divergences import F_DIVERGENCES

INF = np.inf
LOG_2 = np.log(2)
TINIEST = 2.0**-149  # The smallest subnormal number of float32.
NAMES = tuple(F_DIVERGENCES)

# The divergences at u = p / q in NumPy.
F = {
  "kl": lambda u: u * np.log(u),
  "reverse_kl": lambda u: -np.log(u),
  "jensen_shannon": lambda u: u * np.log(u) - (u + 1) * np.log((u + 1) / 2),
  "gan": lambda u: u * np.log(u) - (u + 1) * np.log(u + 1),
  "pearson": lambda u: (u - 1) ** 2,
  "neyman": lambda u: (1 - u) ** 2 / u,
  "squared_hellinger": lambda u: (np.sqrt(u) - 1) ** 2,
  "jeffrey": lambda u: (u - 1) * np.log(u),
  "total_variation": lambda u: abs(u - 1) / 2,
}

# The divergences that the practical generators descend.
H = {
  "kl": lambda u: -np.log(u),
  "reverse_kl": lambda u: (1 / u + u) / 2 - 1,
  "jensen_shannon": lambda u: (u + 1) * np.log((u + 1) / (2 * u)),
  "gan": lambda u: (u + 1) * np.log((u + 1) / (2 * u)),
  "pearson": lambda u: 2 * u * np.log(u),
  "neyman": lambda u: (u**-2 - 1) / 3,
  "squared_hellinger": lambda u: 2 * (u**-0.5 - 1) / 3,
  "jeffrey": lambda u: -np.log(u) + (1 / u + u) / 2 - 1,
  "total_variation": lambda u: abs(u - 1) / 2,
}

f_divergence = jax.jit(divergences.f_divergence, static_argnums=0)
practical_divergence = jax.jit(
  divergences.practical_divergence, static_argnums=0
)
BOTH = ((f_divergence, F), (practical_divergence, H))
cross_entropy = jax.jit(divergences.cross_entropy)
jensen_shannon = jax.jit(divergences.jensen_shannon)
kl = jax.jit(divergences.kl)
total_variation = jax.jit(divergences.total_variation)


def array(*values):
  """Returns values, with points that hold nothing to make four of them."""
  # Of one shape, tests share what is compiled.
  return jnp.asarray(values + (0,) * (4 - len(values)), jnp.float32)


class StrictTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.numpy_dtype_promotion("strict"))


class EntropyTest(StrictTestCase):
  def test_self_information(self):
    measured = divergences.self_information(array(1, 0.25, TINIEST, 0))
    expected = [0, 2 * LOG_2, 149 * LOG_2, INF]
    np.testing.assert_allclose(measured, expected, rtol=1e-6)
    slopes = jax.vmap(jax.grad(divergences.self_information))(array(1, 0.25))
    np.testing.assert_allclose(slopes[:2], [-1, -4])

  def test_entropy(self):
    # 1/2 of 1 bit, 1/4 of 2 bits, twice.
    p = array(0.5, 0.25, 0.25, 0)
    np.testing.assert_allclose(divergences.entropy(p), 1.5 * LOG_2, rtol=1e-6)
    # -log p - 1.
    slopes = jax.jit(jax.grad(divergences.entropy))(p)
    np.testing.assert_allclose(
      slopes[:3], np.array([1, 2, 2]) * LOG_2 - 1, rtol=1e-5
    )
    self.assertTrue(70 < slopes[3] < INF)  # Its limit is +inf.

  def test_differential_entropy(self):
    # 1/2 log(2 pi e s^2), which is negative for a narrow density.
    for stddev in (0.01, 3.0):
      x, weights = divergences.gauss_legendre(-9 * stddev, 9 * stddev, 64)
      p = jnp.exp(-0.5 * (x / stddev) ** 2) / (stddev * np.sqrt(2 * np.pi))
      np.testing.assert_allclose(
        divergences.entropy(p, weights),
        stats.norm(0, stddev).entropy(),
        rtol=1e-5,
      )

  def test_cross_entropy_and_its_swap(self):
    p, q = array(0.5, 0.5), array(0.125, 0.875)
    # -1/2 log(1/8) - 1/2 log(7/8) and -1/8 log(1/2) - 7/8 log(1/2).
    np.testing.assert_allclose(
      cross_entropy(p, q), 3 * LOG_2 - np.log(7) / 2, rtol=1e-6
    )
    np.testing.assert_allclose(cross_entropy(q, p), LOG_2, 1e-6)
    np.testing.assert_allclose(
      jax.grad(cross_entropy, argnums=1)(p, q)[:2], [-4, -4 / 7], 1e-6
    )

  def test_cross_entropy_at_zeros(self):
    p, q = array(1, 0, 0), array(0.5, 0, 0.5)
    np.testing.assert_allclose(cross_entropy(p, q), LOG_2, 1e-6)
    self.assertEqual(cross_entropy(q, p), INF)
    np.testing.assert_array_equal(
      jax.grad(cross_entropy, argnums=1)(p, q), [-2, 0, 0, 0]
    )


class FDivergenceTest(StrictTestCase):
  @parameterized.product(
    name=NAMES, dtype=(jnp.float32, jnp.float64), both=BOTH
  )
  def test_value_slopes_and_dtype(self, name, dtype, both):
    divergence, functions = both
    rtol = 2e-5 if dtype == jnp.float32 else 1e-12
    p = np.array([0.5, 0.25, 0.125, 0.125])
    q = np.array([0.125, 0.125, 0.625, 0.125])
    weights = np.array([0.5, 1.0, 2.0, 3.0])
    f = functions[name]
    with jax.enable_x64(dtype == jnp.float64):
      given_p, given_q, given = (jnp.asarray(a, dtype) for a in (p, q, weights))
      measure = jax.value_and_grad(
        lambda p, q: divergence(name, p, q, given), argnums=(0, 1)
      )
      value, slopes = measure(given_p, given_q)
      chex.assert_type([value, *slopes], dtype)
      np.testing.assert_allclose(value, weights * q @ f(p / q), rtol)
      value, _ = measure(given_q, given_p)
      np.testing.assert_allclose(value, weights * p @ f(q / p), rtol)

    # The kink of total variation at the last point is left out.
    def slope(i, dp, dq):
      def term(s):
        return (q[i] + s * dq) * f((p[i] + s * dp) / (q[i] + s * dq))

      return weights[i] * (term(1e-6) - term(-1e-6)) / 2e-6

    for measured, direction in zip(slopes, ((1, 0), (0, 1)), strict=True):
      expected = [slope(i, *direction) for i in range(3)]
      np.testing.assert_allclose(measured[:3], expected, rtol=1e-4, atol=1e-6)

  # u = 2 at the second point, where q = 1/4; nothing at the last.
  @parameterized.parameters(
    ("kl", INF),
    ("reverse_kl", INF),
    ("jensen_shannon", 1.25 * LOG_2 + (2 * LOG_2 - 3 * np.log(1.5)) / 4),
    ("gan", (2 * LOG_2 - 3 * np.log(3)) / 4),
    ("pearson", INF),
    ("neyman", INF),
    ("squared_hellinger", 1.25 + (np.sqrt(2) - 1) ** 2 / 4),
    ("jeffrey", INF),
    ("total_variation", 0.75),
  )
  def test_zeros_on_both_sides(self, name, expected):
    p, q = array(0.5, 0.5, 0, 0), array(0, 0.25, 0.75, 0)
    measured = f_divergence(name, p, q)
    np.testing.assert_allclose(measured, expected, rtol=1e-6)
    # Points without weight do not count.
    weighted = f_divergence(name, p, q, array(0, 1, 0, 1))
    np.testing.assert_allclose(weighted, 0.25 * F[name](2.0), rtol=1e-6)

  # p = (1, 0), q = (1/4, 3/4): u = 4 and 0. Swapped, u = 1/4 and infinity.
  @parameterized.parameters(
    ("kl", 2 * LOG_2, INF),
    ("reverse_kl", INF, 2 * LOG_2),
    ("pearson", 9 / 4 + 3 / 4, INF),
    ("neyman", INF, 9 / 4 + 3 / 4),
    ("jeffrey", INF, INF),
    ("squared_hellinger", 1.0, 1.0),
  )
  def test_zeros_on_one_side(self, name, expected, swapped):
    p, q = array(1, 0), array(0.25, 0.75)
    for a, b, value in ((p, q, expected), (q, p, swapped)):
      measured = f_divergence(name, a, b)
      np.testing.assert_allclose(measured, value, rtol=1e-6)

  # p = (1, 0), q = (1/4, 3/4): u = 4 and 0. Swapped, u = 1/4 and infinity.
  @parameterized.parameters(
    ("kl", INF, 2 * LOG_2),
    ("reverse_kl", INF, 9 / 8 + 3 / 8),
    ("jensen_shannon", INF, 1.25 * np.log(2.5) - 0.75 * LOG_2),
    ("pearson", 4 * LOG_2, INF),
    ("neyman", INF, 15 / 3),
    ("squared_hellinger", INF, 2 / 3),
    ("jeffrey", INF, 2 * LOG_2 + 9 / 8 + 3 / 8),
    ("total_variation", 0.75, 0.75),
  )
  def test_zeros_of_the_practical_divergence(self, name, expected, swapped):
    p, q = array(1, 0), array(0.25, 0.75)
    for a, b, value in ((p, q, expected), (q, p, swapped)):
      measured = practical_divergence(name, a, b)
      np.testing.assert_allclose(measured, value, rtol=1e-6)

  @parameterized.product(name=NAMES, practical=(False, True))
  def test_limits_of_f(self, name, practical):
    divergence, f = F_DIVERGENCES[name], F[name]
    if practical:
      divergence, f = divergence.practical, H[name]
    for limit, value in (
      (divergence.at_zero, lambda: f(1e-30)),
      (divergence.slope_at_infinity, lambda: f(1e30) / 1e30),
    ):
      if limit == INF:
        # One of them grows no faster than a logarithm, log 1e30 = 69.
        self.assertGreater(value(), 60)
      else:
        np.testing.assert_allclose(value(), limit, atol=1e-12)

  @parameterized.parameters(*NAMES)
  def test_no_points_in_common(self, name):
    p, q = array(0.25, 0.75, 0), array(0, 0, 1)
    divergence = F_DIVERGENCES[name]
    expected = divergence.at_zero + divergence.slope_at_infinity
    measured = f_divergence(name, p, q)
    np.testing.assert_allclose(measured, expected, rtol=1e-6, atol=1e-30)

  @parameterized.product(
    name=NAMES, divergence=(f_divergence, practical_divergence)
  )
  def test_gradients_are_never_nan(self, name, divergence):
    p, q = jnp.meshgrid(
      array(0.5, 1e-30, TINIEST, 0), array(0.5, 1e-30, 3e-39, TINIEST, 0)
    )
    measure = jax.vmap(
      jax.value_and_grad(
        lambda p, q: divergence(name, p[None], q[None]), argnums=(0, 1)
      )
    )
    for result in jax.tree.leaves(measure(jnp.ravel(p), jnp.ravel(q))):
      self.assertFalse(np.any(np.isnan(result)))

  # One-sided slopes at p = 0 < q, f'(0), and in q, f(0).
  @parameterized.parameters(
    ("pearson", -2, 1),
    ("total_variation", -0.5, 0.5),
    ("jensen_shannon", None, LOG_2),
    ("squared_hellinger", None, 1),
    ("kl", None, 0),
  )
  def test_slopes_at_zeros(self, name, in_p, in_q):
    for q in (0.75, 1e-6):
      slopes = jax.grad(f_divergence, argnums=(1, 2))(
        name, array(0, 1), array(q, 1 - q)
      )
      np.testing.assert_allclose(slopes[1][0], in_q, rtol=1e-5)
      if in_p is not None:
        np.testing.assert_allclose(slopes[0][0], in_p, rtol=1e-5)

  # u overflows or underflows in float32.
  @parameterized.product(
    name=("kl", "reverse_kl", "jensen_shannon", "jeffrey", "squared_hellinger"),
    small=(1e-37, 1e-40, TINIEST),
  )
  def test_subnormal_numbers(self, name, small):
    p, q = array(0.5, small, small, 0.25), array(small, 1e5, small, 0.5)
    exact_p, exact_q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    expected = exact_q @ F[name](exact_p / exact_q)
    measured = f_divergence(name, p, q)
    np.testing.assert_allclose(measured, expected, rtol=1e-5)

  def test_square_of_a_subnormal_ratio(self):
    # (1e-30)^2 / 1e-40 = 1e-20 and (1e-10)^2 / 1e-38 = 1e18.
    for p, q in ((1e-30, 1e-40), (1e-10, 2e-38)):
      p, q = array(p), array(q)
      expected = (
        np.asarray(p, np.float64)[0] ** 2 / np.asarray(q, np.float64)[0]
      )
      for name, a, b in (("pearson", p, q), ("neyman", q, p)):
        measured = f_divergence(name, a, b)
        np.testing.assert_allclose(measured, expected, rtol=1e-4)

  def test_unknown_name_raises(self):
    for divergence in (
      divergences.f_divergence,
      divergences.practical_divergence,
    ):
      with self.assertRaisesRegex(ValueError, "'renyi'.*kl, reverse_kl, .*tot"):
        divergence("renyi", array(1), array(1))

  def test_wrong_shapes_raise(self):
    for shapes in (
      ((3,), (4,), (3,)),
      ((3,), (3,), (4,)),
      ((3, 1), (3, 1), (3, 1)),
    ):
      for divergence in (
        divergences.cross_entropy,
        divergences.kl,
        divergences.jensen_shannon,
        divergences.total_variation,
      ):
        with self.assertRaises(AssertionError):
          divergence(*map(jnp.ones, shapes))


class NamedDivergencesTest(StrictTestCase):
  P, Q = (0.5, 0.5), (0.125, 0.875)

  @parameterized.parameters(
    # 1/2 log 4 + 1/2 log(4/7), and 1/8 log(1/4) + 7/8 log(7/4).
    (kl, P, Q, 2 * LOG_2 - np.log(7) / 2),
    (kl, Q, P, 7 / 8 * np.log(7) - 2 * LOG_2),
    (total_variation, P, Q, 3 / 8),
    (kl, (1, 0), (0, 1), INF),
    (jensen_shannon, (1, 0), (0, 1), LOG_2),
    (jensen_shannon, (1, 0), (0.5, 0.5), 0.75 * np.log(4 / 3)),
    (total_variation, (1, 0), (0, 1), 1),
    (kl, P, P, 0),
    (jensen_shannon, P, P, 0),
  )
  def test_value(self, divergence, p, q, expected):
    measured = divergence(array(*p), array(*q))
    np.testing.assert_allclose(measured, expected, rtol=1e-6, atol=1e-8)
    weights = array(0.25, 0.25)
    weighted = divergence(4 * array(*p), 4 * array(*q), weights)
    np.testing.assert_allclose(weighted, expected, rtol=1e-6, atol=1e-8)

  def test_slopes_of_kl(self):
    slopes = jax.grad(kl, argnums=(0, 1))(array(*self.P), array(*self.Q))
    # log(p / q) + 1 and -p / q.
    np.testing.assert_allclose(
      slopes[0][:2], [1 + np.log(4), 1 + np.log(4 / 7)], rtol=1e-6
    )
    np.testing.assert_allclose(slopes[1][:2], [-4, -4 / 7], rtol=1e-6)

  def test_slopes_of_jensen_shannon(self):
    # 1/2 log(2 p / (p + q)).
    slopes = jax.grad(jensen_shannon)(array(*self.P), array(*self.Q))
    np.testing.assert_allclose(
      slopes[:2], 0.5 * np.log([8 / 5, 8 / 11]), rtol=1e-5
    )

  def test_parallel_lines(self):
    # Points on the lines x = 0 and x = theta, as outcomes of one source.
    on_0, on_theta = array(0.5, 0.5, 0, 0), array(0, 0, 0.5, 0.5)
    self.assertEqual(kl(on_0, on_theta), INF)
    self.assertEqual(kl(on_theta, on_0), INF)
    self.assertEqual(total_variation(on_0, on_theta), 1)
    np.testing.assert_allclose(jensen_shannon(on_0, on_theta), LOG_2, rtol=1e-6)
    for divergence in (
      kl,
      jensen_shannon,
      total_variation,
    ):
      self.assertEqual(divergence(on_0, on_0), 0)


class JensenShannonOfDensitiesTest(StrictTestCase):
  # Adaptive quadrature in double precision.
  @parameterized.named_parameters(
    ("equal", stats.norm(0, 1), stats.norm(0, 1), 0.0),
    ("shift_1", stats.norm(0, 1), stats.norm(1, 1), 0.11142),
    ("shift_2", stats.norm(0, 1), stats.norm(2, 1), 0.33683),
    ("disjoint", stats.uniform(0, 1), stats.uniform(5, 1), LOG_2),
    ("half_shared", stats.uniform(0, 2), stats.uniform(1, 2), LOG_2 / 2),
  )
  def test_value(self, p, q, expected):
    x = np.linspace(-12, 12, 24_001)
    p, q, x = (jnp.asarray(a, jnp.float32) for a in (p.pdf(x), q.pdf(x), x))
    weights = divergences.trapezoid(x)
    divergence = jensen_shannon(p, q, weights)
    chex.assert_type(divergence, jnp.float32)
    # A jump of a uniform density falls within a step of 1e-3.
    tolerance = 1e-3 if np.any(p == 0) else 1e-5
    np.testing.assert_allclose(divergence, expected, atol=tolerance)
    np.testing.assert_allclose(
      jensen_shannon(q, p, weights),
      divergence,
      rtol=1e-5,
      atol=1e-7,
    )

  def test_mixture_against_a_wide_normal(self):
    # The best single Gaussian for modes at +-3.
    x = np.linspace(-30, 30, 4001)
    p = 0.5 * stats.norm.pdf(x, -3, 1) + 0.5 * stats.norm.pdf(x, 3, 1)
    q = stats.norm.pdf(x, 0, 3.12)
    p, q, x = (jnp.asarray(a, jnp.float32) for a in (p, q, x))
    divergence = jensen_shannon(p, q, divergences.trapezoid(x))
    np.testing.assert_allclose(divergence, 0.1284, atol=5e-5)

  def test_uneven_and_empty_steps(self):
    # p = 2x and q = 2(1 - x) on [0, 1]. With u = 2x, KL(p || m) is the integral
    # of u log u / 2 over [0, 2], log 2 - 1/2, and so is KL(q || m).
    x = np.linspace(0, 1, 2001) ** 2
    x = jnp.asarray(np.sort(np.concatenate([x, x[::7]])), jnp.float32)
    divergence = jensen_shannon(2 * x, 2 * (1 - x), divergences.trapezoid(x))
    np.testing.assert_allclose(divergence, LOG_2 - 0.5, atol=1e-5)

  @parameterized.parameters(0.0, 1e-45, 1e-38, 1e-30)
  def test_tiny_and_huge_densities(self, tiny):
    # All of p's mass is on the first half and all of q's on the second.
    x = jnp.array([0.0, 1e-4, 2e-4, 3e-4])
    p = jnp.array([1e4, 1e4, tiny, tiny])
    divergence = jensen_shannon(p, p[::-1], divergences.trapezoid(x))
    # Trapezoids of 1 in the first and last step, of 1/2 + 1/2 in the middle,
    # each times half of log 2 for p and for q.
    np.testing.assert_allclose(divergence, 1.5 * LOG_2, rtol=1e-5)


@functools.partial(jax.jit, static_argnums=(0, 1))
def measure(name, density, mean, stddev):
  """Returns D_f of a density and a normal, and its slopes in the normal."""
  x, weights = divergences.gauss_legendre(-12.0, 12.0, 16, panels=50)
  pdf = jax.scipy.stats.norm.pdf

  def value(mean, stddev):
    q = pdf(x, mean, stddev)
    return divergences.f_divergence(name, density(x, pdf), q, weights)

  return jax.value_and_grad(value, argnums=(0, 1))(mean, stddev)


class QuadratureTest(StrictTestCase):
  def exact(self, name, density, mean, stddev, points):
    def term(x):
      q = stats.norm.pdf(x, mean, stddev)
      return q * F[name](density(x, stats.norm.pdf) / q)

    return integrate.quad(term, -12, 12, points=points, limit=400)[0]

  @parameterized.parameters(
    ("kl", 0.2831, 1.0100, 1.8308),
    ("reverse_kl", 0.2480, 1.5782, 1.6319),
    ("jensen_shannon", 0.1280, 1.3070, 1.7542),
    ("jeffrey", 0.5705, 1.3218, 1.7034),
    ("pearson", 0.6457, 0.5737, 1.9274),
  )
  def test_best_gaussians_for_a_mixture(self, name, expected, *best):
    # The table of the f-GAN paper, with a mixture that it does not print.
    def mixture(x, pdf):
      return 0.33 * pdf(x, -1, 0.255) + 0.67 * pdf(x, 2, 1.415)

    value, slopes = measure(name, mixture, *best)
    np.testing.assert_allclose(value, expected, atol=1.5e-4)
    exact = self.exact(name, mixture, *best, points=[-1.5, -1, -0.5])
    np.testing.assert_allclose(value, exact, rtol=1e-5)
    # 1e-4 off the optimum, times a curvature of up to 5.
    np.testing.assert_allclose(slopes, [0, 0], atol=5e-4)
    for step in ((-0.1, 0), (0.1, 0), (0, -0.1), (0, 0.1)):
      other, _ = measure(name, mixture, *np.add(best, step).tolist())
      self.assertGreater(other, value + 5e-4)

  @parameterized.parameters(*NAMES)
  def test_two_normals(self, name):
    def normal(x, pdf):
      return pdf(x, 0.5, 1.2)

    # p = q, the kink of total variation, where a quadratic in x is 0.
    a, b = 1 - 1 / 1.2**2, 2 * (0.5 / 1.2**2 + 0.3)
    c = 0.09 - 0.25 / 1.2**2 - 2 * np.log(1.2)
    expected = self.exact(name, normal, -0.3, 1.0, np.roots([a, b, c]))
    measured, _ = measure(name, normal, -0.3, 1.0)
    np.testing.assert_allclose(measured, expected, rtol=2e-4)


if __name__ == "__main__":
  absltest.main()
