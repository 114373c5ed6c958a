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
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, trajectories
from experiments.reproduce.common.checks import at_most, close
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import losses, penalties, steps
from gan_jax.dynamics import stability
from gan_jax.games import closed_form
from gan_jax.types import Array, Players

GAMMAS = np.linspace(0.0, 2.0, 81)
UPDATE_RATE = 1.0
"""Rate of the drawn update rules, large enough for visible differences."""
ORIGIN = "lemma 4.1: -gamma / 2 +- sqrt(gamma^2 / 4 - f'(0)^2), f'(0) = 1/2"


def _jacobians(gamma: Array) -> dict[str, Array]:
  """Differentiates the flow and the update rules at the equilibrium."""
  batch, key = jnp.zeros((1, 1)), jax.random.key(0)
  game = closed_form.dirac_gan(
    Players(jnp.zeros(()), jnp.zeros(())),
    losses.minimax(),
    penalties.r1(gamma),
  )
  optimizers = Players(optax.sgd(UPDATE_RATE), optax.sgd(UPDATE_RATE))
  return {
    "flow": -stability.field_jacobian(game, *game.init(key), batch, key),
    "simultaneous": trajectories.jacobian(steps.simultaneous, game, optimizers),
    "alternating": trajectories.jacobian(steps.alternating, game, optimizers),
  }


def _closed_form() -> dict[str, np.ndarray]:
  """Returns the eigenvalues [81, 2] of each map."""
  rate, slope = UPDATE_RATE, 0.5
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


def compute(inputs: Inputs) -> Computed:
  """Computes the eigenvalues of the flow and of two update rules over gamma."""
  del inputs
  with jax.enable_x64(True):
    matrices = jax.jit(jax.vmap(_jacobians))(jnp.asarray(GAMMAS))
  values = {
    name: _ordered(np.linalg.eigvals(np.asarray(matrix)))
    for name, matrix in matrices.items()
  }
  closed_forms = _closed_form()
  checks = [
    close(f"{name} at gamma = {gamma:g}", measured, expected, 1e-6, ORIGIN)
    for gamma, name, measured, expected in (
      (0.3, "real part", _flow(values, 0.3)[0].real, -0.15),
      (0.3, "imaginary part", _flow(values, 0.3)[1].imag, math.sqrt(0.2275)),
      (1, "first eigenvalue", _flow(values, 1)[0].real, -0.5),
      (1, "second eigenvalue", _flow(values, 1)[1].real, -0.5),
      (2, "fast eigenvalue", _flow(values, 2)[0].real, -1 - math.sqrt(0.75)),
      (2, "slow eigenvalue", _flow(values, 2)[1].real, -1 + math.sqrt(0.75)),
    )
  ]
  checks += [
    at_most(
      f"greatest error, {name}",
      np.abs(values[name] - eigenvalues).max(),
      1e-6,
      f"closed forms of the sum and the product, {len(GAMMAS)} gammas",
    )
    for name, eigenvalues in closed_forms.items()
  ]
  return Computed(
    checks, {"eigenvalues": values, "closed form": closed_forms["flow"]}
  )


def _flow(values: Mapping[str, np.ndarray], gamma: float) -> np.ndarray:
  """Returns the eigenvalues [2] of the flow at one of GAMMAS."""
  return values["flow"][GAMMAS.searchsorted(gamma - 1e-9)]


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
        color=trajectories.FLOW,
        label="flow",
      )
      axes.plot(
        GAMMAS,
        part(drawn["closed form"][:, which]),
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
      color=trajectories.COLORS[name],
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


REPRODUCTION = Reproduction(
  id="r1_eigenvalues",
  source="Mescheder et al. 2018, arXiv 1801.04406, lemma 4.1",
  summary="a penalty on the slope at the data makes the Dirac-GAN converge",
  compute=compute,
  draw=draw,
)
