"""Markov chains mix slowly between modes; a GAN draws both in one pass.

The tutorial names Boltzmann machines as models that need a Markov chain, both
to learn and to generate, and GANs as models that avoid it. Three comparisons:

  mixing    the Gibbs chain of a small machine with two modes: the
            autocorrelation time grows exponentially with the barrier, as the
            spectral gap of the transition matrix says
  GAN       a generator that learns the states of the machine with the highest
            barrier; successive samples are independent, and take either mode
  learning  machines that learn bars and stripes by contrastive divergence (CD)
            and with persistent chains (PCD); log Z by annealed importance
            sampling (AIS), compared with enumeration.

CD-k with few steps is biased: the log-likelihood of CD-1 falls after some
hundred updates. PCD fluctuates until its learning rate has decayed, and ends
nearest to -log 30, the best: 0.22 nats below it, and CD-10 0.43.

A generator has no discrete outputs, so its samples are rounded, and noise on
the discriminator's inputs makes both distributions continuous. It finds both
modes with equal shares, but draws states in which one unit differs from a mode
less often than the machine does: 14 % of the samples, not 22 %.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, section 3.2.1, on what distinguishes GANs. The tutorial has no
figure of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, training_loops
from experiments.reproduce.common.checks import Check, covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.goodfellow2016 import (
  bars_and_stripes,
  two_mode_chain,
)
from experiments.reproduce.goodfellow2016.two_mode_chain import ExactChain
from gan_jax import augmentations, games, losses, statistics, steps
from gan_jax.data import latents
from gan_jax.estimation import mcmc
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players

NUM_SEEDS = 8
LOW, HIGH = 1, -1
"""Indices of the barriers whose traces are drawn."""
MIDDLE = two_mode_chain.NUM_UNITS / 2
NEAR = 2
"""A state is near a mode if at most this many units differ from it."""
NUM_UPDATES, BATCH_SIZE, NUM_SAMPLES = 2_000, 128, 4_096
NUM_DRAWN = 1_000


def compute(inputs: Inputs) -> Computed:
  """Runs the chains, and trains the generators and the machines."""
  seeds = range(inputs.seed, inputs.seed + NUM_SEEDS)
  chains = two_mode_chain.measure(seeds)
  generated = generate(chains.exact[HIGH], seeds)
  learning = bars_and_stripes.compute(seeds)
  active = two_mode_chain.count_active(
    chains.visited[[LOW, HIGH], 0, 0, :NUM_DRAWN]
  )
  barriers = two_mode_chain.BARRIERS
  traces = {
    f"Gibbs chain, barrier of {barriers[index]:g} nats": trace
    for index, trace in zip((LOW, HIGH), active, strict=True)
  }
  return Computed(
    [
      *chains.checks,
      *check_generators(generated, chains.exact[HIGH]),
      *learning.checks,
    ],
    {
      "barriers": barriers,
      "times": chains.times,
      "exact times": [chain.time for chain in chains.exact],
      "traces": {
        **traces,
        "GAN, one pass for each sample": generated[0, :NUM_DRAWN],
      },
      "learning": learning.drawn,
    },
  )


def generate(chain: ExactChain, seeds: Sequence[int]) -> np.ndarray:
  """Trains a GAN of each seed on the states of a machine.

  Returns:
    [seeds, NUM_SAMPLES], the numbers of active units of successive samples.
  """
  game = games.adversarial(
    MLP((64, 64), features=two_mode_chain.NUM_UNITS),
    MLP((64, 64), features=1),
    losses.non_saturating(),
    latents.normal(two_mode_chain.NUM_UNITS),
    augment=augmentations.instance_noise(0.3),
  )
  optimizers = Players(optax.adam(1e-3, b1=0.5), optax.adam(1e-3, b1=0.5))
  step = steps.simultaneous(game, optimizers)
  probabilities = jnp.asarray(chain.probabilities, jnp.float32)

  def train_and_sample(seed):
    init_key, train_key, sample_key = jax.random.split(jax.random.key(seed), 3)
    state = training_loops.train_on_fresh_batches(
      step,
      steps.init_state(game, optimizers, init_key),
      lambda key: two_mode_chain.sample_states(probabilities, key, BATCH_SIZE),
      NUM_UPDATES,
      train_key,
    )
    samples = game.sample(
      state.params, state.variables, sample_key, NUM_SAMPLES
    )
    return jnp.sum(samples > 0.5, axis=1)

  of_seeds = jax.jit(jax.vmap(train_and_sample))
  return np.asarray(of_seeds(jnp.asarray(seeds, jnp.uint32)))


def check_generators(generated: np.ndarray, chain: ExactChain) -> list[Check]:
  """Checks the samples of generators, [seeds, samples]."""
  above = (np.sign(generated - MIDDLE) + 1) / 2
  share = above.mean(axis=1)
  active = two_mode_chain.count_active(np.arange(len(chain.probabilities)))
  correlation = jax.vmap(mcmc.autocorrelation)(jnp.asarray(above)[:, None])
  return [
    covers(
      "GAN: share of the rarer mode in one pass",
      np.minimum(share, 1 - share),
      0.5,
      0.15,
      "both modes of the machine have the probability 1/2",
    ),
    covers(
      f"GAN: share of samples within {NEAR} units of a mode",
      _is_near_mode(generated).mean(axis=1),
      chain.probabilities[_is_near_mode(active)].sum(),
      0.1,
      "enumeration of the machine's states",
    ),
    covers(
      "GAN: autocorrelation of the mode between successive samples",
      np.asarray(correlation[:, 1]),
      0.0,
      0.03,
      "the samples of independent latents are independent",
    ),
  ]


def _is_near_mode(active: np.ndarray) -> np.ndarray:
  return np.abs(active - MIDDLE) >= MIDDLE - NEAR


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws mixing above, and learning below."""
  figure, panels = curves.grid(8, 4, (13, 6.6))
  pictures.headline(
    figure,
    "Boltzmann machines need Markov chains, which mix slowly between modes; a "
    f"GAN needs none ({NUM_SEEDS} seeds)",
  )
  _draw_times(panels[0], drawn)
  for axes, (name, trace) in zip(
    panels[1:4], drawn["traces"].items(), strict=True
  ):
    color = curves.GENERATED if "GAN" in name else curves.DISCRIMINATOR
    axes.plot(trace, ".", ms=2, color=color)
    axes.set(xlabel="sample", ylabel="active units", ylim=(-0.3, 8.3))
    axes.set_title(name, fontsize=10)
  bars_and_stripes.draw(panels[4:], drawn["learning"])
  return figure


def _draw_times(axes: Axes, drawn: Mapping[str, Any]) -> None:
  """Draws exact and measured autocorrelation times against the barrier."""
  barriers = drawn["barriers"]
  axes.semilogy(
    barriers,
    drawn["exact times"],
    color=curves.DATA,
    label="exact",
    **curves.REFERENCE,
  )
  intervals = [statistics.mean_and_interval(each) for each in drawn["times"]]
  mean, ci95, _ = np.array(intervals, float).T
  axes.errorbar(
    barriers,
    mean,
    ci95,
    fmt="o",
    ms=5,
    capsize=3,
    color=curves.DISCRIMINATOR,
    label="measured",
  )
  axes.axhline(1, color=curves.GENERATED, label="GAN")
  axes.set(xlabel="barrier (nats)", ylabel="autocorrelation time (steps)")
  axes.set_title("mixing of the Gibbs chain", fontsize=10)
  axes.legend(frameon=False, fontsize=9)


REPRODUCTION = Reproduction(
  id="mcmc_mixing",
  source="Goodfellow 2016, arXiv 1701.00160, section 3.2.1",
  summary="a Gibbs chain mixes slowly between two modes, a GAN draws both",
  minutes=1,
  compute=compute,
  draw=draw,
  trains=True,
)
