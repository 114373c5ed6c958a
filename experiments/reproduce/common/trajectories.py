"""Plays games of a few numbers without data, and draws their paths.

A game of two numbers is drawn as in the literature: the generator's number on
the horizontal axis, the discriminator's on the vertical one. A path starts at a
ring and ends at a dot. A cross marks the equilibrium 0.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from experiments.plots import curves
from gan_jax import steps
from gan_jax.dynamics import stability
from gan_jax.games import Game
from gan_jax.types import Array, Players, Step

COLORS = {
  "simultaneous": curves.GENERATED,
  "alternating": curves.DISCRIMINATOR,
  "flow": "#009E73",
}
SIMULTANEOUS, ALTERNATING, FLOW = COLORS.values()
SKY, AMBER = "#56B4E9", "#E69F00"
"""More colours of the palette of Okabe and Ito."""

Rule = Callable[[Game, steps.Optimizers], Step]
"""Makes the step of an update rule."""


def play(
  rule: Rule,
  game: Game,
  optimizers: steps.Optimizers,
  num_steps: int,
  averages: bool = False,
) -> Players[np.ndarray]:
  """Plays a game that uses neither data nor keys.

  Args:
    rule: the update rule.
    game: the game.
    optimizers: optimizers of both players.
    num_steps: number of steps.
    averages: whether to return the averages of the points instead.

  Returns:
    The points at the start and after each step, with a new leading axis of
    length num_steps + 1.
  """
  batch, key = jnp.zeros((1, 1)), jax.random.key(0)
  step = rule(game, optimizers)
  start = steps.init_state(game, optimizers, key, average_both=averages)

  def advance(state, _):
    point = state.averages if averages else state.params
    return step(state, batch, key)[0], point

  # One step more, because each point is recorded before its step.
  _, points = jax.lax.scan(advance, start, length=num_steps + 1)
  return jax.tree.map(np.asarray, points)


def jacobian(rule: Rule, game: Game, optimizers: steps.Optimizers) -> Array:
  """Differentiates a step of two players at the start of the game, [n, n]."""
  batch, key = jnp.zeros((1, 1)), jax.random.key(0)
  state = steps.init_state(game, optimizers, key)
  return stability.step_jacobian(rule(game, optimizers), state, batch, key)


def distances(points: Players[np.ndarray]) -> np.ndarray:
  """Computes the distances [n] of points of two numbers, [n] each, from 0."""
  return np.hypot(points.generator, points.discriminator)


def draw_path(
  axes: Axes, points: Players[np.ndarray], color: str, label: str
) -> None:
  """Draws the path of two numbers, [n] each, with a ring and a dot."""
  x, y = points
  axes.plot(x, y, color=color, lw=0.9, marker=".", ms=2.5, label=label)
  axes.plot(x[0], y[0], "o", color=curves.DATA, mfc="white", ms=6, zorder=4)
  axes.plot(x[-1], y[-1], "o", color=color, mec="white", ms=7, zorder=5)


def draw_plane(
  axes: Axes,
  paths: Mapping[str, Players[np.ndarray]],
  colors: Mapping[str, str],
  title: str,
  **properties: Any,
) -> None:
  """Draws paths by their names, the equilibrium and the players' axes."""
  for name, points in paths.items():
    draw_path(axes, points, colors[name], name)
  axes.plot(
    0, 0, "+", color=curves.DATA, ms=13, mew=1.6, zorder=6, label="equilibrium"
  )
  axes.set_title(title, fontsize=10)
  labels = {"xlabel": "x (generator)", "ylabel": "y (discriminator)"}
  axes.set(aspect="equal", **{**labels, **properties})


def draw_distances(
  axes: Axes,
  paths: Mapping[str, Players[np.ndarray]],
  colors: Mapping[str, str],
) -> None:
  """Draws the distance of each path from the equilibrium over the steps."""
  for name, points in paths.items():
    axes.semilogy(distances(points), color=colors[name], lw=1.4)
    axes.set(xlim=(0, len(points.generator) - 1))
  axes.set_title("distance from the equilibrium", fontsize=10)
  axes.set(xlabel="step", ylabel="distance")
