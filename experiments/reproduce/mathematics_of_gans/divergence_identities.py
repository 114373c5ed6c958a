"""Identities of two densities: KL, the f-divergences and the likelihood.

The KL divergence of normals has a closed form. The parameters that make data
most likely minimise KL(data || model); for a normal they are the moments.

References:
  Wang Haoran, The mathematics of GANs (cnblogs, 2020, in Chinese).
  Nowozin, Cseke and Tomioka, f-GAN, arXiv 1606.00709, table 1.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate, stats

from experiments.reproduce.common import quadrature
from experiments.reproduce.common.figure import Check
from gan_jax import divergences
from gan_jax.data import densities
from gan_jax.divergences.f_divergences import F_DIVERGENCES

MEAN_P, STDDEV_P = 0.0, 1.0
MEAN_Q, STDDEV_Q = 1.0, 1.2

MIXTURE_MEANS, MIXTURE_STDDEVS = (-1.0, 2.0), (0.255, 1.415)
MIXTURE_WEIGHTS = (0.33, 0.67)
"""The mixture that a normal is fitted to: that of f-GAN's table 2, inferred
from its numbers."""


@jax.jit
def mixture(x: jax.Array) -> jax.Array:
  """Evaluates the density [n] of the mixture at x [n]."""
  density = densities.normal_mixture(
    MIXTURE_MEANS, MIXTURE_STDDEVS, MIXTURE_WEIGHTS
  )
  return jnp.exp(density.log_prob(x[:, None]))


def most_likely_normal() -> tuple[float, float]:
  """Finds mean and standard deviation of least KL(mixture || normal)."""
  x, weights = quadrature.axis()
  p = mixture(x)
  mean, stddev, _ = quadrature.best_normal(
    lambda q: divergences.kl(p, q, weights), (0.0, 0.0)
  )
  return mean, stddev


def measure() -> dict[str, float]:
  """Measures the identities with the library, in float64."""

  @jax.jit
  def between():
    x, weights = quadrature.axis()
    p, q = (
      quadrature.normal(x, MEAN_P, STDDEV_P),
      quadrature.normal(x, MEAN_Q, STDDEV_Q),
    )
    parameters = (MEAN_P, STDDEV_P, MEAN_Q, STDDEV_Q)
    return {
      "KL of normals, closed form": divergences.normal_kl(
        *(jnp.asarray(value) for value in parameters)
      ),
    } | {
      f"f-divergence {name}": divergences.f_divergence(name, p, q, weights)
      for name in F_DIVERGENCES
    }

  mean, stddev = most_likely_normal()
  return {name: float(value) for name, value in between().items()} | {
    "most likely mean": mean,
    "most likely deviation": stddev,
  }


def integral(
  integrand: Callable[[float, float], float],
  p: Callable[[float], Any],
  q: Callable[[float], Any],
) -> float:
  """Integrates a function of two densities with SciPy."""
  total, _ = integrate.quad(
    lambda x: integrand(p(x), q(x)),
    -quadrature.LIMIT,
    quadrature.LIMIT,
    limit=200,
    epsabs=1e-11,
  )
  return total


# The integrands of the definitions, not written as q f(p / q).
_INTEGRANDS: dict[str, Callable[[float, float], float]] = {
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
_ASYMMETRIC = ("reverse_kl", "pearson", "neyman")


def _p(x: float) -> Any:
  return stats.norm.pdf(x, MEAN_P, STDDEV_P)


def _q(x: float) -> Any:
  return stats.norm.pdf(x, MEAN_Q, STDDEV_Q)


def _textbook_kl(
  mean_p: float, stddev_p: float, mean_q: float, stddev_q: float
) -> float:
  """Returns log(s_q / s_p) + (s_p^2 + (m_p - m_q)^2) / 2 s_q^2 - 1/2."""
  square = stddev_p**2 + (mean_p - mean_q) ** 2
  return math.log(stddev_q / stddev_p) + square / (2 * stddev_q**2) - 0.5


def _mixture_moments() -> tuple[float, float]:
  """Returns the mixture's mean, sum w m, and standard deviation."""
  means, stddevs = np.array(MIXTURE_MEANS), np.array(MIXTURE_STDDEVS)
  mean = float(np.dot(MIXTURE_WEIGHTS, means))
  square = float(np.dot(MIXTURE_WEIGHTS, stddevs**2 + means**2))
  return mean, math.sqrt(square - mean**2)


_QUADRATURE = "scipy.integrate.quad of the definition"

CHECKS = (
  Check(
    "KL of normals, closed form",
    lambda: integral(_INTEGRANDS["kl"], _p, _q),
    1e-8,
    _QUADRATURE,
    wrong={"swapped arguments": lambda: integral(_INTEGRANDS["kl"], _q, _p)},
  ),
  Check(
    "f-divergence kl",
    lambda: _textbook_kl(MEAN_P, STDDEV_P, MEAN_Q, STDDEV_Q),
    1e-8,
    "closed form: log(s_q / s_p) + (s_p^2 + (m_p - m_q)^2) / 2 s_q^2 - 1/2",
    wrong={
      "swapped arguments": lambda: _textbook_kl(
        MEAN_Q, STDDEV_Q, MEAN_P, STDDEV_P
      )
    },
  ),
  *(
    Check(
      f"f-divergence {name}",
      lambda integrand=integrand: integral(integrand, _p, _q),
      # Its integrand has kinks, which a polynomial rule integrates badly.
      1e-4 if name == "total_variation" else 1e-8,
      _QUADRATURE,
      wrong={
        "swapped arguments": lambda integrand=integrand: integral(
          integrand, _q, _p
        )
      }
      if name in _ASYMMETRIC
      else {},
    )
    for name, integrand in _INTEGRANDS.items()
    if name != "kl"
  ),
  Check(
    "most likely mean",
    lambda: _mixture_moments()[0],
    1e-4,
    "the least KL keeps the moments: sum w m",
    wrong={"of equal weights": 0.5, "of the reverse KL": 1.5782},
  ),
  Check(
    "most likely deviation",
    lambda: _mixture_moments()[1],
    1e-4,
    "the least KL keeps the moments: sum w (s^2 + m^2) less the mean's square",
    wrong={
      "a mean of deviations": 0.33 * 0.255 + 0.67 * 1.415,
      "of the reverse KL": 1.6319,
    },
  ),
)
