"""What the f-GAN experiment is scored against."""

import numpy as np
from absl.testing import absltest
from scipy import integrate, optimize, stats

from experiments.configs import fgan
from experiments.configs.toy_1d import OneDimensionalSettings


class FGANTest(absltest.TestCase):
  def test_the_best_normal(self):
    settings = fgan.EXPERIMENTS[0].settings
    assert isinstance(settings, OneDimensionalSettings)

    def jsd(normal):
      mean, stddev = normal

      def integrand(x):
        p = np.dot(
          settings.input_weight,
          stats.norm.pdf(x, settings.input_mean, settings.input_stddev),
        )
        q = stats.norm.pdf(x, mean, stddev)
        return p * np.log(2 * p / (p + q)) / 2 + q * np.log(2 * q / (p + q)) / 2

      return integrate.quad(integrand, -8, 10, points=(-1, 0, 2), limit=200)[0]

    found = optimize.minimize(
      jsd, (1.3, 1.7), method="Nelder-Mead", options={"xatol": 1e-3}
    )
    # The four digits that the constant has.
    self.assertAlmostEqual(found.fun, fgan.MIXTURE_JSD, delta=5e-5)


if __name__ == "__main__":
  absltest.main()
