"""Tests of the memory of a process of its own."""

import functools
import operator

from absl.testing import absltest

from benchmarks import memory
from benchmarks.timing import Training


class PeakTest(absltest.TestCase):
  def test_it_is_the_childs_own(self):
    # b"x" * n writes n bytes; `int` and `list` stand for what is not called.
    start = functools.partial(
      Training, functools.partial(operator.mul, b"x"), int, list
    )
    size = 300 * 2**20
    here = b"x" * size
    small = memory.peak_mebibytes(start, 1)
    large = memory.peak_mebibytes(start, size)
    # Were the parent's peak the child's, the first would exceed 300.
    self.assertGreater(small, 1)
    self.assertLess(small, len(here) / 2**20)
    self.assertAlmostEqual(large - small, 300, delta=5)


if __name__ == "__main__":
  absltest.main()
