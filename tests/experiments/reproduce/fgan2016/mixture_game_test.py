"""What the figures read from a game of the f-GAN mixture."""

import numpy as np
from absl.testing import absltest
from scipy import stats

from experiments.configs.registry import BY_NAME
from experiments.configs.settings import with_values
from experiments.reproduce.common import quadrature
from experiments.reproduce.fgan2016 import mixture_game
from tests.experiments.reproduce.fgan2016 import normal_runs


class MixtureGameTest(absltest.TestCase):
  def test_trained_normals_are_the_last_ones(self):
    normals = [(0.6, 1.9), (-1.0, 0.8)]
    found = mixture_game.trained_normals(normal_runs.make_run(normals))
    np.testing.assert_allclose(found, normals, rtol=1e-6)

  def test_data(self):
    x, weights = map(np.asarray, quadrature.axis())
    expected = 0.33 * stats.norm.pdf(x, -1, 0.255)
    expected += 0.67 * stats.norm.pdf(x, 2, 1.415)
    np.testing.assert_allclose(mixture_game.data(), expected, 1e-4, 1e-7)
    self.assertAlmostEqual(float(weights @ expected), 1.0, places=5)

  def test_training(self):
    training = mixture_game.training("kl", 3, generator_objective="practical")
    self.assertEqual(training.num_seeds, 3)
    settings = with_values(
      BY_NAME[training.experiment].settings, training.settings
    )
    self.assertEqual(settings.loss, "f_kl")
    self.assertEqual(settings.generator_objective, "practical")


if __name__ == "__main__":
  absltest.main()
