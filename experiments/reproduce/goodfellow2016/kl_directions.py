"""The best normal approximation of a mixture under KL and reverse KL.

Left: q* = argmin KL(p || q) needs mass wherever the data has any, so it covers
both modes and the gap between them. Right: q* = argmin KL(q || p) must have no
mass where the data has none, so it covers one mode. The normal on the other
mode, its mirror image, is equally good.

Both divergences are Gauss-Legendre sums, minimised over the mean and the
logarithm of the standard deviation. The minimum of KL has the moments of the
mixture. At the minimum of reverse KL, q is almost one of two equal modes, so
the divergence is just below log 2.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, section 3.2.5, figure 14. The mixture is not published.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy import integrate, optimize, stats

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results
from gan_jax import divergences
from gan_jax.data import densities

MEANS, STDDEV = (-1.0, 3.0), 0.7
MIXTURE_MEAN = sum(MEANS) / 2
# Adds the variance within a mode and the variance of the modes' means.
MIXTURE_STDDEV = math.hypot(STDDEV, (MEANS[1] - MEANS[0]) / 2)
START = (MEANS[0] - 0.3, math.log(1.0))
"""Mean and log standard deviation of the start, nearer to the left mode."""


def compute(runs: Mapping[str, Results]) -> Computed:
  """Minimises both divergences and measures the mass of the minima."""
  with jax.enable_x64(True):
    x, weights = divergences.gauss_legendre(-25.0, 27.0, 10, 400)
    mixture = densities.normal_mixture(MEANS, (STDDEV, STDDEV))
    p = jnp.exp(mixture.log_prob(x[:, None]))

    def density(fit):
      mean, log_stddev = jnp.asarray(fit)
      log_prob = densities.normal(mean, jnp.exp(log_stddev)).log_prob
      return jnp.exp(log_prob(x[:, None]))

    def minimise(divergence):
      found = optimize.minimize(
        lambda fit: float(divergence(fit)),
        START,
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-13},
      )
      mean, log_stddev = found.x
      return found.fun, mean, math.exp(log_stddev), density(found.x)

    fits = {
      "KL": minimise(jax.jit(lambda f: divergences.kl(p, density(f), weights))),
      "reverse KL": minimise(
        jax.jit(lambda f: divergences.kl(density(f), p, weights))
      ),
    }
    away = jnp.min(jnp.abs(x[:, None] - jnp.asarray(MEANS)[None]), 1)
    beyond = jnp.where(away > 2 * STDDEV, weights, 0.0)
    measured = {}
    for name, (value, mean, stddev, q) in fits.items():
      measured |= {
        f"{name} at its minimum": value,
        f"mean of the minimum of {name}": mean,
        f"standard deviation of the minimum of {name}": stddev,
        f"mass of the minimum of {name} away from the modes": beyond @ q,
      }
  return Computed(
    measured, {"x": np.asarray(x), "p": np.asarray(p), "fits": fits}
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the data and the best normal under each divergence."""
  figure, panels = curves.grid(2, 2, (10, 4.2), sharey=True)
  pictures.headline(
    figure,
    "the normal q nearest to a mixture p: what is near depends on the order",
  )
  orders = {
    "KL": "q* = argmin KL(p || q): covers both modes",
    "reverse KL": "q* = argmin KL(q || p): seeks one mode",
  }
  for axes, (name, title) in zip(panels, orders.items(), strict=True):
    value, mean, stddev, q = drawn["fits"][name]
    axes.plot(drawn["x"], drawn["p"], color=curves.DATA, label="data p(x)")
    axes.plot(
      drawn["x"],
      q,
      color=curves.GENERATED,
      linestyle="--",
      label="best normal q*(x)",
    )
    axes.fill_between(drawn["x"], q, color=curves.GENERATED, alpha=0.15, lw=0)
    axes.set(xlim=(-6, 8), ylim=(0, 0.6), xlabel="x")
    axes.set_title(title, fontsize=10)
    axes.text(
      0.98,
      0.95,
      f"mean {mean:.3f}\nstandard deviation {stddev:.3f}\n"
      f"divergence {value:.3f} nats",
      ha="right",
      va="top",
      transform=axes.transAxes,
      fontsize=9,
    )
  panels[0].set_ylabel("probability density")
  return curves.legend(figure)


def _log_normal(x: float, mean: float, stddev: float) -> float:
  """Computes log N(x; mean, stddev^2)."""
  scaled = (x - mean) / stddev
  return -0.5 * scaled**2 - math.log(stddev * math.sqrt(2 * math.pi))


def _log_mixture(x: float) -> float:
  """Computes log p(x)."""
  low, high = sorted(_log_normal(x, mean, STDDEV) for mean in MEANS)
  return high + math.log1p(math.exp(low - high)) - math.log(2)


def _integral(integrand: Callable[[float], float], low: float, high: float):
  """Integrates by adaptive quadrature."""
  return integrate.quad(integrand, low, high, epsabs=1e-10, limit=200)[0]


def _kl_of_moments() -> float:
  """Computes KL(p || N) for the normal of the mixture's moments.

  It is a difference of two entropies, as E_p log N depends only on moments.
  """
  entropy = _integral(
    lambda x: -math.exp(_log_mixture(x)) * _log_mixture(x), -8, 10
  )
  normal = 0.5 * math.log(2 * math.pi * math.e * MIXTURE_STDDEV**2)
  return normal - entropy


@functools.cache
def _reverse_minimum() -> tuple[float, float, float]:
  """Minimises KL(q || p) by adaptive quadrature and a gradient method."""

  def divergence(fit):
    mean, stddev = fit

    def integrand(x):
      log_normal = _log_normal(x, mean, stddev)
      return math.exp(log_normal) * (log_normal - _log_mixture(x))

    return _integral(integrand, mean - 9 * stddev, mean + 9 * stddev)

  found = optimize.minimize(
    divergence, (MEANS[0], STDDEV), method="BFGS", options={"gtol": 1e-7}
  )
  mean, stddev = map(float, found.x)
  return mean, stddev, float(found.fun)


def _away(mean: float, stddev: float) -> float:
  """Computes a normal's mass beyond 2 standard deviations of every mode."""
  ends = [centre + side * STDDEV for centre in MEANS for side in (-2, 2)]
  low, left, right, high = stats.norm.cdf(ends, mean, stddev)
  return low + (right - left) + (1 - high)


CHECKS = (
  Check(
    "mean of the minimum of KL",
    MIXTURE_MEAN,
    1e-4,
    "closed form: the mixture's mean",
    wrong={"of one mode": MEANS[0]},
  ),
  Check(
    "standard deviation of the minimum of KL",
    MIXTURE_STDDEV,
    1e-4,
    "closed form: the mixture's, sqrt(s^2 + (gap / 2)^2)",
    wrong={"of one mode": STDDEV, "of the modes' means": 2.0},
  ),
  Check(
    "KL at its minimum",
    _kl_of_moments,
    1e-6,
    "H(normal of the mixture's moments) - H(p), scipy.integrate.quad",
    wrong={"the arguments swapped": lambda: _reverse_minimum()[2]},
  ),
  Check(
    "mass of the minimum of KL away from the modes",
    lambda: _away(MIXTURE_MEAN, MIXTURE_STDDEV),
    5e-3,
    "closed form: normal cdf beyond 2 standard deviations of both modes",
    wrong={"of one mode": lambda: _away(MEANS[0], STDDEV)},
  ),
  Check(
    "mean of the minimum of reverse KL",
    lambda: _reverse_minimum()[0],
    1e-4,
    "scipy.integrate.quad and scipy.optimize.minimize; the left mode is at -1",
    wrong={"covers both": MIXTURE_MEAN, "the other mode": MEANS[1]},
  ),
  Check(
    "standard deviation of the minimum of reverse KL",
    lambda: _reverse_minimum()[1],
    1e-4,
    "scipy.integrate.quad and scipy.optimize.minimize; a mode's is 0.7",
    wrong={"covers both": MIXTURE_STDDEV},
  ),
  Check(
    "reverse KL at its minimum",
    lambda: _reverse_minimum()[2],
    1e-6,
    "scipy.integrate.quad and scipy.optimize.minimize; log 2 where the modes "
    "do not overlap",
    wrong={"the arguments swapped": _kl_of_moments, "log 2": math.log(2)},
  ),
  Check(
    "mass of the minimum of reverse KL away from the modes",
    lambda: _away(*_reverse_minimum()[:2]),
    5e-3,
    "closed form: normal cdf beyond 2 standard deviations of both modes",
    wrong={"covers both": lambda: _away(MIXTURE_MEAN, MIXTURE_STDDEV)},
  ),
)

REPRODUCTION = Reproduction(
  id="goodfellow2016_fig14",
  source="Goodfellow 2016, arXiv 1701.00160, figure 14",
  summary="the best normal to two modes: KL covers both, reverse KL seeks one",
  compute=compute,
  checks=CHECKS,
  draw=draw,
)
