"""Points and derivatives of small games, compared with values by hand."""

import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest

from experiments.reproduce.common import trajectories
from gan_jax import steps
from gan_jax.games import closed_form
from gan_jax.types import Players

RATE = 0.5


class PlayTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.game = closed_form.bilinear(Players(jnp.float32(2), jnp.float32(1)))
    self.optimizers = Players(optax.sgd(RATE), optax.sgd(RATE))

  def test_every_point(self):
    x, y = trajectories.play(steps.simultaneous, self.game, self.optimizers, 3)
    # (x - h y, y + h x), which is (1 + i h) (x + i y).
    points = (2 + 1j) * (1 + 1j * RATE) ** np.arange(4)
    np.testing.assert_allclose(x, points.real, rtol=1e-6)
    np.testing.assert_allclose(y, points.imag, rtol=1e-6)

  def test_averages(self):
    def rule(game, optimizers):
      step = steps.simultaneous(game, optimizers)
      return steps.averaged(step, steps.uniform_decay)

    x, y = trajectories.play(rule, self.game, self.optimizers, 2, averages=True)
    # The running means of x: 2, 1.5, 0.5 and y: 1, 2, 2.75.
    np.testing.assert_allclose(x, (2, 1.75, 4 / 3), rtol=1e-6)
    np.testing.assert_allclose(y, (1, 1.5, 5.75 / 3), rtol=1e-6)

  def test_jacobian(self):
    matrix = trajectories.jacobian(
      steps.simultaneous, self.game, self.optimizers
    )
    np.testing.assert_allclose(matrix, [[1, -RATE], [RATE, 1]], rtol=1e-6)


if __name__ == "__main__":
  absltest.main()
