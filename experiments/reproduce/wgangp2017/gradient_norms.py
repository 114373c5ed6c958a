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
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.reproduce.wgangp2017 import toys
from experiments.run_folder.results import Results
from gan_jax import losses, penalties
from gan_jax.metrics import slopes
from gan_jax.networks.mlp import MLP
from gan_jax.types import Array

DATA = "Swiss roll"
LAYERS, WIDTH = 12, 64
NETWORK = MLP((WIDTH,) * LAYERS, features=1)
NUM_STEPS = 300
SEEDS = range(4)
LIMITS = (0.1, 0.01, 0.001)
LARGE, MIDDLE, SMALL = (f"clipped to {limit:g}" for limit in LIMITS)
PENALISED = "gradient penalty"
METHODS = {
  **{
    f"clipped to {limit:g}": (toys.clipped(1e-3, limit), None)
    for limit in LIMITS
  },
  PENALISED: (
    toys.adam(1e-3, NUM_STEPS),
    penalties.gradient_penalty(toys.WEIGHT),
  ),
}
BACK = np.arange(LAYERS)[::-1]
"""Number of layers between each hidden layer and the last one."""


def _norms(params: Any, x: Array) -> np.ndarray:
  """Measures the norm of the cost's gradient in each layer's activations.

  Args:
    params: parameters of the critics, each leaf [seeds, ...].
    x: [n, 2], n / 2 real samples followed by n / 2 generated ones.

  Returns:
    [seeds, 12], one norm for each hidden layer.
  """

  def cost(logits):
    real, fake = jnp.split(logits[:, 0], 2)
    return losses.wasserstein().discriminator(real, fake)

  norms = jax.vmap(
    lambda critic: slopes.layer_gradient_norms(
      NETWORK, {"params": critic}, x, cost
    )
  )(params)
  return np.asarray(norms, float)[:, 1:]


def _decades(norms: np.ndarray) -> np.ndarray:
  """Fits the decades per layer on the way back, [seeds]."""
  return np.polyfit(BACK, np.log10(norms).T, 1)[0]


def _straightness(norms: np.ndarray) -> float:
  """Computes the least R^2, over seeds, of a line through the logarithms."""
  return min(np.corrcoef(BACK, np.log10(row))[0, 1] ** 2 for row in norms)


def compute(runs: Mapping[str, Results]) -> Computed:
  """Trains the critics in four ways."""
  real, fake = (
    toys.density(DATA),
    toys.density(DATA, toys.NOISE),
  )
  keys = jax.random.split(jax.random.key(1))
  x = jnp.concatenate(
    [
      real.sample(keys[0], toys.BATCH),
      fake.sample(keys[1], toys.BATCH),
    ]
  )
  norms = {
    name: _norms(
      training_loops.train_critics(
        real,
        fake,
        NETWORK,
        losses.wasserstein(),
        optimizer,
        num_steps=NUM_STEPS,
        batch_size=toys.BATCH,
        seeds=SEEDS,
        x=toys.PLANE[:1],
        penalty=penalty,
      ).params,
      x,
    )
    for name, (optimizer, penalty) in METHODS.items()
  }
  decades = {name: _decades(rows) for name, rows in norms.items()}
  return Computed(
    {
      "clipped to 0.1: least decades a layer": decades[LARGE].min(),
      "clipped to 0.1: most decades a layer": decades[LARGE].max(),
      "clipped to 0.01: decades a layer": decades[MIDDLE].mean(),
      "clipped to 0.001: decades a layer": decades[SMALL].mean(),
      "clipped: least R^2 of a constant factor a layer": min(
        _straightness(norms[name]) for name in (LARGE, MIDDLE, SMALL)
      ),
      "penalised: largest |decades| a layer": np.abs(decades[PENALISED]).max(),
    },
    norms,
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the norms of all seeds over the layers, from the last one back."""
  figure, (axes,) = curves.grid(1, 1, (9, 5.4))
  pictures.headline(
    figure,
    "the gradient on its way back through a critic of 12 layers explodes or "
    "vanishes if weights\nare clipped, and stays level with a gradient penalty "
    f"(Swiss roll, {len(SEEDS)} seeds each)",
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
  for name, limit in ((MIDDLE, 0.01), (SMALL, 0.001)):
    last = drawn[name][:, -1].mean()
    axes.plot(
      layers,
      last * 10 ** (BACK * _random(limit)),
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


def _random(limit: float) -> float:
  """Computes the decades per layer if weights are +-c with random signs."""
  return math.log10(limit * math.sqrt(WIDTH / 2))


def _aligned(limit: float) -> float:
  """Computes the decades per layer if all weights are c."""
  return math.log10(limit * WIDTH)


CHECKS = (
  Check(
    "clipped to 0.1: least decades a layer",
    0.3,
    0.0,
    "the publication's figure: grows exponentially; all seeds",
    relation="at least",
    wrong={"level": 0.0, "as it starts": _random(0.1), "decays": -0.3},
  ),
  Check(
    "clipped to 0.1: most decades a layer",
    _aligned(0.1),
    0.0,
    "closed form: at most log10(c w); all seeds",
    relation="at most",
    wrong={"clipped to 1": _aligned(1.0)},
  ),
  *(
    Check(
      f"clipped to {limit:g}: decades a layer",
      _random(limit),
      0.1,
      "closed form: log10(c sqrt(w / 2)), of random signs; mean of seeds",
      wrong={
        "all units active": math.log10(limit * math.sqrt(WIDTH)),
        "aligned": _aligned(limit),
        "level": 0.0,
      },
    )
    for limit in LIMITS[1:]
  ),
  Check(
    "clipped: least R^2 of a constant factor a layer",
    0.98,
    0.0,
    "the publication's figure: straight lines in logarithms; all seeds",
    relation="at least",
    wrong={
      "a power of the depth": float(
        np.corrcoef(np.arange(LAYERS), np.log(np.arange(1, LAYERS + 1)))[0, 1]
        ** 2
      )
    },
  ),
  Check(
    "penalised: largest |decades| a layer",
    0.1,
    0.0,
    "the publication's figure: level; all seeds",
    relation="at most",
    wrong={"clipped to 0.1": 0.3, "clipped to 0.01": -_random(0.01)},
  ),
)

REPRODUCTION = Reproduction(
  id="wgangp_gradient_norms",
  source="WGAN-GP 2017, arXiv 1704.00028, figure 1b, left",
  summary="gradients explode or vanish with clipping, and not with a penalty",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trains=True,
)
