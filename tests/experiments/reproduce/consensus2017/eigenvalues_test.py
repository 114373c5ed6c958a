"""The greatest stable rate, by hand."""

import numpy as np
from absl.testing import absltest, parameterized

from experiments.reproduce.consensus2017 import eigenvalues as figure


class RateTest(parameterized.TestCase):
  @parameterized.parameters(
    # |1 - h l| = 1 at the bound; the worst eigenvalue decides.
    ([1.0], 2.0),
    ([1 + 1j, 1 - 1j], 1.0),
    ([0.1 + 1j, 1.0], 0.2 / 1.01),
    ([1j], 0.0),
  )
  def test_bound(self, eigenvalues, expected):
    bound = figure.rate_bound(np.array(eigenvalues, complex))
    self.assertAlmostEqual(bound, expected)

  @parameterized.parameters(0.0, 0.5)
  def test_expected_eigenvalues_are_of_the_matrix(self, weight):
    values = []
    for c in figure.CURVATURES:
      jacobian = np.array([[c, 1], [-1, c]])
      values += list(
        np.linalg.eigvals(jacobian + weight * jacobian.T @ jacobian)
      )
    np.testing.assert_allclose(
      np.sort_complex(figure.expected_eigenvalues(weight)),
      np.sort_complex(np.array(values)),
      atol=1e-12,
    )

  def test_bisection(self):
    # |1 - h (1 + i)| < 1 for h < 1.
    rate = figure.greatest_rate(
      lambda rate, weight: (
        np.eye(2) - rate * weight * np.array([[1, 1], [-1, 1]])
      ),
      1.0,
    )
    self.assertAlmostEqual(rate, 1.0, 6)


if __name__ == "__main__":
  absltest.main()
