"""A walk between two latents changes an image little by little.

If the images of a walk jumped from one to the next, the generator would have
learnt images by heart. Latents of N(0, I) lie near a sphere, so that a walk
goes along great circles; the straight line leads through latents that are never
drawn. What is in between has to be as near to the data as what is at the ends,
which the cross-fade of both end images is not: the generator makes other
garments, it does not blend two. That a cross-fade is 1.25 times as far as the
ends was set before the first run, which measured 1.06: this check fails and
stays. That it is farther than the middles, 1.09 times, was seen only then, and
is checked by half of that.

Distances are of a classifier's features.

Source: Radford, Metz and Chintala, Unsupervised Representation Learning with
Deep Convolutional Generative Adversarial Networks, arXiv 1511.06434, section
6.1 and figure 4; White, Sampling Generative Networks, arXiv 1609.04468, section
2.1, for the circles.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves, images
from experiments.reproduce.common import image_runs, pictures
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results
from gan_jax.metrics import neighbours
from gan_jax.types import Array

NUM_WALKS = 256
NUM_SHOWN = 8
NUM_STEPS = 12
"""Of a walk, the ends included."""
_MIDDLE = NUM_STEPS // 2
_NUM_DATA = 10_000


def great_circle(start: Array, end: Array, num_points: int) -> Array:
  """Walks from one direction to another at constant speed.

  Args:
    start: [n, k].
    end: [n, k].
    num_points: m, the ends included.

  Returns:
    [m, n, k], whose lengths go from the one's to the other's.
  """
  lengths = [jnp.linalg.norm(x, axis=1, keepdims=True) for x in (start, end)]
  u, v = start / lengths[0], end / lengths[1]
  angle = jnp.arccos(jnp.sum(u * v, axis=1, keepdims=True))
  points = []
  for t in np.linspace(0, 1, num_points, dtype=np.float32):
    direction = jnp.sin((1 - t) * angle) * u + jnp.sin(t * angle) * v
    length = (1 - t) * lengths[0] + t * lengths[1]
    points.append(length * direction / jnp.sin(angle))
  return jnp.stack(points)


def compute(runs: Mapping[str, Results]) -> Computed:
  """Walks, and measures the steps and how far from the data they are."""
  network = image_runs.load_networks(runs[image_runs.GARMENTS])
  start, end = (network.sample_latents(seed, NUM_WALKS) for seed in (0, 1))
  points = great_circle(start, end, NUM_STEPS)
  walks = network.generate(points.reshape(-1, network.latent_dim))
  shape = (NUM_STEPS, NUM_WALKS)
  walks = walks.reshape(*shape, *walks.shape[1:])
  features, _ = network.features.apply(walks.reshape(-1, *walks.shape[2:]))
  features = features.reshape(*shape, -1)
  steps = np.linalg.norm(np.diff(features, axis=0), axis=-1)
  data, _ = network.features.apply(
    image_runs.to_units(network.train.pixels[:_NUM_DATA])
  )
  blends, _ = network.features.apply((walks[0] + walks[-1]) / 2)

  def from_data(of_images):
    distances, _ = neighbours.nearest(of_images, data, 1)
    return float(jnp.mean(distances))

  at_ends = from_data(jnp.concatenate([features[0], features[-1]]))
  at_middles = from_data(features[_MIDDLE])
  return Computed(
    {
      "largest step over the mean one, median of walks": float(
        np.median(steps.max(axis=0) / steps.mean(axis=0))
      ),
      "distance from the data, middles over ends": at_middles / at_ends,
      "distance from the data, blends over ends": from_data(blends) / at_ends,
      "distance from the data, blends over middles": (
        from_data(blends) / at_middles
      ),
    },
    {
      "walks": image_runs.to_pixels(
        jnp.swapaxes(walks, 0, 1)[:NUM_SHOWN].reshape(-1, *walks.shape[2:])
      )
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws a walk in each row."""
  figure, (axes,) = curves.grid(1, 1, (9, 6.6))
  pictures.headline(figure, "walks between two latents, one in each row")
  images.show(axes, images.mosaic(drawn["walks"], NUM_STEPS))
  return figure


CHECKS = (
  Check(
    "largest step over the mean one, median of walks",
    4.0,
    0.0,
    "set before the run: the change is spread over a third of the steps",
    relation="at most",
    wrong={"one jump": NUM_STEPS - 1.0, "two jumps": (NUM_STEPS - 1) / 2},
  ),
  Check(
    "distance from the data, middles over ends",
    1.25,
    0.0,
    "set before the run: images in between are images like others",
    relation="at most",
    wrong={"far from the data": 2.0},
  ),
  Check(
    "distance from the data, blends over ends",
    1.25,
    0.0,
    "set before the run: a cross-fade is no image like others",
    relation="at least",
    wrong={"like the generator's": 1.0},
  ),
  Check(
    "distance from the data, blends over middles",
    1.04,
    0.0,
    "a cross-fade is less like the data than what the generator makes there; "
    "half of what the first run measured",
    relation="at least",
    wrong={"like the generator's": 1.0},
  ),
)

REPRODUCTION = Reproduction(
  id="dcgan_interpolation",
  source="DCGAN 2016, arXiv 1511.06434, figure 4",
  summary="a walk between latents changes images little by little",
  compute=compute,
  checks=CHECKS,
  draw=draw,
  trainings=image_runs.OF_GARMENTS,
  long=True,
)
