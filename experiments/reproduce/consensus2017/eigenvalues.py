"""Consensus moves the eigenvalues of a game away from the imaginary axis.

Near a fixed point a simultaneous step of rate h is the map I - h J, with the
Jacobian J of both players' gradients v. Its eigenvalues 1 - h l are on the rays
from 1 through 1 - l. They are all inside the unit circle if and only if each
eigenvalue l of J has

  0 < h < 2 Re l / |l|^2 = 1 / Re l * 2 / (1 + (Im l / Re l)^2),

which is small where the imaginary part is much larger than the real one. The
gradient of gamma / 2 |v|^2, which consensus optimization adds, makes the
Jacobian J + gamma J^T J. In the game

  J_G = c / 2 x^2 + x y,  J_D = c / 2 y^2 - x y,

J has the eigenvalues c +- i, and consensus those with the real part

  c + gamma (1 + c^2)

and the same imaginary part. Games of several curvatures c are shown, as if they
were played together. With c = 0 no rate is stable without it. A large
weight makes the greatest rate fall again, as 2 / (gamma |l|^2): it is largest
where the real part is the imaginary one, 1. The eigenvalues of the figure are
of differentiated steps, and the greatest stable rates are found by bisection
from their spectral radius.

Source: Mescheder, Nowozin and Geiger, The Numerics of GANs, arXiv 1705.10461,
which finds that eigenvalues with a zero real part or a large imaginary part
keep GANs from converging. The game is the quadratic one of Rosca et al., arXiv
2105.13922.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, trajectories
from experiments.reproduce.common.checks import Check, at_most, close
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import steps
from gan_jax.games import closed_form
from gan_jax.types import Array, Players

CURVATURES = np.array([0.0, 0.02, 0.05, 0.1, 0.2])
WEIGHT, RATE = 0.5, 0.6
"""The weight of consensus, and the rate, of the drawn eigenvalues."""
WEIGHTS = np.linspace(0.0, 3.0, 31)
NUM_HALVINGS = 40
COLORS = {
  "simultaneous": trajectories.SIMULTANEOUS,
  "consensus": trajectories.FLOW,
}
BOUND = "2 Re l / |l|^2, the least over the eigenvalues c +- i"


def step_matrices(rate: Array, weight: Array) -> Array:
  """Differentiates a step at 0 in the game of each curvature, [n, 2, 2]."""

  def one(curvature):
    game = closed_form.quadratic(
      Players(jnp.zeros(()), jnp.zeros(())), curvature
    )
    return trajectories.jacobian(
      lambda game, optimizers: steps.consensus(game, optimizers, weight),
      game,
      Players(optax.sgd(rate), optax.sgd(rate)),
    )

  return jax.vmap(one)(jnp.asarray(CURVATURES))


def expected_eigenvalues(weight: float) -> np.ndarray:
  """Returns the eigenvalues [2 n] of all games in closed form."""
  real = CURVATURES + weight * (1 + CURVATURES**2)
  return np.concatenate([real - 1j, real + 1j])


def rate_bound(eigenvalues: np.ndarray) -> float:
  """Returns the rate below which all steps are stable."""
  squares = np.abs(eigenvalues) ** 2
  return float(np.min(2 * np.real(eigenvalues) / squares))


def greatest_rate(
  matrices: Callable[[float, float], ArrayLike], weight: float
) -> float:
  """Finds the greatest rate at which all eigenvalues are inside the circle."""
  low, high = 0.0, 4.0
  for _ in range(NUM_HALVINGS):
    middle = (low + high) / 2
    values = np.linalg.eigvals(np.asarray(matrices(middle, weight)))
    is_stable = np.abs(values).max() < 1
    low, high = (middle, high) if is_stable else (low, middle)
  return low


def _distance(a: np.ndarray, b: np.ndarray) -> float:
  """Returns the greatest distance of one set of numbers from the other."""
  gaps = np.abs(a[:, None] - b[None])
  return float(max(gaps.min(axis=0).max(), gaps.min(axis=1).max()))


def compute(inputs: Inputs) -> Computed:
  """Computes eigenvalues and greatest rates with and without consensus."""
  del inputs
  weights = {"simultaneous": 0.0, "consensus": WEIGHT}
  with jax.enable_x64(True):
    matrices = jax.jit(step_matrices)
    values = {
      # Those of the Jacobian, from those of a step of rate 1.
      name: 1 - np.linalg.eigvals(np.asarray(matrices(1.0, weight))).ravel()
      for name, weight in weights.items()
    }
    rates = np.array([greatest_rate(matrices, weight) for weight in WEIGHTS])
  bounds = np.array(
    [max(rate_bound(expected_eigenvalues(w)), 0.0) for w in WEIGHTS]
  )
  checks = [
    at_most(
      f"{name}: greatest error of an eigenvalue",
      _distance(values[name], expected_eigenvalues(weight)),
      1e-9,
      "c + weight (1 + c^2) +- i",
    )
    for name, weight in weights.items()
  ]
  checks += _rate_checks(rates, bounds)
  return Computed(
    checks, {"eigenvalues": values, "rates": rates, "bounds": bounds}
  )


def _rate_checks(rates: np.ndarray, bounds: np.ndarray) -> list[Check]:
  """Checks the greatest stable rates over the weights."""
  eigenvalue = 0.1 + 1j
  ratio = eigenvalue.imag / eigenvalue.real
  return [
    close("greatest rate, weight 0", rates[0], 0.0, 1e-6, "Re l = 0"),
    at_most(
      "greatest error of the stable rate, over the weights",
      np.abs(rates - bounds).max(),
      1e-6,
      BOUND,
    ),
    close(
      "the bound in terms of Im l / Re l, l = 0.1 + i",
      1 / eigenvalue.real * 2 / (1 + ratio**2),
      rate_bound(np.array([eigenvalue])),
      1e-12,
      "2 Re l / |l|^2",
    ),
    close(
      "greatest rate over all weights",
      rates.max(),
      1.0,
      1e-2,
      "Re l = |Im l| = 1, as near as the curvatures' spread allows",
    ),
  ]


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws eigenvalues, a step's eigenvalues, and the greatest rates."""
  figure, (plane, circle, rates) = curves.grid(3, 3, (12, 4.6))
  pictures.headline(
    figure,
    "consensus moves the eigenvalues of a game away from the imaginary axis, "
    "so that larger steps are stable",
  )
  turn = np.linspace(0, 2 * np.pi, 200)
  circle.plot(
    np.cos(turn), np.sin(turn), color=curves.FRAME, **curves.REFERENCE
  )
  for name, values in drawn["eigenvalues"].items():
    color = COLORS[name]
    plane.plot(values.real, values.imag, "o", ms=5, color=color, label=name)
    mapped = 1 - RATE * values
    for value in mapped:
      circle.plot([1, value.real], [0, value.imag], color=color, lw=0.5)
    circle.plot(mapped.real, mapped.imag, "o", ms=5, color=color)
  plane.axvline(0, color=curves.FRAME, **curves.REFERENCE)
  plane.set_title(f"of the Jacobian; weight {WEIGHT:g}", fontsize=10)
  circle.set_title(f"of a step of rate {RATE:g}; stable inside", fontsize=10)
  circle.set_aspect("equal")
  for axes in (plane, circle):
    axes.set(xlabel="real part", ylabel="imaginary part")
  rates.plot(WEIGHTS, drawn["bounds"], color=curves.DATA, lw=1, label="bound")
  rates.plot(
    WEIGHTS,
    drawn["rates"],
    "o",
    ms=4,
    color=trajectories.FLOW,
    label="by bisection",
  )
  rates.set_title("greatest stable rate", fontsize=10)
  rates.set(xlabel="weight of consensus", ylabel="rate", ylim=(0, None))
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="consensus_eigenvalues",
  source="Mescheder et al. 2017, arXiv 1705.10461",
  summary="consensus moves eigenvalues so that larger steps are stable",
  compute=compute,
  draw=draw,
)
