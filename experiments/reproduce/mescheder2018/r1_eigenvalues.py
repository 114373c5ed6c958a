"""Eigenvalues of the Dirac-GAN at its equilibrium, with the R1 penalty.

The penalty gamma / 2 D'(0)^2 = gamma / 2 psi^2 on the slope at the data gives
the flow dw/dt = -v(w) the Jacobian

  J = [[0, -f'(0)], [f'(0), -gamma]],  f'(0) = 1/2,

at the equilibrium, with the eigenvalues

  -gamma / 2 +- sqrt(gamma^2 / 4 - f'(0)^2).

Without the penalty the flow circles the equilibrium for ever. Below the
critical value gamma = 1 it spirals in. Above it approaches straight, and the
more slowly the larger gamma is.

A simultaneous step of rate h has the eigenvalues 1 + h lambda, whose sum is 2 -
h gamma and whose product is 1 - h gamma + h^2 / 4. An alternating step has the
sum 2 - h gamma - h^2 / 4 and the product 1 - h gamma: at gamma = 0 it orbits
where simultaneous steps diverge. As long as they are complex, all eigenvalues
lie on the circle of radius h / 2 around 1.

Source: Mescheder, Geiger and Nowozin, Which Training Methods for GANs do
actually Converge?, arXiv 1801.04406, lemma 4.1.
"""

import math
from collections.abc import Callable, Mapping
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
from gan_jax import losses, penalties, steps
from gan_jax.dynamics import stability
from gan_jax.games import closed_form
from gan_jax.types import Array, Players

GAMMAS = np.linspace(0.0, 2.0, 81)
UPDATE_RATE = 1.0
"""Rate of the drawn update rules, large enough for visible differences."""
_MAPS = {
  "flow": trajectories.FLOW,
  "simultaneous": trajectories.SIMULTANEOUS,
  "alternating": trajectories.ALTERNATING,
}


def _jacobians(gamma: Array) -> dict[str, Array]:
  """Differentiates the flow and the update rules at the equilibrium."""
  batch, key = jnp.zeros((1, 1)), jax.random.key(0)
  game = closed_form.dirac_gan(
    Players(jnp.zeros(()), jnp.zeros(())),
    losses.minimax(),
    penalties.r1(gamma),
  )
  optimizers = Players(optax.sgd(UPDATE_RATE), optax.sgd(UPDATE_RATE))
  state = steps.init_state(game, optimizers, key)
  field = stability.field_jacobian(
    game, state.params, state.variables, batch, key
  )
  simultaneous, alternating = (
    stability.step_jacobian(rule(game, optimizers), state, batch, key)
    for rule in (steps.simultaneous, steps.alternating)
  )
  return {
    "flow": -field,
    "simultaneous": simultaneous,
    "alternating": alternating,
  }


def _closed_form(slope: float = 0.5) -> dict[str, np.ndarray]:
  """Returns the eigenvalues [81, 2] of each map for f'(0) = slope."""
  rate = UPDATE_RATE
  halves = {
    # Half the sum of the two eigenvalues, and their product.
    "flow": (-GAMMAS / 2, slope**2 + 0 * GAMMAS),
    "simultaneous": (
      1 - rate * GAMMAS / 2,
      1 - rate * GAMMAS + (rate * slope) ** 2,
    ),
    "alternating": (
      1 - rate * GAMMAS / 2 - (rate * slope) ** 2 / 2,
      1 - rate * GAMMAS,
    ),
  }
  return {
    name: _ordered(
      np.stack(
        [half + sign * np.sqrt(half**2 - product + 0j) for sign in (-1.0, 1.0)],
        axis=1,
      )
    )
    for name, (half, product) in halves.items()
  }


def _ordered(values: np.ndarray) -> np.ndarray:
  """Sorts values [81, 2] by real part and then by imaginary part."""
  order = np.argsort(np.round(values, 9), axis=1)
  return np.take_along_axis(values, order, axis=1)


def compute(runs: Mapping[str, Results]) -> Computed:
  """Computes the eigenvalues of the flow and of two update rules over gamma."""
  del runs
  with jax.enable_x64(True):
    matrices = jax.jit(jax.vmap(_jacobians))(jnp.asarray(GAMMAS))
  values = {
    name: _ordered(np.linalg.eigvals(np.asarray(matrix)))
    for name, matrix in matrices.items()
  }
  expected = _closed_form()
  below, critical, above = (
    values["flow"][GAMMAS.searchsorted(gamma - 1e-9)] for gamma in (0.3, 1, 2)
  )
  return Computed(
    measured={
      "real part at gamma = 0.3": below[0].real,
      "imaginary part at gamma = 0.3": below[1].imag,
      "first eigenvalue at gamma = 1": critical[0].real,
      "second eigenvalue at gamma = 1": critical[1].real,
      "fast eigenvalue at gamma = 2": above[0].real,
      "slow eigenvalue at gamma = 2": above[1].real,
      **{
        f"greatest error, {name}": np.abs(values[name] - expected[name]).max()
        for name in _MAPS
      },
    },
    drawn={"eigenvalues": values, "expected": expected},
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws eigenvalues over gamma, and those of two rules in the plane."""
  figure, (real, imaginary, plane) = curves.grid(3, 3, (12, 4.4))
  pictures.headline(
    figure,
    "Dirac-GAN with R1 at its equilibrium: it spirals in below gamma = 1 and "
    "approaches straight above",
  )
  for axes, part in ((real, np.real), (imaginary, np.imag)):
    for which in (0, 1):
      axes.plot(
        GAMMAS,
        part(drawn["eigenvalues"]["flow"][:, which]),
        ".",
        color=_MAPS["flow"],
        label="flow",
      )
      axes.plot(
        GAMMAS,
        part(drawn["expected"]["flow"][:, which]),
        color=curves.DATA,
        lw=1,
        label="closed form",
      )
    axes.axvline(1, color=curves.FRAME, **curves.REFERENCE)
    axes.set_xlabel("gamma, weight of R1")
  real.set_title("rate of approach", fontsize=10)
  real.set_ylabel("real part of the eigenvalues")
  imaginary.set_title("rate of turning", fontsize=10)
  imaginary.set_ylabel("imaginary part of the eigenvalues")
  turn = np.linspace(0, 2 * np.pi, 200)
  plane.plot(np.cos(turn), np.sin(turn), color=curves.FRAME, **curves.REFERENCE)
  # The two lie on one circle around 1.
  for name, size in (("simultaneous", 9), ("alternating", 4)):
    values = drawn["eigenvalues"][name]
    plane.plot(
      values.real.ravel(),
      values.imag.ravel(),
      ".",
      ms=size,
      color=_MAPS[name],
      label=f"{name} steps",
    )
  plane.set_title(
    f"a step of rate {UPDATE_RATE:g}, gamma from 0 to 2", fontsize=10
  )
  plane.text(0, -0.9, "stable inside", ha="center", fontsize=9)
  plane.set(
    aspect="equal",
    xlabel="real part of the eigenvalues",
    ylabel="imaginary part of the eigenvalues",
  )
  return curves.legend(figure)


def _error(name: str, slope: float) -> Callable[[], float]:
  """Returns the greatest error of a map with another f'(0)."""
  return lambda: np.abs(_closed_form(slope)[name] - _closed_form()[name]).max()


_ORIGIN = "lemma 4.1: -gamma / 2 +- sqrt(gamma^2 / 4 - f'(0)^2), f'(0) = 1/2"
CHECKS = (
  Check("real part at gamma = 0.3", -0.15, 1e-6, _ORIGIN),
  Check(
    "imaginary part at gamma = 0.3",
    math.sqrt(0.2275),
    1e-6,
    _ORIGIN,
    wrong={"f'(0) = 1": math.sqrt(0.9775)},
  ),
  *(
    Check(
      f"{which} eigenvalue at gamma = 1",
      -0.5,
      1e-6,
      _ORIGIN,
      wrong={"gamma without its half": -1 - math.sqrt(0.75)},
    )
    for which in ("first", "second")
  ),
  Check("fast eigenvalue at gamma = 2", -1 - math.sqrt(0.75), 1e-6, _ORIGIN),
  Check("slow eigenvalue at gamma = 2", -1 + math.sqrt(0.75), 1e-6, _ORIGIN),
  *(
    Check(
      f"greatest error, {name}",
      0.0,
      1e-6,
      f"closed forms of the sum and the product, {len(GAMMAS)} gammas",
      relation="at most",
      wrong={"f'(0) = 1": _error(name, 1.0)},
    )
    for name in _MAPS
  ),
)

REPRODUCTION = Reproduction(
  id="r1_eigenvalues",
  source="Mescheder et al. 2018, arXiv 1801.04406, lemma 4.1",
  summary="a penalty on the slope at the data makes the Dirac-GAN converge",
  compute=compute,
  checks=CHECKS,
  draw=draw,
)
