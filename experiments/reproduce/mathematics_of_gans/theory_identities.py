"""Identities of GAN theory, each checked against an independent computation.

Six panels show the best discriminator D* = p / (p + q) between two normals; the
function a log D + b log(1 - D) that it maximises, which has one maximum at a /
(a + b); its value, -log 4 + 2 JSD, as the normals move apart; the lengths of
Huffman's code next to -log2 P; the normal of least KL, which is the most likely
one; and the slopes of three generator costs.

References:
  Wang Haoran, The mathematics of GANs (cnblogs, 2020, in Chinese).
  Goodfellow et al., Generative Adversarial Nets, arXiv 1406.2661, section 4.1.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, quadrature
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.mathematics_of_gans import (
  costs,
  divergence_identities,
  game,
  information,
)
from gan_jax import divergences

SHIFT = 2.0
"""Distance of the two normals in the first panel."""
WEIGHTS = ((3.0, 1.0, "-"), (1.0, 1.0, "--"), (1.0, 3.0, ":"))
"""Values of a and b in the second panel, and the styles of their lines."""
PROBABILITIES = np.linspace(0.001, 0.999, 499)
SLOPE_PROBABILITIES = np.linspace(0.02, 0.98, 33)
SYMBOLS = np.arange(1, 31)
DISTANCES = np.linspace(0, game.DISTANCES[-1], 61)
X, FIT_X = np.linspace(-3.5, 5.5, 181), np.linspace(-5, 8, 521)


def compute(inputs: Inputs) -> Computed:
  """Checks the identities and computes the curves of the panels."""
  del inputs
  with jax.enable_x64(True):
    checks = [
      check
      for group in (information, divergence_identities, game, costs)
      for check in group.checks()
    ]
    # The probability of the k-th symbol is proportional to 1 / k.
    shares = 1 / SYMBOLS / np.sum(1 / SYMBOLS)
    lengths = divergences.huffman_code_lengths(shares)
    x, fit_x = jnp.asarray(X), jnp.asarray(FIT_X)
    p, q = quadrature.normal(x, 0.0, 1.0), quadrature.normal(x, SHIFT, 1.0)
    axis, weights = quadrature.axis()
    at_0 = quadrature.normal(axis, 0.0, 1.0)

    def jsd(distance):
      q = quadrature.normal(axis, distance, 1.0)
      return divergences.jensen_shannon(at_0, q, weights)

    fitted = divergence_identities.most_likely_normal()
    drawn = {
      "p": p,
      "q": q,
      "best": jax.jit(divergences.optimal_discriminator)(p, q),
      "jsd": jax.jit(jax.vmap(jsd))(DISTANCES),
      "largest": game.optimal_values(game.DISTANCES),
      "lengths": lengths,
      "length": divergences.expected_code_length(shares, lengths),
      "bits": jax.jit(divergences.self_information)(shares) / math.log(2),
      "entropy": jax.jit(divergences.entropy)(shares) / math.log(2),
      "mixture": divergence_identities.mixture(fit_x),
      "fit": quadrature.normal(fit_x, *fitted),
      "slopes": {
        loss: costs.slopes(loss, SLOPE_PROBABILITIES) for loss in costs.LOSSES
      },
    }
  return Computed(checks, jax.tree.map(np.asarray, drawn))


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the six panels."""
  figure, panels = curves.grid(6, 3, (12, 7.2))
  pictures.headline(
    figure, "the identities behind the game of generator and discriminator"
  )
  best, pointwise, values, code, fit, slopes = panels
  pictures.density(best, X, drawn["p"], curves.DATA, "data p")
  pictures.density(best, X, drawn["q"], curves.GENERATED, "generated q")
  best.plot(
    X, drawn["best"], color=curves.DISCRIMINATOR, label="D* = p / (p + q)"
  )
  best.axhline(0.5, color=curves.DISCRIMINATOR, **curves.REFERENCE)
  best.set(
    title="the best discriminator is 1/2 where p = q",
    xlabel="x",
    ylabel="density; probability of real",
    xlim=(X[0], X[-1]),
    ylim=(0, 1.02),
  )
  for a, b, style in WEIGHTS:
    pointwise.plot(
      PROBABILITIES,
      a * np.log(PROBABILITIES) + b * np.log(1 - PROBABILITIES),
      style,
      color=curves.DISCRIMINATOR,
      label=f"a = {a:g}, b = {b:g}",
    )
  a, b = np.array([row[:2] for row in WEIGHTS]).T
  pointwise.plot(
    a / (a + b),
    a * np.log(a / (a + b)) + b * np.log(b / (a + b)),
    "o",
    color=curves.GENERATED,
    label="D = a / (a + b)",
    zorder=3,
  )
  pointwise.set(
    title="a log D + b log(1 - D) has one maximum",
    xlabel="D",
    ylabel="value (nats)",
    ylim=(-8, 0),
  )
  values.plot(
    DISTANCES,
    -math.log(4) + 2 * drawn["jsd"],
    color=curves.DATA,
    label="-log 4 + 2 JSD",
  )
  values.plot(
    game.DISTANCES,
    drawn["largest"],
    "o",
    color=curves.DISCRIMINATOR,
    ms=4,
    label="max over D of V(G, D)",
  )
  for level, label in ((0, "0: no overlap"), (-math.log(4), "-log 4: p = q")):
    values.axhline(level, color=curves.FRAME, **curves.REFERENCE)
    values.text(6, level + 0.03, label, ha="right", fontsize=8)
  values.set(
    title="the value at D* measures the divergence",
    xlabel="distance of two normals (standard deviations)",
    ylabel="value (nats)",
    ylim=(-1.5, 0.15),
  )
  code.bar(
    SYMBOLS,
    drawn["lengths"],
    color=curves.GENERATED,
    alpha=0.5,
    label="length of Huffman's word",
  )
  code.plot(
    SYMBOLS, drawn["bits"], color=curves.DATA, label="self-information -log2 P"
  )
  code.set(
    title=f"a code of {drawn['length']:.3f} bits for "
    f"{drawn['entropy']:.3f} bits of entropy",
    xlabel="symbol k, of probability as 1 / k",
    ylabel="bits",
    ylim=(0, 10),
  )
  pictures.density(fit, FIT_X, drawn["mixture"], curves.DATA, "data p")
  fit.plot(
    FIT_X,
    drawn["fit"],
    color=curves.GENERATED,
    label="normal of least KL(p || q)",
  )
  fit.set(
    title="the most likely normal has the data's moments",
    xlabel="x",
    ylabel="density",
    xlim=(FIT_X[0], FIT_X[-1]),
    ylim=(0, None),
  )
  for (loss, values_of_loss), color, style in zip(
    drawn["slopes"].items(),
    (curves.DATA, curves.GENERATED, curves.AVERAGE),
    ("-", "--", "-."),
    strict=True,
  ):
    slopes.plot(
      SLOPE_PROBABILITIES,
      -values_of_loss,
      color=color,
      ls=style,
      label=loss.replace("_", " "),
    )
  slopes.set(
    title="near D = 0 only one cost has a slope",
    xlabel="D(G(z))",
    ylabel="-dJ_G / dlogit",
    xlim=(0, 1),
    ylim=(0, 3),
  )
  for axes in panels:
    axes.title.set_fontsize(10)
    axes.legend(frameon=False, fontsize=8)
  return figure


REPRODUCTION = Reproduction(
  id="theory_identities",
  source="The mathematics of GANs 2020, and GAN 2014, section 4.1",
  summary="D*, its value and the JSD, KL, codes and slopes, each checked",
  compute=compute,
  draw=draw,
)
