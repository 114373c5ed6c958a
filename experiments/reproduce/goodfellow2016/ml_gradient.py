"""The maximum-likelihood game descends KL(p || q) at the best discriminator.

At D* = p/(p + q) the generator's cost is -1/2 E_q exp(logit D*), with the
tutorial's factor 1/2. Its gradient through the samples, with D* held fixed, is

  -1/2 E_z[p/q d log(p/q)/dx dx/dtheta] = 1/2 d/dtheta KL(p || q).

Without the factor, as here, it is the gradient of KL(p || q). For data N(m,
s_p^2) and a linear generator with density N(mu, s^2) it has the closed form

  dKL/dmu = (mu - m) / s^2,   dKL/ds = 1/s - (s_p^2 + (mu - m)^2) / s^3.

The game's gradient is computed on one large minibatch, the quantiles of z. Two
other games are shown for comparison. Their gradients at D* are those of 2 JSD
and of KL(q || p) - 2 JSD, which differ in size and, in s, even in sign.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, sections 3.2.4, 7.3 and 8.3. The second of the other two is from
Arjovsky and Bottou, Towards Principled Methods for Training Generative
Adversarial Networks, arXiv 1701.04862, theorem 2.5.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy import integrate

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.reproduce.goodfellow2016 import normal_game
from experiments.run_folder.results import Results

DATA = (1.0, 1.0)
WIDTH = 1.5
"""The generator's standard deviation while its mean varies."""
MEANS = np.linspace(-2, 4, 25)
"""The generator's means; the ends are at distance 3 from the data's mean."""
OFFSET = 1.5
"""The generator's mean while its standard deviation varies."""
STDDEVS = np.linspace(1, 3, 25)
NUM_LATENTS = 100_000
STYLES: Mapping[str, Mapping[str, Any]] = {
  "minimax": {"color": curves.DISCRIMINATOR, "linestyle": "-."},
  "non-saturating": {"color": curves.AVERAGE, "linestyle": ":"},
  "maximum likelihood": {"color": curves.GENERATED, "linewidth": 3.5},
}


def _kl_slopes(mean: Any, stddev: Any) -> tuple[Any, Any]:
  """Computes dKL(p || q)/dmu and dKL(p || q)/ds in closed form."""
  gap = mean - DATA[0]
  return gap / stddev**2, 1 / stddev - (DATA[1] ** 2 + gap**2) / stddev**3


def compute(runs: Mapping[str, Results]) -> Computed:
  """Computes the gradients for a line of means and a line of deviations."""
  with jax.enable_x64(True):
    # The midpoint rule in the quantiles of z.
    chances = (jnp.arange(NUM_LATENTS, dtype=float) + 0.5) / NUM_LATENTS
    latents = jax.scipy.special.ndtri(chances)[:, None]

    def over_lines(loss):
      def gradient(point):
        params = normal_game.parameters(*point)
        return normal_game.gradient(loss, DATA, params, latents)

      over_mean = [MEANS, np.full_like(MEANS, WIDTH)]
      over_stddev = [np.full_like(STDDEVS, OFFSET), STDDEVS]
      along = jax.jit(lambda points: jax.lax.map(gradient, points))
      return {
        "mean": np.asarray(along(jnp.stack(over_mean, 1))["mean"][:, 0]),
        "stddev": np.asarray(along(jnp.stack(over_stddev, 1))["stddev"][:, 0]),
      }

    slopes = {name: over_lines(f) for name, f in normal_game.LOSSES.items()}
  likelihood = slopes["maximum likelihood"]
  kl_slopes = {
    "mean": _kl_slopes(MEANS, WIDTH)[0],
    "stddev": _kl_slopes(OFFSET, STDDEVS)[1],
  }
  measured = {}
  for name in ("mean", "stddev"):
    theirs, ours = kl_slopes[name], 0.5 * likelihood[name]
    measured |= {
      f"dJ_G/dKL, halves, {name}": (ours @ theirs) / (theirs @ theirs),
      f"greatest error, {name}": np.max(np.abs(likelihood[name] - theirs)),
      f"maximum likelihood, {name}, at the end": likelihood[name][-1],
      f"minimax, {name}, at the end": slopes["minimax"][name][-1],
      f"non-saturating, {name}, at the end": slopes["non-saturating"][name][-1],
    }
  return Computed(measured, {"slopes": slopes, "kl_slopes": kl_slopes})


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the gradients of the three games and of KL."""
  figure, panels = curves.grid(2, 2, (11, 4.6))
  pictures.headline(
    figure,
    "gradients against the best discriminator: that of the maximum-likelihood "
    "game is that of KL(p || q)",
  )
  lines = {
    "mean": (MEANS, "mean mu", f"at s = {WIDTH:g}"),
    "stddev": (
      STDDEVS,
      "standard deviation s",
      f"at mu = {OFFSET:g}",
    ),
  }
  symbols = {"mean": "mu", "stddev": "s"}
  for axes, (name, (x, label, where)) in zip(
    panels, lines.items(), strict=True
  ):
    for loss, style in STYLES.items():
      axes.plot(x, drawn["slopes"][loss][name], label=f"J_G, {loss}", **style)
    axes.plot(
      x, drawn["kl_slopes"][name], "--", color=curves.DATA, label="KL(p || q)"
    )
    axes.axhline(0, color=curves.FRAME, linewidth=0.8)
    axes.set_title(
      f"slope in the {label}\n{where}, data N({DATA[0]:g}, {DATA[1] ** 2:g})",
      fontsize=10,
    )
    axes.set(
      xlabel=f"generator's {label}",
      ylabel=f"slope in {symbols[name]} (nats per unit)",
    )
  return curves.legend(figure)


def _log_normal(x: float, mean: float, stddev: float) -> float:
  """Computes log N(x; mean, stddev^2)."""
  scaled = (x - mean) / stddev
  return -0.5 * scaled**2 - math.log(stddev * math.sqrt(2 * math.pi))


def _twice_jsd(mean: float, stddev: float) -> float:
  """Computes 2 JSD(p || q) by adaptive quadrature."""

  def integrand(x):
    p, q = (math.exp(_log_normal(x, *fit)) for fit in (DATA, (mean, stddev)))
    middle = math.log((p + q) / 2)
    return p * (math.log(p) - middle) + q * (math.log(q) - middle)

  return integrate.quad(integrand, -30, 32, epsabs=1e-13, limit=500)[0]


def _reverse_kl(mean: float, stddev: float) -> float:
  """Computes KL(q || p) of two normals in closed form."""
  ratio = stddev / DATA[1]
  gap = (mean - DATA[0]) / DATA[1]
  return 0.5 * (ratio**2 - 1 + gap**2) - math.log(ratio)


def _slope(function: Callable[[float], float], at: float) -> float:
  """Differentiates by central differences."""
  step = 1e-4
  return (function(at + step) - function(at - step)) / (2 * step)


def _expected(name: str) -> dict[str, Callable[[], float]]:
  """Returns the slopes of the three divergences at the end of a line."""
  if name == "mean":
    at, fit = float(MEANS[-1]), lambda value: (value, WIDTH)
    kl_slopes = _kl_slopes(at, WIDTH)[0]
  else:
    at, fit = float(STDDEVS[-1]), lambda value: (OFFSET, value)
    kl_slopes = _kl_slopes(OFFSET, at)[1]

  def twice_jsd_slope():
    return _slope(lambda value: _twice_jsd(*fit(value)), at)

  def reverse_kl_slope():
    return _slope(lambda value: _reverse_kl(*fit(value)), at)

  return {
    "maximum likelihood": lambda: kl_slopes,
    "minimax": twice_jsd_slope,
    "non-saturating": lambda: reverse_kl_slope() - twice_jsd_slope(),
    "reverse KL": reverse_kl_slope,
  }


def _checks(name: str) -> tuple[Check, ...]:
  """Returns the checks of one of the two lines."""
  expected = _expected(name)
  return (
    Check(
      f"dJ_G/dKL, halves, {name}",
      0.5,
      1e-4,
      "closed form: 1/2, the slope of J_G over that of KL by least squares",
    ),
    Check(
      f"greatest error, {name}",
      0.0,
      1e-4,
      "closed form of KL(p || q), every point of the line",
      wrong={
        "the largest slope that is missed": 1 / 3,
        "one in a thousand": 1e-3,
      },
    ),
    Check(
      f"maximum likelihood, {name}, at the end",
      expected["maximum likelihood"],
      1e-4,
      "closed form: (mu - m) / s^2; 1/s - (s_p^2 + (mu - m)^2) / s^3",
      wrong={"reverse KL": expected["reverse KL"]},
    ),
    Check(
      f"minimax, {name}, at the end",
      expected["minimax"],
      1e-4,
      "central differences of 2 JSD, scipy.integrate.quad",
      wrong={"JSD alone": lambda: expected["minimax"]() / 2},
    ),
    Check(
      f"non-saturating, {name}, at the end",
      expected["non-saturating"],
      1e-4,
      "central differences of KL(q || p) - 2 JSD, scipy.integrate.quad",
      wrong={
        "reverse KL": expected["reverse KL"],
        "of minimax": expected["minimax"],
      },
    ),
  )


REPRODUCTION = Reproduction(
  id="ml_gradient",
  source="Goodfellow 2016, arXiv 1701.00160, sections 3.2.4 and 8.3",
  summary="at D* the maximum-likelihood game has the gradient of KL(p || q)",
  compute=compute,
  checks=(*_checks("mean"), *_checks("stddev")),
  draw=draw,
)
