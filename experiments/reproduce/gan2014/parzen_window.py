"""The log-likelihood of MNIST's test digits under a window fitted to samples.

The first GANs were measured by a Parzen window: a normal density of width s
about each of 10,000 samples. The validation images choose s. The table compares
the mean log-likelihood of the test images, with pixels in [0, 1], under windows
fitted to

  GAN          the samples of perceptrons that are trained here
  images       training images, which no model of the data should beat
  centroids    the centres of clusters of the training images, by k-means

The number does not rank models: centroids, which are blurred, get a higher one
than training images. This is the criticism of Theis et al.

The networks are those of the authors' published code with half of the units:
two layers of rectified units and sigmoid pixels against two layers of maxout
units with dropout. Ours are trained by Adam, and the generator has batch
normalisation, without which it drew the same picture for all latents in a first
attempt; the code has momentum, and dropout of the inputs too. As there, 1,000
validation images choose s among ten widths from 0.1 to 1. The bounds were set
before the first run. After so few steps the samples are still speckled, and the
comparison with the published number fails.

Source: Goodfellow et al., Generative Adversarial Nets, arXiv 1406.2661, table
1, and the authors' code, github.com/goodfeli/adversarial (mnist.yaml and
parzen_ll.py). Theis, van den Oord and Bethge, A Note on the Evaluation of
Generative Models, arXiv 1511.01844.
"""

import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import special

from experiments.configs.image_settings import ImageSettings, read_dataset
from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.checks import (
  Check,
  at_least,
  close,
  compare,
  covers,
  lower_end,
)
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.common.training_loops import train_on_fresh_batches
from gan_jax import games, losses, steps
from gan_jax.data import latents
from gan_jax.metrics import neighbours, parzen
from gan_jax.networks.mlp import MLP, batch_normalized
from gan_jax.types import Array, Players

GAN, IMAGES, CENTROIDS = "GAN", "training images", "centroids of k-means"
COLORS = {
  GAN: curves.GENERATED,
  IMAGES: curves.DATA,
  CENTROIDS: curves.DISCRIMINATOR,
}
PUBLISHED = {
  "adversarial nets": (225.0, 2.0),
  "deep GSN": (214.0, 1.1),
  "DBN": (138.0, 2.0),
  "stacked CAE": (121.0, 1.6),
}
"""Means and standard errors over the test images, table 1."""
MARGIN = 50.0
"""Nats that the GAN may be from the published one."""

NUM_SEEDS = 3
NUM_CENTRES = 10_000
NUM_TRAINING = 50_000
"""The other training images are for validation."""
NUM_VALIDATION = 1000
STDDEVS = np.logspace(-1, 0, 10)
STEPS, BATCH_SIZE, RATE = 2000, 100, 3e-4
LATENT_DIM = 100
ITERATIONS = 3
"""Of k-means."""
NUM_DRAWN = 36
NUM_COMPARED = 20
"""Test images whose likelihood is also computed in float64."""


def make_game(side: int, units: int = 600) -> games.Game:
  """Makes the game of perceptrons on flat images with pixels in [0, 1]."""
  generator = nn.Sequential(
    [MLP((units, units), side**2, normalize=batch_normalized), nn.sigmoid]
  )
  discriminator = MLP(
    (units // 5, units // 5),
    features=1,
    activation=lambda x: x,
    pieces=5,
    dropout=0.5,
  )
  return games.adversarial(
    generator,
    discriminator,
    losses.non_saturating(),
    latents.uniform(LATENT_DIM),
  )


def generate(seed: int, images: Array, num_steps: int = STEPS) -> Array:
  """Trains a GAN on images [n, d], and draws NUM_CENTRES samples."""
  game = make_game(int(np.sqrt(images.shape[1])))
  optimizers = Players(*[optax.adam(RATE, b1=0.5)] * 2)
  step = steps.simultaneous(game, optimizers)
  init_key, train_key, sample_key = jax.random.split(jax.random.key(seed), 3)

  @jax.jit
  def train(images):
    def sample(key):
      return images[jax.random.randint(key, (BATCH_SIZE,), 0, len(images))]

    state = steps.init_state(game, optimizers, init_key)
    state = train_on_fresh_batches(step, state, sample, num_steps, train_key)
    return game.sample(state.params, state.variables, sample_key, NUM_CENTRES)

  return train(images)


def choose_images(seed: int, images: Array) -> Array:
  """Chooses NUM_CENTRES of the images at random."""
  key = jax.random.key(seed)
  return jax.random.choice(key, images, (NUM_CENTRES,), replace=False)


def centroids(seed: int, images: Array) -> Array:
  """Moves randomly chosen images to the centres of clusters, by k-means."""

  @jax.jit
  def move(centres, images):
    _, indices = neighbours.nearest(images, centres, 1)
    counts = jnp.bincount(indices[:, 0], length=len(centres))[:, None]
    sums = jax.ops.segment_sum(images, indices[:, 0], len(centres))
    return jnp.where(counts > 0, sums / jnp.maximum(counts, 1), centres)

  centres = choose_images(seed, images)
  for _ in range(ITERATIONS):
    centres = move(centres, images)
  return centres


MAKE: Mapping[str, Callable[[int, Array], Array]] = {
  GAN: generate,
  IMAGES: choose_images,
  CENTROIDS: centroids,
}


def float64_log_likelihood(
  points: np.ndarray, centres: np.ndarray, stddev: float
) -> np.ndarray:
  """Computes the window's log-density of a few points in NumPy, [m]."""
  points, centres = points.astype(np.float64), centres.astype(np.float64)
  d = points.shape[1]
  values = []
  for point in points:
    squares = np.sum((centres - point) ** 2, axis=1)
    values.append(special.logsumexp(-squares / (2 * stddev**2)))
  constant = np.log(len(centres)) + d / 2 * np.log(2 * np.pi * stddev**2)
  return np.array(values) - constant


def _measure(
  make: Callable[[int, Array], Array],
  seed: int,
  images: Array,
  validation: Array,
  test: Array,
) -> dict[str, np.ndarray]:
  """Makes centres, and measures the test images by their window."""
  centres = make(seed, images)
  fitted = jax.jit(parzen.parzen_likelihood)(
    centres, validation, test, jnp.asarray(STDDEVS, jnp.float32)
  )
  few = test[:NUM_COMPARED]
  (ours,) = parzen.log_likelihood(few, centres, fitted.stddev[None])
  exact = float64_log_likelihood(
    np.asarray(few), np.asarray(centres), float(fitted.stddev)
  )
  return {
    **{name: np.asarray(each) for name, each in fitted._asdict().items()},
    "rounding": np.abs(np.asarray(ours) - exact).max(),
    "drawn": np.asarray(jnp.round(255 * centres[:NUM_DRAWN]), np.uint8),
  }


def check(measured: Mapping[str, Mapping[str, np.ndarray]]) -> list[Check]:
  """Compares the windows. `measured` has `mean` [seeds] and more by name."""
  means = {name: values["mean"] for name, values in measured.items()}
  published, error = PUBLISHED["adversarial nets"]
  beats = [
    at_least(
      f"log-likelihood under {better} minus {worse}, mean "
      f"{np.mean(means[better] - means[worse]):.1f}; lower end of the interval "
      "over seeds (nats)",
      lower_end(means[better] - means[worse]),
      0.0,
      f"{why}; set before the first run",
    )
    for better, worse, why in (
      (IMAGES, GAN, "images are samples of the data itself"),
      (CENTROIDS, IMAGES, "Theis et al. 2015: the measure prefers centroids"),
    )
  ]
  return [
    covers(
      "log-likelihood of test images under the GAN's samples (nats)",
      means[GAN],
      published,
      MARGIN,
      f"the publication; {MARGIN:g} nats set before the first run",
      published=published,
      place="table 1",
    ),
    compare(
      "its standard error over test images (nats)",
      np.mean(measured[GAN]["standard_error"]),
      error,
      "table 1",
    ),
    *beats,
    close(
      "largest rounding error of a log-likelihood (nats)",
      max(values["rounding"].max() for values in measured.values()),
      0.0,
      0.05,
      "the same sum in float64",
    ),
  ]


def compute(inputs: Inputs) -> Computed:
  """Makes the centres of each seed, and measures the test images by them."""
  dataset = read_dataset(ImageSettings())
  train, test = (
    jnp.asarray(split.pixels.reshape(len(split.pixels), -1), jnp.float32) / 255
    for split in (dataset.train, dataset.test)
  )
  images, validation = train[:NUM_TRAINING], train[NUM_TRAINING:]
  measured = {}
  for name, make in MAKE.items():
    of_seeds = [
      inputs.keep(
        f"{name}-{seed}",
        {"seed": seed, "steps": STEPS, "rate": RATE, "iterations": ITERATIONS},
        functools.partial(
          _measure, make, seed, images, validation[:NUM_VALIDATION], test
        ),
      )
      for seed in range(inputs.seed, inputs.seed + NUM_SEEDS)
    ]
    measured[name] = {
      field: np.stack([each[field] for each in of_seeds])
      for field in of_seeds[0]
    }
  return Computed(check(measured), measured)


def draw(drawn: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
  """Draws centres of each kind, the likelihoods and the choice of widths."""
  figure, panels = curves.grid(5, 3, (12, 8))
  pictures.headline(
    figure,
    "log-likelihood of MNIST's test images under a Parzen window about "
    f"{NUM_CENTRES:,} centres\nGAN of perceptrons, {STEPS:,} steps; "
    f"{NUM_SEEDS} seeds",
  )
  for axes, (name, values) in zip(panels[:3], drawn.items(), strict=True):
    pixels = values["drawn"][0]
    side = int(np.sqrt(pixels.shape[1]))
    pictures.show_images(axes, pixels.reshape(-1, side, side, 1), title=name)
  table, widths = panels[3:]
  _draw_table(table, drawn)
  for name, values in drawn.items():
    for index, curve in enumerate(values["validation"]):
      widths.semilogx(
        STDDEVS,
        curve,
        ".-",
        color=COLORS[name],
        lw=0.8,
        label="_" * index + name,
      )
  best = max(values["validation"].max() for values in drawn.values())
  widths.set_ylim(best - 500, best + 40)
  widths.set_xticks([0.1, 0.2, 0.5, 1], ["0.1", "0.2", "0.5", "1"])
  widths.minorticks_off()
  widths.set_xlabel("width s of the window")
  widths.set_title("mean over validation images (nats)", fontsize=10)
  return curves.legend(figure)


def _draw_table(
  axes: Axes, drawn: Mapping[str, Mapping[str, np.ndarray]]
) -> None:
  """Draws the published means, and those of all seeds."""
  rows = [*PUBLISHED, *drawn]
  for position, name in enumerate(rows):
    if name in PUBLISHED:
      mean, error = PUBLISHED[name]
      axes.barh(position, mean, 0.6, xerr=error, color=curves.FRAME, alpha=0.5)
    else:
      means = drawn[name]["mean"]
      axes.barh(position, means.mean(), 0.6, color=COLORS[name], alpha=0.5)
      axes.plot(means, [position] * len(means), "o", color=COLORS[name], ms=4)
  labels = [f"{name}, published" for name in PUBLISHED]
  axes.set_yticks(range(len(rows)), [*labels, *drawn])
  axes.invert_yaxis()
  axes.set_title("mean over test images (nats)", fontsize=10)


REPRODUCTION = Reproduction(
  id="gan2014_table1",
  source="Goodfellow et al. 2014, arXiv 1406.2661, table 1",
  summary="the likelihood by Parzen windows, which prefers centroids to data",
  minutes=10,
  compute=compute,
  draw=draw,
  trains=True,
)
