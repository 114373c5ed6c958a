"""The generator at rest, compared with finite differences."""

import numpy as np
from absl.testing import absltest
from scipy import integrate, stats

from experiments.reproduce.habr2018 import equilibrium

NEAR = (-3.0, 3.0)


def density(x, modes):
  return np.mean([stats.norm.pdf(x, mode) for mode in modes], axis=0)


def jsd(modes, mean, stddev):
  """Integrates the divergence with adaptive quadrature."""

  def integrand(x):
    p, q = density(x, modes), stats.norm.pdf(x, mean, stddev)
    middle = (p + q) / 2
    return (p * np.log(p / middle) + q * np.log(q / middle)) / 2

  return integrate.quad(integrand, -15, 15, limit=200)[0]


class EquilibriumTest(absltest.TestCase):
  def test_cost_has_no_slope_with_fixed_discriminator(self):
    rest = equilibrium.non_saturating(NEAR)

    def cost(mean, stddev):
      # -log D* = log(1 + q0/p), where D* belongs to the generator q0 at rest
      # and the samples to another generator.
      def integrand(x):
        p, q0 = density(x, NEAR), stats.norm.pdf(x, rest.mean, rest.stddev)
        return stats.norm.pdf(x, mean, stddev) * np.log1p(q0 / p)

      return integrate.quad(integrand, -15, 15, limit=200)[0]

    step = 1e-3
    for mean, stddev in ((step, 0), (0, step)):
      slope = (
        cost(rest.mean + mean, rest.stddev + stddev)
        - cost(rest.mean - mean, rest.stddev - stddev)
      ) / (2 * step)
      # At the least JSD, 3.120, the slope in the standard deviation is 0.4.
      self.assertLess(abs(slope), 1e-4)

  def test_rest_is_not_the_least_divergence(self):
    rest = equilibrium.non_saturating(NEAR)
    # The JSD is least at 3.120, where it is 0.1284.
    best, below, above = (jsd(NEAR, 0.0, s) for s in (3.120, 3.100, 3.140))
    self.assertAlmostEqual(best, 0.1284, delta=1e-4)
    self.assertLess(best, min(below, above))
    self.assertAlmostEqual(rest.jsd, jsd(NEAR, rest.mean, rest.stddev), 6)
    self.assertGreater(rest.jsd, best + 5e-3)
    # E_p D* + E_q D* = integral of p = 1.
    self.assertAlmostEqual(rest.real + rest.fake, 1.0, 6)

  def test_one_mode_is_learned(self):
    # At q = p, D* is 1/2 everywhere and the gradient is 0. The search starts
    # at the moments, that is there, so the mode is split into two.
    rest = equilibrium.non_saturating((4.99, 5.01))
    np.testing.assert_allclose(rest, (5, 1, 0, 0.5, 0.5), atol=1e-3)


if __name__ == "__main__":
  absltest.main()
