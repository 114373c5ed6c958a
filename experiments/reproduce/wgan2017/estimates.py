"""A critic's estimate falls with the distance, a discriminator's says nothing.

The data is a ring of eight Gaussians in a plane of 32-dimensional space, so the
samples of an untrained generator are nowhere near it, as images of noise are
not near photographs. During a training the players' estimates are compared with
the exact Wasserstein distance between as many samples and data points, which is
the cheapest assignment of one to the other:

- a critic, with weight clipping or a gradient penalty, estimates the
  Wasserstein distance, up to a factor, by E D(x) - E D(G(z)).
- a GAN's discriminator estimates the Jensen-Shannon divergence by
  log 2 + V / 2, with V = E log D(x) + E log(1 - D(G(z))). It is a lower bound,
  at most log 2.

The generator learns slowly, so that the distance falls over the whole training.
All discriminators take five steps to one of the generator. The bounds of the
checks were set before the first run.

The publication shows both estimates beside images of bedrooms, and has no
numbers.

Source: Arjovsky, Chintala and Bottou, Wasserstein GAN, arXiv 1701.07875.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from scipy import optimize, spatial, stats

from experiments.plots import curves
from experiments.reproduce.common import pictures, training_loops
from experiments.reproduce.common.checks import Check, at_least, at_most, covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import games, losses, penalties, steps
from gan_jax.data import densities, latents
from gan_jax.networks.mlp import MLP
from gan_jax.penalties import Penalty
from gan_jax.types import Array, Players

GAN, CLIPPED, PENALIZED = "GAN", "WGAN, clipped", "WGAN-GP"
DIM, NUM_MODES, RADIUS = 32, 8, 2.0
WIDTH, BATCH_SIZE = 128, 64
NUM_SEEDS, NUM_STEPS, NUM_MEASURED = 8, 1500, 30
CRITIC_STEPS = 5
NUM_SAMPLES = 256
GENERATOR_RATE = 1e-4
LIMIT = 0.05
COLORS = {
  GAN: curves.DISCRIMINATOR,
  CLIPPED: curves.AVERAGE,
  PENALIZED: curves.GENERATED,
}


class Trained(NamedTuple):
  """What is measured during the trainings of several seeds.

  Attributes:
    estimates: [seeds, NUM_MEASURED] of the discriminator.
    distances: the exact distances, of the same shape.
  """

  estimates: np.ndarray
  distances: np.ndarray


def embedded(points: Array) -> Array:
  """Maps points [n, 2] into a plane of DIM dimensions that no axis lies in."""
  wave = jnp.arange(DIM) * 2 * jnp.pi / DIM
  plane = jnp.sqrt(2 / DIM) * jnp.stack([jnp.cos(wave), jnp.sin(wave)])
  return points @ plane


def exact_distance(x: np.ndarray, y: np.ndarray) -> float:
  """Computes the Wasserstein-1 distance of two sets of as many points."""
  costs = spatial.distance.cdist(x, y)
  return float(costs[optimize.linear_sum_assignment(costs)].mean())


def jensen_shannon(real: Array, fake: Array) -> Array:
  """Estimates the divergence by the logits of real and generated samples."""
  value = jnp.mean(jax.nn.log_sigmoid(real)) + jnp.mean(
    jax.nn.log_sigmoid(-fake)
  )
  return jnp.log(2.0) + value / 2


def difference(real: Array, fake: Array) -> Array:
  """Estimates a multiple of the distance by a critic's values."""
  return jnp.mean(real) - jnp.mean(fake)


def train(name: str, seeds: range) -> Trained:
  """Trains a GAN or a WGAN for each seed."""
  data = densities.ring(NUM_MODES, RADIUS, 0.05)
  penalty: Penalty | None = None
  critic_optimizer = optax.adam(1e-3, b1=0.5, b2=0.9)
  loss, estimate = losses.wasserstein(), difference
  if name == GAN:
    loss, estimate = losses.non_saturating(), jensen_shannon
  elif name == PENALIZED:
    penalty = penalties.gradient_penalty(10.0)
  else:
    critic_optimizer = optax.chain(
      optax.rmsprop(1e-3), penalties.weight_clipping(LIMIT)
    )
  game = games.adversarial(
    MLP((WIDTH, WIDTH), DIM),
    MLP((WIDTH, WIDTH), 1),
    loss,
    latents.normal(8),
    penalty=penalty,
  )
  discriminate = game.discriminate
  assert discriminate is not None
  optimizers = Players(
    optax.adam(GENERATOR_RATE, b1=0.5, b2=0.9), critic_optimizer
  )
  step = steps.alternating(game, optimizers, CRITIC_STEPS)

  def minibatches(key):
    return embedded(data.sample(key, CRITIC_STEPS * BATCH_SIZE))

  def train_one(seed):
    init_key, train_key, test_key = jax.random.split(jax.random.key(seed), 3)

    def advance(state, index):
      state = training_loops.train_on_fresh_batches(
        step,
        state,
        minibatches,
        NUM_STEPS // NUM_MEASURED,
        jax.random.fold_in(train_key, index),
      )
      real_key, fake_key = jax.random.split(jax.random.fold_in(test_key, index))
      real = embedded(data.sample(real_key, NUM_SAMPLES))
      fake = game.sample(state.params, state.variables, fake_key, NUM_SAMPLES)
      logits = (
        discriminate(state.params, state.variables, x) for x in (real, fake)
      )
      return state, (estimate(*logits), real, fake)

    state = steps.init_state(game, optimizers, init_key)
    return jax.lax.scan(advance, state, jnp.arange(NUM_MEASURED))[1]

  estimates, real, fake = jax.jit(lambda seeds: jax.lax.map(train_one, seeds))(
    jnp.asarray(seeds, jnp.uint32)
  )
  distances = [
    [exact_distance(x, y) for x, y in zip(*of_seed, strict=True)]
    for of_seed in zip(np.asarray(real), np.asarray(fake), strict=True)
  ]
  return Trained(np.asarray(estimates, float), np.array(distances))


def rank_correlations(trained: Trained) -> np.ndarray:
  """Computes Spearman's correlation of estimate and distance, [seeds]."""
  return np.array(
    [
      np.corrcoef(stats.rankdata(estimates), stats.rankdata(distances))[0, 1]
      for estimates, distances in zip(*trained, strict=True)
    ]
  )


def checks_of(trained: Mapping[str, Trained]) -> list[Check]:
  """Checks the correlations, and that the divergence stays at its bound."""
  set_before = "set before the first run"
  return [
    *(
      at_least(
        f"{name}: rank correlation of the estimate with the distance",
        rank_correlations(trained[name]),
        0.9,
        f"the publication's claim, that they fall together; 0.9 {set_before}",
        margin=0.05,
      )
      for name in (CLIPPED, PENALIZED)
    ),
    *(
      at_most(
        f"{name}: last distance as a share of the first",
        of.distances[:, -1] / of.distances[:, 0],
        0.6,
        f"all generators learn; 0.6 {set_before}",
        margin=0.1,
      )
      for name, of in trained.items()
    ),
    covers(
      "GAN: median of the estimated divergence over the training",
      np.median(trained[GAN].estimates, axis=1),
      float(np.log(2)),
      0.1,
      f"log 2, while supports are apart; the margin {set_before}",
    ),
  ]


def compute(inputs: Inputs) -> Computed:
  """Trains all three, and compares estimates with distances."""
  seeds = range(inputs.seed, inputs.seed + NUM_SEEDS)
  trained = {name: train(name, seeds) for name in COLORS}
  return Computed(checks_of(trained), {"trained": trained})


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the distances, both kinds of estimates, and one by the other."""
  figure, (distances, critics, divergence, both) = curves.grid(4, 4, (15, 4))
  pictures.headline(
    figure,
    f"what a discriminator estimates while the generator learns ({NUM_SEEDS} "
    "seeds)",
  )
  at = (np.arange(NUM_MEASURED) + 1) * (NUM_STEPS // NUM_MEASURED)
  for name, (estimates, exact) in drawn["trained"].items():
    color = COLORS[name]
    panel = divergence if name == GAN else critics
    # Clipping sets the scale of a critic, so each is a share of its largest.
    shown = estimates / (1 if name == GAN else estimates.max(1, keepdims=True))
    for seed in range(len(exact)):
      distances.plot(at, exact[seed], color=color, lw=0.8, label=name)
      panel.plot(at, shown[seed], color=color, lw=0.8, label=name)
      if name != GAN:
        both.plot(exact[seed], shown[seed], ".", ms=3, color=color, label=name)
  divergence.axhline(
    np.log(2), color=curves.DATA, label="log 2", **curves.REFERENCE
  )
  divergence.set_ylim(0, 0.8)
  distances.set_ylim(0)
  distances.set_title("exact Wasserstein distance", fontsize=10)
  critics.set_title("critics' estimate / its largest", fontsize=10)
  divergence.set_title("GAN's estimate of the JSD (nats)", fontsize=10)
  both.set_title("critics' estimate by the distance", fontsize=10)
  both.set_xlabel("exact Wasserstein distance")
  for axes in (distances, critics, divergence):
    curves.step_axis(axes)
    axes.locator_params(axis="x", nbins=4)
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="wgan_estimates",
  source="WGAN 2017, arXiv 1701.07875",
  summary="a critic's estimate falls with the distance, a GAN's says nothing",
  compute=compute,
  draw=draw,
  minutes=2,
  trains=True,
)
