"""Huffman codes: the shortest prefix code, to compare with the entropy."""

import heapq

import numpy as np
from numpy.typing import ArrayLike


def huffman_code_lengths(p: ArrayLike) -> np.ndarray:
  """Computes the code word lengths of an optimal prefix code, in NumPy.

  The two least likely groups of symbols are merged, and their words grow by one
  bit, until one group is left. Among equally likely groups the oldest is first.

  Args:
    p: [n], p >= 0, probabilities or counts.

  Returns:
    The lengths, [n] integers. A symbol of probability 0, and a symbol that is
    the only one, have length 0.

  Raises:
    ValueError: the shape is wrong, or p is negative, not finite or all 0.

  References:
    Huffman, A Method for the Construction of Minimum-Redundancy Codes, 1952.
  """
  p = np.asarray(p, np.float64)
  if p.ndim != 1:
    raise ValueError(f"p must have shape [n], not {p.shape}")
  if not (np.all((p >= 0) & np.isfinite(p)) and np.any(p > 0)):
    raise ValueError("p must be finite, not negative, and not all 0")
  lengths = np.zeros(p.size, np.int64)
  groups = [(p[i], int(i), [int(i)]) for i in np.flatnonzero(p)]
  heapq.heapify(groups)
  age = p.size
  while len(groups) > 1:
    (mass_0, _, symbols_0), (mass_1, _, symbols_1) = (
      heapq.heappop(groups),
      heapq.heappop(groups),
    )
    merged = symbols_0 + symbols_1
    lengths[merged] += 1
    heapq.heappush(groups, (mass_0 + mass_1, age, merged))
    age += 1
  return lengths


def expected_code_length(p: ArrayLike, lengths: ArrayLike) -> float:
  """Computes sum_i p_i l_i, in bits.

  For an optimal code H(p) <= L < H(p) + 1, with the entropy in bits (that in
  nats divided by log 2).

  Args:
    p: [n], probabilities.
    lengths: [n], the code words' lengths in bits.

  Raises:
    ValueError: the shapes are wrong.

  References:
    Shannon, A Mathematical Theory of Communication, 1948, theorem 9.
  """
  p, lengths = np.asarray(p, np.float64), np.asarray(lengths)
  if p.ndim != 1 or p.shape != lengths.shape:
    raise ValueError(
      f"p and lengths must have one shape [n], not {p.shape}, {lengths.shape}"
    )
  return float(np.sum(p * lengths))
