"""Two time scales: the game converges if the discriminator is fast enough.

The players of

  f(x, y) = x y - m/2 x^2 - c/2 y^2,  J_G = f,  J_D = -f,  m = 1, c = 1/2,

move at once, the generator x at a rate a and the discriminator y at a rate b:

  (x, y) <- M (x, y),  M = [[1 + a m, -a], [b, 1 - b c]].

At one rate for both the trace c - m of the field's Jacobian is negative, and
every rate, however small, leads away from 0. But a discriminator that is always
optimal, y = x / c, makes the generator's cost (1 / c - m) x^2 / 2, which has
its minimum at 0. The eigenvalues are inside the unit circle if

  det M = 1 + a m - b c + a b (1 - m c) < 1,

that is, if the discriminator is more than (m + b (1 - m c)) / c times as fast
as the generator, 2.2 times at b = 0.2. The spectral radius follows from the
roots of lambda^2 - tr M lambda + det M. It is measured on the derivative of the
update rule.

This is the setting of the paper's theorem 1. Its assumption A4 is that the
discriminator's flow has an attractor for every generator, here x / c, and that
the generator's flow with the discriminator there has one, here 0. The rates of
the theorem decrease and their ratio grows without bound; here they are
constant. The limit is no local Nash equilibrium, because the curvature of J_G
in x is -m. It is a local minimax point, which is what ever larger ratios find
(Jin, Netrapalli and Jordan, What is Local Optimality in Nonconvex-Nonconcave
Minimax Optimization?, arXiv 1902.00618).

Source: Heusel, Ramsauer, Unterthiner, Nessler and Hochreiter, GANs Trained by a
Two Time-Scale Update Rule Converge to a Local Nash Equilibrium, arXiv
1706.08500, section 2. The paper has no figure of it.
"""

import cmath
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
from gan_jax.games import Game, closed_form
from gan_jax.types import Array, Players

BEND, CURVATURE = 1.0, 0.5
"""The constants m and c."""
RATE = 0.2
"""The rate b of the discriminator."""
RATIOS = np.geomspace(0.5, 200, 81)
THRESHOLD = (BEND + RATE * (1 - BEND * CURVATURE)) / CURVATURE
NUM_STEPS = 600
PLAYED = {
  # Rates of the generator and of the discriminator.
  "one rate, 0.2": (0.2, 0.2),
  "one rate, 0.02": (0.02, 0.02),
  "two rates, 0.01 and 0.2": (0.01, 0.2),
}
ONE, SLOW, TWO = PLAYED
_COLORS = {
  ONE: trajectories.SIMULTANEOUS,
  SLOW: trajectories.AMBER,
  TWO: trajectories.FLOW,
}


def _game() -> Game:
  """Returns the game, which starts at (1, 0)."""
  game = closed_form.bilinear(Players(jnp.array(1.0), jnp.array(0.0)))

  def costs(params, variables, batch, key):
    values, measured = game.costs(params, variables, batch, key)
    x, y = params
    bend = 0.5 * (BEND * x**2 + CURVATURE * y**2)
    return Players(
      values.generator - bend, values.discriminator + bend
    ), measured

  return game._replace(costs=costs)


def _play(rates: Array) -> tuple[Array, Players[Array]]:
  """Returns the Jacobian of a step with the rates [2], and the path."""
  game, key = _game(), jax.random.key(0)
  optimizers = Players(*map(optax.sgd, rates))
  step = steps.simultaneous(game, optimizers)
  state = steps.init_state(game, optimizers, key)
  return (
    stability.step_jacobian(step, state, jnp.zeros((1, 1)), key),
    trajectories.path(step, state, NUM_STEPS),
  )


def _generator_curvature() -> Array:
  """Returns the Hessian [1, 1] of J_G in the generator's parameters."""
  game, key = _game(), jax.random.key(0)
  params, variables = game.init(key)
  nash = stability.local_nash(game, params, variables, jnp.zeros((1, 1)), key)
  return nash.hessians.generator


def compute(runs: Mapping[str, Results]) -> Computed:
  """Differentiates the step over the ratio and plays three pairs of rates."""
  del runs
  rates = np.array(
    [
      *PLAYED.values(),
      (RATE / THRESHOLD, RATE),
      *((RATE / ratio, RATE) for ratio in RATIOS),
    ]
  )
  with jax.enable_x64(True):
    jacobians, paths = jax.tree.map(
      np.asarray, jax.jit(jax.vmap(_play))(jnp.asarray(rates))
    )
    curvature = jax.jit(_generator_curvature)()
  radii = np.abs(np.linalg.eigvals(jacobians)).max(axis=1)
  over_ratio = radii[len(PLAYED) + 1 :]
  expected = np.array([_radius(RATE / ratio, RATE) for ratio in RATIOS])
  distances = np.hypot(paths.generator, paths.discriminator)
  return Computed(
    measured={
      **{
        f"spectral radius, {name}": radius
        for name, radius in zip(PLAYED, radii, strict=False)
      },
      "spectral radius at the threshold": radii[len(PLAYED)],
      "greatest error of the spectral radius": np.abs(
        over_ratio - expected
      ).max(),
      **{
        f"distance after {NUM_STEPS} steps, {name}": row[-1]
        for name, row in zip(PLAYED, distances, strict=False)
      },
      "curvature of the generator's cost": np.asarray(curvature)[0, 0],
    },
    drawn={
      "paths": {
        name: Players(paths.generator[row], paths.discriminator[row])
        for row, name in enumerate(PLAYED)
      },
      "distances": dict(zip(PLAYED, distances, strict=False)),
      "radii": over_ratio,
      "expected": expected,
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the paths, the distances, and the spectral radius over the ratio."""
  figure, (plane, over_time, over_ratio) = curves.grid(3, 3, (12, 4.6))
  pictures.headline(
    figure,
    "two time scales: no single rate converges here, a discriminator fast "
    "enough does",
  )
  limit = 4.0
  ends = np.array([-limit, limit])
  plane.plot(
    ends,
    ends / CURVATURE,
    color=curves.DATA,
    label="best discriminator",
    **curves.REFERENCE,
  )
  for name, path in drawn["paths"].items():
    trajectories.draw_path(plane, path, _COLORS[name], name)
    over_time.semilogy(drawn["distances"][name], color=_COLORS[name], lw=1.5)
  trajectories.draw_equilibrium(plane)
  plane.set_title(f"{NUM_STEPS} steps from (1, 0)", fontsize=10)
  plane.set(
    aspect="equal",
    xlim=ends,
    ylim=ends,
    xlabel="x (generator)",
    ylabel="y (discriminator)",
  )
  over_time.set_title("distance from the equilibrium", fontsize=10)
  over_time.set(xlabel="step", ylabel="distance", xlim=(0, NUM_STEPS))
  over_ratio.axhline(1, color=curves.FRAME, **curves.REFERENCE)
  over_ratio.axvline(THRESHOLD, color=curves.FRAME, **curves.REFERENCE)
  over_ratio.semilogx(
    RATIOS, drawn["expected"], color=curves.DATA, lw=1, label="closed form"
  )
  over_ratio.semilogx(
    RATIOS,
    drawn["radii"],
    ".",
    color=trajectories.FLOW,
    label="derivative of the step",
  )
  over_ratio.set_title(
    f"converges below 1: from {THRESHOLD:.1f} times on", fontsize=10
  )
  over_ratio.set(
    xlabel=f"rate of D, {RATE}, over that of G",
    ylabel="spectral radius of a step",
  )
  return curves.legend(figure)


def _radius(a: float, b: float) -> float:
  """Returns the greater modulus of the two eigenvalues of M."""
  trace = 2 + a * BEND - b * CURVATURE
  determinant = 1 + a * BEND - b * CURVATURE + a * b * (1 - BEND * CURVATURE)
  root = cmath.sqrt(trace**2 / 4 - determinant)
  return max(abs(trace / 2 + root), abs(trace / 2 - root))


def _distance(a: float, b: float) -> float:
  matrix = np.array([[1 + a * BEND, -a], [b, 1 - b * CURVATURE]])
  power = np.linalg.matrix_power(matrix, NUM_STEPS)
  return float(np.linalg.norm(power @ [1, 0]))


def _exchanged() -> float:
  """Returns the greatest error if the ratio were inverted."""
  return max(
    abs(_radius(RATE * ratio, RATE) - _radius(RATE / ratio, RATE))
    for ratio in RATIOS
  )


_ORIGIN = "closed form: the roots of lambda^2 - tr M lambda + det M"
CHECKS = (
  *(
    Check(
      f"spectral radius, {name}",
      _radius(*rates),
      1e-9,
      _ORIGIN,
      wrong={"half of the rates": _radius(rates[0] / 2, rates[1] / 2)},
    )
    for name, rates in PLAYED.items()
  ),
  Check(
    "spectral radius at the threshold",
    1.0,
    1e-9,
    "closed form: det M = 1",
    wrong={"one rate": _radius(RATE, RATE)},
  ),
  Check(
    "greatest error of the spectral radius",
    0.0,
    1e-9,
    f"{_ORIGIN}, at {len(RATIOS)} ratios",
    relation="at most",
    wrong={"ratio the other way around": _exchanged},
  ),
  *(
    Check(
      f"distance after {NUM_STEPS} steps, {name}",
      _distance(*rates),
      1e-9 * float(f"{_distance(*rates):.0e}"),
      "powers of M",
      wrong={"half of the rates": _distance(rates[0] / 2, rates[1] / 2)},
    )
    for name, rates in PLAYED.items()
  ),
  Check(
    "curvature of the generator's cost",
    -BEND,
    1e-9,
    "closed form: -m",
    wrong={"in the discriminator's": CURVATURE},
  ),
)

REPRODUCTION = Reproduction(
  id="two_timescale",
  source="Heusel et al. 2017, arXiv 1706.08500, section 2",
  summary="two rates converge where no single one does",
  compute=compute,
  checks=CHECKS,
  draw=draw,
)
