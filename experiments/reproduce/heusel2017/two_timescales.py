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

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, trajectories
from experiments.reproduce.common.checks import at_most, close
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
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
COLORS = dict(
  zip(
    PLAYED,
    (trajectories.SIMULTANEOUS, trajectories.AMBER, trajectories.FLOW),
    strict=True,
  )
)


def _game() -> Game:
  """Returns the game, which starts at (1, 0)."""
  game = closed_form.bilinear(Players(jnp.array(1.0), jnp.array(0.0)))

  def costs(params, *rest):
    (generator, discriminator), others = game.costs(params, *rest)
    x, y = params
    bend = 0.5 * (BEND * x**2 + CURVATURE * y**2)
    return Players(generator - bend, discriminator + bend), others

  return game._replace(costs=costs)


def _jacobian(rates: Array) -> Array:
  """Differentiates a step with the rates [2]."""
  return trajectories.jacobian(
    steps.simultaneous, _game(), Players(*map(optax.sgd, rates))
  )


def _by_hand(a: float, b: float) -> np.ndarray:
  """Returns the matrix M."""
  return np.array([[1 + a * BEND, -a], [b, 1 - b * CURVATURE]])


def _radii(matrices: ArrayLike) -> np.ndarray:
  """Computes the spectral radii [n] of matrices [n, 2, 2]."""
  return np.abs(np.linalg.eigvals(np.asarray(matrices))).max(axis=1)


def compute(inputs: Inputs) -> Computed:
  """Differentiates the step over the ratio and plays three pairs of rates."""
  del inputs
  rates = [(RATE / ratio, RATE) for ratio in (THRESHOLD, *RATIOS)]
  with jax.enable_x64(True):
    at_threshold, *radii = _radii(jax.vmap(_jacobian)(jnp.array(rates)))
    paths = {
      name: trajectories.play(
        steps.simultaneous, _game(), Players(*map(optax.sgd, pair)), NUM_STEPS
      )
      for name, pair in PLAYED.items()
    }
    key = jax.random.key(0)
    nash = stability.local_nash(
      _game(), *_game().init(key), jnp.zeros((1, 1)), key
    )
    curvature = float(nash.hessians.generator[0, 0])
  _, *expected = _radii(np.array([_by_hand(*pair) for pair in rates]))
  checks = [
    close(
      "spectral radius at the threshold",
      at_threshold,
      1.0,
      1e-9,
      "closed form: det M = 1",
    ),
    at_most(
      "greatest error of the spectral radius",
      np.abs(np.subtract(radii, expected)).max(),
      1e-9,
      "the roots of lambda^2 - tr M lambda + det M, M by hand, at "
      f"{len(RATIOS)} ratios",
    ),
    close(
      "curvature of the generator's cost",
      curvature,
      -BEND,
      1e-9,
      "closed form: -m",
    ),
  ]
  for name, path in paths.items():
    power = np.linalg.matrix_power(_by_hand(*PLAYED[name]), NUM_STEPS)
    distance = np.hypot(*power @ (1, 0))
    checks.append(
      close(
        f"distance after {NUM_STEPS} steps, {name}",
        trajectories.distances(path)[-1],
        distance,
        1e-9 * distance,
        "powers of M",
      )
    )
  return Computed(
    checks, {"paths": paths, "radii": radii, "expected": expected}
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the paths, the distances, and the spectral radius over the ratio."""
  figure, (plane, over_time, over_ratio) = curves.grid(3, 3, (12, 4.6))
  pictures.headline(
    figure,
    "two time scales: no single rate converges here, a discriminator fast "
    "enough does",
  )
  ends = np.array([-4.0, 4.0])
  plane.plot(
    ends,
    ends / CURVATURE,
    color=curves.DATA,
    label="best discriminator",
    **curves.REFERENCE,
  )
  trajectories.draw_plane(
    plane,
    drawn["paths"],
    COLORS,
    f"{NUM_STEPS} steps from (1, 0)",
    xlim=ends,
    ylim=ends,
  )
  trajectories.draw_distances(over_time, drawn["paths"], COLORS)
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


REPRODUCTION = Reproduction(
  id="two_timescale",
  source="Heusel et al. 2017, arXiv 1706.08500, section 2",
  summary="two rates converge where no single one does",
  compute=compute,
  draw=draw,
)
