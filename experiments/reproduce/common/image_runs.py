"""Image runs that several figures use, and their trained networks."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from experiments.cli import console
from experiments.configs import images as image_experiments
from experiments.configs.image_settings import ImageSettings, read_split
from experiments.datasets import image_datasets
from experiments.reproduce.common.figure import Training
from experiments.run_folder.results import Results
from experiments.training import load_run
from gan_jax.data import images
from gan_jax.data.images import Images
from gan_jax.metrics.classifier import Features
from gan_jax.types import Array, Players, TrainState

GARMENTS, FACES = "garments", "faces"
"""The names of the runs in the figures."""
OF_GARMENTS = {GARMENTS: Training("dcgan_fashion_mnist", num_seeds=1)}
OF_FACES = {FACES: Training("dcgan_faces", num_seeds=1)}
"""The default experiments, so that one run serves many figures."""
_CHUNK = 500
"""Number of images generated at once, which limits memory."""


class TrainedNetworks(NamedTuple):
  """A trained generator and discriminator, with their data.

  Attributes:
    networks: the Flax modules.
    state: parameters and statistics.
    latent_dim: number of latents of the generator.
    train: the training split.
    test: the test split, which the networks have not seen.
    features: features of the classifier that measures image quality.
    trained_on: the part of the training split that was used for training.
  """

  networks: Players[nn.Module]
  state: TrainState
  latent_dim: int
  train: Images
  test: Images
  features: Features
  trained_on: Images

  def generate(self, latents: Array, labels: Array | None = None) -> Array:
    """Maps latents [n, k], and labels [n] if any, to images."""
    apply = jax.jit(self.networks.generator.apply)
    parts: list[Any] = [
      apply(
        self.generator_collections(),
        latents[start : start + _CHUNK],
        labels=None if labels is None else labels[start : start + _CHUNK],
      )
      for start in range(0, len(latents), _CHUNK)
    ]
    return jnp.concatenate(parts)

  def sample_latents(self, seed: int, n: int) -> Array:
    """Draws latents [n, k] from the prior N(0, I)."""
    return jax.random.normal(jax.random.key(seed), (n, self.latent_dim))

  def generator_collections(self) -> dict[str, Any]:
    """Returns the generator's Flax collections: parameters and statistics."""
    return {
      "params": self.state.params.generator,
      **self.state.variables.generator,
    }

  def discriminator_collections(self) -> dict[str, Any]:
    """Returns the discriminator's Flax collections."""
    return {
      "params": self.state.params.discriminator,
      **self.state.variables.discriminator,
    }


def load_networks(results: Results, seed: int | None = None) -> TrainedNetworks:
  """Loads the networks of a seed of an image run, of the first if None."""
  assert results.workdir is not None
  loaded = load_run.load_run(results.workdir, seed, jax.devices()[0])
  settings = loaded.settings
  assert isinstance(settings, ImageSettings)
  train, test = (read_split(settings, split) for split in ("train", "test"))
  conditional = settings.condition != "none"
  return TrainedNetworks(
    image_experiments.networks(
      settings, len(train.class_names) if conditional else 0
    ),
    loaded.state,
    settings.latent_dim,
    train,
    test,
    image_datasets.feature_net(
      settings.dataset, train, test, console.say
    ).features,
    image_datasets.limited(train, settings.training_images),
  )


def to_units(pixels: np.ndarray) -> Array:
  """Converts bytes to the range [-1, 1] of the networks."""
  return images.to_unit(jnp.asarray(pixels))


def to_pixels(values: Array) -> np.ndarray:
  """Converts images in [-1, 1] to bytes."""
  return np.asarray(images.to_pixels(values))
