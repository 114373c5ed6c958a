"""The dual of optimal transport, compared with its primal."""

import numpy as np
from absl.testing import absltest

from experiments.reproduce.wgangp2017 import toys
from gan_jax import divergences


class OptimalTest(absltest.TestCase):
  def test_one_point(self):
    # All mass moves to one point: W1 is the mean distance (5 + 13) / 2, and the
    # critic falls from the point with slope 1.
    found = toys.best_critic(np.zeros((1, 2)), np.array([[3.0, 4], [5, 12]]))
    self.assertAlmostEqual(found.wasserstein_1, 9)
    values = found.critic(np.array([[0.0, 0], [0, 7]]))
    self.assertAlmostEqual(values[0] - values[1], 7)

  def test_matches_the_primal(self):
    rng = np.random.default_rng(0)
    atoms = rng.normal(size=(5, 2))
    sample = 2 + rng.normal(size=(400, 2))
    found = toys.best_critic(atoms, sample)
    cost = np.linalg.norm(atoms[:, None] - sample, axis=-1)
    _, primal = divergences.optimal_plan(
      np.full(5, 1 / 5), np.full(400, 1 / 400), cost
    )
    # The dual is never above the primal.
    self.assertLess(found.wasserstein_1, primal + 1e-9)
    np.testing.assert_allclose(found.wasserstein_1, primal, rtol=2e-3)
    # The critic attains it.
    attained = found.critic(atoms).mean() - found.critic(sample).mean()
    np.testing.assert_allclose(attained, primal, rtol=2e-3)


if __name__ == "__main__":
  absltest.main()
