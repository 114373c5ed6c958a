"""Tests metrics of maps between rings by maps whose errors are known."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax.data import densities
from gan_jax.metrics import translation

RING = densities.ring(5, 2.0, 0.01)


class TranslationTest(parameterized.TestCase):
  def test_rotation_by_hand(self):
    np.testing.assert_allclose(
      translation.rotated(jnp.array([[1.0, 0], [0, 2]]), jnp.pi / 2),
      [[0, 1], [-2, 0]],
      atol=1e-6,
    )

  @parameterized.parameters(0, 1, 2, 3, 4)
  def test_symmetric_maps_have_no_error(self, turn):
    true = RING.sample(jax.random.key(0), 100)
    turned = translation.rotated(true, 2 * np.pi * turn / 5)
    reflected = turned * jnp.array([[1.0, -1.0]])
    for mapped in (turned, reflected):
      error = translation.ring_map_error(mapped, true, 5)
      np.testing.assert_allclose(error, 0, atol=1e-5)

  def test_other_maps_by_hand(self):
    true = RING.modes
    # Half of a turn to the next mode: 2 r sin(pi / 10) from the nearest.
    half = translation.rotated(true, np.pi / 5)
    np.testing.assert_allclose(
      translation.ring_map_error(half, true, 5),
      2 * np.sin(np.pi / 10),
      rtol=1e-5,
    )
    # A tenth too large.
    np.testing.assert_allclose(
      translation.ring_map_error(1.1 * true, true, 5), 0.1, rtol=1e-4
    )
    # Collapsed to the centre.
    np.testing.assert_allclose(
      translation.ring_map_error(0 * true, true, 5), 1, rtol=1e-5
    )

  def test_modes_that_fall_together(self):
    modes = RING.modes
    self.assertEqual(translation.distinct_modes(0.9 * modes, modes), 5)
    mapped = modes[jnp.array([0, 0, 1, 2, 2])]
    self.assertEqual(translation.distinct_modes(mapped, modes), 3)


if __name__ == "__main__":
  absltest.main()
