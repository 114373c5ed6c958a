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
distance is checked against the same recursion in NumPy. The published distance
of extragradient projects w only and not the point ahead; that variant is drawn
as well. The paper's algorithm projects both.

Source: Gidel, Berard, Vignoud, Vincent and Lacoste-Julien, A Variational
Inequality Perspective on Generative Adversarial Networks, arXiv 1802.10551,
sections 3.1 to 3.3.
"""

import functools
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
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results
from gan_jax import penalties, steps
from gan_jax.games import Game, closed_form
from gan_jax.types import Players, Step

START = (2.0, 0.5)
NUM_STEPS = 100
LIMIT = 1.0
"""Bound on |y|."""


def _clipped(
  optimizer: optax.GradientTransformation,
) -> Players[optax.GradientTransformation]:
  """Returns the optimizer for both players; the discriminator is clipped."""
  return Players(
    optimizer, optax.chain(optimizer, penalties.weight_clipping(LIMIT))
  )


def _both(
  optimizer: optax.GradientTransformation,
) -> Players[optax.GradientTransformation]:
  """Returns the optimizer for both players without clipping."""
  return Players(optimizer, optimizer)


def _averaged(game: Game, optimizers: steps.Optimizers) -> Step:
  return steps.averaged(
    steps.simultaneous(game, optimizers), steps.uniform_decay
  )


def _projected_once(game: Game, optimizers: steps.Optimizers) -> Step:
  """Returns the extragradient step that projects the new point only."""
  step = steps.extragradient(game, optimizers)

  def projected(state, batch, key):
    state, metrics = step(state, batch, key)
    y = optax.projections.projection_box(
      state.params.discriminator, -LIMIT, LIMIT
    )
    params = state.params._replace(discriminator=y)
    return state.replace(params=params), metrics

  return projected


# The same rules in NumPy, on w = (x, y).


def _field(w: np.ndarray) -> np.ndarray:
  return np.array([w[1], -w[0]])


def _project(w: np.ndarray) -> np.ndarray:
  return np.array([w[0], min(max(w[1], -LIMIT), LIMIT)])


def _simultaneous(rate: Callable[[int], float]) -> np.ndarray:
  """Returns all points [101, 2]; rate(t) is the rate of step t."""
  points = [np.array(START)]
  for t in range(1, NUM_STEPS + 1):
    points.append(_project(points[-1] - rate(t) * _field(points[-1])))
  return np.array(points)


def _alternating(rate: float) -> np.ndarray:
  x, y = START
  for _ in range(NUM_STEPS):
    y = min(max(y + rate * x, -LIMIT), LIMIT)
    x -= rate * y
  return np.array([x, y])


def _extragradient(rate: float, project_ahead: bool) -> np.ndarray:
  w = np.array(START)
  for _ in range(NUM_STEPS):
    ahead = w - rate * _field(w)
    if project_ahead:
      ahead = _project(ahead)
    w = _project(w - rate * _field(ahead))
  return w


def _past_extragradient(rate: float) -> np.ndarray:
  w = np.array(START)
  last = _field(w)
  for _ in range(NUM_STEPS):
    gradient = _field(w)
    w = _project(w - 2 * rate * gradient + rate * last)
    last = gradient
  return w


class Rule(NamedTuple):
  """An update rule and its end point.

  Attributes:
    step: factory of the step.
    optimizers: optimizers of both players.
    by_hand: computes the end point in NumPy.
    published: the last distance, as printed.
    mistaken: end points of typical mistakes, by name.
    color: colour of the path.
    averages: whether the points are means of the points played.
  """

  step: Callable[[Game, steps.Optimizers], Step]
  optimizers: steps.Optimizers
  by_hand: Callable[[], np.ndarray]
  published: str
  mistaken: Mapping[str, Callable[[], np.ndarray]]
  color: str
  averages: bool = False


def _decaying(t: float) -> float:
  """Returns the rate of step t = 1, 2, ... of the averaged rule."""
  return 2 / math.sqrt(t)


def _distance(point: Callable[[], np.ndarray]) -> Callable[[], float]:
  return lambda: math.hypot(*point())


RULES = {
  "simultaneous": Rule(
    steps.simultaneous,
    _clipped(optax.sgd(0.1)),
    lambda: _simultaneous(lambda t: 0.1)[-1],
    "1.0776",
    {"a step less": lambda: _simultaneous(lambda t: 0.1)[-2]},
    trajectories.SIMULTANEOUS,
  ),
  "alternating": Rule(
    steps.alternating,
    _clipped(optax.sgd(0.1)),
    lambda: _alternating(0.1),
    "0.9959",
    {"simultaneous": lambda: _simultaneous(lambda t: 0.1)[-1]},
    trajectories.ALTERNATING,
  ),
  "mean of simultaneous": Rule(
    _averaged,
    # Schedules count from 0.
    _clipped(optax.sgd(lambda count: 2 / jnp.sqrt(jnp.asarray(count) + 1.0))),
    lambda: _simultaneous(_decaying).mean(axis=0),
    "0.0518",
    {
      "without the start": lambda: _simultaneous(_decaying)[1:].mean(axis=0),
      "without the last": lambda: _simultaneous(_decaying)[:-1].mean(axis=0),
    },
    curves.AVERAGE,
    averages=True,
  ),
  "past extragradient": Rule(
    steps.simultaneous,
    _clipped(optax.optimistic_gradient_descent(0.5)),
    lambda: _past_extragradient(0.5),
    "1.2e-13",
    {"extragradient": lambda: _extragradient(0.5, True)},
    trajectories.SKY,
  ),
  "extragradient": Rule(
    steps.extragradient,
    _clipped(optax.sgd(0.6)),
    lambda: _extragradient(0.6, True),
    "",
    {"projected once": lambda: _extragradient(0.6, False)},
    trajectories.FLOW,
  ),
  "extragradient, projected once": Rule(
    _projected_once,
    _both(optax.sgd(0.6)),
    lambda: _extragradient(0.6, False),
    "2.67e-06",
    {"projected twice": lambda: _extragradient(0.6, True)},
    trajectories.AMBER,
  ),
}
PANELS = {
  "around the solution": (
    "simultaneous",
    "alternating",
    "mean of simultaneous",
  ),
  "looking ahead": (
    "extragradient",
    "extragradient, projected once",
    "past extragradient",
  ),
}


def _play(rule: Rule) -> Players[np.ndarray]:
  """Plays a rule and returns its points."""
  game = closed_form.bilinear(Players(*map(jnp.array, START)))
  state = steps.init_state(
    game, rule.optimizers, jax.random.key(0), average_both=True
  )
  points = jax.jit(
    functools.partial(
      trajectories.path,
      rule.step(game, rule.optimizers),
      num_steps=NUM_STEPS,
      read=lambda state: state.averages if rule.averages else state.params,
    )
  )(state)
  return jax.tree.map(np.asarray, points)


def compute(runs: Mapping[str, Results]) -> Computed:
  """Plays every rule and measures its distances from the solution."""
  del runs
  with jax.enable_x64(True):
    paths = {name: _play(rule) for name, rule in RULES.items()}
  distances = {
    name: np.hypot(path.generator, path.discriminator)
    for name, path in paths.items()
  }
  return Computed(
    measured={
      f"last distance, {name}": values[-1] for name, values in distances.items()
    },
    drawn={"paths": paths, "distances": distances},
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the paths in the plane, and the distances against the step."""
  figure, (*planes, right) = curves.grid(3, 3, (12, 4.7))
  pictures.headline(
    figure,
    "the bilinear game x y, |y| <= 1: rules that look ahead reach its solution"
    f"\nbelow the paths: distance after {NUM_STEPS} steps (published distance)",
  )
  for axes, (title, names) in zip(planes, PANELS.items(), strict=True):
    for y in (-LIMIT, LIMIT):
      axes.axhline(y, color=curves.FRAME, **curves.REFERENCE)
    for row, name in enumerate(names):
      rule, distance = RULES[name], drawn["distances"][name][-1]
      published = f" ({rule.published})" if rule.published else ""
      trajectories.draw_path(axes, drawn["paths"][name], rule.color, name)
      axes.text(
        -1.6,
        -1.4 - 0.28 * row,
        f"{name}: {distance:.3g}{published}",
        color=rule.color,
        fontsize=9,
      )
    trajectories.draw_equilibrium(axes)
    axes.set_title(title, fontsize=10)
    axes.set(
      aspect="equal",
      xlim=(-1.7, 2.2),
      ylim=(-2.15, 1.4),
      yticks=(-1, 0, 1),
      xlabel="x (generator)",
      ylabel="y (discriminator)",
    )
  for name, rule in RULES.items():
    right.semilogy(drawn["distances"][name], color=rule.color, lw=1.4)
  right.set_title("distance from the solution", fontsize=10)
  right.set(xlabel="step", ylabel="distance", xlim=(0, NUM_STEPS))
  return figure


CHECKS = tuple(
  Check(
    f"last distance, {name}",
    _distance(rule.by_hand),
    1e-6 * float(f"{math.hypot(*rule.by_hand()):.1g}"),
    "the recursion in NumPy, its gradient by hand",
    wrong={
      mistake: _distance(point) for mistake, point in rule.mistaken.items()
    },
    published=float(rule.published) if rule.published else None,
  )
  for name, rule in RULES.items()
)

REPRODUCTION = Reproduction(
  id="bilinear_vi",
  source="Gidel et al. 2018, arXiv 1802.10551, section 3",
  summary="averages and extragradient on the bilinear game",
  compute=compute,
  checks=CHECKS,
  draw=draw,
)
