"""Trained networks that several figures look into."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from experiments.configs import images as dcgan
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
"""What figures call the runs."""
OF_GARMENTS = {GARMENTS: Training("dcgan_fashion_mnist", num_seeds=1)}
OF_FACES = {FACES: Training("dcgan_faces", num_seeds=1)}
"""The experiments as they are, so that a run of one serves many figures."""
_CHUNK = 500
"""Images generated at once, to spare memory."""


class Trained(NamedTuple):
  """A trained pair of networks, with what it learnt from.

  Attributes:
    networks: the modules.
    state: their parameters and statistics.
    latent_dim: of the generator.
    train: the training split.
    test: images that they have not seen.
    features: of the classifier that measures them.
    learnt: what they learnt from, of the training split.
  """

  networks: Players[nn.Module]
  state: TrainState
  latent_dim: int
  train: Images
  test: Images
  features: Features
  learnt: Images

  def generate(self, latents: Array, labels: Array | None = None) -> Array:
    """Maps latents [n, k], and labels [n], to images, each by itself."""
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

  def generator_collections(self) -> dict[str, Any]:
    """Returns the generator's parameters and statistics, as Flax has them."""
    return {
      "params": self.state.params.generator,
      **self.state.variables.generator,
    }

  def discriminator_collections(self) -> dict[str, Any]:
    """Returns the discriminator's, as Flax has them."""
    return {
      "params": self.state.params.discriminator,
      **self.state.variables.discriminator,
    }


def load(results: Results, seed: int | None = None) -> Trained:
  """Reads what a seed of a run on images learnt, the first if None."""
  assert results.workdir is not None
  member = load_run.load_run(results.workdir, seed, jax.devices()[0])
  settings = member.settings
  assert isinstance(settings, ImageSettings)
  train, test = (read_split(settings, split) for split in ("train", "test"))
  conditional = settings.condition != "none"
  return Trained(
    dcgan.networks(settings, len(train.class_names) if conditional else 0),
    member.state,
    settings.latent_dim,
    train,
    test,
    image_datasets.feature_net(settings.dataset, train, test).features,
    image_datasets.limited(train, settings.training_images),
  )


def latents(trained: Trained, seed: int, n: int) -> Array:
  """Draws latents [n, k] of the prior N(0, I)."""
  return jax.random.normal(jax.random.key(seed), (n, trained.latent_dim))


def units(pixels: np.ndarray) -> Array:
  """Returns bytes as the networks see them, in [-1, 1]."""
  return images.to_unit(jnp.asarray(pixels))


def pixels(values: Array) -> np.ndarray:
  """Returns images in [-1, 1] as bytes."""
  return np.asarray(images.to_pixels(values))
