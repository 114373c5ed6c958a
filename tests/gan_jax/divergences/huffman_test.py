"""Tests gan_jax.divergences.huffman."""

import itertools

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax import divergences


class HuffmanTest(parameterized.TestCase):
  @parameterized.parameters(
    # Powers of 1/2 get words of -log2 p bits.
    ((0.5, 0.25, 0.125, 0.125), (1, 2, 3, 3)),
    ((0.125, 0.5, 0.25, 0.125), (3, 1, 2, 3)),
    ((0.9, 0.1), (1, 1)),
    # Counts; merged 2 = 1 + 1, 4 = 2 + 2, 8.
    ((1, 1, 2, 4), (3, 3, 2, 1)),
    ((0.5, 0, 0.5), (1, 0, 1)),
    ((0, 1, 0), (0, 0, 0)),
    ((1,), (0,)),
    # All words of 3 bits.
    ((1 / 8,) * 8, (3,) * 8),
  )
  def test_lengths(self, p, expected):
    np.testing.assert_array_equal(divergences.huffman_code_lengths(p), expected)

  @parameterized.parameters(range(6))
  def test_no_prefix_code_is_shorter(self, seed):
    # A prefix code of those lengths exists where sum 2^-l <= 1 (Kraft).
    p = np.random.default_rng(seed).dirichlet(np.full(5, 0.7))
    best = min(
      np.dot(p, lengths)
      for lengths in itertools.product(range(1, 5), repeat=5)
      if sum(2.0**-length for length in lengths) <= 1
    )
    lengths = divergences.huffman_code_lengths(p)
    self.assertEqual(np.sum(2.0**-lengths), 1)
    expected_length = divergences.expected_code_length(p, lengths)
    np.testing.assert_allclose(expected_length, best, rtol=1e-12)
    # The bound of the source coding theorem.
    bits = divergences.entropy(jnp.asarray(p, jnp.float32)) / np.log(2)
    self.assertBetween(expected_length, bits, bits + 1)

  def test_ties_do_not_depend_on_the_run(self):
    # 0.1 + 0.1 = 0.2 ties with two symbols, which are older: 0.2 + 0.2 = 0.4,
    # then 0.2 + 0.4 of the first symbol, and 0.4 + 0.6.
    p = (0.4, 0.2, 0.2, 0.1, 0.1)
    lengths = divergences.huffman_code_lengths(p)
    np.testing.assert_array_equal(lengths, [2, 2, 2, 3, 3])
    np.testing.assert_allclose(
      divergences.expected_code_length(p, lengths), 2.2
    )

  @parameterized.parameters(
    ((0.5, -0.5),), ((0.0, 0.0),), ((),), ((np.nan, 1.0),), (((1.0,),),)
  )
  def test_wrong_probabilities_raise(self, p):
    with self.assertRaises(ValueError):
      divergences.huffman_code_lengths(p)

  def test_wrong_shapes_raise(self):
    with self.assertRaises(ValueError):
      divergences.expected_code_length((0.5, 0.5), (1,))


if __name__ == "__main__":
  absltest.main()
