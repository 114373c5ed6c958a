"""Batch normalisation couples the samples of a minibatch.

A generator that normalises by the mean and standard deviation of the minibatch
makes each sample a function of all the latents in it. The same latents give
other images in other minibatches. The tutorial shows two minibatches, one
tinted green and one orange. Here the first half of every minibatch has the same
latents and the rest are new. The coupling is the change in the first half, as
the root mean square over pixels in shares of the range from black to white.

A mean over n latents varies by n^(-1/2), so the coupling in minibatches 16
times as large is a fourth. With averaged statistics it is 0.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, figure 21; Ioffe and Szegedy, Batch Normalization,
arXiv 1502.03167.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.checks import at_least, at_most, covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.common.image_runs import TrainedNetworks

SIZES = (8, 16, 32, 64, 128)
SMALL, LARGE = SIZES[0], SIZES[-1]
NUM_MINIBATCHES = 32
NUM_SHOWN = 4
_KEPT = SMALL // 2


def _couple(network: TrainedNetworks, seed: int) -> tuple[list[float], Any]:
  """Generates the same latents in different minibatches."""
  collections = network.generator_collections()

  @jax.jit
  def generate_together(latents):
    made, _ = network.networks.generator.apply(
      collections, latents, train=True, mutable=["batch_stats"]
    )
    return made

  def minibatch(index, size):
    others = network.sample_latents(seed + 1 + index, size - _KEPT)
    return jnp.concatenate([kept, others])

  kept = network.sample_latents(seed, _KEPT)
  coupling, shown = {}, []
  for size in SIZES:
    together = [
      generate_together(minibatch(index, size))
      for index in range(NUM_MINIBATCHES)
    ]
    shown += together[:NUM_SHOWN] if size == SMALL else []
    # Halves the range [-1, 1] to the unit range from black to white.
    variances = np.var([made[:_KEPT] for made in together], axis=0)
    coupling[size] = np.sqrt(np.mean(variances)) / 2
  alone = [network.generate(minibatch(index, SMALL)) for index in range(2)]
  change = float(jnp.abs(alone[0] - alone[1])[:_KEPT].max() / 2)
  rows = image_runs.to_pixels(jnp.concatenate([*shown, *alone]))
  return (
    [coupling[SMALL], coupling[SMALL] / coupling[LARGE], change],
    {"rows": rows, "coupling": coupling},
  )


def compute(inputs: Inputs) -> Computed:
  """Measures the coupling of the trained generators."""
  (coupling, over_large, change), drawn = image_runs.measure_each(
    inputs.runs[image_runs.GARMENTS],
    lambda network: _couple(network, inputs.seed),
  )
  ratio = (LARGE / SMALL) ** 0.5
  checks = [
    at_least(
      f"coupling in minibatches of {SMALL}",
      coupling,
      0.02,
      "the tutorial's figure: visible, like a fiftieth of the range",
      margin=0.01,
    ),
    covers(
      f"coupling of {SMALL} over that of {LARGE}",
      over_large,
      ratio,
      0.4 * ratio,
      "closed form: a mean of n deviates as n^(-1/2), to first order",
    ),
    at_most(
      "largest change with averaged statistics",
      change.max(),
      1e-5,
      "closed form: a sample is a function of its latents only",
    ),
  ]
  return Computed(checks, drawn)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws minibatches in rows, and the coupling against the size."""
  figure, (left, right) = curves.grid(
    2, 2, (11, 4.6), gridspec_kw={"width_ratios": [1.5, 1]}
  )
  pictures.headline(
    figure, "batch normalisation couples the samples of a minibatch"
  )
  pictures.show_images(left, drawn["rows"], SMALL)
  left.set_title(
    f"rows are minibatches of {SMALL}; columns 1 to {_KEPT} have the same "
    "latents in each\n(the last two rows: by averaged statistics)",
    fontsize=9,
  )
  sizes, values = map(np.array, zip(*drawn["coupling"].items(), strict=True))
  right.loglog(
    sizes, values, "o-", color=curves.GENERATED, label="same latents"
  )
  right.loglog(
    sizes,
    values[-1] * (sizes / sizes[-1]) ** -0.5,
    color=curves.DATA,
    label="slope -1/2",
    **curves.REFERENCE,
  )
  right.set(xlabel="samples in a minibatch", ylabel="coupling (of the range)")
  right.set_xticks(sizes, map(str, sizes))
  ticks = [0.02 * 2**i for i in range(3)]
  right.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
  right.minorticks_off()
  right.legend(frameon=False, fontsize=9)
  return figure


REPRODUCTION = Reproduction(
  id="goodfellow2016_fig21",
  source="Goodfellow 2016, arXiv 1701.00160, figure 21",
  summary="batch normalisation couples the samples of a minibatch",
  minutes=15,
  compute=compute,
  draw=draw,
  trainings=image_runs.OF_GARMENTS,
)
