"""Learning a mean: gradient descent cycles, optimistic descent converges.

The generator adds theta to normal noise, the data is N(v, I) with v = (3, 4),
and the critic is <w, x>, so that J_G = <w, v - theta> and J_D = -J_G. Both
players move at once, at a rate of 0.1. Gradient descent of both costs with |w|
bounded by 1 cycles around v for ever. The optimistic step

  w <- w - 2 h g_t + h g_(t-1),  g the gradient of the player's cost,

converges to v. Each coordinate evolves alone. With z = theta - v + i w it
follows

  z_(t+1) = (1 - 2 i h) z_t + i h z_(t-1),

which is solved by powers of the two roots of q^2 = (1 - 2 i h) q + i h. The
published errors belong to the last of 1,000 points, of which the first two are
the start, as in the authors' notebook: that is after 998 steps.

Source: Daskalakis, Ilyas, Syrgkanis and Zeng, Training GANs with Optimism,
arXiv 1711.00141, sections 2.1 and 2.2, and the notebook Simple_GAN_example of
its code, github.com/vsyrgkanis/optimistic_GAN_training.
"""

import functools
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
from gan_jax import penalties, steps
from gan_jax.games import closed_form
from gan_jax.types import Players

MEAN = (3.0, 4.0)
START = Players(1.7, 1.4)
"""Start of theta and w, in every coordinate."""
RATE = 0.1
NUM_STEPS = 1_000
PUBLISHED_STEPS = 998
LIMIT = 1.0
"""Bound on |w| under gradient descent."""
CYCLE = 200
"""Number of last steps; a cycle takes about 65."""

DESCENT, OPTIMISTIC = "gradient descent, clipped", "optimistic"
_COLORS = (curves.GENERATED, trajectories.SKY)
"""Colours of the two coordinates."""


def _play(optimizers: steps.Optimizers) -> Players[np.ndarray]:
  """Plays the game and returns theta and w, [1001, 2] each."""
  start = Players(*(jnp.full(len(MEAN), value) for value in START))
  game = closed_form.learn_a_mean(start, jnp.array(MEAN))
  state = steps.init_state(game, optimizers, jax.random.key(0))
  points = jax.jit(
    functools.partial(
      trajectories.path,
      steps.simultaneous(game, optimizers),
      num_steps=NUM_STEPS,
    )
  )(state)
  return jax.tree.map(np.asarray, points)


def compute(runs: Mapping[str, Results]) -> Computed:
  """Learns the mean with both update rules."""
  del runs
  descent, optimistic = optax.sgd(RATE), optax.optimistic_gradient_descent(RATE)
  with jax.enable_x64(True):
    paths = {
      DESCENT: _play(
        Players(descent, optax.chain(descent, penalties.weight_clipping(LIMIT)))
      ),
      OPTIMISTIC: _play(Players(optimistic, optimistic)),
    }
  measured = {}
  for axis, mean in enumerate(MEAN):
    error = {
      name: path.generator[:, axis] - mean for name, path in paths.items()
    }
    measured |= {
      _error(axis, count): abs(error[OPTIMISTIC][count])
      for count in (PUBLISHED_STEPS, NUM_STEPS)
    }
    measured[_most(axis)] = error[DESCENT][-CYCLE:].max()
    measured[_least(axis)] = error[DESCENT][-CYCLE:].min()
  ends = {
    DESCENT: f"in the end up to {measured[_most(0)]:.2f} off (published 1.08)",
    OPTIMISTIC: f"after {PUBLISHED_STEPS} steps "
    + " and ".join(
      f"{measured[_error(axis, PUBLISHED_STEPS)]:.4f}" for axis in (0, 1)
    )
    + " off (published 0.0087 and 0.0151)",
  }
  return Computed(measured, {"paths": paths, "ends": ends})


def _error(axis: int, num_steps: int) -> str:
  return f"error of theta_{axis + 1} after {num_steps} optimistic steps"


def _most(axis: int) -> str:
  return f"most of theta_{axis + 1} - v_{axis + 1} in the cycle"


def _least(axis: int) -> str:
  return f"least of theta_{axis + 1} - v_{axis + 1} in the cycle"


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws theta against the step, and each coordinate in its plane."""
  figure, panels = curves.grid(4, 2, (10.5, 6.8), width_ratios=(2, 1))
  pictures.headline(
    figure,
    "learning the mean (3, 4) of a normal: descent cycles around it, "
    "optimistic descent converges",
  )
  for row, (name, path) in enumerate(drawn["paths"].items()):
    over_time, plane = panels[2 * row : 2 * row + 2]
    for axis, (mean, color) in enumerate(zip(MEAN, _COLORS, strict=True)):
      label = f"coordinate {axis + 1}"
      theta, w = path.generator[:, axis], path.discriminator[:, axis]
      over_time.plot(theta, color=color, lw=1.3, label=label)
      over_time.axhline(
        mean, color=curves.DATA, **curves.REFERENCE, label="mean of the data"
      )
      if axis == 0:
        trajectories.draw_path(plane, Players(theta - mean, w), color, label)
    trajectories.draw_equilibrium(plane)
    over_time.set_title(f"{name}: {drawn['ends'][name]}", fontsize=10)
    plane.set_title("coordinate 1", fontsize=10)
    over_time.set(
      xlabel="step",
      ylabel="theta (generator)",
      xlim=(0, NUM_STEPS),
      ylim=(1.3, 6.7),
    )
    plane.set(
      aspect="equal",
      xlabel="theta - v (generator)",
      ylabel="w (discriminator)",
      xlim=(-2.2, 2.2),
      ylim=(-2.2, 2.2),
    )
  return curves.legend(figure)


def _optimistic(axis: int, num_steps: int) -> float:
  """Solves the recursion and returns |theta - v| of one coordinate."""
  start = START.generator - MEAN[axis] + 1j * START.discriminator
  roots = np.roots([1, -(1 - 2j * RATE), -1j * RATE])
  # The point before the start equals the start.
  weights = np.linalg.solve([roots**-1, roots**0], [start, start])
  return abs(float((weights @ roots**num_steps).real))


def _descent(axis: int) -> list[float]:
  """Returns theta - v of one coordinate in the cycle, in plain Python."""
  error, w = START.generator - MEAN[axis], START.discriminator
  errors = []
  for _ in range(NUM_STEPS):
    error, w = error + RATE * w, min(max(w - RATE * error, -LIMIT), LIMIT)
    errors.append(error)
  return errors[-CYCLE:]


def _checks(axis: int) -> tuple[Check, ...]:
  """Returns the checks of one coordinate."""
  power = "powers of the roots of q^2 = (1 - 2 i h) q + i h"
  by_hand = "the recursion in plain Python"
  return (
    Check(
      _error(axis, PUBLISHED_STEPS),
      lambda: _optimistic(axis, PUBLISHED_STEPS),
      1e-9,
      power,
      published=(0.0087, 0.0151)[axis],
      wrong={"a step more": lambda: _optimistic(axis, PUBLISHED_STEPS + 1)},
    ),
    Check(
      _error(axis, NUM_STEPS),
      lambda: _optimistic(axis, NUM_STEPS),
      1e-9,
      power,
      wrong={"a step less": lambda: _optimistic(axis, NUM_STEPS - 1)},
    ),
    Check(
      _most(axis),
      lambda: max(_descent(axis)),
      1e-9,
      by_hand,
      published=1.08,
      wrong={"the bound": LIMIT},
    ),
    Check(
      _least(axis),
      lambda: min(_descent(axis)),
      1e-9,
      by_hand,
      published=-1.08,
      wrong={"the bound": -LIMIT},
    ),
  )


REPRODUCTION = Reproduction(
  id="omd_mean",
  source="Daskalakis et al. 2018, arXiv 1711.00141, section 2",
  summary="gradient descent cycles around a mean; optimistic descent learns it",
  compute=compute,
  checks=(*_checks(0), *_checks(1)),
  draw=draw,
)
