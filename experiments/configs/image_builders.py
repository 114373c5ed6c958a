"""Builds the problem of a game on images from its settings."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from experiments.configs import builders, choices, image_metrics
from experiments.configs.image_settings import (
  ConvolutionSettings,
  ImageSettings,
  say,
)
from experiments.datasets import data_record, image_datasets
from experiments.plots import images as image_plots
from gan_jax.data import images
from gan_jax.data.images import Dataset, Images, Sampler
from gan_jax.games import Game
from gan_jax.training import Problem
from gan_jax.types import Array, Condition, Conditional, Players

NUM_DRAWN = 64
MEMORY_ON_DEVICE = 2**30
"""Bytes of pixels up to which the device keeps all training images."""


class ImageData(NamedTuple):
  """The images of a run, and the measurement of samples by them.

  Attributes:
    sampler: a source of minibatches of the images that are trained on.
    real: uint8 [n, h, w, c], the training images that samples are compared
      with.
    drawn: uint8 [n, h, w, c], a few of the training images.
    measurement: the comparison.
    record: the description of the images in the run folder.
  """

  sampler: Sampler
  real: Array
  drawn: Array
  measurement: image_metrics.Measurement
  record: dict[str, Any]


class ImageCondition(NamedTuple):
  """The condition of a game on images.

  Attributes:
    of_images: (real images [n, h, w, c] in [-1, 1], labels [n]) -> their
      condition.
    of_samples: n -> the condition of n samples that are measured or drawn.
  """

  of_images: Callable[[Array, Array], Condition]
  of_samples: Callable[[int], Condition]


def convolutions(settings: ConvolutionSettings) -> Players[dict[str, Any]]:
  """Returns the arguments that all convolutional networks of a player take."""
  dtype = getattr(jnp, settings.compute_dtype)
  normalization = settings.discriminator_normalization
  spectral = normalization == choices.SPECTRAL
  normalize = None if spectral else choices.MAP_NORMALIZATIONS[normalization]
  return Players(
    generator={
      "filters": settings.generator_filters,
      "normalize": choices.MAP_NORMALIZATIONS[settings.generator_normalization],
      "dtype": dtype,
    },
    discriminator={
      "filters": settings.discriminator_filters,
      "normalize": normalize,
      "spectral_norm": spectral,
      "dropout": settings.discriminator_dropout,
      "dtype": dtype,
    },
  )


def sampler(settings: ImageSettings, train: Images) -> Sampler:
  """Makes the source of minibatches of the images that are trained on."""
  used = image_datasets.limited(train, settings.training_images)
  if len(used.pixels) < len(train.pixels):
    say(
      f"of these, {len(used.pixels):,} training images are used, a random "
      "subset that is the same for every seed"
    )
  return images.sampler(used, used.pixels.nbytes <= MEMORY_ON_DEVICE)


def prepare(settings: ImageSettings, dataset: Dataset) -> ImageData:
  """Prepares the images of a dataset for games that differ only in numbers.

  Raises SettingError if the network that measures images cannot be read.
  """
  train = dataset.train
  shuffled = np.random.default_rng(0).permutation(len(train.pixels))
  chosen = np.sort(shuffled[: settings.evaluation_samples])
  real = jnp.asarray(train.pixels[chosen])
  return ImageData(
    sampler(settings, train),
    real,
    jnp.asarray(train.pixels[shuffled[:NUM_DRAWN]]),
    image_metrics.measurement_of(settings, dataset, real),
    data_record.make(settings.dataset, settings.data_dir, dataset),
  )


def problem(
  settings: ImageSettings,
  image_data: ImageData,
  make_game: Callable[[Any, Array], Game],
  condition: ImageCondition | None = None,
  class_names: tuple[str, ...] = (),
  drawn: Array | None = None,
  columns: int = image_plots.COLUMNS,
) -> Problem:
  """Makes the problem of a game on images.

  Args:
    settings: settings of the experiment, whose numbers may be traced.
    image_data: the images.
    make_game: (settings, [] number of steps taken) -> the game at that step.
    condition: of the game, if it has one.
    class_names: names of the labels, if they are the condition.
    drawn: uint8 [n, h, w, c], images to draw beside as many samples; None for
      those of `image_data`.
    columns: columns of the figures of images.
  """
  measurement = image_data.measurement
  game = make_game(settings, jnp.int32(0))
  reference = image_data.drawn if drawn is None else drawn

  def sample_batch(data, key, n):
    pixels, labels = image_data.sampler.draw(data["train"], key, n)
    if condition is None:
      return pixels
    return Conditional(pixels, condition.of_images(pixels, labels))

  def sample(state, key, n):
    """Draws n samples; returns them and their labels, if they have any."""
    inputs = (state.params, state.variables, key, n)
    if condition is None:
      return game.sample(*inputs), None
    asked = condition.of_samples(n)
    return game.sample(*inputs, asked), asked if class_names else None

  def measure(state, key, data):
    return measurement.measure(
      *sample(state, key, settings.evaluation_samples), data
    )

  def snapshot(state, key):
    samples, _ = sample(state, key, len(reference))
    return {"samples": images.to_pixels(samples)}

  data = {"train": image_data.sampler.data, **measurement.data}
  return builders.problem(
    settings,
    make_game,
    builders.Source(sample_batch, data, image_data.record),
    measure,
    snapshot,
    reference={"data_samples": reference, "columns": jnp.int32(columns)},
    measures_rarely=True,
    protocol=measurement.protocol,
    class_names=class_names,
    statistics=measurement.statistics,
  )
