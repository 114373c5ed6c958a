"""Image runs that several figures use, and their trained networks."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from experiments.cli import console
from experiments.configs import builders
from experiments.configs import images as image_experiments
from experiments.configs.image_settings import DCGANSettings, read_dataset
from experiments.datasets import image_datasets
from experiments.reproduce.common.figure import Training
from experiments.run_folder.results import Results
from experiments.training import load_run
from gan_jax import steps
from gan_jax.data import images
from gan_jax.data.images import Images
from gan_jax.metrics.classifier import Features
from gan_jax.types import Array, Players, TrainState

GARMENTS, FACES = "garments", "faces"
"""The names of the runs in the figures."""
OF_GARMENTS = {GARMENTS: Training("dcgan_fashion_mnist", {"steps": 3000})}
OF_FACES = {FACES: Training("dcgan_faces")}
"""Four seeds of each; one run serves many figures."""
_CHUNK = 500
"""Number of images that pass a network at once, which limits memory."""


class TrainedNetworks(NamedTuple):
  """A trained generator and discriminator, with their data.

  The generator in `state` is its average, if the run has one. `features` are
  those of the classifier that measures image quality, `trained_on` is the part
  of the training split that was used for training, and `seed` is that of the
  training.
  """

  networks: Players[nn.Module]
  state: TrainState
  latent_dim: int
  train: Images
  test: Images
  features: Features
  trained_on: Images
  seed: int

  def generate(self, latents: Array, labels: Array | None = None) -> Array:
    """Maps latents [n, k], and labels [n] if any, to images."""
    apply: Any = functools.partial(
      jax.jit(self.networks.generator.apply), self.generator_collections()
    )
    if labels is None:
      return in_chunks(apply, latents)
    return in_chunks(lambda z, k: apply(z, condition=k), latents, labels)

  def sample_latents(self, seed: int, n: int) -> Array:
    """Draws latents [n, k] from the prior N(0, I)."""
    return jax.random.normal(jax.random.key(seed), (n, self.latent_dim))

  def generator_collections(self) -> dict[str, Any]:
    """Returns the generator's Flax collections: parameters and statistics."""
    return {
      "params": self.state.params.generator,
      **self.state.variables.generator,
    }


def load_networks(results: Results, seed: int | None = None) -> TrainedNetworks:
  """Loads the networks of a seed of an image run, of the first if None."""
  assert results.workdir is not None
  seed = int(results.seeds[0]) if seed is None else seed
  loaded = load_run.load_run(results.workdir, seed, jax.devices()[0])
  settings, state = loaded.settings, loaded.state
  assert isinstance(settings, DCGANSettings)
  if state.averages is not None:
    state = steps.with_average(state)
  dataset = read_dataset(settings)
  train, test = dataset.train, dataset.test
  num_classes = len(train.class_names) if settings.condition != "none" else 0
  measured_by = image_datasets.feature_net(
    settings.dataset, train, test, console.say
  )
  networks = image_experiments.networks(settings, num_classes)
  return TrainedNetworks(
    networks,
    state,
    builders.num_latents(settings, networks.generator),
    train,
    test,
    measured_by.features,
    image_datasets.limited(train, settings.training_images),
    seed,
  )


def measure_each(
  results: Results,
  measure: Callable[[TrainedNetworks], tuple[Sequence[float], Any]],
) -> tuple[np.ndarray, Any]:
  """Measures the networks of each seed of an image run.

  `measure` returns numbers, and data to draw. Returned are each number for each
  seed, [numbers, seeds], and the data to draw of the first seed.
  """
  numbers, drawn = zip(
    *(measure(load_networks(results, int(seed))) for seed in results.seeds),
    strict=True,
  )
  return np.array(numbers, float).T, drawn[0]


def in_chunks(function: Callable[..., Any], *arrays: Any) -> Any:
  """Applies a function to chunks of arrays [n, ...] and joins the results."""
  parts = [
    function(*(array[start : start + _CHUNK] for array in arrays))
    for start in range(0, len(arrays[0]), _CHUNK)
  ]
  return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)


def to_units(pixels: np.ndarray) -> Array:
  """Converts bytes to the range [-1, 1] of the networks."""
  return images.to_unit(jnp.asarray(pixels))


def to_pixels(values: Array) -> np.ndarray:
  """Converts images in [-1, 1] to bytes."""
  return np.asarray(images.to_pixels(values))
