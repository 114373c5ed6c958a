"""Identities of two densities: KL, the f-divergences and the likelihood.

The KL divergence of normals has a closed form. The parameters that make data
most likely minimise KL(data || model); for a normal they are the moments.

References:
  Wang Haoran, The mathematics of GANs (cnblogs, 2020, in Chinese).
  Nowozin, Cseke and Tomioka, f-GAN, arXiv 1606.00709, table 1.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from experiments.reproduce.common import expected, quadrature
from experiments.reproduce.common.checks import Check, close
from gan_jax import divergences
from gan_jax.data import densities

P, Q = (0.0, 1.0), (1.0, 1.2)
"""Means and standard deviations of two normals."""
MEANS = np.array([-1.0, 2.0])
STDDEVS = np.array([0.255, 1.415])
WEIGHTS = np.array([0.33, 0.67])
"""The mixture that a normal is fitted to: that of f-GAN's table 2, inferred
from its numbers."""
# The integrands of the definitions, not written as q f(p / q).
INTEGRANDS = {
  "kl": lambda p, q: p * math.log(p / q),
  "reverse_kl": lambda p, q: q * math.log(q / p),
  "jensen_shannon": lambda p, q: (
    p * math.log(2 * p / (p + q)) + q * math.log(2 * q / (p + q))
  ),
  "gan": lambda p, q: p * math.log(p / (p + q)) + q * math.log(q / (p + q)),
  "pearson": lambda p, q: (p - q) ** 2 / q,
  "neyman": lambda p, q: (p - q) ** 2 / p,
  "squared_hellinger": lambda p, q: (math.sqrt(p) - math.sqrt(q)) ** 2,
  "jeffrey": lambda p, q: (p - q) * math.log(p / q),
  "total_variation": lambda p, q: abs(p - q) / 2,
}


@jax.jit
def mixture(x: jax.Array) -> jax.Array:
  """Evaluates the density [n] of the mixture at x [n]."""
  density = densities.normal_mixture(list(MEANS), list(STDDEVS), list(WEIGHTS))
  return jnp.exp(density.log_prob(x[:, None]))


def most_likely_normal() -> tuple[float, float]:
  """Finds mean and standard deviation of least KL(mixture || normal)."""
  x, weights = quadrature.axis()
  p = mixture(x)
  mean, stddev, _ = quadrature.best_normal(
    lambda q: divergences.kl(p, q, weights), (0.0, 0.0)
  )
  return mean, stddev


def checks() -> list[Check]:
  """Checks the identities, in float64."""
  x, weights = quadrature.axis()
  p, q = quadrature.normal(x, *P), quadrature.normal(x, *Q)
  integrals = {
    name: expected.integral(
      lambda x, f=integrand: f(stats.norm.pdf(x, *P), stats.norm.pdf(x, *Q))
    )
    for name, integrand in INTEGRANDS.items()
  }
  measured = jax.jit(
    lambda p, q: {
      name: divergences.f_divergence(name, p, q, weights) for name in INTEGRANDS
    }
  )(p, q)
  mean, stddev = most_likely_normal()
  expected_mean = np.dot(WEIGHTS, MEANS)
  variance = np.dot(WEIGHTS, STDDEVS**2 + MEANS**2) - expected_mean**2
  definition = "scipy.integrate.quad of the definition"
  return [
    close(
      "KL of normals, closed form",
      jax.jit(divergences.normal_kl)(*P, *Q),
      integrals["kl"],
      1e-8,
      definition,
    ),
    *(
      close(
        f"f-divergence {name}",
        measured[name],
        integrals[name],
        # Its integrand has kinks, which a polynomial rule integrates badly.
        1e-4 if name == "total_variation" else 1e-8,
        definition,
      )
      for name in INTEGRANDS
    ),
    close(
      "most likely mean",
      mean,
      expected_mean,
      1e-4,
      "the least KL keeps the moments: sum w m",
    ),
    close(
      "most likely deviation",
      stddev,
      math.sqrt(variance),
      1e-4,
      "the least KL keeps the moments: sum w (s^2 + m^2) - mean^2",
    ),
  ]
