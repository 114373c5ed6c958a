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
from numpy.typing import ArrayLike
from scipy import optimize, special, stats

from experiments.reproduce.common.checks import Check, at_least, at_most, close
from gan_jax import divergences

LETTERS = (0.45, 0.13, 0.12, 0.16, 0.09, 0.05)
"""Probabilities of the letters a to f in Cormen, Leiserson, Rivest and Stein,
Introduction to Algorithms, section 16.3."""
DYADIC = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 8])
OTHER_DYADIC = np.array([1 / 8, 1 / 2, 1 / 4, 1 / 8])
ONE_SIDED = np.array([0.99, 0.01])
LOADED = 0.1
"""Probability of heads of a loaded coin."""


def _code_length(p: ArrayLike, coded: ArrayLike) -> float:
  """Returns the expected length under p of Huffman's code for `coded`."""
  lengths = divergences.huffman_code_lengths(coded)
  return divergences.expected_code_length(p, lengths)


def _bits(p: np.ndarray) -> float:
  """Returns the entropy of p in bits."""
  return float(jax.jit(divergences.entropy)(jnp.asarray(p))) / math.log(2)


def checks() -> list[Check]:
  """Checks the identities, in float64."""
  entropy, cross_entropy = (
    jax.jit(function)
    for function in (divergences.entropy, divergences.cross_entropy)
  )
  coin = jnp.array([LOADED, 1 - LOADED])
  p, q = jnp.array([0.5, 0.25, 0.25]), jnp.full(3, 1 / 3)
  one, predicted = jnp.array([0.0, 1.0, 0.0]), jnp.array([0.2, 0.7, 0.1])
  nearest: Any = optimize.minimize_scalar(
    jax.jit(lambda heads: divergences.kl(coin, jnp.stack([heads, 1 - heads]))),
    (0.01, 0.3, 0.99),
  )
  first, second = np.random.default_rng(0).dirichlet(np.full(6, 0.7), (2, 1000))
  least = jax.jit(jax.vmap(divergences.kl))(first, second).min()
  excesses = [_code_length(p, p) - _bits(p) for p in first[:100]]
  equal = "KL = 0 if and only if the distributions are equal"
  identities = [
    close(name, measured, expected, 1e-9, origin)
    for name, measured, expected, origin in (
      (
        "self-information of heads and a six",
        divergences.self_information(jnp.asarray(1 / 2 * 1 / 6)),
        math.log(2) + math.log(6),
        "independent events add: log 2 + log 6",
      ),
      ("entropy of a fair coin (bits)", _bits(np.full(2, 0.5)), 1.0, "by hand"),
      (
        "entropy of a loaded coin (bits)",
        _bits(np.array([LOADED, 1 - LOADED])),
        stats.entropy([LOADED, 1 - LOADED], base=2),
        "scipy.stats.entropy of (0.1, 0.9)",
      ),
      (
        "cross-entropy",
        cross_entropy(p, q),
        math.log(3),
        "log 3 under a uniform Q of three outcomes, for any P",
      ),
      (
        "cross-entropy less entropy",
        cross_entropy(p, q) - entropy(p),
        np.sum(special.rel_entr(p, q)),
        "KL(P || Q) by scipy.special.rel_entr",
      ),
      ("KL from the coin of least KL", nearest.fun, 0.0, equal),
      (
        "expected length, textbook letters (bits)",
        _code_length(LETTERS, LETTERS),
        (45 * 1 + (13 + 12 + 16) * 3 + (9 + 5) * 4) / 100,
        "by hand: words of 1, 3, 3, 3, 4 and 4 bits",
      ),
      (
        "expected length, dyadic (bits)",
        _code_length(DYADIC, DYADIC),
        stats.entropy(DYADIC, base=2),
        "the entropy, 1.75, by scipy.stats.entropy",
      ),
      (
        "excess of another's code, dyadic (bits)",
        _code_length(DYADIC, OTHER_DYADIC) - _code_length(DYADIC, DYADIC),
        stats.entropy(DYADIC, OTHER_DYADIC, base=2),
        "KL(P || Q) in bits, by scipy.stats.entropy",
      ),
      (
        "excess of a one-sided coin's code (bits)",
        _code_length(ONE_SIDED, ONE_SIDED) - _bits(ONE_SIDED),
        1 - stats.entropy(ONE_SIDED, base=2),
        "by hand: words of one bit, less scipy.stats.entropy of (0.99, 0.01)",
      ),
    )
  ]
  return [
    *identities,
    *(
      close(
        f"{name} of a class",
        divergence(one, predicted),
        -math.log(0.7),
        1e-9,
        "-log Q(class), as the entropy of P is 0 (0 log 0 = 0)",
      )
      for name, divergence in (
        ("cross-entropy", cross_entropy),
        ("KL", jax.jit(divergences.kl)),
      )
    ),
    close("the coin of least KL", nearest.x, LOADED, 1e-5, equal),
    at_least("least KL of 1,000 pairs", least, 0.0, "Gibbs' inequality"),
    at_least(
      "least excess of 100 codes (bits)",
      min(excesses),
      0.0,
      "Shannon 1948, theorem 9: H <= L",
    ),
    at_most(
      "largest excess of 100 codes (bits)",
      max(excesses),
      1.0,
      "Shannon 1948, theorem 9: L < H + 1",
    ),
  ]
