"""A killed population; `make durability` kills many more runs."""

import tempfile
from pathlib import Path

import pytest
from absl.testing import absltest

from tests import durability


@pytest.mark.slow
class DurabilityTest(absltest.TestCase):
  def test_a_killed_run_ends_as_if_it_had_not_been(self):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    for trial in durability.survive("ring", 1, folder):
      self.assertGreaterEqual(trial.num_kills, 1)
      self.assertEqual(trial.difference, "")


if __name__ == "__main__":
  absltest.main()
