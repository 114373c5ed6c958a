"""The normal over two distant modes, compared with adaptive quadrature."""

import itertools
from typing import Any

import numpy as np
from absl.testing import absltest
from scipy import integrate, optimize, special, stats

from experiments.reproduce.habr2018 import best_normals

# Where the integrands are below 1e-50.
ENDS = -80, 84


def jsd(mean, stddev):
  """Integrates the divergence from modes at -3 and 7."""

  def integrand(x):
    p = (stats.norm.pdf(x, -3) + stats.norm.pdf(x, 7)) / 2
    q = stats.norm.pdf(x, mean, stddev)
    middle = (p + q) / 2
    return (special.rel_entr(p, middle) + special.rel_entr(q, middle)) / 2

  parts = (ENDS[0], -3, 2, 7, ENDS[1])
  return sum(
    integrate.quad(integrand, low, high, epsabs=1e-12, limit=200)[0]
    for low, high in itertools.pairwise(parts)
  )


class BestNormalsTest(absltest.TestCase):
  def test_over_both_distant_modes(self):
    checks = best_normals.check_far()
    for check in checks:
      self.assertTrue(check.passed, check)
    measured = {
      check.name.removeprefix("normal of least JSD: "): check.measured
      for check in checks
    }
    # By symmetry the mean is 2.
    least: Any = optimize.minimize_scalar(
      lambda stddev: jsd(2.0, stddev), bounds=(4, 6), method="bounded"
    )
    np.testing.assert_allclose(
      measured["JSD over both modes (nats)"], least.fun, atol=1e-6
    )
    np.testing.assert_allclose(measured["mean over both modes"], 2.0, atol=1e-4)
    self.assertGreater(jsd(2.01, least.x), least.fun)
    self.assertGreater(jsd(1.99, least.x), least.fun)


if __name__ == "__main__":
  absltest.main()
