"""The path of a game contains all points, including both ends."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest

from experiments.reproduce.common import trajectories
from gan_jax import steps
from gan_jax.games import closed_form
from gan_jax.types import Players

RATE = 0.5


class PathTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.game = closed_form.bilinear(Players(jnp.float32(2), jnp.float32(1)))
    self.optimizers = Players(optax.sgd(RATE), optax.sgd(RATE))
    self.step = steps.simultaneous(self.game, self.optimizers)

  def test_every_point(self):
    state = steps.init_state(self.game, self.optimizers, jax.random.key(0))
    x, y = trajectories.path(self.step, state, 3)
    # (x - h y, y + h x), which is (1 + i h) (x + i y).
    points = (2 + 1j) * (1 + 1j * RATE) ** np.arange(4)
    np.testing.assert_allclose(x, points.real, rtol=1e-6)
    np.testing.assert_allclose(y, points.imag, rtol=1e-6)

  def test_recorded_averages(self):
    state = steps.init_state(
      self.game, self.optimizers, jax.random.key(0), average_both=True
    )
    step = steps.averaged(self.step, steps.uniform_decay)
    x, y = trajectories.path(step, state, 2, lambda state: state.averages)
    # The running means of x: 2, 1.5, 0.5 and y: 1, 2, 2.75.
    np.testing.assert_allclose(x, (2, 1.75, 4 / 3), rtol=1e-6)
    np.testing.assert_allclose(y, (1, 1.5, 5.75 / 3), rtol=1e-6)


if __name__ == "__main__":
  absltest.main()
