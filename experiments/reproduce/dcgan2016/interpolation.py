"""Walks between two latents, which change an image gradually.

If the images of a walk jumped from one to the next, the generator would have
memorised images. Latents of N(0, I) lie near a sphere, so a walk follows great
circles; a straight line leads through latents that are never drawn. Images in
the middle of a walk have to be as near to the data as its ends, by the features
of a classifier. A cross-fade of the two end images should be farther, because
the generator makes other garments and does not blend two. The bound of 1.25 for
its distance relative to the ends was set before the first run. Four seeds
measure 0.99 (95 % interval 0.97 to 1.02): by these features a cross-fade is as
near to the data as the garments. A run of one seed measured 1.09 relative to
the middles, and the last check asks for half of this excess; four seeds measure
1.00. Both checks fail, and they are kept.

Source: Radford, Metz and Chintala, Unsupervised Representation Learning with
Deep Convolutional Generative Adversarial Networks, arXiv 1511.06434, section
6.1 and figure 4; White, Sampling Generative Networks, arXiv 1609.04468, section
2.1, for the great circles.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.checks import at_least, at_most
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.common.image_runs import TrainedNetworks
from gan_jax.metrics import neighbours
from gan_jax.types import Array

NUM_WALKS = 256
NUM_SHOWN = 8
NUM_STEPS = 12
"""Images of a walk, including both ends."""
_NUM_DATA = 10_000
_SET_BEFORE = (
  "set before the first run; 1 is the mean step, or the ends' distance"
)


def great_circle(start: Array, end: Array, num_points: int) -> Array:
  """Interpolates along great circles at constant speed.

  Maps latents [n, k] to [num_points, n, k], including both ends. The lengths
  change linearly.
  """
  lengths = [jnp.linalg.norm(x, axis=1, keepdims=True) for x in (start, end)]
  u, v = start / lengths[0], end / lengths[1]
  angle = jnp.arccos(jnp.sum(u * v, axis=1, keepdims=True))

  def point(t):
    direction = jnp.sin((1 - t) * angle) * u + jnp.sin(t * angle) * v
    length = (1 - t) * lengths[0] + t * lengths[1]
    return length * direction / jnp.sin(angle)

  return jax.vmap(point)(jnp.linspace(0, 1, num_points))


def _walk(network: TrainedNetworks, seed: int) -> tuple[list[float], Any]:
  """Generates walks; measures their steps and their distances from the data."""
  start, end = (network.sample_latents(seed + i, NUM_WALKS) for i in (0, 1))
  points = great_circle(start, end, NUM_STEPS)
  walks = network.generate(points.reshape(-1, network.latent_dim))
  features, _ = network.features.apply(walks)
  features = features.reshape(NUM_STEPS, NUM_WALKS, -1)
  steps = np.linalg.norm(np.diff(features, axis=0), axis=-1)
  walks = walks.reshape(NUM_STEPS, NUM_WALKS, *walks.shape[1:])
  blends, _ = network.features.apply((walks[0] + walks[-1]) / 2)
  data, _ = network.features.apply(
    image_runs.to_units(network.train.pixels[:_NUM_DATA])
  )
  ends, middles, blended = (
    float(neighbours.nearest(points, data, 1)[0].mean())
    for points in (
      features[:: NUM_STEPS - 1].reshape(2 * NUM_WALKS, -1),
      features[NUM_STEPS // 2],
      blends,
    )
  )
  largest = float(np.median(steps.max(axis=0) / steps.mean(axis=0)))
  shown = jnp.swapaxes(walks[:, :NUM_SHOWN], 0, 1)
  return (
    [largest, middles / ends, blended / ends, blended / middles],
    image_runs.to_pixels(shown.reshape(-1, *shown.shape[2:])),
  )


def compute(inputs: Inputs) -> Computed:
  """Measures walks of the trained generators."""
  (largest, middles, blends, excess), walks = image_runs.measure_each(
    inputs.runs[image_runs.GARMENTS],
    lambda network: _walk(network, inputs.seed),
  )
  return Computed(
    [
      at_most("largest step, median of walks", largest, 4, _SET_BEFORE, 0.5),
      at_most("distance, middles over ends", middles, 1.25, _SET_BEFORE, 0.05),
      at_least("distance, blends over ends", blends, 1.25, _SET_BEFORE, 0.05),
      at_least(
        "distance, blends over middles",
        excess,
        1.04,
        "half of the excess that the first run measured",
        0.02,
      ),
    ],
    {"": walks},
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws one walk in each row."""
  text = "walks between two latents, one in each row"
  return pictures.image_panels(text, drawn, (9, 6.6), NUM_STEPS)


REPRODUCTION = Reproduction(
  id="dcgan_interpolation",
  source="DCGAN 2016, arXiv 1511.06434, figure 4",
  summary="a walk between latents changes images gradually",
  minutes=15,
  compute=compute,
  draw=draw,
  trainings=image_runs.OF_GARMENTS,
)
