"""The best normals of the f-GAN table, by adaptive quadrature."""

import numpy as np
from absl.testing import absltest, parameterized
from scipy import integrate, optimize

from experiments.reproduce.fgan2016 import fitted_normals

# The integrands of the definitions.
INTEGRANDS = {
  "kl": lambda p, q: p * np.log(p / q),
  "reverse_kl": lambda p, q: q * np.log(q / p),
  # Twice the one whose largest value is log 2.
  "jensen_shannon": lambda p, q: (
    p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q))
  ),
  "jeffrey": lambda p, q: (p - q) * np.log(p / q),
  "pearson": lambda p, q: (p - q) ** 2 / q,
}


def normal(x, mean, stddev):
  scaled = (x - mean) / stddev
  return np.exp(-0.5 * scaled**2) / (stddev * np.sqrt(2 * np.pi))


class FittedNormalsTest(parameterized.TestCase):
  @parameterized.parameters(*INTEGRANDS)
  def test_best_normals(self, name):
    def divergence(fit):
      def integrand(x):
        p = 0.33 * normal(x, -1, 0.255) + 0.67 * normal(x, 2, 1.415)
        return INTEGRANDS[name](p, normal(x, *fit))

      return integrate.quad(integrand, -12, 14, points=(-1, 0, 2), limit=200)[0]

    found = optimize.minimize(
      divergence,
      (1.0, 1.5),
      method="Nelder-Mead",
      options={"xatol": 1e-5, "fatol": 1e-9},
    )
    best = fitted_normals.TABLE[name].best
    np.testing.assert_allclose([found.fun, *found.x], best, rtol=0, atol=4e-4)

  def test_kl_has_the_moments_of_the_mixture(self):
    # mu = .33 (-1) + .67 (2) = 1.01;
    # sigma^2 = .33 (.255^2 + 1) + .67 (1.415^2 + 4) - 1.01^2 = 3.35285.
    _, mean, stddev = fitted_normals.TABLE["kl"].best
    self.assertAlmostEqual(mean, 1.01, delta=1e-9)
    self.assertAlmostEqual(stddev**2, 3.35285, delta=2e-3)


if __name__ == "__main__":
  absltest.main()
