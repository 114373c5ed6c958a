"""The birthday test counts what it should, by enumeration and by hand."""

import itertools

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from experiments.reproduce.arora2018 import support_size as figure


class BirthdayTest(parameterized.TestCase):
  @parameterized.parameters(([0.25] * 4,), ([0.5, 0.3, 0.2],))
  def test_probabilities_by_enumeration(self, p):
    expected = []
    for n in range(1, 6):
      batches = itertools.product(range(len(p)), repeat=n)
      expected.append(
        sum(
          np.prod([p[i] for i in batch])
          for batch in batches
          if len(set(batch)) < n
        )
      )
    np.testing.assert_allclose(
      figure.collision_probabilities(np.array(p), 5), expected, atol=1e-12
    )

  def test_half_size(self):
    # Between sizes 2 and 3, a quarter of the way.
    self.assertAlmostEqual(
      figure.half_size(np.array([0.0, 0.4, 0.8, 0.9])), 2.25
    )

  @parameterized.parameters(
    # The radius is 0.5.
    ([[0, 0], [2, 0], [0, 0.4], [2, 0.1]], 3),
    ([[0, 0], [0, 0.6], [4, 4], [4, 4.2]], 4),
    ([[0, 0], [0, 0.6], [4, 4], [4, 5]], 5),
    ([[3, 3], [3, 3], [4, 4], [4, 4]], 2),
  )
  def test_first_duplicate(self, points, expected):
    self.assertEqual(figure.first_duplicate(jnp.array(points, float)), expected)

  def test_the_collapsed_generator_keeps_modes_of_the_grid(self):
    density, p = figure.collapsed(25, 0)
    modes = np.asarray(density.modes)
    self.assertLen(np.unique(modes, axis=0), 25)
    np.testing.assert_allclose(modes % figure.SPACING, figure.SPACING / 2)
    np.testing.assert_allclose(p.sum(), 1)


if __name__ == "__main__":
  absltest.main()
