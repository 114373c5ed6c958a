"""Normal densities and integrals in SciPy, which give expected numbers.

They share no code with the library that the figures compute with.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import integrate, special, stats

Density = Callable[[float], Any]
LogDensity = Callable[[float], Any]


def log_normal(x: Any, mean: float = 0.0, stddev: float = 1.0) -> Any:
  """Computes log N(x; mean, stddev^2), elementwise."""
  scaled = (x - mean) / stddev
  return -0.5 * scaled**2 - math.log(stddev * math.sqrt(2 * math.pi))


def log_mixture(
  x: Any,
  means: Sequence[float],
  stddevs: Sequence[float],
  weights: Sequence[float],
) -> Any:
  """Computes the log-density of a mixture of normals, elementwise."""
  modes = zip(means, stddevs, weights, strict=True)
  return np.logaddexp.reduce(
    [math.log(w) + log_normal(x, mean, stddev) for mean, stddev, w in modes]
  )


def integral(
  integrand: Callable[[float], Any], low: float = -20.0, high: float = 20.0
) -> float:
  """Integrates by adaptive quadrature."""
  return integrate.quad(integrand, low, high, epsabs=1e-12, limit=500)[0]


def kl(log_p: LogDensity, log_q: LogDensity, low: float, high: float) -> float:
  """Integrates KL(p || q) = int p log(p / q)."""
  return integral(lambda x: np.exp(log_p(x)) * (log_p(x) - log_q(x)), low, high)


def jensen_shannon(
  log_p: LogDensity, log_q: LogDensity, low: float, high: float
) -> float:
  """Integrates JSD(p, q) = 1/2 KL(p || m) + 1/2 KL(q || m), m = (p + q) / 2."""

  def log_mean(x):
    return np.logaddexp(log_p(x), log_q(x)) - math.log(2)

  return 0.5 * sum(kl(f, log_mean, low, high) for f in (log_p, log_q))


def jensen_shannon_of_densities(p: Density, q: Density) -> float:
  """Integrates JSD(p, q) of densities with negligible mass beyond 20."""

  def integrand(x):
    middle = (p(x) + q(x)) / 2
    return special.rel_entr(p(x), middle) + special.rel_entr(q(x), middle)

  return integral(integrand) / 2


def jensen_shannon_of_normals(distance: float) -> float:
  """Integrates the JSD of N(0, 1) and N(distance, 1)."""
  return jensen_shannon_of_densities(
    stats.norm.pdf, lambda x: stats.norm.pdf(x, distance)
  )
