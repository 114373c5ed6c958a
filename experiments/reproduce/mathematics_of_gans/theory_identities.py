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
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, quadrature
from experiments.reproduce.common.figure import Computed, Reproduction
from experiments.reproduce.mathematics_of_gans import (
  costs,
  divergence_identities,
  game,
  information,
)
from experiments.run_folder.results import Results
from gan_jax import divergences

SHIFT = 2.0
"""Distance of the two normals in the first panel."""
WEIGHTS = ((3.0, 1.0), (1.0, 1.0), (1.0, 3.0))
"""Values of a and b in the second panel."""
NUM_SYMBOLS = 30


def compute(runs: Mapping[str, Results]) -> Computed:
  """Measures the identities and computes the curves of the panels."""
  del runs
  with jax.enable_x64(True):
    measured = {}
    for group in (information, divergence_identities, game, costs):
      measured |= group.measure()
    fit = measured["most likely mean"], measured["most likely deviation"]
    # A source whose k-th symbol has a probability proportional to 1 / k.
    shares = 1 / np.arange(1, NUM_SYMBOLS + 1)
    shares /= shares.sum()
    lengths = divergences.huffman_code_lengths(shares)
    drawn = _panel_curves(*fit, jnp.asarray(shares))
    probabilities = np.linspace(0.02, 0.98, 33)
    drawn |= {
      "slope_probabilities": probabilities,
      "lengths": lengths,
      "length": divergences.expected_code_length(shares, lengths),
      "slopes": costs.slopes(probabilities),
      "largest": game.optimal_values(jnp.asarray(game.DISTANCES)),
    }
  return Computed(measured, jax.tree.map(np.asarray, drawn))


@jax.jit
def _panel_curves(
  fit_mean: jax.Array, fit_stddev: jax.Array, shares: jax.Array
) -> dict[str, Any]:
  """Computes the curves of the panels."""
  x = jnp.linspace(-3.5, 5.5, 181)
  p, q = quadrature.normal(x, 0.0, 1.0), quadrature.normal(x, SHIFT, 1.0)
  probabilities = jnp.linspace(0.001, 0.999, 499)
  a, b = jnp.array(WEIGHTS).T
  axis, weights = quadrature.axis()
  at_0 = quadrature.normal(axis, 0.0, 1.0)
  distances = jnp.linspace(0, game.DISTANCES[-1], 61)
  fit_x = jnp.linspace(-5, 8, 521)
  return {
    "x": x,
    "p": p,
    "q": q,
    "best": divergences.optimal_discriminator(p, q),
    "probabilities": probabilities,
    "pointwise": jax.vmap(
      lambda d: jax.vmap(divergences.value, (0, 0, None))(
        a[:, None], b[:, None], d[None]
      ),
      out_axes=1,
    )(probabilities),
    "distances": distances,
    "jsd": jax.vmap(
      lambda distance: divergences.jensen_shannon(
        at_0, quadrature.normal(axis, distance, 1.0), weights
      )
    )(distances),
    "fit_x": fit_x,
    "mixture": divergence_identities.mixture(fit_x),
    "fit": quadrature.normal(fit_x, fit_mean, fit_stddev),
    "bits": divergences.self_information(shares) / math.log(2),
    "entropy": divergences.entropy(shares) / math.log(2),
  }


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the six panels."""
  figure, panels = curves.grid(6, 3, (12, 7.2))
  pictures.headline(
    figure, "the identities behind the game of generator and discriminator"
  )
  drawings = (
    _draw_discriminator,
    _draw_pointwise,
    _draw_values,
    _draw_code,
    _draw_fit,
    _draw_slopes,
  )
  for axes, drawing in zip(panels, drawings, strict=True):
    drawing(axes, drawn)
    axes.title.set_fontsize(10)
    axes.legend(frameon=False, fontsize=8)
  return figure


def _draw_discriminator(axes: Axes, drawn: Mapping[str, Any]) -> None:
  x = drawn["x"]
  for name, label, color in (
    ("p", "data p", curves.DATA),
    ("q", "generated q", curves.GENERATED),
  ):
    axes.fill_between(x, drawn[name], color=color, alpha=0.15, lw=0)
    axes.plot(x, drawn[name], color=color, label=label)
  axes.plot(
    x, drawn["best"], color=curves.DISCRIMINATOR, label="D* = p / (p + q)"
  )
  axes.axhline(0.5, color=curves.DISCRIMINATOR, **curves.REFERENCE)
  axes.set(
    title="the best discriminator is 1/2 where p = q",
    xlabel="x",
    ylabel="density; probability of real",
    xlim=(x[0], x[-1]),
    ylim=(0, 1.02),
  )


def _draw_pointwise(axes: Axes, drawn: Mapping[str, Any]) -> None:
  styles = ("-", "--", ":")
  best = [a / (a + b) for a, b in WEIGHTS]
  top = [
    a * math.log(d) + b * math.log(1 - d)
    for (a, b), d in zip(WEIGHTS, best, strict=True)
  ]
  for (a, b), values, style in zip(
    WEIGHTS, drawn["pointwise"], styles, strict=True
  ):
    axes.plot(
      drawn["probabilities"],
      values,
      color=curves.DISCRIMINATOR,
      ls=style,
      label=f"a = {a:g}, b = {b:g}",
    )
  axes.plot(
    best, top, "o", color=curves.GENERATED, label="D = a / (a + b)", zorder=3
  )
  axes.set(
    title="a log D + b log(1 - D) has one maximum",
    xlabel="D",
    ylabel="value (nats)",
    ylim=(-8, 0),
  )


def _draw_values(axes: Axes, drawn: Mapping[str, Any]) -> None:
  axes.plot(
    drawn["distances"],
    -math.log(4) + 2 * drawn["jsd"],
    color=curves.DATA,
    label="-log 4 + 2 JSD",
  )
  axes.plot(
    game.DISTANCES,
    drawn["largest"],
    "o",
    color=curves.DISCRIMINATOR,
    ms=4,
    label="max over D of V(G, D)",
  )
  for level, label in ((0, "0: no overlap"), (-math.log(4), "-log 4: p = q")):
    axes.axhline(level, color=curves.FRAME, **curves.REFERENCE)
    axes.text(6, level + 0.03, label, ha="right", fontsize=8)
  axes.set(
    title="the value at D* measures the divergence",
    xlabel="distance of two normals (standard deviations)",
    ylabel="value (nats)",
    ylim=(-1.5, 0.15),
  )


def _draw_code(axes: Axes, drawn: Mapping[str, Any]) -> None:
  symbols = np.arange(1, NUM_SYMBOLS + 1)
  axes.bar(
    symbols,
    drawn["lengths"],
    color=curves.GENERATED,
    alpha=0.5,
    label="length of Huffman's word",
  )
  axes.plot(
    symbols, drawn["bits"], color=curves.DATA, label="self-information -log2 P"
  )
  axes.set(
    title=f"a code of {drawn['length']:.3f} bits for "
    f"{drawn['entropy']:.3f} bits of entropy",
    xlabel="symbol k, of probability as 1 / k",
    ylabel="bits",
    ylim=(0, 10),
  )


def _draw_fit(axes: Axes, drawn: Mapping[str, Any]) -> None:
  x = drawn["fit_x"]
  axes.fill_between(x, drawn["mixture"], color=curves.DATA, alpha=0.15, lw=0)
  axes.plot(x, drawn["mixture"], color=curves.DATA, lw=1, label="data p")
  axes.plot(
    x, drawn["fit"], color=curves.GENERATED, label="normal of least KL(p || q)"
  )
  axes.set(
    title="the most likely normal has the data's moments",
    xlabel="x",
    ylabel="density",
    xlim=(x[0], x[-1]),
    ylim=(0, None),
  )


def _draw_slopes(axes: Axes, drawn: Mapping[str, Any]) -> None:
  for (name, slopes), color, style in zip(
    drawn["slopes"].items(),
    (curves.DATA, curves.GENERATED, curves.AVERAGE),
    ("-", "--", "-."),
    strict=True,
  ):
    axes.plot(
      drawn["slope_probabilities"],
      -slopes,
      color=color,
      ls=style,
      label=name.replace("_", " "),
    )
  axes.set(
    title="near D = 0 only one cost has a slope",
    xlabel="D(G(z))",
    ylabel="-dJ_G / dlogit",
    xlim=(0, 1),
    ylim=(0, 3),
  )


REPRODUCTION = Reproduction(
  id="theory_identities",
  source="The mathematics of GANs 2020; GAN 2014, section 4.1",
  summary="D*, its value and the JSD, KL, codes and slopes, each checked",
  compute=compute,
  checks=(
    *information.CHECKS,
    *divergence_identities.CHECKS,
    *game.CHECKS,
    *costs.CHECKS,
  ),
  draw=draw,
)
