"""Plays games of two numbers without data, and draws their paths.

A game of two numbers is drawn as in the literature: the generator's number on
the horizontal axis, the discriminator's on the vertical one. A path starts at a
ring and ends at a dot. A cross marks the equilibrium.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from experiments.plots import curves
from gan_jax.types import Params, Players, Step, TrainState

SIMULTANEOUS = curves.GENERATED
ALTERNATING = curves.DISCRIMINATOR
FLOW = "#009E73"
SKY, AMBER = "#56B4E9", "#E69F00"
"""More colours of the palette of Okabe and Ito."""


def path(
  step: Step,
  state: TrainState,
  num_steps: int,
  read: Callable[[TrainState], Players[Params]] = lambda state: state.params,
) -> Players[Params]:
  """Plays a game that uses neither data nor keys and records every point.

  Args:
    step: the update rule.
    state: the start.
    num_steps: number of steps.
    read: maps a state to the recorded point.

  Returns:
    The points at the start and after each step, with a new leading axis of
    length num_steps + 1.
  """
  batch, key = jnp.zeros((1, 1)), jax.random.key(0)

  def move(state: TrainState, _) -> tuple[TrainState, Players[Params]]:
    after, _ = step(state, batch, key)
    return after, read(state)

  last, points = jax.lax.scan(move, state, length=num_steps)
  return jax.tree.map(
    lambda points, last: jnp.concatenate([points, last[None]]),
    points,
    read(last),
  )


def draw_path(
  axes: Axes, points: Players[np.ndarray], color: str, label: str
) -> None:
  """Draws the path of two numbers, [n] each, with a ring and a dot."""
  x, y = points
  axes.plot(x, y, color=color, lw=0.9, marker=".", ms=2.5, label=label)
  axes.plot(x[0], y[0], "o", color=curves.DATA, mfc="white", ms=6, zorder=4)
  axes.plot(x[-1], y[-1], "o", color=color, mec="white", ms=7, zorder=5)


def draw_equilibrium(axes: Axes, x: float = 0.0, y: float = 0.0) -> None:
  """Marks the equilibrium with a cross."""
  axes.plot(
    x, y, "+", color=curves.DATA, ms=13, mew=1.6, zorder=6, label="equilibrium"
  )
