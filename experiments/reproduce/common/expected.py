"""Normal densities and integrals in SciPy, from which numbers are expected.

They share no code with the library that the figures compute with.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import integrate

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
  integrand: Callable[[float], Any], low: float, high: float
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
