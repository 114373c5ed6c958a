"""Tests the replay memory against a list in Python."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax.games import replay

KEY = jax.random.key(0)


class ReplayTest(parameterized.TestCase):
  @parameterized.parameters(1, 3, 4, 7)
  def test_holds_the_newest(self, count):
    # Four steps that each store `count` numbers 0, 1, 2, ...
    memory = replay.empty(5, jnp.zeros(2))
    stored = []
    for step in range(4):
      new = [step * count + i for i in range(count)]
      stored += new
      samples = jnp.stack([jnp.asarray(new, jnp.float32)] * 2, axis=1)
      memory = jax.jit(replay.store)(memory, samples)
    held = np.asarray(memory.samples)
    num_stored = min(len(stored), 5)
    self.assertEqual(memory.num_stored, num_stored)
    self.assertSameElements(held[:num_stored, 0].tolist(), stored[-num_stored:])
    np.testing.assert_array_equal(held[:, 0], held[:, 1])

  def test_mixing_shows_old_samples_and_remembers_the_displaced(self):
    new = jnp.arange(8.0)[:, None]
    shown, memory = replay.mix(replay.empty(6, new[0]), new, 0.25, KEY)
    # Nothing is remembered yet, so that all are new.
    np.testing.assert_array_equal(shown, new)
    self.assertEqual(memory.num_stored, 2)
    np.testing.assert_array_equal(memory.samples[:2], new[6:])
    shown, memory = replay.mix(memory, 100.0 + new, 0.25, KEY)
    np.testing.assert_array_equal(shown[:6], 100.0 + new[:6])
    self.assertContainsSubset(np.ravel(shown[6:]).tolist(), [6.0, 7.0])
    np.testing.assert_array_equal(
      memory.samples[:4, 0], [6.0, 7.0, 106.0, 107.0]
    )

  def test_old_samples_are_drawn_uniformly(self):
    memory = replay.store(
      replay.empty(10, jnp.zeros(1)), jnp.arange(4.0)[:, None]
    )
    shown, _ = replay.mix(memory, jnp.full((4000, 1), -1.0), 1.0, KEY)
    counts = np.unique(np.asarray(shown), return_counts=True)
    np.testing.assert_array_equal(counts[0], [0.0, 1.0, 2.0, 3.0])
    # The standard deviation of a count of 1,000 is 27.
    np.testing.assert_allclose(counts[1], 1000, atol=110)

  def test_what_is_remembered_takes_no_gradient(self):
    def total(scale):
      new = scale * jnp.ones((4, 1))
      shown, memory = replay.mix(replay.empty(4, new[0]), new, 0.5, KEY)
      return jnp.sum(shown) + 10.0 * jnp.sum(memory.samples)

    # Of the four that are shown two pass a gradient.
    np.testing.assert_allclose(jax.grad(total)(3.0), 2.0)

  def test_a_memory_of_nothing_is_refused(self):
    with self.assertRaisesRegex(ValueError, "1 sample or more"):
      replay.empty(0, jnp.zeros(1))


if __name__ == "__main__":
  absltest.main()
