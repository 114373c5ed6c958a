"""Tests of what a process of its own measures."""

import functools
import operator
import os
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from absl.testing import absltest

from benchmarks import fresh, toy_flax
from benchmarks.timing import Training


class FreshTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.cache = Path(folder.name)

  def test_the_peak_is_the_childs_own(self):
    # b"x" * n writes n bytes; nothing calls `int` and `np.zeros`.
    start = functools.partial(
      Training, functools.partial(operator.mul, b"x"), int, np.zeros
    )
    size = 300 * 2**20
    here = b"x" * size
    small = fresh.measure(start, 2, self.cache).peak_memory_mib
    large = fresh.measure(start, size, self.cache).peak_memory_mib
    # Were the parent's peak the child's, the first would exceed 300.
    self.assertGreater(small, 1)
    self.assertLess(small, len(here) / 2**20)
    self.assertAlmostEqual(large - small, 300, delta=5)

  def test_a_restart_finds_compiled_programs(self):
    start = functools.partial(toy_flax.textbook, 8)
    another = self.cache / "another"

    def programs(folder):
      return {
        path.name: path.stat().st_mtime_ns
        for path in (folder / "xla").glob("*-cache")
      }

    always = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    with mock.patch.dict(os.environ, always):
      first = fresh.measure(start, 1, self.cache)
      compiled = programs(self.cache)
      fresh.measure(start, 1, self.cache)
      fresh.measure(start, 1, another)
    self.assertGreater(first.first_step_seconds, 0)
    self.assertNotEmpty(compiled)
    # Neither was one added nor written again.
    self.assertEqual(programs(self.cache), compiled)
    self.assertLen(programs(another), len(compiled))


if __name__ == "__main__":
  absltest.main()
