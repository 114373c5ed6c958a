"""Discretization drift: finite simultaneous steps diverge from the flow.

The quadratic game is J_G = c/2 x^2 + x y, J_D = c/2 y^2 - x y with c = 0.09,
and steps have the rate h = 0.2. The flow spirals into the equilibrium 0. In the
time of a step it multiplies x^2 + y^2 by

  exp(-2 h c) = 0.9646.

Simultaneous steps spiral outwards. Their eigenvalues 1 - h c +- i h have

  |lambda|^2 = (1 - h c)^2 + h^2 = 1.0043.

Alternating steps spiral inwards. Their map has the trace 2 (1 - h c) - h^2 and
a complex pair of eigenvalues, so that |lambda|^2 is its determinant,

  (1 - h c)^2 = 0.9643.

The eigenvalues are computed from the derivatives of the update rules. A
Runge-Kutta rule with the same step size follows the flow.

Source: Rosca, Wu, Dherin and Barrett, Discretization Drift in Two-Player Games,
arXiv 2105.13922, section 4.
"""

import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, trajectories
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results
from gan_jax import steps
from gan_jax.dynamics import stability
from gan_jax.games import closed_form
from gan_jax.types import Players

CURVATURE = 0.09
RATE = 0.2
NUM_STEPS = 200

RULES = {
  "simultaneous": steps.simultaneous,
  "alternating": steps.alternating,
  "flow": functools.partial(steps.runge_kutta_4, step_size=RATE),
}
_COLORS = {
  "simultaneous": trajectories.SIMULTANEOUS,
  "alternating": trajectories.ALTERNATING,
  "flow": trajectories.FLOW,
}


def _play(rule: str) -> tuple[np.ndarray, Players[np.ndarray]]:
  """Returns the Jacobian of a step and the path from (1, 1)."""
  start = Players(jnp.array(1.0), jnp.array(1.0))
  game = closed_form.quadratic(start, CURVATURE)
  optimizers = Players(optax.sgd(RATE), optax.sgd(RATE))
  step = RULES[rule](game, optimizers)

  @jax.jit
  def play(state):
    jacobian = stability.step_jacobian(
      step, state, jnp.zeros((1, 1)), jax.random.key(0)
    )
    return jacobian, trajectories.path(step, state, NUM_STEPS)

  state = steps.init_state(game, optimizers, jax.random.key(0))
  return jax.tree.map(np.asarray, play(state))


def compute(runs: Mapping[str, Results]) -> Computed:
  """Differentiates and plays each rule."""
  del runs
  with jax.enable_x64(True):
    played = {rule: _play(rule) for rule in RULES}
  eigenvalues = {
    rule: np.linalg.eigvals(jacobian) for rule, (jacobian, _) in played.items()
  }
  distances = {
    rule: np.hypot(path.generator, path.discriminator)
    for rule, (_, path) in played.items()
  }
  return Computed(
    measured={
      **{
        f"|lambda|^2, {rule}": np.abs(values).max() ** 2
        for rule, values in eigenvalues.items()
      },
      "determinant, alternating": np.linalg.det(played["alternating"][0]),
      "trace, alternating": np.trace(played["alternating"][0]),
      **{
        f"distance after {NUM_STEPS} steps, {rule}": values[-1]
        for rule, values in distances.items()
      },
    },
    drawn={
      "paths": {rule: path for rule, (_, path) in played.items()},
      "eigenvalues": eigenvalues,
      "distances": distances,
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the paths, the distances and the eigenvalues."""
  figure, (plane, over_time, complex_plane) = curves.grid(3, 3, (12, 4.6))
  pictures.headline(
    figure,
    "the quadratic game: simultaneous steps leave the equilibrium that its "
    "flow spirals into",
  )
  # An arc of the unit circle.
  turn = np.linspace(-0.35, 0.35, 100)
  complex_plane.plot(
    np.cos(turn),
    np.sin(turn),
    color=curves.FRAME,
    label="unit circle",
    **curves.REFERENCE,
  )
  for row, (rule, path) in enumerate(drawn["paths"].items()):
    color, values = _COLORS[rule], drawn["eigenvalues"][rule]
    trajectories.draw_path(plane, path, color, rule)
    over_time.semilogy(drawn["distances"][rule], color=color, lw=1.5)
    complex_plane.plot(
      values.real, values.imag, "o", color=color, ms=8, mec="white"
    )
    complex_plane.text(
      0.943,
      0.07 * (1 - row),
      f"{rule}: |lambda|^2 = {np.abs(values[0]) ** 2:.4f}",
      fontsize=9,
      color=color,
      va="center",
    )
  trajectories.draw_equilibrium(plane)
  plane.set_title(f"{NUM_STEPS} steps of rate {RATE} from (1, 1)", fontsize=10)
  plane.set(aspect="equal", xlabel="x (generator)", ylabel="y (discriminator)")
  over_time.set_title("distance from the equilibrium", fontsize=10)
  over_time.set(xlabel="step", ylabel="distance", xlim=(0, NUM_STEPS))
  complex_plane.set_title("eigenvalues of a step", fontsize=10)
  complex_plane.set(xlabel="real part", ylabel="imaginary part")
  return curves.legend(figure)


def _matrix(rule: str) -> np.ndarray:
  """Returns the matrix of the map (x, y) -> (x', y') of a step."""
  keep = 1 - RATE * CURVATURE
  if rule == "simultaneous":
    return np.array([[keep, -RATE], [RATE, keep]])
  if rule == "alternating":
    # The generator reacts to the new y'.
    return np.array([[keep - RATE**2, -RATE * keep], [RATE, keep]])
  turn, shrink = RATE, math.exp(-RATE * CURVATURE)
  return shrink * np.array(
    [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
  )


def _distance(rule: str) -> float:
  power = np.linalg.matrix_power(_matrix(rule), NUM_STEPS)
  return float(np.linalg.norm(power @ [1, 1]))


_KEEP = (1 - RATE * CURVATURE) ** 2
_WITHOUT = {"without curvature": 1.0}
CHECKS = (
  Check(
    "|lambda|^2, simultaneous",
    _KEEP + RATE**2,
    1e-9,
    "closed form: (1 - h c)^2 + h^2",
    published=1.0043,
    wrong={"alternating": _KEEP, "half of the rate": 0.991**2 + 0.01},
  ),
  Check(
    "|lambda|^2, alternating",
    _KEEP,
    1e-9,
    "closed form: (1 - h c)^2",
    wrong=_WITHOUT,
  ),
  Check(
    "|lambda|^2, flow",
    math.exp(-2 * RATE * CURVATURE),
    # A Runge-Kutta step has an error of the order h^5 / 120 = 3e-6.
    1e-5,
    "closed form: exp(-2 h c)",
    wrong={**_WITHOUT, "alternating": _KEEP},
  ),
  Check(
    "determinant, alternating",
    _KEEP,
    1e-9,
    "closed form: (1 - h c)^2",
    published=0.9643,
    wrong={"simultaneous": _KEEP + RATE**2},
  ),
  Check(
    "trace, alternating",
    2 * math.sqrt(_KEEP) - RATE**2,
    1e-9,
    "closed form: 2 (1 - h c) - h^2",
    wrong={"simultaneous": 2 * math.sqrt(_KEEP)},
  ),
  *(
    Check(
      f"distance after {NUM_STEPS} steps, {rule}",
      functools.partial(_distance, rule),
      2e-5 if rule == "flow" else 1e-9,
      "powers of the map, written out",
      wrong={
        other: functools.partial(_distance, other)
        for other in RULES
        if other != rule
      },
    )
    for rule in RULES
  ),
)

REPRODUCTION = Reproduction(
  id="discretization_drift",
  source="Rosca et al. 2021, arXiv 2105.13922, section 4",
  summary="simultaneous steps diverge where the flow and alternation converge",
  compute=compute,
  checks=CHECKS,
  draw=draw,
)
