"""The gradient of a fixed generator's cost is an integral over its samples."""

import numpy as np
from absl.testing import absltest, parameterized

from experiments.reproduce.arjovsky2017 import vanishing_gradient as figure
from gan_jax import losses


class SlopeTest(parameterized.TestCase):
  @parameterized.product(
    loss=tuple(figure.LOSSES), noise=tuple(figure.NOISES.values())
  )
  def test_at_the_best_discriminator(self, loss, noise):
    slope = figure.measure_slope(
      figure.log_ratio(noise), figure.LOSSES[loss](), noise
    )
    np.testing.assert_allclose(
      np.linalg.norm(slope.gradient), figure.best_norm(loss, noise), rtol=1e-3
    )
    # A step against it moves the samples towards the data.
    towards = np.sign(figure.FAKE - figure.REAL)
    self.assertEqual(np.sign(slope.gradient[0]), towards)

  @parameterized.parameters(0.0, 0.75)
  def test_of_a_quadratic_critic(self, noise):
    # The cost is -E x^2, and the slope at a sample -2 x.
    slope = figure.measure_slope(
      lambda x: x[:, 0] ** 2, losses.wasserstein(), noise
    )
    np.testing.assert_allclose(
      slope.gradient, [-2 * figure.FAKE, -2 * figure.STDDEV], rtol=1e-5
    )
    np.testing.assert_allclose(
      slope.deviation, 2 * np.hypot(figure.STDDEV, noise), rtol=1e-5
    )

  def test_the_minimax_gradient_is_the_smaller_one(self):
    # Both are E w |l'| with the slope -16; their weights D and 1 - D add to 1.
    minimax, other = (
      figure.measure_slope(figure.log_ratio(0.0), make(), 0.0).gradient[0]
      for make in (losses.minimax, losses.non_saturating)
    )
    self.assertLess(minimax, 1e-3)
    np.testing.assert_allclose(minimax + other, 16, rtol=1e-5)


if __name__ == "__main__":
  absltest.main()
