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
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy import special

from experiments.plots import curves
from experiments.reproduce.common import expected, pictures, quadrature
from experiments.reproduce.common.checks import close
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.goodfellow2016 import normal_game
from experiments.reproduce.goodfellow2016.normal_game import LOSSES, STYLES
from gan_jax import divergences

DATA = (0.0, 1.0)
GAPS = np.linspace(0.1, 2.5, 25)
"""Means of the generator; the mean of the data is 0."""
GAP = 2.0
FEW = 0.01
"""The share of the samples that counts as few."""
SURELY_REAL = 1e4
"""A logit at which the cost of a real sample is 0."""
AT_HALF = {
  "minimax": -math.log(2) / 2,
  "non-saturating": math.log(2) / 2,
  "maximum likelihood": -0.5,
}


def _cost(name: str, d: jax.Array) -> jax.Array:
  """Computes J_G of one sample at D(G(z)) = d [n], with the tutorial's 1/2."""
  real = jnp.full(1, SURELY_REAL, d.dtype)
  return 0.5 * jax.vmap(lambda f: LOSSES[name].generator(real, f[None]))(
    jax.scipy.special.logit(d)
  )


def _gradients(name: str, gaps: jax.Array, latents: jax.Array) -> np.ndarray:
  """Computes dJ_G/dmu [gaps, n] of each of the latents [n]."""

  def of_sample(gap, z):
    loss = LOSSES[name]
    return normal_game.gradient(loss, DATA, gap, 1.0, z[None, None])[0]

  of_samples = jax.vmap(of_sample, (None, 0))
  return np.asarray(
    jax.jit(lambda x: jax.lax.map(lambda gap: of_samples(gap, latents), x))(
      gaps
    )
  )


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


def _expected(name: str) -> tuple[float, float, str]:
  """Computes variance over squared mean and share at mu = GAP, and says how.

  At the sample x = z + mu the logit of D* is (z^2 - x^2) / 2, and -mu is its
  slope in x with D* fixed. So |dJ_G/dmu| is mu times the slope of the cost in
  the logit. Without the halves these slopes are D, 1 - D and D / (1 - D).
  """
  edge = special.ndtri(FEW)
  if name == "maximum likelihood":
    return (
      math.expm1(GAP**2),
      special.ndtr(edge + GAP),
      "closed form: p/q is log-normal, e^(mu^2) - 1; under its weight N(0, 1) "
      "moves by -mu, Phi(Phi^-1(1/100) + mu)",
    )

  def moment(order, low=-12.0, high=12.0):
    def integrand(z):
      d = special.expit((z**2 - (z + GAP) ** 2) / 2)
      slope = d if name == "minimax" else 1 - d
      return np.exp(expected.log_normal(z)) * slope**order

    return expected.integral(integrand, low, high)

  # D decreases in z, so 1 - D is largest at the largest z.
  few = moment(1, high=edge) if name == "minimax" else moment(1, low=-edge)
  mean = moment(1)
  return (
    moment(2) / mean**2 - 1,
    few / mean,
    "scipy.integrate.quad of the slopes written out",
  )


def compute(inputs: Inputs) -> Computed:
  """Evaluates the costs and the gradients of single samples."""
  del inputs
  checks, costs, variances, shares = [], {}, {}, {}
  with jax.enable_x64(True):
    d = jnp.linspace(0.001, 0.999, 999)
    z, weights = divergences.gauss_legendre(-12.0, 12.0, 10, 200)
    mass = np.asarray(weights * quadrature.normal(z, 0.0, 1.0))
    for name in LOSSES:
      gradients = _gradients(name, jnp.append(GAPS, GAP), z)
      means = gradients @ mass
      variance = (gradients - means[:, None]) ** 2 @ mass / means**2
      costs[name] = np.asarray(_cost(name, d))
      variances[name] = variance[:-1]
      shares[name] = _shares(np.abs(gradients[-1]), mass)
      expected_variance, expected_share, origin = _expected(name)
      checks += [
        close(
          f"cost at D = 1/2, {name}",
          costs[name][len(d) // 2],
          AT_HALF[name],
          1e-9,
          "closed form: -1/2 log 2, 1/2 log 2 and -1/2",
        ),
        close(
          f"variance over squared mean, {name}",
          variance[-1],
          expected_variance,
          1e-6,
          origin,
        ),
        close(
          f"share of 1 % of the samples, {name}",
          np.interp(FEW, *shares[name]),
          expected_share,
          1e-4,
          origin,
        ),
      ]
  return Computed(
    checks,
    {
      "d": np.asarray(d),
      "costs": costs,
      "variances": variances,
      "shares": shares,
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the costs, the variances and the shares."""
  figure, (costs, variances, shares) = curves.grid(3, 3, (12, 4.4))
  for name, style in STYLES.items():
    costs.plot(drawn["d"], drawn["costs"][name], label=name, **style)
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


REPRODUCTION = Reproduction(
  id="goodfellow2016_fig16",
  source="Goodfellow 2016, arXiv 1701.00160, figure 16",
  summary="three costs of the generator: maximum likelihood varies most",
  compute=compute,
  draw=draw,
)
