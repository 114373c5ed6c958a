"""The bilinear game as a variational inequality: which rules converge.

J_G = x y and J_D = -x y with y in [-1, 1], from (2, 1/2). Simultaneous steps
circle the solution 0 for ever, just outside the bound on y; alternating steps
circle along it. The mean of all points of simultaneous steps with rates 2 /
sqrt(t) approaches the solution slowly. Rules that look ahead approach it
exponentially:

  extragradient          ahead = P(w - h v(w)),  w <- P(w - h v(ahead)),
  past extragradient     w <- P(w - 2 h v(w) + h v(the last w)),

with v = (y, -x) and P the projection. Past extragradient, also known as
optimistic gradient descent, needs one gradient a step instead of two. Each last
distance is checked against the same recursion of w = x + i y in plain Python,
where v = -i w. The published distance of extragradient projects w only and not
the point ahead; that variant is drawn as well. The paper's algorithm projects
both.

Source: Gidel, Berard, Vignoud, Vincent and Lacoste-Julien, A Variational
Inequality Perspective on Generative Adversarial Networks, arXiv 1802.10551,
sections 3.1 to 3.3.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, trajectories
from experiments.reproduce.common.checks import close
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import penalties, steps
from gan_jax.games import Game, closed_form
from gan_jax.types import Players, Step

START = (2.0, 0.5)
NUM_STEPS = 100
LIMIT = 1.0
"""Bound on |y|."""


def _bounded(
  optimizer: optax.GradientTransformation, limit: float = LIMIT
) -> steps.Optimizers:
  """Returns the optimizer for both players; the discriminator is bounded."""
  return Players(
    optimizer, optax.chain(optimizer, penalties.weight_clipping(limit))
  )


def _averaged(game: Game, optimizers: steps.Optimizers) -> Step:
  return steps.averaged(
    steps.simultaneous(game, optimizers), steps.uniform_decay
  )


def _projected_once(game: Game, optimizers: steps.Optimizers) -> Step:
  """Returns the extragradient step that projects the new point only."""
  step = steps.extragradient(game, optimizers)

  def projected(state, batch, key):
    state, metrics = step(state, batch, key)
    y = jnp.clip(state.params.discriminator, -LIMIT, LIMIT)
    params = state.params._replace(discriminator=y)
    return state.replace(params=params), metrics

  return projected


def _project(w: complex) -> complex:
  return complex(w.real, min(max(w.imag, -LIMIT), LIMIT))


def _alternating(w: complex, last: complex, t: int) -> complex:
  del last, t
  w = _project(w + 0.1j * w.real)
  return w - 0.1 * w.imag


class Rule(NamedTuple):
  """An update rule and the same rule in plain Python.

  Attributes:
    step: makes the step.
    optimizers: optimizers of both players.
    by_hand: maps w, the w before and t = 1, 2, ... to the next w.
    published: the last distance, unconfirmed.
    color: colour of the path.
    averages: whether the points are means of the points played.
  """

  step: trajectories.Rule
  optimizers: steps.Optimizers
  by_hand: Callable[[complex, complex, int], complex]
  published: float | None
  color: str
  averages: bool = False


RULES = {
  "simultaneous": Rule(
    steps.simultaneous,
    _bounded(optax.sgd(0.1)),
    lambda w, _, t: _project((1 + 0.1j) * w),
    1.0776,
    trajectories.SIMULTANEOUS,
  ),
  "alternating": Rule(
    steps.alternating,
    _bounded(optax.sgd(0.1)),
    _alternating,
    0.9959,
    trajectories.ALTERNATING,
  ),
  "mean of simultaneous": Rule(
    _averaged,
    # Schedules count from 0.
    _bounded(optax.sgd(lambda count: 2 / jnp.sqrt(jnp.asarray(count) + 1.0))),
    lambda w, _, t: _project((1 + 2j / math.sqrt(t)) * w),
    0.0518,
    curves.AVERAGE,
    averages=True,
  ),
  "extragradient": Rule(
    steps.extragradient,
    _bounded(optax.sgd(0.6)),
    lambda w, _, t: _project(w + 0.6j * _project((1 + 0.6j) * w)),
    None,
    trajectories.FLOW,
  ),
  "extragradient, projected once": Rule(
    _projected_once,
    _bounded(optax.sgd(0.6), limit=math.inf),
    lambda w, _, t: _project(w + 0.6j * (1 + 0.6j) * w),
    2.67e-06,
    trajectories.AMBER,
  ),
  "past extragradient": Rule(
    steps.simultaneous,
    _bounded(optax.optimistic_gradient_descent(0.5)),
    lambda w, last, t: _project((1 + 1j) * w - 0.5j * last),
    1.2e-13,
    trajectories.SKY,
  ),
}
PANELS = {"around the solution": slice(3), "looking ahead": slice(3, 6)}


def compute(inputs: Inputs) -> Computed:
  """Plays the game with every rule and measures its last distance from 0."""
  del inputs
  paths, checks = {}, []
  for name, rule in RULES.items():
    with jax.enable_x64(True):
      game = closed_form.bilinear(Players(*map(jnp.array, START)))
      paths[name] = trajectories.play(
        rule.step, game, rule.optimizers, NUM_STEPS, rule.averages
      )
    # The point before the start equals the start.
    points = [complex(*START)] * 2
    for t in range(1, NUM_STEPS + 1):
      points.append(rule.by_hand(points[-1], points[-2], t))
    last = np.mean(points[1:]) if rule.averages else points[-1]
    distance = float(abs(last))
    checks.append(
      close(
        f"last distance, {name}",
        trajectories.distances(paths[name])[-1],
        distance,
        1e-6 * distance,
        "the recursion in plain Python, its gradient by hand",
        rule.published,
      )
    )
  return Computed(checks, paths)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the paths in the plane, and the distances against the step."""
  figure, (*planes, right) = curves.grid(3, 3, (12, 4.7))
  pictures.headline(
    figure,
    "the bilinear game x y, |y| <= 1: rules that look ahead reach its solution"
    f"\nbelow the paths: distance after {NUM_STEPS} steps (published distance)",
  )
  colors = {name: rule.color for name, rule in RULES.items()}
  for axes, (title, chosen) in zip(planes, PANELS.items(), strict=True):
    names = list(RULES)[chosen]
    for y in (-LIMIT, LIMIT):
      axes.axhline(y, color=curves.FRAME, **curves.REFERENCE)
    for row, name in enumerate(names):
      published = RULES[name].published
      axes.text(
        -1.6,
        -1.4 - 0.28 * row,
        f"{name}: {trajectories.distances(drawn[name])[-1]:.3g}"
        + (f" ({published:g})" if published else ""),
        color=colors[name],
        fontsize=9,
      )
    trajectories.draw_plane(
      axes,
      {name: drawn[name] for name in names},
      colors,
      title,
      xlim=(-1.7, 2.2),
      ylim=(-2.15, 1.4),
      yticks=(-1, 0, 1),
    )
  trajectories.draw_distances(right, drawn, colors)
  return figure


REPRODUCTION = Reproduction(
  id="bilinear_vi",
  source="Gidel et al. 2018, arXiv 1802.10551, section 3",
  summary="averages and extragradient on the bilinear game",
  compute=compute,
  draw=draw,
)
