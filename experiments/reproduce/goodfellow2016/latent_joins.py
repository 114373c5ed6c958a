"""Latents in hidden layers: what they add to the dimension of the samples.

The latents of a generator need not all enter its first layer. Five games on a
ring of eight wide Gaussians, whose density is positive in the whole plane,
differ only in the latents of the generator. It has two hidden layers.

  one latent      z in R enters the first layer.
  one, repeated   The same z enters each layer.
  one, and noise  h + s e after each hidden layer, a normal e for each unit.
  one per layer   z in R^3; one part enters each layer.
  two latents     z in R^2 enters the first layer.

G(z) moves in as many directions as the rank of dG/dz, where noise in hidden
layers is a part of z. With one latent the rank is at most 1, and to give that
latent to every layer does not change this: samples are a curve, which training
can only wind through the data. All others have the rank 2, at almost every z.

The samples alone show the same. About each sample, among its nearest
neighbours, l1 >= l2 are the eigenvalues of the covariance. The share
l2 / (l1 + l2) is 0 on a line, and the same number in every small neighbourhood
of a smooth density in the plane, here computed from uniform points of a square.
The dimension by the distances to the two nearest neighbours is the second
estimate.

All bounds were set before the first training. The first design failed some of
them: with biases of 0 a curve is at first an odd function of its latent, and
found only two of eight modes; noise of scale 0.5 was too wide; and of float32
samples some were equal. This one was chosen with the seeds 500 to 507.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, section 3.1. The tutorial has no figure of it. The estimate from
distances is that of Facco et al., arXiv 1803.06992.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from matplotlib.figure import Figure
from scipy import spatial

from experiments.plots import curves
from experiments.reproduce.common import pictures, rings
from experiments.reproduce.common.checks import (
  Check,
  at_least,
  at_most,
  close,
  covers,
)
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.common.training_loops import train_on_fresh_batches
from gan_jax import games, losses, penalties, steps
from gan_jax.data import densities, latents
from gan_jax.metrics import modes, support
from gan_jax.networks import MLP, latent_joins
from gan_jax.types import Array, Players

DIM = 2
NUM_SEEDS = 8
NUM_MODES = 8
RADIUS, STDDEV = 2.0, 0.3
HIDDEN = (64, 64)
NUM_STEPS, BATCH_SIZE, RATE = 1500, 128, 3e-3
PENALTY_WEIGHT = 0.1
NUM_SAMPLES = 10_000
NUM_OF_DIMENSION, NUM_OF_RANK = 2000, 200
NUM_NEIGHBOURS = 10
NUM_DRAWN = 3000
NOISE_SCALE = 0.2


class Latents(NamedTuple):
  """The latents of a game.

  Attributes:
    first: number of latents of the first layer.
    join: of each hidden layer, or None.
    rank: of the Jacobian at almost every z, by algebra.
  """

  first: int
  join: latent_joins.Join | None
  rank: int


GAMES = {
  "one latent": Latents(1, None, 1),
  "one, repeated": Latents(1, latent_joins.repeated(), 1),
  "one, and noise": Latents(1, latent_joins.added(NOISE_SCALE), 2),
  "one per layer": Latents(1, latent_joins.concatenated(1), 2),
  "two latents": Latents(2, None, 2),
}


def _ring() -> densities.Density:
  # No constant: JAX must not compute before the command has chosen devices.
  return densities.ring(NUM_MODES, RADIUS, STDDEV)


def train(name: str, seed: int) -> dict[str, np.ndarray]:
  """Trains a game and measures its generator, for each seed.

  Returns the metrics of the modes, `samples` [seeds, n, 2], `ranks` [seeds, m]
  and `dimension` [seeds].
  """
  first, join, _ = GAMES[name]
  generator = MLP(
    HIDDEN,
    DIM,
    activation=nn.tanh,
    # With biases of 0 a curve is at first an odd function of its latent.
    bias_init=nn.initializers.normal(1.0),
    joins=(join,) * len(HIDDEN) if join else (),
  )
  parts = latent_joins.num_joined(generator.joins, generator.hidden_shapes())
  prior, ring = latents.normal(first + sum(parts)), _ring()
  game = games.adversarial(
    generator,
    MLP(HIDDEN, 1),
    losses.non_saturating(),
    prior,
    penalty=penalties.r1(PENALTY_WEIGHT),
  )
  decay = optax.cosine_decay_schedule(RATE, NUM_STEPS)
  optimizers = Players(optax.adam(decay, b1=0.5), optax.adam(decay, b1=0.5))
  step = steps.simultaneous(game, optimizers)

  def train_one(seed):
    init_key, train_key, key = jax.random.split(jax.random.key(seed), 3)
    state = train_on_fresh_batches(
      step,
      steps.init_state(game, optimizers, init_key),
      lambda key: ring.sample(key, BATCH_SIZE),
      NUM_STEPS,
      train_key,
    )

    return state.params.generator, key

  def measure_one(params, key):
    def generate(z) -> Array:
      return jnp.asarray(generator.apply({"params": params}, z))

    z = prior(key, NUM_SAMPLES)
    samples = generate(z)
    return {
      **modes.measure(samples, ring),
      "samples": samples,
      "ranks": support.jacobian_rank(generate, z[:NUM_OF_RANK]),
      "dimension": support.nearest_neighbour_dimension(
        samples[:NUM_OF_DIMENSION]
      ),
    }

  seeds = jnp.arange(seed, seed + NUM_SEEDS, dtype=jnp.uint32)
  params, keys = jax.jit(jax.vmap(train_one))(seeds)
  # Of thousands of float32 latents, of 23 random bits, two may be equal. Their
  # samples, and those where a curve nearly stops, would have the distance 0.
  with jax.enable_x64(True):
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), params)
    measured = jax.jit(jax.vmap(measure_one))(params, keys)
  return jax.tree.map(np.asarray, measured)


def second_share(points: np.ndarray) -> float:
  """Computes the median of l2 / (l1 + l2) over points [n, 2].

  l1 >= l2 are the eigenvalues of the covariance of a point's neighbours.
  """
  _, nearest = spatial.KDTree(points).query(points, NUM_NEIGHBOURS + 1)
  cloud = points[nearest]
  cloud = cloud - cloud.mean(axis=1, keepdims=True)
  eigenvalues = np.linalg.eigvalsh(cloud.swapaxes(1, 2) @ cloud)
  return float(np.median(eigenvalues[:, 0] / eigenvalues.sum(axis=1)))


def plane_share(seed: int) -> float:
  """Computes `second_share` of uniform points in a square."""
  rng = np.random.default_rng(seed)
  return second_share(rng.uniform(size=(NUM_SAMPLES, DIM)))


def check(
  runs: Mapping[str, Mapping[str, np.ndarray]], share_of_plane: float
) -> Sequence[Check]:
  """Compares each game's rank, dimension and share with those of algebra."""
  checks = []
  for name, (_, _, rank) in GAMES.items():
    run = runs[name]
    checks += [
      close(
        f"mean rank, {name}",
        run["ranks"].mean(),
        rank,
        0.01,
        "algebra: the smaller one of the numbers of latents and dimensions",
      ),
      covers(
        f"dimension of the samples, {name}",
        run["dimension"],
        rank,
        0.15 * rank,
        "algebra: the rank of the Jacobian",
      ),
      at_most(
        f"share of the second direction, {name}",
        run["share"],
        0.0,
        "algebra: neighbours on a curve are on a line",
        margin=0.02,
      )
      if rank == 1
      else covers(
        f"share of the second direction, {name}",
        run["share"],
        share_of_plane,
        0.06,
        "uniform points in a square",
      ),
      at_least(
        f"modes, {name}",
        run["modes_covered"],
        NUM_MODES - 1,
        "all modes of the data, or all but one",
        margin=1.0,
      ),
      at_least(
        f"high quality, {name}",
        run["high_quality_fraction"],
        0.7,
        "within 3 standard deviations of a mode; of the data 0.989 are",
        margin=0.1,
      ),
    ]
  return checks


def compute(inputs: Inputs) -> Computed:
  """Trains the games and measures the dimension of their samples."""
  runs = {}
  for name in GAMES:
    run = train(name, inputs.seed)
    shares = np.array([second_share(each) for each in run["samples"]])
    runs[name] = {**run, "share": shares}
  drawn = {
    "runs": runs,
    "data": np.asarray(_ring().sample(jax.random.key(inputs.seed), NUM_DRAWN)),
    "seed": inputs.seed,
  }
  return Computed(check(runs, plane_share(inputs.seed)), drawn)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the samples of one seed of each game, and a part of them nearer."""
  columns = len(GAMES)
  figure, panels = curves.grid(2 * columns, columns, (13, 6.2))
  pictures.headline(
    figure,
    "one latent gives a curve; a second one or noise in any layer, an area",
  )
  data = drawn["data"]
  limit, side = RADIUS + 4 * STDDEV, 2.5 * STDDEV
  for column, (name, run) in enumerate(drawn["runs"].items()):
    whole, near = panels[column], panels[columns + column]
    rings.draw_samples(whole, data, run["samples"][0, : len(data)], 1.5)
    rings.draw_samples(near, data, run["samples"][0], 3)
    for axes, middle, reach in ((whole, 0, limit), (near, RADIUS, side)):
      axes.set(
        xlim=(middle - reach, middle + reach),
        ylim=(-reach, reach),
        aspect="equal",
      )
    whole.set_title(
      f"{name}: rank {run['ranks'].mean():.0f}\n"
      f"dimension {run['dimension'].mean():.2f}, "
      f"share {run['share'].mean():.2f}",
      fontsize=9,
    )
  panels[0].set_ylabel(f"seed {drawn['seed']}")
  panels[columns].set_ylabel("near one mode")
  return curves.legend(figure, markerscale=3)


REPRODUCTION = Reproduction(
  id="latent_joins",
  source="Goodfellow 2016, arXiv 1701.00160, section 3.1",
  summary="a second latent or noise in any layer turns a curve into an area",
  minutes=1,
  compute=compute,
  draw=draw,
  trains=True,
)
