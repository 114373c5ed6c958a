"""Stable end points of training, which need not be Nash equilibria.

At a local Nash equilibrium no player gains by a small move alone:

  d J_G / d g = 0,  d J_D / d d = 0,
  d^2 J_G / d g^2 and d^2 J_D / d d^2 positive semidefinite.

Training is attracted by other points: those where every eigenvalue of the
Jacobian of v = (d J_G / d g, d J_D / d d) has a positive real part. This figure
shows both for a linear generator, x = s z + mu with z ~ N(0, 1), and a
discriminator whose logit is a weighted sum of bumps. J_D is convex in the
weights, and strictly convex with their decay, so its Hessian has no negative
eigenvalue anywhere. The Hessian of J_G is known where its gradient is zero. By
the heat equation any function f satisfies

  J(mu, s) = E f(mu + s z),  dJ/ds = s d^2 J / dmu^2,

so that d^2 J_G / dmu^2 = 0 there, and the determinant of the Hessian is -(d^2
J_G / dmu ds)^2. Two games are played with simultaneous SGD:

  one normal  The generator can match the data. Then D = 1/2 everywhere, J_G is
              the same for all g, and its Hessian is zero: a Nash equilibrium,
              but not a strict one. The discriminator alone stabilises it.
  two modes   The generator cannot match the data, which are not symmetric. One
              eigenvalue of its Hessian is negative: training converges to a
              saddle of J_G, which is no local Nash equilibrium.

Berard et al. found the second case at the end of training GANs of images.
Minibatches and latents are fixed quantiles, so no noise hides the end point.
That there are 500 of them instead of a density causes differences of about one
per cent.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, section 3.1, for the equilibrium; Berard et al., A Closer Look at
the Optimization Landscapes of Generative Adversarial Networks, arXiv
1906.04848, for the spectra.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import expected, pictures
from experiments.reproduce.common.checks import Check, at_most, covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.goodfellow2016 import bump_game
from experiments.reproduce.goodfellow2016.bump_game import Mode

DATA = {
  "one normal": (Mode(1.0, 0.6, 1.0),),
  "two modes": (Mode(-1.0, 0.5, 0.7), Mode(1.5, 0.4, 0.3)),
}
NUM_SEEDS = 8
FITTED = (1e-12, 1e-6)
"""The range of |v| in which its decay is fitted."""
COLORS = {"generator": curves.GENERATED, "discriminator": curves.DISCRIMINATOR}
TITLES = {
  "one normal": (
    "one normal: G matches the data",
    "the end has no negative eigenvalue:\na Nash equilibrium",
  ),
  "two modes": (
    "two modes: G cannot match the data",
    "the generator has a negative eigenvalue:\nno Nash equilibrium",
  ),
}


def _fall(norms: np.ndarray) -> float:
  """Fits the decrease of log |v| in 1000 steps; NaN if v does not vanish."""
  low, high = FITTED
  steps = np.flatnonzero((norms > low) & (norms < high))
  if norms[-1] > high:
    return math.nan
  return -1000 * np.polyfit(steps, np.log(norms[steps]), 1)[0]


def _spectra(jacobians: np.ndarray) -> dict[str, np.ndarray]:
  """Computes the eigenvalues of J [seeds, n, n] and of the players' blocks."""
  return {
    "generator": np.linalg.eigvalsh(jacobians[:, :2, :2]),
    "discriminator": np.linalg.eigvalsh(jacobians[:, 2:, 2:]),
    "J": np.linalg.eigvals(jacobians),
  }


def _summarise(
  means: Any, deviations: Any, jacobians: np.ndarray
) -> dict[str, np.ndarray]:
  """Returns the numbers [seeds] that describe the points where games end."""
  spectra = _spectra(jacobians)
  return {
    "mean": means,
    "deviation": deviations,
    "discriminator's least eigenvalue": spectra["discriminator"][:, 0],
    "J's least real part": np.real(spectra["J"]).min(axis=1),
    "generator's least eigenvalue": spectra["generator"][:, 0],
    "d2J_G/dmu ds": jacobians[:, 0, 1],
    "d2J_G/dmu2": jacobians[:, 0, 0],
  }


def _check_game(name: str, played: Mapping[str, np.ndarray]) -> list[Check]:
  """Compares the end of a game with the root of v."""
  root, jacobian = bump_game.solve(DATA[name])
  expectations = _summarise(root[:1], root[1:2], jacobian[None])
  measured = _summarise(played["mean"], played["deviation"], played["J, end"])
  norms = np.hypot(played["generator"], played["discriminator"])
  radius = np.max(np.abs(1 - bump_game.RATE * np.linalg.eigvals(jacobian)))
  origin = "scipy.optimize.root of v written out, and differences of v there"
  tolerances = {
    "mean": 5e-3,
    "deviation": 5e-3,
    "discriminator's least eigenvalue": 5e-4,
    "J's least real part": 2e-3,
  }
  if name == "two modes":
    tolerances |= {
      "generator's least eigenvalue": 3e-3,
      "d2J_G/dmu ds": 3e-3,
      # Closed form: (dJ_G/ds) / s = 0 by the heat equation.
      "d2J_G/dmu2": 1e-3,
    }
  checks = [
    covers(
      f"{what}, {name}",
      measured[what],
      expectations[what][0],
      tolerance,
      origin,
    )
    for what, tolerance in tolerances.items()
  ]
  if name == "one normal":
    checks.append(
      at_most(
        f"greatest entry of the generator's block, {name}",
        np.abs(played["J, end"][:, :2, :2]).max(),
        1e-7,
        "J_G is the same for all g where D = 1/2; the worst of all seeds",
      )
    )
  return [
    *checks,
    at_most(
      f"|v|, end over start, {name}",
      np.max(norms[:, -1] / norms[:, 0]),
      1e-6,
      "both gradients are 0; the worst of all seeds",
    ),
    covers(
      f"fall of log |v| in 1000 steps, {name}",
      [_fall(each) for each in norms],
      -1000 * math.log(radius),
      0.3,
      "logarithm of the spectral radius of I - rate J at the root",
    ),
  ]


def compute(inputs: Inputs) -> Computed:
  """Plays both games and computes the spectra at the start and the end."""
  seeds = inputs.seed + np.arange(NUM_SEEDS, dtype=np.uint32)
  played = {name: bump_game.play(DATA[name], seeds) for name in DATA}
  return Computed(
    [check for name in DATA for check in _check_game(name, played[name])],
    {
      name: {
        **game,
        "start": _spectra(game["J, start"]),
        "end": _spectra(game["J, end"]),
      }
      for name, game in played.items()
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the end of each game, the gradients over steps, and the spectra."""
  figure, panels = curves.grid(8, 4, (12, 6.8), width_ratios=(5, 5, 6, 5))
  pictures.headline(
    figure,
    "both games converge to a stable point, but only one of them to a Nash "
    f"equilibrium ({NUM_SEEDS} seeds each)",
  )
  for row, (name, played) in enumerate(drawn.items()):
    end, norms, blocks, plane = panels[4 * row : 4 * row + 4]
    _draw_end(end, name, played)
    _draw_norms(norms, played)
    _draw_blocks(blocks, played)
    _draw_plane(plane, played)
    for axes, title in zip((end, blocks), TITLES[name], strict=True):
      axes.set_title(title, fontsize=10)
    norms.set_title("both gradients vanish", fontsize=10)
    plane.set_title("the end is stable", fontsize=10)
  return curves.legend(figure)


def _draw_end(axes: Axes, name: str, played: Mapping[str, Any]) -> None:
  """Draws both densities and the discriminator of the first seed."""
  x = bump_game.POINTS
  generated = np.exp(
    expected.log_normal(x, played["mean"][0], played["deviation"][0])
  )
  for label, y, color, style in (
    ("data", bump_game.density(x, DATA[name]), curves.DATA, "-"),
    ("generator", generated, curves.GENERATED, "--"),
    ("discriminator", played["probability"][0], curves.DISCRIMINATOR, "-"),
  ):
    axes.plot(x, y, style, color=color, label=label, linewidth=2)
  axes.set(xlabel="x", ylabel="density; D (probability)", ylim=(-0.02, 0.8))


def _draw_norms(axes: Axes, played: Mapping[str, Any]) -> None:
  """Draws the norm of each player's gradient for all seeds."""
  shown = np.arange(0, bump_game.NUM_STEPS, 10)
  for player, color in COLORS.items():
    axes.semilogy(
      shown, played[player][:, shown].T, color=color, lw=0.8, alpha=0.8
    )
  curves.step_axis(axes)
  axes.set(
    ylabel="norm of each player's gradient",
    ylim=(1e-17, 10),
    xticks=range(0, bump_game.NUM_STEPS + 1, 1000),
  )


def _draw_blocks(axes: Axes, played: Mapping[str, Any]) -> None:
  """Draws the eigenvalues of both Hessians before and after training."""
  rows = [(player, when) for player in COLORS for when in ("start", "end")]
  for height, (player, when) in enumerate(rows):
    values = played[when][player].ravel()
    axes.plot(
      values,
      np.full(values.size, -height),
      "o",
      color=COLORS[player],
      markerfacecolor="white" if when == "start" else COLORS[player],
    )
  axes.axvspan(-2, 0, color="#EEEEEE", zorder=0)
  axes.axvline(0, color=curves.FRAME, linewidth=1)
  axes.set_xscale("symlog", linthresh=0.01, linscale=0.4)
  axes.set_yticks(
    -np.arange(len(rows)), [f"{player}\n{when}" for player, when in rows]
  )
  axes.tick_params(axis="y", labelsize=8)
  axes.set(
    xlabel="eigenvalue of each player's Hessian",
    xlim=(-2, 2),
    xticks=(-1, -0.1, 0, 0.1, 1),
    xticklabels=("-1", "-0.1", "0", "0.1", "1"),
    ylim=(-3.5, 0.5),
  )


def _draw_plane(axes: Axes, played: Mapping[str, Any]) -> None:
  """Draws the eigenvalues of the Jacobian before and after training."""
  for when, face in {"start": "white", "end": curves.AVERAGE}.items():
    values = played[when]["J"].ravel()
    axes.plot(
      values.real,
      values.imag,
      "o",
      color=curves.AVERAGE,
      markerfacecolor=face,
      label=f"Jacobian, {when}",
    )
  axes.axvspan(-0.4, 0, color="#EEEEEE", zorder=0)
  axes.axvline(0, color=curves.FRAME, linewidth=1)
  axes.set(
    xlabel="real part of J's eigenvalues",
    ylabel="imaginary part",
    xlim=(-0.4, 1.1),
    ylim=(-0.45, 0.45),
  )


REPRODUCTION = Reproduction(
  id="local_nash",
  source="Goodfellow 2016, arXiv 1701.00160, section 3.1",
  summary="two games end at stable points; one of them is no Nash equilibrium",
  compute=compute,
  draw=draw,
  trains=True,
)
