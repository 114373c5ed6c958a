"""Moves of a generator from mode to mode are counted."""

import numpy as np
from absl.testing import absltest, parameterized

from experiments.reproduce.shrivastava2016 import replay_modes

RATES = np.linspace(29.0, 31.0, 8)


def shares(modes):
  """Puts 0.9 of the samples on each mode in turn; None spreads them."""
  return np.array(
    [
      np.full(3, 1 / 3)
      if mode is None
      else 0.05 + 0.85 * (np.arange(3) == mode)
      for mode in modes
    ]
  )


class SwitchesTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ("stays", [0, 0, 0, 0], 0),
    ("moves", [0, 2, 2, 2], 1),
    ("moves_back", [0, 2, 2, 0], 2),
    ("passes_between", [1, None, None, 2], 1),
    ("returns_from_between", [1, None, None, 1], 0),
    ("starts_between", [None, 0, 0, 1], 1),
    ("ends_between", [1, 0, None, None], 1),
    ("is_nowhere", [None] * 4, 0),
    ("always_moves", [0, 1, 2, 0], 3),
  )
  def test_by_hand(self, modes, expected):
    # Another seed does not matter.
    np.testing.assert_array_equal(
      replay_modes.count_switches(
        np.stack([shares(modes), shares([0, 1, 0, 1])])
      ),
      [expected, 3],
    )

  @parameterized.parameters(
    (RATES, RATES / 2, True, True),
    (RATES, RATES + 1, True, False),
    (RATES, RATES - 1, True, True),
    # The difference is not beyond doubt.
    (RATES, RATES[::-1] - 0.5, True, False),
    (RATES / 10, 0 * RATES, False, True),
  )
  def test_the_claim_is_of_the_difference(self, plain, replay, hops, rarer):
    rates = {
      replay_modes.PLAIN: plain,
      replay_modes.HALF: replay,
      replay_modes.MOST: plain / 2,
    }
    passed = [check.passed for check in replay_modes.checks_of(rates)]
    self.assertEqual(passed, [hops, rarer, True])


if __name__ == "__main__":
  absltest.main()
