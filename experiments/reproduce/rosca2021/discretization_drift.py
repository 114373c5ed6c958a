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
from experiments.reproduce.common.checks import close
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import steps
from gan_jax.games import closed_form
from gan_jax.types import Players

CURVATURE = 0.09
RATE = 0.2
NUM_STEPS = 200
RULES: dict[str, trajectories.Rule] = {
  "simultaneous": steps.simultaneous,
  "alternating": steps.alternating,
  "flow": functools.partial(steps.runge_kutta_4, step_size=RATE),
}


def _matrices() -> dict[str, np.ndarray]:
  """Returns the map (x, y) -> (x', y') of a step of each rule, by hand."""
  keep = 1 - RATE * CURVATURE
  # The flow multiplies x + i y by this number.
  turn = np.exp(RATE * (-CURVATURE + 1j))
  return {
    "simultaneous": np.array([[keep, -RATE], [RATE, keep]]),
    # The generator reacts to the new y'.
    "alternating": np.array([[keep - RATE**2, -RATE * keep], [RATE, keep]]),
    "flow": np.array([[turn.real, -turn.imag], [turn.imag, turn.real]]),
  }


def compute(inputs: Inputs) -> Computed:
  """Differentiates each rule and plays the game with it."""
  del inputs
  jacobians, paths = {}, {}
  with jax.enable_x64(True):
    game = closed_form.quadratic(
      Players(jnp.array(1.0), jnp.array(1.0)), CURVATURE
    )
    optimizers = Players(optax.sgd(RATE), optax.sgd(RATE))
    for name, rule in RULES.items():
      jacobians[name] = np.asarray(
        trajectories.jacobian(rule, game, optimizers)
      )
      paths[name] = trajectories.play(rule, game, optimizers, NUM_STEPS)
  eigenvalues = {
    name: np.linalg.eigvals(jacobian) for name, jacobian in jacobians.items()
  }
  radii = {name: np.abs(each).max() for name, each in eigenvalues.items()}
  alternating = jacobians["alternating"]
  keep = 1 - RATE * CURVATURE
  checks = [
    close(
      "|lambda|^2, simultaneous",
      radii["simultaneous"] ** 2,
      keep**2 + RATE**2,
      1e-9,
      "closed form: (1 - h c)^2 + h^2",
    ),
    close(
      "|lambda|^2, flow",
      radii["flow"] ** 2,
      math.exp(-2 * RATE * CURVATURE),
      # A Runge-Kutta step has an error of the order h^5 / 120 = 3e-6.
      1e-5,
      "closed form: exp(-2 h c)",
    ),
    close(
      "determinant, alternating",
      np.linalg.det(alternating),
      keep**2,
      1e-9,
      "closed form: (1 - h c)^2",
    ),
    close(
      "trace, alternating",
      np.trace(alternating),
      2 * keep - RATE**2,
      1e-9,
      "closed form: 2 (1 - h c) - h^2",
    ),
  ]
  for name, matrix in _matrices().items():
    last = np.linalg.matrix_power(matrix, NUM_STEPS) @ (1, 1)
    checks.append(
      close(
        f"distance after {NUM_STEPS} steps, {name}",
        trajectories.distances(paths[name])[-1],
        np.hypot(*last),
        2e-5 if name == "flow" else 1e-9,
        "powers of the map, written out",
      )
    )
  return Computed(checks, {"paths": paths, "eigenvalues": eigenvalues})


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the paths, the distances and the eigenvalues."""
  figure, (plane, over_time, complex_plane) = curves.grid(3, 3, (12, 4.6))
  pictures.headline(
    figure,
    "the quadratic game: simultaneous steps leave the equilibrium that its "
    "flow spirals into",
  )
  trajectories.draw_plane(
    plane,
    drawn["paths"],
    trajectories.COLORS,
    f"{NUM_STEPS} steps of rate {RATE} from (1, 1)",
  )
  trajectories.draw_distances(over_time, drawn["paths"], trajectories.COLORS)
  arc = np.linspace(-0.35, 0.35, 100)
  complex_plane.plot(
    np.cos(arc),
    np.sin(arc),
    color=curves.FRAME,
    label="unit circle",
    **curves.REFERENCE,
  )
  for row, (rule, values) in enumerate(drawn["eigenvalues"].items()):
    color = trajectories.COLORS[rule]
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
  complex_plane.set_title("eigenvalues of a step", fontsize=10)
  complex_plane.set(xlabel="real part", ylabel="imaginary part")
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="discretization_drift",
  source="Rosca et al. 2021, arXiv 2105.13922, section 4",
  summary="simultaneous steps diverge where the flow and alternation converge",
  compute=compute,
  draw=draw,
)
