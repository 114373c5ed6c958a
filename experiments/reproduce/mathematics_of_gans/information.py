"""Identities of information theory: entropy, cross-entropy and codes.

  I(x) = -log P(x),  H(P) = E_P I,  H(P, Q) = -E_P log Q = H(P) + KL(P || Q).

H, in bits, is at most the expected length of any code. Huffman's code exceeds
it by less than one bit.

References:
  Wang Haoran, The mathematics of GANs (cnblogs, 2020, in Chinese).
  Shannon, A Mathematical Theory of Communication, 1948.
  Huffman, A Method for the Construction of Minimum-Redundancy Codes, 1952.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize, special, stats

from experiments.reproduce.common.figure import Check
from gan_jax import divergences

P, Q = np.array([0.5, 0.25, 0.25]), np.full(3, 1 / 3)
CLASS, PREDICTED = np.array([0.0, 1.0, 0.0]), np.array([0.2, 0.7, 0.1])
LOADED = 0.1
"""Probability of heads of a loaded coin."""
DYADIC = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 8])
OTHER_DYADIC = np.array([1 / 8, 1 / 2, 1 / 4, 1 / 8])
LETTERS = np.array([0.45, 0.13, 0.12, 0.16, 0.09, 0.05])
"""Probabilities of the letters a to f in Cormen, Leiserson, Rivest and Stein,
Introduction to Algorithms, section 16.3."""
ONE_SIDED = np.array([0.99, 0.01])
NUM_PAIRS, NUM_CODES = 1000, 100


def _random_pairs() -> tuple[np.ndarray, np.ndarray]:
  """Draws pairs of distributions over six outcomes, each [NUM_PAIRS, 6]."""
  first, second = np.random.default_rng(0).dirichlet(
    np.full(6, 0.7), (2, NUM_PAIRS)
  )
  return first, second


_entropy = jax.jit(divergences.entropy)


def _code_excess(p: np.ndarray) -> float:
  """Computes the bits of Huffman's code beyond the entropy of p [n]."""
  length = divergences.expected_code_length(
    p, divergences.huffman_code_lengths(p)
  )
  return length - float(_entropy(jnp.asarray(p))) / math.log(2)


def _nearest_coin() -> tuple[float, float]:
  """Finds the q of least KL(p || q) for the loaded coin p, and that KL."""
  p = jnp.array([LOADED, 1 - LOADED])
  kl = jax.jit(lambda heads: divergences.kl(p, jnp.stack([heads, 1 - heads])))
  result: Any = optimize.minimize_scalar(
    lambda heads: float(kl(jnp.asarray(heads))), (0.01, 0.3, 0.99)
  )
  return result.x, result.fun


@jax.jit
def _entropies() -> dict[str, jax.Array]:
  """Computes the measurements that need no code and no search."""
  p, q, one, predicted = (jnp.asarray(a) for a in (P, Q, CLASS, PREDICTED))
  first, second = (jnp.asarray(a) for a in _random_pairs())
  bits = math.log(2)
  return {
    "self-information of heads (bits)": (
      divergences.self_information(jnp.asarray(1 / 2)) / bits
    ),
    "self-information of heads and a six": divergences.self_information(
      jnp.asarray(1 / 2 * 1 / 6)
    ),
    "entropy of a fair coin (bits)": (
      divergences.entropy(jnp.array([0.5, 0.5])) / bits
    ),
    "entropy of a loaded coin (bits)": (
      divergences.entropy(jnp.array([LOADED, 1 - LOADED])) / bits
    ),
    "cross-entropy": divergences.cross_entropy(p, q),
    "cross-entropy less entropy": (
      divergences.cross_entropy(p, q) - divergences.entropy(p)
    ),
    "cross-entropy of a class": divergences.cross_entropy(one, predicted),
    "KL of a class": divergences.kl(one, predicted),
    "least KL of 1,000 pairs": jnp.min(jax.vmap(divergences.kl)(first, second)),
  }


def measure() -> dict[str, float]:
  """Measures the identities with the library, in float64."""
  entropies = {name: float(value) for name, value in _entropies().items()}
  letters = divergences.huffman_code_lengths(LETTERS)
  dyadic = divergences.huffman_code_lengths(DYADIC)
  other = divergences.huffman_code_lengths(OTHER_DYADIC)
  dyadic_length = divergences.expected_code_length(DYADIC, dyadic)
  excesses = [_code_excess(p) for p in _random_pairs()[0][:NUM_CODES]]
  coin, coin_kl = _nearest_coin()
  return entropies | {
    "the coin of least KL": coin,
    "KL from that coin": coin_kl,
    "expected length, textbook letters (bits)": (
      divergences.expected_code_length(LETTERS, letters)
    ),
    "longest word, textbook letters (bits)": float(letters.max()),
    "expected length, dyadic (bits)": dyadic_length,
    "excess of another's code, dyadic (bits)": (
      divergences.expected_code_length(DYADIC, other) - dyadic_length
    ),
    "least excess of 100 codes (bits)": min(excesses),
    "largest excess of 100 codes (bits)": max(excesses),
    "excess of a one-sided coin's code (bits)": _code_excess(ONE_SIDED),
  }


def _scipy_kl(p: np.ndarray, q: np.ndarray) -> float:
  return float(np.sum(special.rel_entr(p, q)))


def _scipy_entropy(p: np.ndarray) -> float:
  """Returns the entropy in bits."""
  return float(stats.entropy(p, base=2))


CHECKS = (
  Check("self-information of heads (bits)", 1.0, 1e-9, "by hand: log2 2"),
  Check(
    "self-information of heads and a six",
    math.log(2) + math.log(6),
    1e-9,
    "independent events add: log 2 + log 6",
    wrong={"a product instead of a sum": math.log(2) * math.log(6)},
  ),
  Check("entropy of a fair coin (bits)", 1.0, 1e-9, "by hand: 1 bit"),
  Check(
    "entropy of a loaded coin (bits)",
    lambda: _scipy_entropy(np.array([LOADED, 1 - LOADED])),
    1e-9,
    "scipy.stats.entropy of (0.1, 0.9)",
    wrong={"in nats": lambda: float(stats.entropy([LOADED, 1 - LOADED]))},
  ),
  Check(
    "cross-entropy",
    math.log(3),
    1e-9,
    "closed form: log 3 under a uniform Q of three outcomes, for any P",
    wrong={"the entropy": 1.5 * math.log(2)},
  ),
  Check(
    "cross-entropy less entropy",
    lambda: _scipy_kl(P, Q),
    1e-9,
    "KL(P || Q) by scipy.special.rel_entr",
    wrong={"swapped arguments": lambda: _scipy_kl(Q, P)},
  ),
  *(
    Check(
      f"{name} of a class",
      -math.log(0.7),
      1e-9,
      "closed form: -log Q(class), as the entropy of P is 0 (0 log 0 = 0)",
      wrong={"of the first class": -math.log(0.2)},
    )
    for name in ("cross-entropy", "KL")
  ),
  Check(
    "least KL of 1,000 pairs",
    0.0,
    0.0,
    "Gibbs' inequality: KL >= 0",
    relation="at least",
    wrong={"log q / p": lambda: -max(map(_scipy_kl, *_random_pairs()))},
  ),
  Check(
    "the coin of least KL",
    LOADED,
    1e-5,
    "KL = 0 if and only if the distributions are equal",
    wrong={"the other side": 1 - LOADED},
  ),
  Check(
    "KL from that coin",
    0.0,
    1e-9,
    "KL = 0 if and only if the distributions are equal",
    wrong={
      "the cross-entropy": lambda: float(stats.entropy([LOADED, 1 - LOADED]))
    },
  ),
  Check(
    "expected length, textbook letters (bits)",
    (45 * 1 + (13 + 12 + 16) * 3 + (9 + 5) * 4) / 100,
    1e-9,
    "by hand: words of 1, 3, 3, 3, 4 and 4 bits",
    wrong={
      "words of equal length": 3.0,
      "the entropy": lambda: _scipy_entropy(LETTERS),
    },
  ),
  Check(
    "longest word, textbook letters (bits)",
    4.0,
    1e-9,
    "by hand: of e and f, which are merged first",
    wrong={"words of equal length": 3.0},
  ),
  Check(
    "expected length, dyadic (bits)",
    lambda: _scipy_entropy(DYADIC),
    1e-9,
    "the entropy, 1.75, by scipy.stats.entropy",
    wrong={"words of equal length": 2.0},
  ),
  Check(
    "excess of another's code, dyadic (bits)",
    lambda: _scipy_kl(DYADIC, OTHER_DYADIC) / math.log(2),
    1e-9,
    "KL(P || Q) in bits, by scipy.special.rel_entr",
    wrong={
      "swapped arguments": lambda: _scipy_kl(OTHER_DYADIC, DYADIC) / math.log(2)
    },
  ),
  Check(
    "least excess of 100 codes (bits)",
    0.0,
    0.0,
    "Shannon 1948, theorem 9: H <= L",
    relation="at least",
    wrong={
      "words of floor(-log2 P) bits": lambda: min(
        float(np.dot(p, np.floor(-np.log2(p)))) - _scipy_entropy(p)
        for p in _random_pairs()[0][:NUM_CODES]
      )
    },
  ),
  Check(
    "largest excess of 100 codes (bits)",
    1.0,
    0.0,
    "Shannon 1948, theorem 9: L < H + 1",
    relation="at most",
    wrong={
      "words of equal length": lambda: max(
        3 - _scipy_entropy(p) for p in _random_pairs()[0][:NUM_CODES]
      )
    },
  ),
  Check(
    "excess of a one-sided coin's code (bits)",
    lambda: 1 - _scipy_entropy(ONE_SIDED),
    1e-9,
    "by hand: words of one bit, less scipy.stats.entropy of (0.99, 0.01)",
    wrong={"no excess": 0.0},
  ),
)
