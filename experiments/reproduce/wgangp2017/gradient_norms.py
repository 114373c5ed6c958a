"""Gradient norms in the layers of a deep critic, clipped or penalised.

The critic has 12 layers of w rectified units and is trained on the Swiss roll.
The norm of its cost's gradient in the activations of a layer changes by a
constant factor per layer on the way back from the output if weights are clipped
to +-c:

- With random signs and half of the units active, the factor is c sqrt(w / 2).
  If c is small, the first step cuts He's initial weights to about +-c. With
  c = 0.01 and below the gradients vanish and the critic learns nothing.
- With c = 0.1 training aligns the weights and the gradients explode. The factor
  is at most c w, the norm of a w x w matrix with all entries c.

With the penalty, which asks for a slope of 1 of the whole critic, the norms
stay level.

Source: Gulrajani et al., Improved Training of Wasserstein GANs, arXiv
1704.00028, section 3.2 and figure 1b, left. The paper trains a generator of as
many layers along with the critic. Here the generator is held at data + N(0, I),
as in `value_surfaces`, and layers have 64 units. 300 steps are enough for the
gradients to take their form.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, training_loops
from experiments.reproduce.common.checks import at_least, at_most, covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.wgangp2017 import toys
from gan_jax import losses, penalties
from gan_jax.metrics import slopes
from gan_jax.networks.mlp import MLP
from gan_jax.types import Array

DATA = "Swiss roll"
LAYERS, WIDTH = 12, 64
NETWORK = MLP((WIDTH,) * LAYERS, features=1)
NUM_STEPS = 300
NUM_SEEDS = 8
LIMITS = {f"clipped to {limit:g}": limit for limit in (0.1, 0.01, 0.001)}
LARGE, MIDDLE, SMALL = LIMITS
PENALISED = "gradient penalty"
METHODS = {
  **{name: (toys.clipped(1e-3, limit), None) for name, limit in LIMITS.items()},
  PENALISED: (
    toys.adam(1e-3, NUM_STEPS),
    penalties.gradient_penalty(toys.WEIGHT),
  ),
}
BACK = np.arange(LAYERS)[::-1]
"""Number of layers between each hidden layer and the last one."""


def _cost(logits: Array) -> Array:
  """Computes the critic's cost of real samples followed by generated ones."""
  return losses.wasserstein().discriminator(*jnp.split(logits[:, 0], 2))


def _random(limit: float) -> float:
  """Computes the decades per layer if weights are +-c with random signs."""
  return math.log10(limit * math.sqrt(WIDTH / 2))


def compute(inputs: Inputs) -> Computed:
  """Trains the critics in four ways and measures the norms, [seeds, 12]."""
  real, fake = toys.density(DATA), toys.density(DATA, toys.NOISE)
  keys = jax.random.split(jax.random.key(inputs.seed))
  x = jnp.concatenate(
    [real.sample(keys[0], toys.BATCH), fake.sample(keys[1], toys.BATCH)]
  )
  norms = {}
  for name, (optimizer, penalty) in METHODS.items():
    critics = training_loops.train_critics(
      real,
      fake,
      NETWORK,
      losses.wasserstein(),
      optimizer,
      num_steps=NUM_STEPS,
      batch_size=toys.BATCH,
      seeds=range(inputs.seed, inputs.seed + NUM_SEEDS),
      x=toys.PLANE[:1],
      penalty=penalty,
    )
    measured = jax.vmap(
      lambda params: slopes.layer_gradient_norms(
        NETWORK, {"params": params}, x, _cost
      )
    )(critics.params)
    norms[name] = np.asarray(measured, float)[:, 1:]
  decades = {
    name: np.polyfit(BACK, np.log10(rows).T, 1)[0]
    for name, rows in norms.items()
  }
  checks = [
    at_least(
      f"{LARGE}: decades a layer",
      decades[LARGE],
      0.4,
      "the publication's figure: grows exponentially",
      margin=0.1,
    ),
    at_most(
      f"{LARGE}: most decades a layer",
      decades[LARGE].max(),
      math.log10(LIMITS[LARGE] * WIDTH),
      "closed form: at most log10(c w); all seeds",
    ),
    at_most(
      "penalised: |decades| a layer",
      np.abs(decades[PENALISED]),
      0.05,
      "the publication's figure: level",
      margin=0.02,
    ),
  ]
  checks += [
    covers(
      f"{name}: decades a layer",
      decades[name],
      _random(LIMITS[name]),
      0.1,
      "closed form: log10(c sqrt(w / 2)), of random signs",
    )
    for name in (MIDDLE, SMALL)
  ]
  checks += [
    at_least(
      f"{name}: R^2 of a constant factor a layer",
      [np.corrcoef(BACK, np.log10(row))[0, 1] ** 2 for row in norms[name]],
      0.985,
      "the publication's figure: straight lines in logarithms",
      margin=0.01,
    )
    for name in LIMITS
  ]
  return Computed(checks, norms)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the norms of all seeds over the layers, from the last one back."""
  figure, (axes,) = curves.grid(1, 1, (9, 5.4))
  pictures.headline(
    figure,
    "the gradient on its way back through a critic of 12 layers explodes or "
    "vanishes if weights\nare clipped, and stays level with a gradient penalty "
    f"(Swiss roll, {NUM_SEEDS} seeds each)",
  )
  colours = (
    curves.GENERATED,
    curves.AVERAGE,
    curves.FRAME,
    curves.DISCRIMINATOR,
  )
  layers = np.arange(1, LAYERS + 1)
  for (name, norms), colour in zip(drawn.items(), colours, strict=True):
    for row in norms:
      axes.plot(layers, row, ".-", color=colour, lw=1, label=name)
  for name in (MIDDLE, SMALL):
    axes.plot(
      layers,
      drawn[name][:, -1].mean() * 10 ** (BACK * _random(LIMITS[name])),
      color=curves.DATA,
      label="c sqrt(w / 2) a layer",
      **curves.REFERENCE,
    )
  axes.set_yscale("log")
  axes.set(
    xlabel="hidden layer, from the output back to the input",
    ylabel="norm of the cost's gradient in its activations",
    xlim=(LAYERS + 0.3, 0.7),
    xticks=layers,
  )
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="wgangp_gradient_norms",
  source="WGAN-GP 2017, arXiv 1704.00028, figure 1b, left",
  summary="gradients explode or vanish with clipping, and not with a penalty",
  minutes=1,
  compute=compute,
  draw=draw,
  trains=True,
)
