"""Dropping feature maps makes the generator forget one kind of object.

The publication drops windows from bedrooms; here the objects are the glasses of
cartoon faces. A logistic regression predicts from the channels of one hidden
layer, at the positions of glasses, whether a sample has them. The maps of
positive weight are then set to zero in new samples, and a classifier of the
faces counts the remaining glasses. Dropping as many random maps is the
comparison. The publication's contrast to windows, which were marked by hand, is
other positions of the same images; here it is samples without glasses.

Source: Radford, Metz and Chintala, Unsupervised Representation Learning with
Deep Convolutional Generative Adversarial Networks, arXiv 1511.06434, section
6.3.1 and figure 6.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from matplotlib.figure import Figure
from scipy import optimize, special

from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.checks import at_least, at_most, covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.common.image_runs import TrainedNetworks
from gan_jax.data import faces
from gan_jax.types import Array

NUM_LEARNT, NUM_TESTED = 2000, 1000
NUM_RANDOM = 10
"""Number of random choices of maps to drop."""
NUM_SHOWN = 16
RIDGE = 1e-2
WITH_GLASSES = [
  label for label, name in enumerate(faces.CLASS_NAMES) if "glasses" in name
]


def generate_without(
  network: TrainedNetworks, latents: Array, kept: Array
) -> tuple[Array, Array]:
  """Generates images from latents [n, k] without some maps of a hidden layer.

  The layer is the last but one. `kept` [channels] is 1 to keep a map and 0 to
  drop it. Also returns the layer's maps [n, side, side, channels] after ReLU.
  """
  generator = network.networks.generator
  layer = f"BatchNorm_{generator.depth - 2}"

  def drop(method, args, kwargs, context):
    maps = method(*args, **kwargs)
    if context.module.name == layer and context.method_name == "__call__":
      maps = maps * kept.reshape(1, 1, 1, -1)
      context.module.sow("intermediates", "maps", nn.relu(maps))
    return maps

  with nn.intercept_methods(drop):
    applied: Any = generator.apply(
      network.generator_collections(), latents, mutable="intermediates"
    )
  images, collected = applied
  return images, collected["intermediates"][layer]["maps"][0]


def glasses_positions(network: TrainedNetworks, side: int) -> np.ndarray:
  """Finds the positions of glasses in the training data, bool [side, side].

  There the mean images with and without glasses differ by more than half of
  the largest difference.
  """
  worn = np.isin(np.asarray(network.train.labels), WITH_GLASSES)
  means = [
    network.train.pixels[which].mean(axis=(0, 3)) for which in (worn, ~worn)
  ]
  difference = np.abs(means[0] - means[1])
  cell = len(difference) // side
  difference = difference.reshape(side, cell, side, cell).mean(axis=(1, 3))
  return difference > 0.5 * difference.max()


def logistic_regression(inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
  """Fits a logistic regression of labels, bool [n], to inputs [n, d].

  For the standardised inputs x the weights w minimise

    mean of log(1 + exp(-y (x w + b))) + ridge |w|^2 / 2,  y = 1 or -1.

  The returned weights [d] are rescaled for the inputs as they are given.
  """
  scale = inputs.std(axis=0) + 1e-6
  x = np.column_stack(
    [(inputs - inputs.mean(axis=0)) / scale, np.ones(len(inputs))]
  )
  y = np.where(labels, 1.0, -1.0)

  def cost(params):
    margins = y * (x @ params)
    weights = np.append(params[:-1], 0)
    slopes = -y * special.expit(-margins)
    return (
      np.logaddexp(0, -margins).mean() + RIDGE * weights @ weights / 2,
      slopes @ x / len(x) + RIDGE * weights,
    )

  start = np.zeros(x.shape[1])
  found = optimize.minimize(cost, start, jac=True, method="L-BFGS-B")
  return found.x[:-1] / scale


def _forget(network: TrainedNetworks, seed: int) -> tuple[list[float], Any]:
  """Finds the maps of glasses, and drops them or as many random ones."""
  # The last hidden layer has half as many.
  channels = 2 * network.networks.generator.filters
  generate = jax.jit(
    lambda latents, kept: generate_without(network, latents, kept)
  )

  def glasses(latents, kept):
    """Returns images, their maps and whether each has glasses, bool [n]."""
    kept = jnp.asarray(kept, jnp.float32)
    images, maps = image_runs.in_chunks(lambda z: generate(z, kept), latents)
    _, logits = network.features.apply(images)
    return images, maps, np.isin(np.argmax(logits, axis=1), WITH_GLASSES)

  everything = np.ones(channels, bool)
  _, maps, worn = glasses(network.sample_latents(seed, NUM_LEARNT), everything)
  positions = glasses_positions(network, maps.shape[1])
  responses = np.asarray(maps)[:, positions].mean(axis=1)
  dropped = logistic_regression(responses, worn) > 0

  latents = network.sample_latents(seed + 1, NUM_TESTED)
  rng = np.random.default_rng(seed)
  at_random = [~rng.permutation(dropped) for _ in range(NUM_RANDOM)]
  shares, shown = [], []
  for kept in (everything, ~dropped, *at_random):
    images, _, worn = glasses(latents, kept)
    shares.append(100 * np.mean(worn))
    shown.append(image_runs.to_pixels(images[:NUM_SHOWN]))
  titles = (
    "all maps",
    f"without {dropped.sum()} of {channels}",
    f"without {dropped.sum()} random ones",
  )
  measured = [*shares[:2], float(np.mean(shares[2:]))]
  return measured, dict(zip(titles, shown, strict=False))


def compute(inputs: Inputs) -> Computed:
  """Counts the glasses with and without maps."""
  (before, after, at_random), shown = image_runs.measure_each(
    inputs.runs[image_runs.FACES],
    lambda network: _forget(network, inputs.seed),
  )
  return Computed(
    [
      covers(
        "samples with glasses (%)",
        before,
        50.0,
        15.0,
        "half of the training faces wear them",
      ),
      at_most(
        "with glasses, without the maps (%)",
        after,
        25.0,
        "the publication's claim, of windows: most are forgotten",
        margin=10.0,
      ),
      at_least(
        "more with glasses, without random maps (%)",
        at_random - after,
        20.0,
        "dropping as many other maps has no such effect",
        margin=8.0,
      ),
    ],
    shown,
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws samples of the same latents with and without maps."""
  text = "the same latents, without the maps of glasses and without other maps"
  return pictures.image_panels(text, drawn, (11, 4.3))


REPRODUCTION = Reproduction(
  id="dcgan_window_drop",
  source="DCGAN 2016, arXiv 1511.06434, figure 6",
  summary="without some of its maps the generator forgets glasses",
  minutes=60,
  compute=compute,
  draw=draw,
  trainings=image_runs.OF_FACES,
)
