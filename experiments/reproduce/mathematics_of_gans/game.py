"""Identities of the game's value for two given densities.

  V(G, D) = E_p log D + E_q log(1 - D),  p the data and q the generator.

For a given q it is largest at D* = p / (p + q), where it is -log 4 + 2 JSD(p,
q). So the generator of least max_D V is the data.

References:
  Wang Haoran, The mathematics of GANs (cnblogs, 2020, in Chinese).
  Goodfellow et al., Generative Adversarial Nets, arXiv 1406.2661, section 4.1.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize, stats
from scipy.spatial import distance

from experiments.reproduce.common import expected, quadrature
from experiments.reproduce.common.checks import Check, close
from gan_jax import divergences

P, Q = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.15, 0.25, 0.5])
"""A pair over four outcomes."""
DISTANCES = np.linspace(0, 6, 25)
MODES, WIDE_STDDEV = 3.0, 3.120
"""Two modes at -3 and 3, and the normal of least JSD to them."""
DATA = 1.0, 1.5
"""Mean and standard deviation of the data that a generator is fitted to."""


def optimal_values(offsets: np.ndarray) -> np.ndarray:
  """Computes max_D V [n] of N(0, 1) and N(offset, 1), at offsets [n]."""
  x, weights = quadrature.axis()
  p = quadrature.normal(x, 0.0, 1.0)
  values = jax.vmap(
    lambda offset: divergences.optimal_value(
      p, quadrature.normal(x, offset, 1.0), weights
    )
  )
  return np.asarray(jax.jit(values)(offsets))


def _maximum(p: jax.Array, q: jax.Array) -> float:
  """Maximises V over D from ten starts, without D*; returns the lowest."""
  cost = jax.jit(
    lambda logits: -divergences.value(p, q, jax.nn.sigmoid(logits))
  )
  starts = np.random.default_rng(1).normal(0, 2, (10, len(p)))
  return min(-optimize.minimize(cost, start).fun for start in starts)


def _best_discriminator(x: float) -> float:
  """Maximises p(x) log D + q(x) log(1 - D) with SciPy; q is N(1, 1)."""
  a, b = stats.norm.pdf(x), stats.norm.pdf(x, 1)
  result: Any = optimize.minimize_scalar(
    lambda d: -(a * math.log(d) + b * math.log(1 - d)),
    bounds=(1e-6, 1 - 1e-6),
    method="bounded",
    options={"xatol": 1e-10},
  )
  return result.x


def _num_maxima(a: float, b: float) -> int:
  """Counts the maxima of a log D + b log(1 - D)."""
  values = jax.vmap(
    lambda d: divergences.value(jnp.full(1, a), jnp.full(1, b), d[None])
  )
  rising = np.diff(jax.jit(values)(np.linspace(1e-4, 1 - 1e-4, 9999))) > 0
  return np.sum(rising[:-1] & ~rising[1:])


def _of_normals() -> list[Check]:
  """Checks D*, V and the JSD of N(0, 1) and N(offset, 1)."""
  points = (-1.0, 2.0)
  at = jnp.array(points)
  best = jax.jit(divergences.optimal_discriminator)(
    quadrature.normal(at, 0.0, 1.0), quadrature.normal(at, 1.0, 1.0)
  )
  found = [
    close(
      f"D* at {point:g}",
      measured,
      _best_discriminator(point),
      1e-6,
      "p log D + q log(1 - D) maximised with scipy.optimize",
    )
    for point, measured in zip(points, best, strict=True)
  ]
  # Farther out 1 - D* rounds to 0 and V to minus infinity.
  x, weights = quadrature.axis(12.0)
  p = quadrature.normal(x, 0.0, 1.0)

  @jax.jit
  def measure(offset):
    q = quadrature.normal(x, offset, 1.0)
    best = divergences.optimal_discriminator(p, q)
    value = divergences.value(p, q, best, weights)
    return value, divergences.jensen_shannon(p, q, weights)

  for offset in (0.0, 1.0, 2.0):
    value, jsd = measure(offset)
    expected_jsd = expected.jensen_shannon_of_normals(offset)
    found += [
      close(
        f"V at D*, distance {offset:g}",
        value,
        -math.log(4) + 2 * expected_jsd,
        1e-8,
        "-log 4 + 2 JSD, by scipy.integrate.quad",
      ),
      close(
        f"JSD at distance {offset:g}",
        jsd,
        expected_jsd,
        1e-8,
        "scipy.integrate.quad of the definition",
      ),
    ]
  trend: Any = stats.spearmanr(DISTANCES, optimal_values(DISTANCES))
  return [
    *found,
    close(
      "rank correlation of distance and max V",
      trend.statistic,
      1.0,
      1e-9,
      "a smaller divergence has a smaller max V",
    ),
  ]


def checks() -> list[Check]:
  """Checks the identities, in float64."""
  found = _of_normals()
  p, q = jnp.asarray(P), jnp.asarray(Q)
  best = jax.jit(divergences.optimal_discriminator)(p, q)
  for name, measured in (
    ("V at D*, four outcomes", jax.jit(divergences.value)(p, q, best)),
    ("max V from the worst of ten starts", _maximum(p, q)),
  ):
    highest = -math.log(4) + 2 * distance.jensenshannon(P, Q) ** 2
    origin = "-log 4 + 2 JSD, by scipy.spatial.distance.jensenshannon"
    found.append(close(name, measured, highest, 1e-6, origin))
  for gap in (0.5, 5.0):
    # Each interval has ten cells; both densities are 0 on the cells between.
    p = np.where(np.arange(20 + round(10 * gap)) < 10, 1.0, 0.0)
    jsd = jax.jit(divergences.jensen_shannon)(p, p[::-1], np.full(len(p), 0.1))
    origin = "closed form: log 2 for disjoint intervals, whatever the gap"
    name = f"JSD across a gap of {gap:g}"
    found.append(close(name, jsd, math.log(2), 1e-9, origin))
  x, weights = quadrature.axis()
  p = sum(quadrature.normal(x, mean, 1.0) for mean in (-MODES, MODES)) / 2
  q = quadrature.normal(x, 0.0, WIDE_STDDEV)
  of_modes = expected.jensen_shannon_of_densities(
    lambda x: (stats.norm.pdf(x, -MODES) + stats.norm.pdf(x, MODES)) / 2,
    lambda x: stats.norm.pdf(x, 0, WIDE_STDDEV),
  )
  data = quadrature.normal(x, *DATA)
  mean, stddev, least = quadrature.best_normal(
    lambda q: divergences.optimal_value(data, q, weights), (-1.0, -0.5)
  )
  argmin = "the argmin over G of max_D V is the data"
  return [
    *found,
    close(
      "maxima of 2 log D + log(1 - D)",
      _num_maxima(2.0, 1.0),
      1,
      0.25,
      "closed form: the second derivative is negative, so there is one",
    ),
    close(
      "max V, two modes and a wide normal",
      jax.jit(divergences.optimal_value)(p, q, weights),
      -math.log(4) + 2 * of_modes,
      1e-8,
      "-log 4 + 2 JSD, by scipy.integrate.quad",
    ),
    close("best generator's mean", mean, DATA[0], 1e-4, argmin),
    close("best generator's deviation", stddev, DATA[1], 1e-4, argmin),
    close(
      "best generator's max V",
      least,
      -math.log(4),
      1e-9,
      "closed form: -log 4, where D* = 1/2",
    ),
  ]
