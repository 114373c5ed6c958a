"""The equilibrium of a linear generator with the non-saturating cost.

The article's generator descends J_G = E_z[-log D(G(z))] and not the divergence
of the minimax game. Against the best discriminator D* = p / (p + q) its
gradient is that of KL(q || p) - 2 JSD(p, q), which vanishes at another point.
For modes at -3 and 3 of width 1 the Jensen-Shannon divergence is least at N(0,
3.120^2), but the non-saturating cost is at rest at N(0, 2.681^2).

References:
  Arjovsky and Bottou, Towards Principled Methods for Training Generative
  Adversarial Networks, arXiv 1701.04862, theorem 2.5.
"""

import functools
from typing import NamedTuple

import numpy as np
from scipy import integrate, optimize, special, stats


class Equilibrium(NamedTuple):
  """A normal distribution q at rest against data p.

  Attributes:
    mean: mean of q.
    stddev: standard deviation of q.
    jsd: JSD(p, q) in nats.
    real: E_p D*.
    fake: E_q D*.
  """

  mean: float
  stddev: float
  jsd: float
  real: float
  fake: float


def log_density(x: np.ndarray, modes: tuple[float, ...]) -> np.ndarray:
  """Returns the log-density [n] of equal modes of width 1 at x [n]."""
  each = stats.norm.logpdf(x[:, None], np.array(modes))
  return special.logsumexp(each, axis=1) - np.log(len(modes))


@functools.cache
def non_saturating(modes: tuple[float, ...]) -> Equilibrium:
  """Solves for the N(mu, sigma^2) that is at rest against D*.

    E_z[s(mu + sigma z)] = 0 and E_z[s(mu + sigma z) z] = 0,
    s(x) = d/dx log D*(x) = (1 - D*(x)) d/dx log(p(x) / q(x)),

  the derivatives of J_G in mu and in sigma, by the trapezoidal rule in float64.
  The search starts from the moments of the data.

  Args:
    modes: means of the data's modes, which have equal weights and width 1.
  """
  z = np.linspace(-12, 12, 4001)
  noise = stats.norm.pdf(z)

  def derivatives(parameters):
    mean, stddev = parameters
    x = mean + stddev * z
    log_p, log_q = log_density(x, modes), stats.norm.logpdf(x, mean, stddev)
    shares = special.softmax(
      stats.norm.logpdf(x[:, None], np.array(modes)), axis=1
    )
    log_ratio_slope = shares @ np.array(modes) - x + (x - mean) / stddev**2
    slope = special.expit(log_q - log_p) * log_ratio_slope
    return [
      integrate.trapezoid(noise * slope * weight, z)
      for weight in (np.ones_like(z), z)
    ]

  start = [np.mean(modes), np.sqrt(1 + np.var(modes))]
  mean, stddev = optimize.root(derivatives, start, tol=1e-10).x
  x = np.linspace(mean - 12 * stddev, mean + 12 * stddev, 20001)
  log_p, log_q = log_density(x, modes), stats.norm.logpdf(x, mean, stddev)
  p, q, best = np.exp(log_p), np.exp(log_q), special.expit(log_p - log_q)
  middle = np.logaddexp(log_p, log_q) - np.log(2)
  return Equilibrium(
    float(mean),
    float(stddev),
    integrate.trapezoid(p * (log_p - middle) + q * (log_q - middle), x) / 2,
    integrate.trapezoid(p * best, x),
    integrate.trapezoid(q * best, x),
  )
