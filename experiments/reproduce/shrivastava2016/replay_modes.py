"""A replay memory and a generator that hops from mode to mode.

The data is a ring of eight Gaussians of radius 2 and standard deviation 0.02,
and the networks and rates are those of the figure `unrolled_ring` without
unrolling. The generator puts all samples on one mode. The discriminator learns
that these are not data, forgets the mode that the generator has left, and the
generator hops from mode to mode without end. With a memory of 10,000 old
samples, half of the generated samples that the discriminator sees are old ones
(`--replay_size`), so that it still sees the places that the generator has left.

The claim that the generator then hops less often does not hold, and its check
fails: there are 53 hops in 1,000 steps with the memory as without. A likely
reason is that the memory holds about two rounds of the ring. Its samples are
spread over all modes, as the data is, so they do not tell D which mode the
generator has left, while the other half of the minibatch still pulls D down at
the present mode. A memory of all steps changed nothing either. With nine tenths
of old samples the hops are rarer by a third; with a memory of all steps too, by
more than half (three seeds).

The generator is at a mode if more than half of the samples are nearer to it
than to any other; in between it is at none. A switch is the arrival at a mode
after another one, and samples are looked at every 5 steps. All trainings have
the same seeds. The settings were chosen so that the generator hops without the
memory. The bounds of the checks were set before the first run with the memory
of half; that of nine tenths was added afterwards, when three seeds had been
seen.

References:
  Shrivastava et al., Learning from Simulated and Unsupervised Images through
    Adversarial Training, arXiv 1612.07828, section 2.3. The paper refines
    images and counts no hops.
  Metz et al., Unrolled Generative Adversarial Networks, arXiv 1611.02163,
    section 3.1 and appendix A, on the ring.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, training_loops
from experiments.reproduce.common.checks import Check, at_least, lower_end
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import games, losses, statistics, steps
from gan_jax.data import densities, latents
from gan_jax.games.replay import Replay
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players

PLAIN, HALF, MOST = "no old samples", "a half old", "nine tenths old"
MEMORIES = {PLAIN: None, HALF: Replay(10_000), MOST: Replay(10_000, 0.9)}
NUM_MODES, RADIUS = 8, 2.0
RATE, BATCH_SIZE = 5e-4, 64
NUM_SEEDS = 8
STEPS, EVERY = 2000, 5
NUM_SAMPLES = 256


def count_switches(shares: np.ndarray) -> np.ndarray:
  """Counts how often a generator arrives at another mode than the last one.

  Args:
    shares: [num_seeds, n, num_modes], the share of samples nearest to each mode
      over time.

  Returns:
    [num_seeds] int.
  """
  switches = []
  for of_seed in shares:
    at_a_mode = of_seed.max(axis=1) > 0.5
    visited = np.argmax(of_seed[at_a_mode], axis=1)
    switches.append(np.count_nonzero(np.diff(visited)))
  return np.array(switches)


def train(memory: Replay | None, seeds: range) -> np.ndarray:
  """Trains a GAN for each seed.

  Returns:
    [seeds, STEPS // EVERY, NUM_MODES], the shares of samples by nearest mode.
  """
  data = densities.ring(NUM_MODES, RADIUS, 0.02)
  init = nn.initializers.normal(0.06)
  game = games.adversarial(
    MLP((128, 128), 2, kernel_init=init),
    MLP((128,), 1, kernel_init=init),
    losses.minimax(),
    latents.normal(256),
    replay=memory,
  )
  optimizers = Players(*[optax.adam(RATE, b1=0.5)] * 2)
  step = steps.simultaneous(game, optimizers)

  def train_one(seed):
    init_key, train_key, latents_key = jax.random.split(jax.random.key(seed), 3)

    def advance(state, index):
      state = training_loops.train_on_fresh_batches(
        step,
        state,
        lambda key: data.sample(key, BATCH_SIZE),
        EVERY,
        jax.random.fold_in(train_key, index),
      )
      samples = game.sample(
        state.params, state.variables, latents_key, NUM_SAMPLES
      )
      offsets = samples[:, None] - data.modes[None]
      nearest = jnp.argmin(jnp.sum(offsets**2, axis=-1), axis=1)
      return state, jnp.mean(jax.nn.one_hot(nearest, NUM_MODES), axis=0)

    state = steps.init_state(game, optimizers, init_key)
    return jax.lax.scan(advance, state, jnp.arange(STEPS // EVERY))[1]

  shares = jax.jit(lambda seeds: jax.lax.map(train_one, seeds))(
    jnp.asarray(seeds, jnp.uint32)
  )
  return np.asarray(shares)


def checks_of(rates: Mapping[str, np.ndarray]) -> list[Check]:
  """Checks the switches in 1,000 steps, [num_seeds] of each training."""
  return [
    at_least(
      f"switches in 1,000 steps, {PLAIN}",
      rates[PLAIN],
      20.0,
      "the generator hops from mode to mode",
      margin=10.0,
    ),
    *(
      at_least(
        f"switches in 1,000 steps, {PLAIN} less {name}, lower end",
        lower_end(rates[PLAIN] - rates[name]),
        0.0,
        "a memory of old samples makes hops rarer",
      )
      for name in (HALF, MOST)
    ),
  ]


def compute(inputs: Inputs) -> Computed:
  """Counts the switches with and without the memory."""
  seeds = range(inputs.seed, inputs.seed + NUM_SEEDS)
  shares = {name: train(memory, seeds) for name, memory in MEMORIES.items()}
  rates = {
    name: 1000 * count_switches(values) / STEPS
    for name, values in shares.items()
  }
  return Computed(checks_of(rates), {"shares": shares, "rates": rates})


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws where the first seed's samples are, and the switches of all seeds."""
  figure, panels = curves.grid(4, 4, (15, 4.4), width_ratios=(1, 1, 1, 0.55))
  pictures.headline(
    figure,
    "a generator that hops from mode to mode of a ring, and D's minibatches of "
    "generated samples: a memory makes the hops rarer only if most are old",
  )
  for axes, (name, shares) in zip(
    panels, drawn["shares"].items(), strict=False
  ):
    image = axes.imshow(
      shares[0].T,
      aspect="auto",
      origin="lower",
      cmap="Oranges",
      vmin=0,
      vmax=1,
      interpolation="nearest",
      extent=(0, STEPS, -0.5, NUM_MODES - 0.5),
    )
    axes.grid(False)
    axes.set_title(f"{name}: the first seed", fontsize=10)
    curves.step_axis(axes)
    axes.locator_params(axis="x", nbins=4)
  panels[0].set_ylabel("mode, counted around the ring")
  figure.colorbar(image, ax=panels[2], label="share of the samples")
  axes = panels[3]
  for index, rates in enumerate(drawn["rates"].values()):
    axes.plot(
      np.full(len(rates), index), rates, ".", color=curves.FRAME, label="a seed"
    )
    axes.errorbar(
      index + 0.15,
      np.mean(rates),
      statistics.mean_and_interval(rates).ci95,
      color=curves.GENERATED,
      marker="o",
      capsize=3,
      label="mean, 95 % interval",
    )
  axes.set_xticks(
    range(len(drawn["rates"])),
    [name.replace(" ", "\n") for name in drawn["rates"]],
  )
  axes.set(xlim=(-0.5, 2.6), ylim=(0, None))
  axes.set_ylabel("switches in 1,000 steps")
  axes.set_title(f"{NUM_SEEDS} seeds", fontsize=10)
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="replay_modes",
  source="Shrivastava et al. 2016, arXiv 1612.07828, section 2.3",
  summary="a memory of old samples does not keep a generator from hopping",
  minutes=1,
  compute=compute,
  draw=draw,
  trains=True,
)
