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
1701.00160, section 4.2, figure 17; Ioffe and Szegedy, Batch Normalization,
arXiv 1502.03167.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves, images
from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results

SIZES = (8, 16, 32, 64, 128)
SMALL, LARGE = SIZES[0], SIZES[-1]
NUM_MINIBATCHES = 32
NUM_SHOWN = 4
_KEPT = SMALL // 2


def compute(runs: Mapping[str, Results]) -> Computed:
  """Generates the same latents in different minibatches."""
  network = image_runs.load_networks(runs[image_runs.GARMENTS])
  collections = network.generator_collections()

  @jax.jit
  def together(latents):
    made, _ = network.networks.generator.apply(
      collections, latents, train=True, mutable=["batch_stats"]
    )
    return made

  kept = network.sample_latents(0, _KEPT)
  shown, coupling = [], {}
  for size in SIZES:
    made = []
    for index in range(NUM_MINIBATCHES):
      others = network.sample_latents(1 + index, size)[: size - _KEPT]
      minibatch = together(jnp.concatenate([kept, others]))
      made.append(np.asarray(minibatch[:_KEPT]))
      if size == SMALL and index < NUM_SHOWN:
        shown.append(image_runs.to_pixels(minibatch))
    # Halves the range [-1, 1] to the unit range from black to white.
    coupling[size] = float(np.sqrt(np.mean(np.var(made, axis=0))) / 2)
  alone = []
  for index in range(2):
    others = network.sample_latents(1 + index, _KEPT)
    alone.append(network.generate(jnp.concatenate([kept, others])))
  apart = np.abs(np.subtract(*alone)[:_KEPT])
  return Computed(
    {
      f"coupling in minibatches of {SMALL}": coupling[SMALL],
      f"coupling of {SMALL} over that of {LARGE}": (
        coupling[SMALL] / coupling[LARGE]
      ),
      "largest change with averaged statistics": apart.max() / 2,
    },
    {
      "minibatches": np.stack(shown),
      "alone": np.stack([image_runs.to_pixels(made) for made in alone]),
      "coupling": coupling,
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws minibatches in rows, and the coupling against the size."""
  figure, (left, right) = curves.grid(
    2, 2, (11, 4.6), gridspec_kw={"width_ratios": [1.5, 1]}
  )
  pictures.headline(
    figure, "batch normalisation couples the samples of a minibatch"
  )
  rows = np.concatenate([*drawn["minibatches"], *drawn["alone"]])
  images.show(left, images.mosaic(rows, SMALL))
  left.set_title(
    f"rows are minibatches of {SMALL}; columns 1 to {_KEPT} have the same "
    "latents in each\n(the last two rows: by averaged statistics)",
    fontsize=9,
  )
  sizes = np.array(list(drawn["coupling"]))
  values = np.array(list(drawn["coupling"].values()))
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
  right.set_xticks(sizes, [str(size) for size in sizes])
  ticks = [0.02 * 2**i for i in range(3)]
  right.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
  right.minorticks_off()
  right.legend(frameon=False, fontsize=9)
  return figure


CHECKS = (
  Check(
    f"coupling in minibatches of {SMALL}",
    0.02,
    0.0,
    "the tutorial's figure: visible, like a fiftieth of the range",
    relation="at least",
    wrong={"averaged statistics": 0.0, "one part in 256": 1 / 256},
  ),
  Check(
    f"coupling of {SMALL} over that of {LARGE}",
    (LARGE / SMALL) ** 0.5,
    0.4 * (LARGE / SMALL) ** 0.5,
    "closed form: the deviation of a mean of n is as n^(-1/2), to first order",
    wrong={"the same at any size": 1.0, "as 1/n": LARGE / SMALL},
  ),
  Check(
    "largest change with averaged statistics",
    0.0,
    1e-5,
    "closed form: a sample is a function of its latents only",
    wrong={"coupled": 0.02},
  ),
)

REPRODUCTION = Reproduction(
  id="goodfellow2016_fig17",
  source="Goodfellow tutorial 2016, arXiv 1701.00160, figure 17",
  summary="batch normalisation couples the samples of a minibatch",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trainings=image_runs.OF_GARMENTS,
  long=True,
)
