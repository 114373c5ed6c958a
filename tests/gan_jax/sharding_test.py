"""Tests that splitting batches over devices keeps results and saves work."""

import json
import os
import subprocess
import sys
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from jax.sharding import NamedSharding, PartitionSpec

from gan_jax import sharding

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-5
"""Numbers are of order 1, and sums of a few dozen float32."""


class DividedTrainingTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    done = subprocess.run(
      [sys.executable, "-m", "tests.gan_jax.divided_trainings"],
      env={**os.environ, "PYTHONPATH": str(ROOT)},
      capture_output=True,
      text=True,
      check=False,
    )
    assert done.returncode == 0, done.stderr
    cls.found = json.loads(done.stdout)

  @parameterized.parameters(
    "population", "gradient_penalty", "packs_that_mix", "images"
  )
  def test_eight_devices_train_as_one(self, name):
    self.assertLess(self.found[name]["divided"], TOLERANCE)

  def test_the_tolerance_tells_the_batch_statistics_of_parts(self):
    self.assertGreater(self.found["population"]["by_parts"], 1e3 * TOLERANCE)

  def test_each_device_has_a_part_of_the_work(self):
    # Optimizers, transforms of kernels and sums over devices are not divided.
    self.assertLess(self.found["images"]["operations"], 0.3)


class PlacementTest(absltest.TestCase):
  def test_a_batch_is_divided_only_on_a_mesh_that_divides_batches(self):
    @jax.jit
    def split(x):
      return sharding.split(x)

    x, odd = jnp.arange(6.0), jnp.arange(5.0)
    for axis, held in ((sharding.DATA, 3), (sharding.MEMBERS, 6)):
      with jax.set_mesh(sharding.mesh(jax.devices()[:2], axis)):
        self.assertEqual(split(x).addressable_shards[0].data.shape, (held,))
        self.assertEqual(split(odd).addressable_shards[0].data.shape, (5,))
    self.assertEqual(split(x).addressable_shards[0].data.shape, (6,))

  def test_parts_of_a_sum_are_added(self):
    x = jnp.arange(12.0).reshape(4, 3)

    def gram(x, y):
      return x.T @ y

    # A new function each time, or JAX would remember what it traced.
    whole = jax.jit(sharding.by_parts(gram, (True, True), sums=True))(x, x)
    with jax.set_mesh(sharding.mesh(jax.devices()[:2], sharding.DATA)):
      parts = jax.jit(sharding.by_parts(gram, (True, True), sums=True))(x, x)
    chex.assert_trees_all_close(whole, x.T @ x)
    chex.assert_trees_all_close(np.asarray(parts), np.asarray(whole))

  def test_what_is_placed_comes_back(self):
    mesh = sharding.mesh(jax.devices()[:2], sharding.MEMBERS)
    tree = {"a": np.arange(4), "b": np.ones((2, 3), np.float32)}
    placed = sharding.placed(
      tree, NamedSharding(mesh, PartitionSpec(sharding.MEMBERS))
    )
    self.assertLen(placed["a"].addressable_shards, 2)
    chex.assert_trees_all_equal(sharding.on_host(placed), tree)

  def test_an_axis_has_one_of_two_names(self):
    with self.assertRaisesRegex(ValueError, "'model' is no axis"):
      sharding.mesh(jax.devices()[:1], "model")


if __name__ == "__main__":
  absltest.main()
