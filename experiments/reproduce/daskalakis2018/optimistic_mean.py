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
from gan_jax import penalties, steps
from gan_jax.games import closed_form
from gan_jax.types import Players

MEAN = (3.0, 4.0)
START = Players(1.7, 1.4)
"""Start of theta and w, in every coordinate."""
RATE = 0.1
NUM_STEPS = 1_000
PUBLISHED_STEPS, PUBLISHED = 998, (0.0087, 0.0151)
LIMIT = 1.0
"""Bound on |w| under gradient descent."""
CYCLE = 200
"""Number of last steps; a cycle takes about 65."""
DESCENT, OPTIMISTIC = "gradient descent, clipped", "optimistic"


def _cycle(z: complex) -> np.ndarray:
  """Descends from z = theta - v + i w and returns theta - v in the cycle."""
  points = []
  for _ in range(NUM_STEPS):
    z -= 1j * RATE * z
    z = complex(z.real, min(max(z.imag, -LIMIT), LIMIT))
    points.append(z)
  return np.real(points[-CYCLE:])


def compute(inputs: Inputs) -> Computed:
  """Learns the mean with both update rules."""
  del inputs
  descent, optimistic = optax.sgd(RATE), optax.optimistic_gradient_descent(RATE)
  bounded = optax.chain(descent, penalties.weight_clipping(LIMIT))
  with jax.enable_x64(True):
    start = Players(*(jnp.full(len(MEAN), value) for value in START))
    game = closed_form.learn_a_mean(start, jnp.array(MEAN))
    paths = {
      name: trajectories.play(steps.simultaneous, game, optimizers, NUM_STEPS)
      for name, optimizers in (
        (DESCENT, Players(descent, bounded)),
        (OPTIMISTIC, Players(optimistic, optimistic)),
      )
    }
  in_cycle = paths[DESCENT].generator[-CYCLE:] - MEAN
  error = np.abs(paths[OPTIMISTIC].generator[PUBLISHED_STEPS] - MEAN)
  roots = np.roots([1, -(1 - 2j * RATE), -1j * RATE])
  checks = []
  for axis, mean in enumerate(MEAN):
    coordinate = f"theta_{axis + 1} - v_{axis + 1}"
    z = START.generator - mean + 1j * START.discriminator
    # The point before the start equals the start.
    weights = np.linalg.solve([roots**-1, roots**0], [z, z])
    checks.append(
      close(
        f"error of theta_{axis + 1} after {PUBLISHED_STEPS} optimistic steps",
        error[axis],
        abs((weights @ roots**PUBLISHED_STEPS).real),
        1e-9,
        "powers of the roots of q^2 = (1 - 2 i h) q + i h",
        PUBLISHED[axis],
      )
    )
    checks += [
      close(
        f"{which} of {coordinate} in the cycle",
        extreme(in_cycle[:, axis]),
        extreme(_cycle(z)),
        1e-9,
        "the recursion in plain Python",
        published,
      )
      for which, extreme, published in (
        ("most", np.max, 1.08),
        ("least", np.min, -1.08),
      )
    ]
  return Computed(
    checks,
    {
      DESCENT: (
        paths[DESCENT],
        f"in the end up to {in_cycle[:, 0].max():.2f} off (published 1.08)",
      ),
      OPTIMISTIC: (
        paths[OPTIMISTIC],
        f"after {PUBLISHED_STEPS} steps {error[0]:.4f} and {error[1]:.4f} off "
        f"(published {PUBLISHED[0]} and {PUBLISHED[1]})",
      ),
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws theta against the step, and one coordinate in its plane."""
  figure, panels = curves.grid(4, 2, (10.5, 6.8), width_ratios=(2, 1))
  pictures.headline(
    figure,
    "learning the mean (3, 4) of a normal: descent cycles around it, "
    "optimistic descent converges",
  )
  colors = {
    "coordinate 1": curves.GENERATED,
    "coordinate 2": trajectories.SKY,
  }
  for row, (name, (path, end)) in enumerate(drawn.items()):
    over_time, plane = panels[2 * row : 2 * row + 2]
    for (label, color), mean, theta in zip(
      colors.items(), MEAN, path.generator.T, strict=True
    ):
      over_time.plot(theta, color=color, lw=1.3, label=label)
      over_time.axhline(
        mean, color=curves.DATA, **curves.REFERENCE, label="mean of the data"
      )
    over_time.set_title(f"{name}: {end}", fontsize=10)
    over_time.set(
      xlabel="step",
      ylabel="theta (generator)",
      xlim=(0, NUM_STEPS),
      ylim=(1.3, 6.7),
    )
    first = Players(path.generator[:, 0] - MEAN[0], path.discriminator[:, 0])
    trajectories.draw_plane(
      plane,
      {"coordinate 1": first},
      colors,
      "coordinate 1",
      xlabel="theta - v (generator)",
      ylabel="w (discriminator)",
      xlim=(-2.2, 2.2),
      ylim=(-2.2, 2.2),
    )
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="omd_mean",
  source="Daskalakis et al. 2018, arXiv 1711.00141, section 2",
  summary="gradient descent cycles around a mean; optimistic descent learns it",
  compute=compute,
  draw=draw,
)
