"""Tests of the measurements in a new process."""

import functools
import operator
import os
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest

from benchmarks import cold_start, toy_flax
from benchmarks.timing import Training


class ColdStartTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.cache = Path(folder.name)

  def test_the_peak_is_that_of_the_child(self):
    # b"x" * n writes n bytes. `int` and `np.zeros` are never called.
    start = functools.partial(
      Training, functools.partial(operator.mul, b"x"), int, np.zeros
    )
    size = 300 * 2**20
    here = b"x" * size
    small = cold_start.measure_cold_start(start, 2, self.cache).peak_memory_mib
    large = cold_start.measure_cold_start(
      start, size, self.cache
    ).peak_memory_mib
    # If this were the parent's peak, the first would exceed 300.
    self.assertGreater(small, 1)
    self.assertLess(small, len(here) / 2**20)
    self.assertAlmostEqual(large - small, 300, delta=5)

  @pytest.mark.slow
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
      first = cold_start.measure_cold_start(start, 1, self.cache)
      compiled = programs(self.cache)
      cold_start.measure_cold_start(start, 1, self.cache)
      cold_start.measure_cold_start(start, 1, another)
    self.assertGreater(first.first_step_seconds, 0)
    self.assertNotEmpty(compiled)
    # No program was added or written again.
    self.assertEqual(programs(self.cache), compiled)
    self.assertLen(programs(another), len(compiled))


if __name__ == "__main__":
  absltest.main()
