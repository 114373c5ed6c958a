"""The best normal approximations of two modes, by quadrature.

The minimax game is at rest at the normal q of least JSD to the data p. For
modes at -3 and 3 of width 1 it spreads over both. For -3 and 7 it covers one
mode, and the least JSD of a normal over both is a second, higher minimum. The
two minima are equal where half of the gap is 4.245 widths.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from experiments.reproduce.common import quadrature
from experiments.reproduce.common.figure import Check
from gan_jax import divergences

SPREAD, COLLAPSED = (0.1, 1.1), (-3.2, 0.1)
"""Starts of the search: mean and logarithm of the standard deviation."""
HALF_GAP = 4.245
"""Half the gap of modes of width 1 that a spread and a collapsed normal fit
equally well, to the three digits that the check below distinguishes."""


def _modes(x: jax.Array, means: tuple[float, ...]) -> jax.Array:
  """Evaluates the density [n] of equal modes of width 1 at x [n]."""
  each = [quadrature.normal(x, mean, 1.0) for mean in means]
  return sum(each[1:], each[0]) / len(means)


def _best(
  means: tuple[float, ...], start: tuple[float, float]
) -> tuple[float, float, float]:
  """Searches for the normal of least JSD; returns mean, deviation and JSD."""
  x, weights = quadrature.axis()
  p = _modes(x, means)
  return quadrature.best_normal(
    lambda q: divergences.jensen_shannon(p, q, weights), start
  )


def measure_near() -> dict[str, float]:
  """Measures the best normal to modes at -3 and 3."""
  with jax.enable_x64(True):
    mean, stddev, jsd = _best((-3.0, 3.0), SPREAD)
    x, weights = quadrature.axis()
    p, q = _modes(x, (-3.0, 3.0)), quadrature.normal(x, mean, stddev)
    best = divergences.optimal_discriminator(p, q)
    return {
      "least JSD: standard deviation": stddev,
      "least JSD (nats)": jsd,
      "least JSD: value of the game (nats)": float(
        divergences.optimal_value(p, q, weights)
      ),
      "least JSD: E_p D*": float(jnp.sum(weights * p * best)),
      "least JSD: E_q D*": float(jnp.sum(weights * q * best)),
    }


def measure_far() -> dict[str, float]:
  """Measures the best normal to modes at -3 and 7, and the best over both."""
  with jax.enable_x64(True):
    mean, stddev, jsd = _best((-3.0, 7.0), COLLAPSED)
    x, weights = quadrature.axis()
    p, q = _modes(x, (-3.0, 7.0)), quadrature.normal(x, mean, stddev)
    _, _, spread = _best((-3.0, 7.0), (2.0, math.log(5)))
    gains = []
    for half_gap in (HALF_GAP - 0.001, HALF_GAP + 0.001):
      modes = (-half_gap, half_gap)
      _, _, over_both = _best(modes, (0.0, math.log(half_gap)))
      _, _, one_alone = _best(modes, (-half_gap, 0.0))
      gains.append(over_both - one_alone)
    return {
      "least JSD: mean": mean,
      "least JSD: standard deviation": stddev,
      "least JSD (nats)": jsd,
      "least JSD: value of the game (nats)": float(
        divergences.optimal_value(p, q, weights)
      ),
      "least JSD over both modes (nats)": spread,
      # The zero of the line through the two gains.
      "half of the gap where the minima change places": float(
        np.interp(0.0, gains, [HALF_GAP - 0.001, HALF_GAP + 0.001])
      ),
    }


NEAR_CHECKS = (
  Check(
    "least JSD: standard deviation",
    3.120,
    1e-3,
    "quadrature, to the digits given",
    wrong={"of the data": math.sqrt(10), "non-saturating": 2.681},
  ),
  Check(
    "least JSD (nats)",
    0.1284,
    1e-4,
    "quadrature, to the digits given",
    wrong={"non-saturating": 0.1353, "twice": 0.2568},
  ),
  Check(
    "least JSD: value of the game (nats)",
    -1.1295,
    1e-4,
    "closed form: -log 4 + 2 JSD",
    wrong={"JSD once": -math.log(4) + 0.1284},
  ),
  Check(
    "least JSD: E_p D*",
    0.613,
    1e-3,
    "quadrature, to the digits given",
    wrong={"of q": 0.387, "non-saturating": 0.620},
  ),
  Check(
    "least JSD: E_q D*",
    0.387,
    1e-3,
    "closed form: 1 - E_p D*, as D* weighs p and q equally",
    wrong={"of p": 0.613},
  ),
)
FAR_CHECKS = (
  Check(
    "least JSD: mean",
    -3.0,
    1e-2,
    "closed form: one mode alone",
    wrong={"between the modes": 2.0, "the right mode": 7.0},
  ),
  Check(
    "least JSD: standard deviation",
    1.0,
    1e-2,
    "closed form: that of a mode",
    wrong={"over both modes": math.sqrt(26)},
  ),
  Check(
    "least JSD (nats)",
    0.75 * math.log(4 / 3),
    1e-4,
    "closed form: 3/4 log(4/3), where the modes do not overlap",
    wrong={"over both modes": 0.2554},
  ),
  Check(
    "least JSD: value of the game (nats)",
    -0.9548,
    1e-4,
    "closed form: -log 4 + 3/2 log(4/3)",
    wrong={"JSD once": -math.log(4) + 0.2158},
  ),
  Check(
    "least JSD over both modes (nats)",
    0.2554,
    1e-4,
    "quadrature, to the digits given",
    wrong={"one mode alone": 0.2158},
  ),
  Check(
    "half of the gap where the minima change places",
    HALF_GAP,
    6e-4,
    "quadrature, to the digits given",
    wrong={"ends of the search": HALF_GAP - 0.001},
  ),
)
