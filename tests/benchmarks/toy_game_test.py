"""Tests of the count of operations of the toy game."""

from absl.testing import absltest

from benchmarks import toy_game


class StepFlopsTest(absltest.TestCase):
  def test_against_a_count_by_hand(self):
    # Weights of G: 2*128 + 128*128 + 128*2 = 256 + 16384 + 256 = 16896,
    # of D: 256 + 16384 + 128 = 16768. Multiplications for B = 1:
    #   G forward 16896, weights 16896, inputs 16384 + 256 = 16640: 50432;
    #   D on two rows: forward 2*16768 = 33536, weights 33536,
    #   inputs 2*(16384 + 128) = 33024, and 256 for the fake row: 100352.
    # The sum is 150784, and each multiplication has an addition.
    self.assertEqual(toy_game.step_flops(1), 301_568)
    self.assertEqual(toy_game.step_flops(64), 64 * 301_568)


if __name__ == "__main__":
  absltest.main()
