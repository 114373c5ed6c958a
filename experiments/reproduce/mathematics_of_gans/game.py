"""Identities of the game's value for two given densities.

  V(G, D) = E_p log D + E_q log(1 - D),  p the data and q the generator.

For a given q it is largest at D* = p / (p + q), where it is -log 4 + 2 JSD(p,
q). So the generator of least max_D V is the data.

References:
  Wang Haoran, The mathematics of GANs (cnblogs, 2020, in Chinese).
  Goodfellow et al., Generative Adversarial Nets, arXiv 1406.2661, section 4.1.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize, stats
from scipy.spatial import distance

from experiments.reproduce.common import quadrature
from experiments.reproduce.common.figure import Check
from experiments.reproduce.mathematics_of_gans import divergence_identities
from gan_jax import divergences

# N(0, 1) against N(1, 1), at two points.
POINTS = (-1.0, 2.0)
# A pair over four outcomes.
P, Q = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.15, 0.25, 0.5])
NUM_STARTS = 10
DISTANCES = np.linspace(0, 6, 25)
GAPS = (0.5, 5.0)
"""Gaps between two distributions with disjoint supports."""
MODES, WIDE_STDDEV = 3.0, 3.120
"""Two modes at -3 and 3, and the normal of least JSD to them."""
DATA_MEAN, DATA_STDDEV = 1.0, 1.5


@jax.jit
def optimal_values(offsets: jax.Array) -> jax.Array:
  """Computes max_D V [n] of N(0, 1) and N(offset, 1), at offsets [n]."""
  x, weights = quadrature.axis()
  p = quadrature.normal(x, 0.0, 1.0)
  return jax.vmap(
    lambda offset: divergences.optimal_value(
      p, quadrature.normal(x, offset, 1.0), weights
    )
  )(offsets)


def _maximised_values() -> list[float]:
  """Maximises V over D on four outcomes from random starts, without D*."""
  p, q = jnp.asarray(P), jnp.asarray(Q)
  value = jax.jit(
    lambda logits: divergences.value(p, q, jax.nn.sigmoid(logits))
  )
  starts = np.random.default_rng(1).normal(0, 2, (NUM_STARTS, len(P)))
  return [
    -float(
      optimize.minimize(
        lambda logits: -float(value(jnp.asarray(logits))), start
      ).fun
    )
    for start in starts
  ]


def _disjoint_jsd(gap: float) -> jax.Array:
  """Computes the JSD of uniform densities on two intervals of length 1."""
  # Each interval has ten cells; both densities are 0 on the cells between.
  cells = np.arange(20 + round(10 * gap))
  p, q = cells < 10, cells >= 10 + round(10 * gap)
  return divergences.jensen_shannon(
    jnp.asarray(p, float), jnp.asarray(q, float), jnp.full(len(cells), 0.1)
  )


def _num_maxima(a: float, b: float) -> jax.Array:
  """Counts the maxima of a log D + b log(1 - D)."""
  values = jax.vmap(
    lambda d: divergences.value(jnp.full(1, a), jnp.full(1, b), d[None])
  )(jnp.linspace(1e-4, 1 - 1e-4, 9999))
  rising = jnp.diff(values) > 0
  return jnp.sum(rising[:-1] & ~rising[1:])


@jax.jit
def _values() -> dict[str, jax.Array]:
  """Computes the measurements that need no search."""
  points = jnp.array(POINTS)
  best = divergences.optimal_discriminator(
    quadrature.normal(points, 0.0, 1.0), quadrature.normal(points, 1.0, 1.0)
  )
  measured = {"maxima of 2 log D + log(1 - D)": _num_maxima(2.0, 1.0)}
  for at, d in zip(POINTS, best, strict=True):
    measured[f"D* at {at:g}"] = d
    measured[f"logit of D* at {at:g}"] = jnp.log(d / (1 - d))
  p, q = jnp.asarray(P), jnp.asarray(Q)
  measured["V at D*, four outcomes"] = divergences.value(
    p, q, divergences.optimal_discriminator(p, q)
  )
  # Farther out 1 - D* rounds to 0 and V to minus infinity.
  x, weights = quadrature.axis(12.0)
  p = quadrature.normal(x, 0.0, 1.0)
  for offset in (0, 1, 2):
    q = quadrature.normal(x, float(offset), 1.0)
    best = divergences.optimal_discriminator(p, q)
    measured[f"V at D*, distance {offset}"] = divergences.value(
      p, q, best, weights
    )
    measured[f"JSD at distance {offset}"] = divergences.jensen_shannon(
      p, q, weights
    )
  del measured["JSD at distance 0"]
  x, weights = quadrature.axis()
  modes = (
    quadrature.normal(x, -MODES, 1.0) + quadrature.normal(x, MODES, 1.0)
  ) / 2
  measured["max V, two modes and a wide normal"] = divergences.optimal_value(
    modes, quadrature.normal(x, 0.0, WIDE_STDDEV), weights
  )
  for gap in GAPS:
    measured[f"JSD across a gap of {gap:g}"] = _disjoint_jsd(gap)
  return measured


def measure() -> dict[str, float]:
  """Measures the identities with the library, in float64."""
  x, weights = quadrature.axis()
  data = quadrature.normal(x, DATA_MEAN, DATA_STDDEV)
  mean, stddev, least = quadrature.best_normal(
    lambda q: divergences.optimal_value(data, q, weights), (-1.0, -0.5)
  )
  trend: Any = stats.spearmanr(
    DISTANCES, np.asarray(optimal_values(jnp.asarray(DISTANCES)))
  )
  return {name: float(value) for name, value in _values().items()} | {
    "max V from the worst of ten starts": min(_maximised_values()),
    "rank correlation of distance and max V": float(trend.statistic),
    "best generator's mean": mean,
    "best generator's deviation": stddev,
    "best generator's max V": least,
  }


def _jsd(p: Callable[[float], Any], q: Callable[[float], Any]) -> float:
  """Integrates the JSD of two densities with SciPy."""

  def integrand(p_x, q_x):
    middle = (p_x + q_x) / 2
    return 0.5 * (p_x * math.log(p_x / middle) + q_x * math.log(q_x / middle))

  return divergence_identities.integral(integrand, p, q)


def normals_jsd(offset: float) -> float:
  """Integrates the JSD of N(0, 1) and N(offset, 1) with SciPy."""
  return _jsd(stats.norm.pdf, lambda x: stats.norm.pdf(x, offset))


def _modes_jsd() -> float:
  """Integrates the JSD of two modes and the wide normal with SciPy."""
  return _jsd(
    lambda x: (stats.norm.pdf(x, -MODES) + stats.norm.pdf(x, MODES)) / 2,
    lambda x: stats.norm.pdf(x, 0, WIDE_STDDEV),
  )


def _argmax(x: float) -> float:
  """Maximises p(x) log D + q(x) log(1 - D) over D with SciPy."""
  a, b = float(stats.norm.pdf(x)), float(stats.norm.pdf(x, 1))
  result: Any = optimize.minimize_scalar(
    lambda d: -(a * math.log(d) + b * math.log(1 - d)),
    bounds=(1e-6, 1 - 1e-6),
    method="bounded",
    options={"xatol": 1e-10},
  )
  return float(result.x)


def _scipy_jsd(p: np.ndarray, q: np.ndarray) -> float:
  return float(distance.jensenshannon(p, q)) ** 2


CHECKS = (
  *(
    Check(
      f"D* at {at:g}",
      lambda at=at: _argmax(at),
      1e-6,
      "p log D + q log(1 - D) maximised with scipy.optimize",
      wrong={"swapped densities": lambda at=at: 1 - _argmax(at)},
    )
    for at in POINTS
  ),
  *(
    Check(
      f"logit of D* at {at:g}",
      1 / 2 - at,
      1e-9,
      "closed form: log p / q = 1/2 - x",
    )
    for at in POINTS
  ),
  *(
    Check(
      name,
      lambda: -math.log(4) + 2 * _scipy_jsd(P, Q),
      1e-6,
      "-log 4 + 2 JSD, by scipy.spatial.distance.jensenshannon",
      wrong={
        "JSD once": lambda: -math.log(4) + _scipy_jsd(P, Q),
        "at D = 1/2": -math.log(4),
      },
    )
    for name in ("V at D*, four outcomes", "max V from the worst of ten starts")
  ),
  Check(
    "maxima of 2 log D + log(1 - D)",
    1.0,
    0.25,
    "closed form: the second derivative is negative, so there is one",
    wrong={"none": 0.0},
  ),
  Check(
    "V at D*, distance 0",
    -math.log(4),
    1e-9,
    "closed form: -log 4 where p = q",
    wrong={"-log 2": -math.log(2)},
  ),
  *(
    Check(
      f"V at D*, distance {offset}",
      lambda offset=offset: -math.log(4) + 2 * normals_jsd(offset),
      1e-8,
      "-log 4 + 2 JSD, by scipy.integrate.quad",
      wrong={
        "JSD once": lambda offset=offset: -math.log(4) + normals_jsd(offset),
        "log 4 dropped": lambda offset=offset: 2 * normals_jsd(offset),
      },
    )
    for offset in (1, 2)
  ),
  Check(
    "max V, two modes and a wide normal",
    lambda: -math.log(4) + 2 * _modes_jsd(),
    1e-8,
    "-log 4 + 2 JSD, by scipy.integrate.quad",
    wrong={"JSD once": lambda: -math.log(4) + _modes_jsd()},
  ),
  *(
    Check(
      f"JSD at distance {offset}",
      lambda offset=offset: normals_jsd(offset),
      1e-8,
      "scipy.integrate.quad of the definition",
      wrong={
        "of another distance": lambda another=another: normals_jsd(another)
      },
    )
    for offset, another in ((1, 2), (2, 1))
  ),
  *(
    Check(
      f"JSD across a gap of {gap:g}",
      math.log(2),
      1e-9,
      "closed form: log 2, whatever the gap",
    )
    for gap in GAPS
  ),
  Check(
    "rank correlation of distance and max V",
    1.0,
    1e-9,
    "a smaller divergence has a smaller max V",
    wrong={"two neighbours of 25 swapped": 1 - 6 * 2 / (25 * (25**2 - 1))},
  ),
  Check(
    "best generator's mean",
    DATA_MEAN,
    1e-4,
    "the argmin over G of max_D V is the data",
    wrong={"its start": -1.0},
  ),
  Check(
    "best generator's deviation",
    DATA_STDDEV,
    1e-4,
    "the argmin over G of max_D V is the data",
    wrong={"its start": math.exp(-0.5)},
  ),
  Check(
    "best generator's max V",
    -math.log(4),
    1e-9,
    "closed form: -log 4, where D* = 1/2",
  ),
)
