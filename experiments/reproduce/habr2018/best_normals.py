"""Checks of the normals with the least Jensen-Shannon divergence to two modes.

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
from experiments.reproduce.common.checks import Check, close
from gan_jax import divergences
from gan_jax.data import densities

HALF_GAP = 4.245
"""Half the gap of modes of width 1 that a spread and a collapsed normal fit
equally well, to the three digits that the check below distinguishes."""
LIMIT = 40.0
"""End of the quadrature. On [-20, 20] the normal over modes at -3 and 7 would
lose a tail of 2e-4, and its JSD would be 7e-5 too small."""
QUADRATURE = "quadrature, to the digits given"


def _best(
  means: tuple[float, float], start: tuple[float, float]
) -> dict[str, float]:
  """Finds the normal of least JSD to two modes, and its game's numbers.

  Args:
    means: of the modes, which have equal weights and width 1.
    start: mean and logarithm of the standard deviation to start from.
  """
  x, weights = quadrature.axis(LIMIT)
  p = jnp.exp(densities.normal_mixture(means, (1.0, 1.0)).log_prob(x[:, None]))
  mean, stddev, jsd = quadrature.best_normal(
    lambda q: divergences.jensen_shannon(p, q, weights), start, LIMIT
  )
  q = quadrature.normal(x, mean, stddev)
  best = divergences.optimal_discriminator(p, q)
  return {
    "mean": mean,
    "standard deviation": stddev,
    "JSD (nats)": jsd,
    "value of the game (nats)": float(divergences.optimal_value(p, q, weights)),
    "E_p D*": float(jnp.sum(weights * p * best)),
  }


def check_near() -> list[Check]:
  """Checks the best normal to modes at -3 and 3."""
  with jax.enable_x64(True):
    best = _best((-3.0, 3.0), (0.1, 1.1))
  return [
    close(
      f"normal of least JSD: {name}", best[name], expected, tolerance, origin
    )
    for name, expected, tolerance, origin in (
      ("standard deviation", 3.120, 1e-3, QUADRATURE),
      ("JSD (nats)", 0.1284, 1e-4, QUADRATURE),
      (
        "value of the game (nats)",
        -math.log(4) + 2 * 0.1284,
        1e-4,
        "closed form: -log 4 + 2 JSD",
      ),
      ("E_p D*", 0.613, 1e-3, QUADRATURE),
    )
  ]


def check_far() -> list[Check]:
  """Checks the best normal to modes at -3 and 7, and the best over both."""
  gains = []
  half_gaps = (HALF_GAP - 0.001, HALF_GAP + 0.001)
  with jax.enable_x64(True):
    best = _best((-3.0, 7.0), (-3.2, 0.1))
    over_both = _best((-3.0, 7.0), (2.0, math.log(5)))
    best["mean over both modes"] = over_both["mean"]
    best["JSD over both modes (nats)"] = over_both["JSD (nats)"]
    for half_gap in half_gaps:
      jsd_of_both, jsd_of_one = (
        _best((-half_gap, half_gap), start)["JSD (nats)"]
        for start in ((0.0, math.log(half_gap)), (-half_gap, 0.0))
      )
      gains.append(jsd_of_both - jsd_of_one)
  jsd = 0.75 * math.log(4 / 3)
  return [
    *(
      close(
        f"normal of least JSD: {name}", best[name], expected, tolerance, origin
      )
      for name, expected, tolerance, origin in (
        ("mean", -3.0, 1e-2, "closed form: one mode alone"),
        ("standard deviation", 1.0, 1e-2, "closed form: that of a mode"),
        (
          "JSD (nats)",
          jsd,
          1e-4,
          "closed form: 3/4 log(4/3), where the modes do not overlap",
        ),
        (
          "value of the game (nats)",
          -math.log(4) + 2 * jsd,
          1e-4,
          "closed form: -log 4 + 3/2 log(4/3)",
        ),
        ("mean over both modes", 2.0, 1e-4, "closed form: their middle"),
        ("JSD over both modes (nats)", 0.25538, 1e-5, QUADRATURE),
      )
    ),
    close(
      "half of the gap where the minima change places",
      # The zero of the line through the two gains.
      np.interp(0.0, gains, half_gaps),
      HALF_GAP,
      6e-4,
      QUADRATURE,
    ),
  ]
