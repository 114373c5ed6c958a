"""Costs of the generator, and the samples that carry its gradient.

Left, the tutorial's figure: the part of J_G that depends on a sample z, as a
function of D(G(z)), with the tutorial's factor 1/2:

  minimax              1/2 log(1 - D)
  non-saturating      -1/2 log D
  maximum likelihood  -1/2 exp(logit D) = -1/2 D / (1 - D).

The tutorial concludes from these curves that the maximum-likelihood game has a
high variance, because most of its gradient comes from the few samples that are
most likely to be real. The other panels measure that, with data N(0, 1), a
generator N(mu, 1) and the best discriminator. The middle panel shows the
variance of one sample's dJ_G/dmu divided by its squared mean, the right panel
the share of the gradient that the largest samples carry at mu = 2. Both are
integrals over z on Gauss-Legendre points: one is 53.6 = e^4 - 1 at mu = 2,
which few samples would not show.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, section 3.2.6, figure 16.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy import integrate, special

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.reproduce.goodfellow2016 import normal_game
from experiments.run_folder.results import Results
from gan_jax import divergences
from gan_jax.data import densities

DATA = (0.0, 1.0)
GAPS = np.linspace(0.1, 2.5, 25)
"""Means of the generator; the mean of the data is 0."""
GAP = 2.0
FEW = 0.01
"""The share of the samples that counts as few."""
SURELY_REAL = 1e4
"""A logit at which the cost of a real sample is 0."""
STYLES: Mapping[str, Mapping[str, Any]] = {
  "minimax": {"color": curves.DISCRIMINATOR, "linestyle": "--"},
  "non-saturating": {"color": curves.AVERAGE, "linestyle": "-."},
  "maximum likelihood": {"color": curves.GENERATED, "linestyle": "-"},
}


def _cost(name: str, d: jax.Array) -> jax.Array:
  """Computes J_G of one sample at D(G(z)) = d [n], with the tutorial's 1/2."""
  generator = normal_game.LOSSES[name].generator
  real = jnp.full(1, SURELY_REAL, d.dtype)
  return 0.5 * jax.vmap(lambda f: generator(real, f[None]))(
    jax.scipy.special.logit(d)
  )


def _sample_gradients(name: str, gap: float, latents: jax.Array) -> jax.Array:
  """Computes dJ_G/dmu [n] for each of the latents [n]."""

  def one_gradient(z):
    params = normal_game.parameters(gap, 1.0)
    return normal_game.gradient(
      normal_game.LOSSES[name], DATA, params, z[None, None]
    )["mean"][0]

  return jax.vmap(one_gradient)(latents)


def _shares(
  sizes: np.ndarray, mass: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Accumulates gradient sizes from the largest down.

  Args:
    sizes: [n], |gradient|.
    mass: [n], the probabilities.

  Returns:
    The shares [n] of the samples and the shares [n] of the gradient.
  """
  order = np.argsort(-sizes)
  samples = np.cumsum(mass[order])
  carried = np.cumsum((mass * sizes)[order])
  return samples / samples[-1], carried / carried[-1]


def compute(runs: Mapping[str, Results]) -> Computed:
  """Evaluates the costs and the gradients of single samples."""
  measured, curves, variances, shares = {}, {}, {}, {}
  with jax.enable_x64(True):
    d = jnp.linspace(0.001, 0.999, 999)
    z, weights = divergences.gauss_legendre(-12.0, 12.0, 10, 200)
    normal = densities.normal(0, 1)
    mass = np.asarray(weights * jnp.exp(normal.log_prob(z[:, None])))

    for name in STYLES:
      all_gradients = jax.jit(
        lambda gaps, name=name: jax.lax.map(
          lambda gap: _sample_gradients(name, gap, z), gaps
        )
      )
      gradients = np.asarray(all_gradients(jnp.append(GAPS, GAP)))
      means = gradients @ mass
      variance = (gradients - means[:, None]) ** 2 @ mass / means**2
      curves[name] = np.asarray(_cost(name, d))
      variances[name] = variance[:-1]
      shares[name] = _shares(np.abs(gradients[-1]), mass)
      measured |= {
        f"cost at D = 1/2, {name}": _cost(name, jnp.full(1, 0.5))[0],
        f"variance over squared mean, {name}": variance[-1],
        f"share of 1 % of the samples, {name}": np.interp(FEW, *shares[name]),
      }
  drawn = {"curves": curves, "variances": variances, "shares": shares}
  return Computed(measured, drawn | {"d": np.asarray(d)})


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the costs, the variances and the shares."""
  figure, (costs, variances, shares) = curves.grid(3, 3, (12, 4.4))
  for name, style in STYLES.items():
    costs.plot(drawn["d"], drawn["curves"][name], label=name, **style)
    variances.plot(GAPS, drawn["variances"][name], label=name, **style)
    shares.plot(*drawn["shares"][name], label=name, **style)
  costs.set_title("cost of one sample", fontsize=10)
  costs.set(
    xlim=(0, 1),
    ylim=(-20, 5),
    xlabel="D(G(z)) (probability)",
    ylabel="J_G (nats, the tutorial's halves)",
  )
  variances.set_title("variance of one sample's gradient", fontsize=10)
  variances.set(
    yscale="log",
    xlabel="distance of the means, mu",
    ylabel="variance of dJ_G/dmu / squared mean",
  )
  shares.plot(
    *2 * [np.geomspace(1e-4, 1)],
    color=curves.DATA,
    label="all samples alike",
    **curves.REFERENCE,
  )
  shares.axvline(FEW, color=curves.FRAME, linewidth=0.8)
  shares.set_title(f"gradient from few samples, mu = {GAP:g}", fontsize=10)
  shares.set(
    xscale="log",
    xlim=(1e-4, 1),
    ylim=(0, 1.02),
    xlabel="share of the samples, largest first",
    ylabel="share of the gradient",
  )
  pictures.headline(
    figure,
    "three games for the generator: under maximum likelihood few samples, "
    "those that look most real, carry the gradient",
  )
  return curves.legend(figure)


def _slope(name: str, z: float) -> float:
  """Computes |dJ_G/dmu| / mu of the sample z + mu at mu = GAP.

  The logit there is log p/q = -x^2/2 + z^2/2. Its slope in x is -mu with D*
  fixed, so the result is the slope of the cost in the logit.
  """
  d = special.expit((z**2 - (z + GAP) ** 2) / 2)
  return {
    "minimax": d,
    "non-saturating": 1 - d,
    "maximum likelihood": d / (1 - d),
  }[name]


def _expectation(
  function: Callable[[float], float], high: float = math.inf
) -> float:
  """Integrates over a normal z below `high`."""
  low, high = -12.0, min(high, 12.0)
  density = 1 / math.sqrt(2 * math.pi)
  return integrate.quad(
    lambda z: density * math.exp(-(z**2) / 2) * function(z),
    low,
    high,
    epsabs=1e-12,
    limit=200,
  )[0]


def _variance(name: str) -> float:
  """Computes the variance over the squared mean."""
  mean = _expectation(lambda z: _slope(name, z))
  return _expectation(lambda z: _slope(name, z) ** 2) / mean**2 - 1


def _share(name: str) -> float:
  """Computes the share of the largest slopes.

  D falls as z grows. So do the slopes, except the non-saturating ones, which
  grow; for these the lowest 99 % of z are left out.
  """
  quantile = float(special.ndtri(FEW))
  whole = _expectation(lambda z: _slope(name, z))
  if name == "non-saturating":
    return 1 - _expectation(lambda z: _slope(name, z), -quantile) / whole
  return _expectation(lambda z: _slope(name, z), quantile) / whole


AT_HALF = {
  "minimax": -math.log(2) / 2,
  "non-saturating": math.log(2) / 2,
  "maximum likelihood": -0.5,
}
CHECKS = (
  *(
    Check(
      f"cost at D = 1/2, {name}",
      cost,
      1e-9,
      "closed form: -1/2 log 2, 1/2 log 2 and -1/2",
      wrong={
        f"of {other}": AT_HALF[other] for other in AT_HALF if other != name
      },
    )
    for name, cost in AT_HALF.items()
  ),
  Check(
    "variance over squared mean, maximum likelihood",
    math.expm1(GAP**2),
    1e-3,
    "closed form: p/q is log-normal at samples of q, e^(mu^2) - 1",
    wrong={"the second moment": math.exp(GAP**2)},
  ),
  *(
    Check(
      f"variance over squared mean, {name}",
      lambda name=name: _variance(name),
      1e-6,
      "scipy.integrate.quad of the slopes written out",
      wrong={"of maximum likelihood": math.expm1(GAP**2)},
    )
    for name in ("minimax", "non-saturating")
  ),
  Check(
    "share of 1 % of the samples, maximum likelihood",
    lambda: float(special.ndtr(special.ndtri(FEW) + GAP)),
    1e-3,
    "closed form: p/q moves N(0, 1) by -mu, Phi(Phi^-1(1/100) + mu)",
    wrong={"all samples alike": FEW},
  ),
  *(
    Check(
      f"share of 1 % of the samples, {name}",
      lambda name=name: _share(name),
      1e-4,
      "scipy.integrate.quad of the slopes written out",
      wrong={"of maximum likelihood": 0.3721},
    )
    for name in ("minimax", "non-saturating")
  ),
)

REPRODUCTION = Reproduction(
  id="goodfellow2016_fig16",
  source="Goodfellow 2016, arXiv 1701.00160, figure 16",
  summary="three costs of the generator: maximum likelihood varies most",
  compute=compute,
  checks=CHECKS,
  draw=draw,
)
