"""A few killed runs; `make durability` kills many more."""

import tempfile
from pathlib import Path

from absl.testing import absltest, parameterized

from tests import durability


class DurabilityTest(parameterized.TestCase):
  @parameterized.parameters(*durability.GAMES)
  def test_a_killed_run_ends_as_if_it_had_not_been(self, name):
    folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
    for trial in durability.survive(name, 1, folder):
      self.assertGreaterEqual(trial.num_kills, 1)
      self.assertEqual(trial.difference, "")


if __name__ == "__main__":
  absltest.main()
