"""The divergences that f-GAN's practical generators descend, in float64.

Expected values are by SciPy's adaptive quadrature, from the slope f' of each
divergence alone.
"""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import integrate, optimize

from gan_jax import divergences, losses

# f' at u = p / q.
SLOPES = {
  "kl": lambda u: np.log(u) + 1,
  "reverse_kl": lambda u: -1 / u,
  "jensen_shannon": lambda u: np.log(2 * u / (1 + u)),
  "gan": lambda u: np.log(u / (1 + u)),
  "pearson": lambda u: 2 * (u - 1),
  "neyman": lambda u: 1 - u**-2,
  "squared_hellinger": lambda u: 1 - u**-0.5,
  "jeffrey": lambda u: np.log(u) + 1 - 1 / u,
  "total_variation": lambda u: np.sign(u - 1) / 2,
}
SMOOTH = tuple(name for name in SLOPES if name != "total_variation")
RATIOS = np.array([0.02, 0.3, 0.9, 1.5, 4.0, 30.0])

# The best normals for the mixture of figure `fgan_table`: mean and deviation.
BEST = {
  "kl": (1.5779, 1.6318),
  "reverse_kl": (1.8246, 1.5193),
  "jensen_shannon": (1.7373, 1.5676),
  "gan": (1.7373, 1.5676),
  "pearson": (1.0100, 1.8311),
  "neyman": (1.8980, 1.4790),
  "squared_hellinger": (1.7398, 1.5612),
  "jeffrey": (1.7399, 1.5549),
}


def log_normal(x, mean, stddev):
  return -0.5 * ((x - mean) / stddev) ** 2 - np.log(stddev * np.sqrt(2 * np.pi))


def log_p(x):
  return np.logaddexp(
    np.log(0.33) + log_normal(x, -1, 0.255),
    np.log(0.67) + log_normal(x, 2, 1.415),
  )


def practical_gradient(name, mean, stddev):
  """Integrates -int dq f'(p / q), the slopes of J_G with the critic fixed."""

  def slopes(x):
    log_q = log_normal(x, mean, stddev)
    scaled = (x - mean) / stddev
    # dq = q d log q.
    dq = np.exp(log_q) / stddev * np.array([scaled, scaled**2 - 1])
    return -dq * SLOPES[name](np.exp(log_p(x) - log_q))

  return np.array(
    [
      integrate.quad(
        lambda x, i=i: slopes(x)[i], -14, 18, points=(-1.5, -1, 0), limit=400
      )[0]
      for i in range(2)
    ]
  )


class PracticalTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.enter_context(jax.enable_x64(True))

  @parameterized.parameters(*SLOPES)
  def test_h_solves_its_equation(self, name):
    # u h' - h = f' + c and h(1) = 0 have the solution
    # h(u) = u int_1^u (f'(s) + c) / s^2 ds = u int_1^u f'/s^2 + c (u - 1).
    solved = [
      u * integrate.quad(lambda s: SLOPES[name](s) / s**2, 1, u)[0]
      for u in RATIOS
    ]
    h = divergences.F_DIVERGENCES[name].practical.f
    difference = np.asarray(h(jnp.asarray(RATIOS))) - solved
    np.testing.assert_allclose(
      difference / (RATIOS - 1), difference[0] / (RATIOS[0] - 1), atol=1e-9
    )
    np.testing.assert_allclose(h(jnp.ones(())), 0, atol=1e-12)

  @parameterized.parameters(*SMOOTH)
  def test_the_practical_generator_descends_it(self, name):
    x, weights = divergences.gauss_legendre(-14.0, 18.0, 20, 64)
    p = jnp.exp(jnp.asarray(log_p(np.asarray(x))))

    def divergence(mean, stddev):
      q = jax.scipy.stats.norm.pdf(x, mean, stddev)
      return divergences.practical_divergence(name, p, q, weights)

    slopes = jax.jit(jax.grad(divergence, argnums=(0, 1)))
    for normal in ((0.4, 1.3), (1.8, 1.6), BEST[name]):
      np.testing.assert_allclose(
        slopes(*normal),
        practical_gradient(name, *normal),
        rtol=1e-6,
        atol=1e-8,
      )

  @parameterized.parameters(*SMOOTH)
  def test_its_best_normal_is_where_the_generator_rests(self, name):
    found = optimize.root(
      lambda normal: practical_gradient(name, *normal), (1.6, 1.6), tol=1e-9
    )
    self.assertTrue(found.success)
    np.testing.assert_allclose(found.x, BEST[name], atol=6e-5)

  @parameterized.parameters(*SMOOTH)
  def test_slopes_in_logits_differ_by_the_ratio(self, name):
    # At the best critic, the zero-sum slope is p / q times the practical one.
    activation = divergences.F_DIVERGENCES[name].activation
    for u in (0.1, 2.0):
      logit = optimize.brentq(
        lambda v, u=u: float(activation(jnp.asarray(v))) - SLOPES[name](u),
        -15,
        15,
      )
      fake = jnp.asarray([logit])
      zero_sum, practical = (
        jax.grad(losses.f_divergence(name, practical).generator, argnums=1)(
          fake, fake
        )[0]
        for practical in (False, True)
      )
      self.assertLess(practical, 0)
      np.testing.assert_allclose(zero_sum / practical, u, rtol=1e-6)


if __name__ == "__main__":
  absltest.main()
