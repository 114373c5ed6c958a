"""Holes in garments, filled by a search among latents or by a network.

Four ways to fill the same holes of unseen garments:

- the mean of the training images there;
- the pixels of the training image that is nearest around the hole;
- the best latents of a generator that knows nothing of holes (Yeh et al.);
- a network that was trained to fill this hole (Pathak et al.).

The measure is the signal-to-noise ratio in the hole. The network was trained
for a small difference, so it should have the highest ratio, although its images
are blurred.

Source: Yeh et al., Semantic Image Inpainting with Deep Generative Models, arXiv
1607.07539. Pathak et al., Context Encoders: Feature Learning by Inpainting,
arXiv 1604.07379.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.reproduce.common import (
  image_runs,
  paired_images,
  pictures,
)
from experiments.reproduce.common.checks import at_least, close
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
  Reproduction,
  Training,
)
from experiments.reproduce.common.image_runs import TrainedNetworks
from experiments.run_folder.results import Results
from experiments.training import load_run
from gan_jax.data import image_conditions
from gan_jax.estimation import latent_search
from gan_jax.metrics import image_pairs
from gan_jax.types import Array

UNCONDITIONAL, DIRECT = "generator", "trained to fill"
MEAN, NEAREST, SEARCH = "mean", "nearest garment", "latent search"
SIDE, HOLE = 28, 12
NUM_FILLED, NUM_SHOWN = 128, 16
SEARCH_STEPS = 400
STEPS = 1000


def fill_with_mean(train: np.ndarray, images: Array, mask: Array) -> Array:
  """Fills holes with the mean of training images, uint8 [m, h, w, c]."""
  mean = image_runs.to_units(train.mean(axis=0).round().astype(np.uint8))
  return mask * images + (1 - mask) * mean[None]


def fill_with_nearest(train: np.ndarray, images: Array, mask: Array) -> Array:
  """Fills holes with the training image that is nearest around them."""

  def around(pixels):
    return (mask * pixels).reshape(len(pixels), -1)

  asked = around(images)

  def squared_distances(pixels):
    known = around(image_runs.to_units(pixels))
    # Without |asked|^2, which is the same for all.
    return jnp.sum(known**2, axis=1)[:, None] - 2 * known @ asked.T

  nearest = jnp.argmin(image_runs.in_chunks(squared_distances, train), axis=0)
  found = image_runs.to_units(train[np.asarray(nearest)])
  return mask * images + (1 - mask) * found


def fill_by_search(
  network: TrainedNetworks, images: Array, mask: Array, seed: int
) -> Array:
  """Fills holes with images of the best latents of a generator."""
  generator: Any = network.networks.generator
  discriminator: Any = network.networks.discriminator
  collections = {
    "params": network.state.params.discriminator,
    **network.state.variables.discriminator,
  }

  @jax.jit
  def complete(images, latents):
    return latent_search.complete(
      lambda z: generator.apply(network.generator_collections(), z),
      lambda x: discriminator.apply(collections, x)[:, 0],
      images,
      mask[0],
      latents,
      SEARCH_STEPS,
    )

  latents = network.sample_latents(seed, len(images))
  return complete(images, latents).images


def fill_by_network(run: Results, seed: int, images: Array, mask: Array):
  """Fills holes by a network of a run of the experiment `inpainting`."""
  assert run.workdir is not None
  loaded = load_run.load_run(run.workdir, seed, jax.devices()[0])
  condition = image_conditions.with_hole(images, mask[0])
  return loaded.generator.sample(
    loaded.state, jax.random.key(seed), len(images), condition
  )


def compute(inputs: Inputs) -> Computed:
  """Fills the holes of the first unseen garments in four ways."""
  mask = image_conditions.central_mask(SIDE, HOLE)[None]
  direct = inputs.runs[DIRECT]

  def measure(network: TrainedNetworks, seed: int):
    images = image_runs.to_units(network.test.pixels[:NUM_FILLED])
    train = network.trained_on.pixels
    filled = {
      MEAN: fill_with_mean(train, images, mask),
      NEAREST: fill_with_nearest(train, images, mask),
      SEARCH: fill_by_search(network, images, mask, seed),
      DIRECT: fill_by_network(direct, seed, images, mask),
    }
    ratios = [
      float(image_pairs.psnr(each, images, 1 - mask))
      for each in filled.values()
    ]
    changed = max(
      float(jnp.max(jnp.abs(mask * (each - images))))
      for each in filled.values()
    )
    shown = {"hole": mask * images, **filled, "original": images}
    return [*ratios, changed], {
      name: image_runs.to_pixels(each[:NUM_SHOWN])
      for name, each in shown.items()
    }

  # Seeds of both runs are the same.
  numbers, shown = zip(
    *(
      measure(
        image_runs.load_networks(inputs.runs[UNCONDITIONAL], int(seed)),
        int(seed),
      )
      for seed in direct.seeds
    ),
    strict=True,
  )
  *ratios, changed = np.array(numbers, float).T
  mean, nearest, search, network = ratios
  titles = {
    name: f"{name}, {ratio.mean():.1f} dB"
    for name, ratio in zip((MEAN, NEAREST, SEARCH, DIRECT), ratios, strict=True)
  }
  return Computed(
    [
      close(
        "largest change of a known pixel",
        changed.max(),
        0.0,
        1e-6,
        "known pixels are kept",
      ),
      at_least(
        f"gain, {SEARCH} over the {MEAN} (dB)",
        search - mean,
        0.5,
        "the search sees the image; 0.5 set before the first run",
        margin=0.5,
      ),
      at_least(
        f"gain, {DIRECT} over the {MEAN} (dB)",
        network - mean,
        3.0,
        "the network sees the image; 3 set before the first run",
        margin=0.5,
      ),
      at_least(
        f"gain, {DIRECT} over the {NEAREST} (dB)",
        network - nearest,
        1.0,
        "a network interpolates between images; 1 set before the first run",
        margin=0.5,
      ),
      at_least(
        f"gain, {DIRECT} over {SEARCH} (dB)",
        network - search,
        1.0,
        "it was trained for a small difference; 1 set before the first run",
        margin=0.5,
      ),
    ],
    {str(titles.get(name, name)): pixels for name, pixels in shown[0].items()},
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws garments with a hole, filled in four ways, and the originals."""
  text = f"a hole of {HOLE} x {HOLE} pixels, filled in four ways"
  return pictures.image_panels(text, drawn, (12, 2.6))


REPRODUCTION = Reproduction(
  id="inpainting",
  source="Yeh et al. 2016, arXiv 1607.07539, and context encoders, 1604.07379",
  summary="holes filled by a search among latents, and by a network",
  minutes=15,
  compute=compute,
  draw=draw,
  trainings={
    UNCONDITIONAL: Training(
      "dcgan_fashion_mnist",
      {
        "generator_filters": 32,
        "discriminator_filters": 32,
        "steps": STEPS,
        "evaluate": False,
      },
      paired_images.NUM_SEEDS,
    ),
    DIRECT: Training(
      "inpainting",
      {**paired_images.SMALL, "hole": HOLE, "steps": STEPS},
      paired_images.NUM_SEEDS,
    ),
  },
)
