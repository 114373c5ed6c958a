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
J_G / dmu ds)^2. Two games are played with simultaneous SGD and six seeds each:

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

import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.reproduce.goodfellow2016 import bump_game
from experiments.reproduce.goodfellow2016.bump_game import NUM_SEEDS, Mode
from experiments.run_folder.results import Results

DATA = {
  "one normal": (Mode(1.0, 1.0, 0.6),),
  "two modes": (Mode(0.7, -1.0, 0.5), Mode(0.3, 1.5, 0.4)),
}
FITTED = slice(1000, 2000)
"""The steps over which the decay of the gradients is fitted."""
COLORS = {"generator": curves.GENERATED, "discriminator": curves.DISCRIMINATOR}
TITLES = {
  "one normal": (
    "one normal: G matches the data",
    "both gradients vanish",
    "the end has no negative eigenvalue:\na Nash equilibrium",
    "the end is stable",
  ),
  "two modes": (
    "two modes: G cannot match the data",
    "both gradients vanish",
    "the generator has a negative eigenvalue:\nno Nash equilibrium",
    "the end is stable",
  ),
}


def _fall(norms: np.ndarray) -> float:
  """Fits the decrease of log |v| in 1000 steps, averaged over seeds."""
  logs = np.log(norms[:, FITTED]).T
  _, slopes = np.polynomial.polynomial.polyfit(np.arange(len(logs)), logs, 1)
  return -1000 * np.mean(slopes)


def compute(runs: Mapping[str, Results]) -> Computed:
  """Plays both games and computes the spectra at the start and the end."""
  measured, drawn = {}, {}
  for name, modes in DATA.items():
    with jax.enable_x64(True):
      played = bump_game.play(bump_game.minibatch(modes))
      played = {key: np.asarray(value) for key, value in played.items()}
    spectra = {
      f"{matrix}, {when}": eigenvalues(played[f"{matrix}, {when}"])
      for when in ("start", "end")
      for matrix, eigenvalues in (
        ("generator's block", np.linalg.eigvalsh),
        ("discriminator's block", np.linalg.eigvalsh),
        ("J", np.linalg.eigvals),
      )
    }
    block = played["generator's block, end"]
    numbers = {
      **{
        f"|v| of the {player}, end over start": np.max(
          played[player][:, -1] / played[player][:, 0]
        )
        for player in COLORS
      },
      "mean": np.mean(played["mean"]),
      "deviation": np.mean(played["deviation"]),
      "discriminator's least eigenvalue": np.min(
        spectra["discriminator's block, end"]
      ),
      "J's least real part": np.min(spectra["J, end"].real),
      "spectral radius of a step": np.max(
        np.abs(np.linalg.eigvals(played["a step"]))
      ),
      "fall of log |v| in 1000 steps": _fall(
        np.hypot(played["generator"], played["discriminator"])
      ),
    }
    if name == "one normal":
      numbers["greatest entry of the generator's block"] = np.max(np.abs(block))
    else:
      numbers |= {
        # The largest, over seeds, of the least eigenvalues.
        "generator's least eigenvalue": np.max(
          spectra["generator's block, end"][:, 0]
        ),
        "d2J_G/dmu2": np.mean(block[:, 0, 0]),
        "d2J_G/dmu ds": np.mean(block[:, 0, 1]),
      }
    measured |= {f"{check}, {name}": each for check, each in numbers.items()}
    drawn[name] = {**played, "spectra": spectra}
  return Computed(measured, drawn)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the end of each game, the gradients over steps, and the spectra."""
  figure, panels = curves.grid(8, 4, (12, 6.8), width_ratios=(5, 5, 6, 5))
  pictures.headline(
    figure,
    "both games converge to a stable point, but only one of them to a Nash "
    f"equilibrium ({NUM_SEEDS} seeds each)",
  )
  for row, (name, played) in enumerate(drawn.items()):
    row_panels = panels[4 * row : 4 * row + 4]
    _draw_end(row_panels[0], name, played)
    _draw_norms(row_panels[1], played)
    _draw_blocks(row_panels[2], played["spectra"])
    _draw_plane(row_panels[3], played["spectra"])
    for axes, title in zip(row_panels, TITLES[name], strict=True):
      axes.set_title(title, fontsize=10)
  return curves.legend(figure)


def _draw_end(axes: Axes, name: str, played: Mapping[str, Any]) -> None:
  """Draws both densities and the discriminator of seed 0."""
  x = bump_game.POINTS
  lines = {
    "data": (bump_game.density(x, DATA[name]), curves.DATA, "-"),
    "generator": (
      bump_game.normal(x, played["mean"][0], played["deviation"][0]),
      curves.GENERATED,
      "--",
    ),
    "discriminator": (played["probability"][0], curves.DISCRIMINATOR, "-"),
  }
  for label, (y, color, style) in lines.items():
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


def _draw_blocks(axes: Axes, spectra: Mapping[str, np.ndarray]) -> None:
  """Draws the eigenvalues of both Hessians before and after training."""
  rows = [(player, when) for player in COLORS for when in ("start", "end")]
  for height, (player, when) in enumerate(rows):
    values = spectra[f"{player}'s block, {when}"].ravel()
    axes.plot(
      values,
      np.full(values.size, -height),
      "o",
      color=COLORS[player],
      markerfacecolor="white" if when == "start" else COLORS[player],
      markersize=6,
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


def _draw_plane(axes: Axes, spectra: Mapping[str, np.ndarray]) -> None:
  """Draws the eigenvalues of the Jacobian before and after training."""
  for when, face in {"start": "white", "end": curves.AVERAGE}.items():
    values = spectra[f"J, {when}"].ravel()
    axes.plot(
      np.real(values),
      np.imag(values),
      "o",
      color=curves.AVERAGE,
      markerfacecolor=face,
      markersize=6,
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


@functools.cache
def _solved(name: str) -> Mapping[str, float]:
  """Computes the expected numbers from the root of v."""
  root, jacobian = bump_game.solve(DATA[name])
  flow = np.linalg.eigvals(jacobian)
  radius = float(np.max(np.abs(1 - bump_game.RATE * flow)))
  block = jacobian[:2, :2]
  return {
    "mean": root[0],
    "deviation": root[1],
    "generator's least eigenvalue": float(np.linalg.eigvalsh(block)[0]),
    "d2J_G/dmu ds": block[0, 1],
    "d2J_G/ds2": block[1, 1],
    "discriminator's least eigenvalue": float(
      np.linalg.eigvalsh(jacobian[2:, 2:])[0]
    ),
    "J's least real part": float(np.min(np.real(flow))),
    "spectral radius of a step": radius,
    "fall of log |v| in 1000 steps": -1000 * math.log(radius),
  }


def _check(
  name: str, number: str, tolerance: float, wrong: Mapping[str, float]
) -> Check:
  """Returns the check of a number against its value at the root."""
  return Check(
    f"{number}, {name}",
    lambda: _solved(name)[number],
    tolerance,
    "scipy.optimize.root of v written out, and differences of v there; "
    f"{NUM_SEEDS} seeds",
    wrong=wrong,
  )


def _checks(name: str) -> tuple[Check, ...]:
  """Returns the checks that both games share."""
  return (
    *(
      Check(
        f"|v| of the {player}, end over start, {name}",
        0.0,
        1e-6,
        f"each player's gradient is 0; the worst of {NUM_SEEDS} seeds",
        wrong={"a cycle": 1.0, "almost there": 1e-3},
      )
      for player in COLORS
    ),
    _check(name, "mean", 5e-3, {"the start": 0.0}),
    _check(name, "deviation", 5e-3, {"the start": 1.0}),
    _check(name, "discriminator's least eigenvalue", 5e-4, {"not convex": 0.0}),
    _check(name, "J's least real part", 2e-3, {"a cycle": 0.0}),
    _check(name, "spectral radius of a step", 1e-3, {"a cycle": 1.0}),
    _check(name, "fall of log |v| in 1000 steps", 0.6, {"a cycle": 0.0}),
  )


def _of_two_modes(number: str) -> float:
  """Returns an expected number of the game with two modes."""
  return _solved("two modes")[number]


CHECKS = (
  *_checks("one normal"),
  Check(
    "greatest entry of the generator's block, one normal",
    0.0,
    1e-7,
    f"J_G is the same for all g where D = 1/2; all of {NUM_SEEDS} seeds",
    wrong={
      "d2J_G/dmu ds of two modes": lambda: _of_two_modes("d2J_G/dmu ds"),
      "almost there": 1e-4,
    },
  ),
  *_checks("two modes"),
  _check(
    "two modes",
    "generator's least eigenvalue",
    3e-3,
    {"a Nash equilibrium": 0.0},
  ),
  _check("two modes", "d2J_G/dmu ds", 3e-3, {"symmetric data": 0.0}),
  Check(
    "d2J_G/dmu2, two modes",
    0.0,
    1e-3,
    "closed form: (dJ_G/ds) / s = 0 by the heat equation",
    wrong={
      "d2J_G/ds2": lambda: _of_two_modes("d2J_G/ds2"),
      "d2J_G/dmu ds": lambda: _of_two_modes("d2J_G/dmu ds"),
    },
  ),
)

REPRODUCTION = Reproduction(
  id="local_nash",
  source="Goodfellow 2016, arXiv 1701.00160, section 3.1",
  summary="two games end at stable points; one of them is no Nash equilibrium",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trains=True,
)
