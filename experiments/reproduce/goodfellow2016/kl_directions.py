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

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy import optimize

from experiments.plots import curves
from experiments.reproduce.common import expected, pictures, quadrature
from experiments.reproduce.common.checks import close
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import divergences
from gan_jax.data import densities

MEANS, STDDEV = (-1.0, 3.0), 0.7
START = (MEANS[0] - 0.3, math.log(1.0))
"""Mean and log standard deviation of the start, nearer to the left mode."""
TITLES = {
  "KL": "q* = argmin KL(p || q): covers both modes",
  "reverse KL": "q* = argmin KL(q || p): seeks one mode",
}


def _log_mixture(x: float) -> float:
  return expected.log_mixture(x, MEANS, (STDDEV, STDDEV), (0.5, 0.5))


def _expected_fits() -> dict[str, tuple[tuple[float, float, float], str]]:
  """Computes mean, deviation and divergence of both minima, and says how."""
  # Adds the variance within a mode and the variance of the modes' means.
  moments = sum(MEANS) / 2, math.hypot(STDDEV, (MEANS[1] - MEANS[0]) / 2)

  def reverse_kl(fit):
    mean, stddev = fit
    return expected.kl(
      lambda x: expected.log_normal(x, mean, stddev),
      _log_mixture,
      mean - 9 * stddev,
      mean + 9 * stddev,
    )

  found = optimize.minimize(
    reverse_kl, (MEANS[0], STDDEV), method="BFGS", options={"gtol": 1e-7}
  )
  kl = expected.kl(
    _log_mixture, lambda x: expected.log_normal(x, *moments), -8, 10
  )
  return {
    "KL": ((*moments, kl), "the mixture's moments; scipy.integrate.quad"),
    "reverse KL": (
      (*found.x, found.fun),
      "scipy.integrate.quad and scipy.optimize.minimize",
    ),
  }


def compute(inputs: Inputs) -> Computed:
  """Minimises both divergences."""
  del inputs
  with jax.enable_x64(True):
    x, weights = quadrature.axis()
    mixture = densities.normal_mixture(MEANS, (STDDEV, STDDEV))
    p = jnp.exp(mixture.log_prob(x[:, None]))
    fits = {
      "KL": quadrature.best_normal(
        lambda q: divergences.kl(p, q, weights), START
      ),
      "reverse KL": quadrature.best_normal(
        lambda q: divergences.kl(q, p, weights), START
      ),
    }
    drawn = {
      name: np.asarray(quadrature.normal(x, mean, stddev))
      for name, (mean, stddev, _) in fits.items()
    }
  quantities = (
    ("mean of the minimum", 1e-4),
    ("standard deviation of the minimum", 1e-4),
    ("divergence at the minimum", 1e-6),
  )
  checks = [
    close(f"{what}, {name}", measured, value, tolerance, origin)
    for name, (values, origin) in _expected_fits().items()
    for (what, tolerance), measured, value in zip(
      quantities, fits[name], values, strict=True
    )
  ]
  return Computed(
    checks, {"x": np.asarray(x), "p": np.asarray(p), "q": drawn, "fits": fits}
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the data and the best normal under each divergence."""
  figure, panels = curves.grid(2, 2, (10, 4.2), sharey=True)
  pictures.headline(
    figure,
    "the normal q nearest to a mixture p: what is near depends on the order",
  )
  x = drawn["x"]
  for axes, (name, title) in zip(panels, TITLES.items(), strict=True):
    q = drawn["q"][name]
    axes.plot(x, drawn["p"], color=curves.DATA, label="data p(x)")
    axes.plot(x, q, "--", color=curves.GENERATED, label="best normal q*(x)")
    axes.fill_between(x, q, color=curves.GENERATED, alpha=0.15, lw=0)
    axes.set(xlim=(-6, 8), ylim=(0, 0.6), xlabel="x")
    axes.set_title(title, fontsize=10)
    axes.text(
      0.98,
      0.95,
      "mean {:.3f}\nstandard deviation {:.3f}\ndivergence {:.3f} nats".format(
        *drawn["fits"][name]
      ),
      ha="right",
      va="top",
      transform=axes.transAxes,
      fontsize=9,
    )
  panels[0].set_ylabel("probability density")
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="goodfellow2016_fig14",
  source="Goodfellow 2016, arXiv 1701.00160, figure 14",
  summary="the best normal to two modes: KL covers both, reverse KL seeks one",
  compute=compute,
  draw=draw,
)
