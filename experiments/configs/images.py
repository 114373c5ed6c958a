"""Deep convolutional games on images."""

import functools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from experiments.configs import builders, choices
from experiments.configs.experiment import Experiment
from experiments.configs.fields import SettingError
from experiments.configs.image_metrics import PERFECT_COVERAGE, measurement_of
from experiments.configs.image_settings import (
  LARGE,
  RESNET,
  ImageSettings,
  read_split,
)
from experiments.datasets import image_datasets
from experiments.plots import curves
from experiments.plots import images as image_plots
from experiments.run_folder.results import Results
from gan_jax.data import images
from gan_jax.networks import dcgan, resnet
from gan_jax.training import Problem
from gan_jax.types import Labelled, Players

NUM_DRAWN = 64
COLUMNS = 8
"""Of the images drawn; a conditional game has one for each class instead."""
MAX_CLASS_COLUMNS = 12
MEMORY_ON_DEVICE = 2**30
"""Bytes of pixels up to which the device holds all of them."""


def networks(settings: ImageSettings, num_classes: int) -> Players[nn.Module]:
  """Makes the two networks that the settings describe.

  Args:
    settings: of the experiment.
    num_classes: of a class-conditional game; 0 for none.

  Returns:
    The modules.
  """
  generator, discriminator = dcgan.Generator, dcgan.Discriminator
  if settings.architecture == RESNET:
    large = settings.image_size >= LARGE
    widening = 2 if large else 1
    generator = functools.partial(resnet.Generator, widening=widening)
    discriminator = functools.partial(
      resnet.Discriminator,
      plain_blocks=0 if large else 2,
      widening=widening,
    )
  dtype = choices.COMPUTE_DTYPES[settings.compute_dtype]
  spectral = settings.discriminator_normalization == choices.SPECTRAL
  return Players(
    generator=generator(
      size=settings.image_size,
      channels=settings.image_channels,
      depth=settings.depth,
      filters=settings.generator_filters,
      num_classes=num_classes,
      normalize=choices.MAP_NORMALIZATIONS[settings.generator_normalization],
      dtype=dtype,
    ),
    discriminator=discriminator(
      depth=settings.discriminator_halvings(),
      filters=settings.discriminator_filters,
      num_classes=num_classes,
      projection=settings.condition == "projection",
      normalize=(
        None
        if spectral
        else choices.MAP_NORMALIZATIONS[settings.discriminator_normalization]
      ),
      spectral_norm=spectral,
      dropout=settings.discriminator_dropout,
      dtype=dtype,
    ),
  )


def build(settings: ImageSettings) -> Problem:
  """Builds the game of two convolutional networks on images.

  Args:
    settings: of the experiment.

  Returns:
    The problem.

  Raises:
    SettingError: if the images cannot be had.
  """
  return builder(settings)(settings)


def builder(settings: ImageSettings) -> Callable[[ImageSettings], Problem]:
  """Reads the images once, for games that differ in numbers alone.

  Args:
    settings: of one of the games.

  Returns:
    settings -> the problem, as `build` has it. Their fields that vary may be
    traced; all others are those of `settings`.

  Raises:
    SettingError: if the images cannot be had.
  """
  train = read_split(settings, "train")
  conditional = settings.condition != "none"
  if conditional and train.labels is None:
    raise SettingError(
      f"--condition={settings.condition} needs classes, and "
      f"{settings.dataset} has none; images in a folder for each class have"
    )
  class_names = train.class_names if conditional else ()
  num_classes = len(class_names)
  learnt = image_datasets.limited(train, settings.training_images)
  sampler = images.sampler(learnt, learnt.pixels.nbytes <= MEMORY_ON_DEVICE)

  def sample(data, key, n):
    pixels, labels = sampler.draw(data["train"], key, n)
    return Labelled(pixels, labels) if conditional else pixels

  chosen = np.random.default_rng(0).permutation(len(train.pixels))
  chosen = np.sort(chosen[: settings.evaluation_samples])
  real = jnp.asarray(train.pixels[chosen])
  measurement = measurement_of(settings, train, real)
  data = {"train": sampler.data, **measurement.data}
  columns = COLUMNS
  drawn = real[:NUM_DRAWN]
  if train.labels is not None and 0 < num_classes <= MAX_CLASS_COLUMNS:
    columns = num_classes
    drawn = jnp.asarray(train.pixels[_of_each_class(train.labels, num_classes)])

  def build_with_images(settings: ImageSettings) -> Problem:
    players = networks(settings, num_classes)

    def make_game(settings, step):
      return builders.game(
        settings,
        players.generator,
        players.discriminator,
        settings.latent_dim,
        step,
        num_classes=num_classes,
      )

    game = make_game(settings, jnp.int32(0))

    def sample_classes(state, key, n):
      """Draws n samples, of each class in turn where there are classes."""
      if not conditional:
        return game.sample(state.params, state.variables, key, n), None
      labels = jnp.arange(n) % num_classes
      return game.sample(state.params, state.variables, key, n, labels), labels

    def measure(state, key, data):
      samples, labels = sample_classes(state, key, settings.evaluation_samples)
      return measurement.measure(samples, labels, data)

    def snapshot(state, key):
      samples, _ = sample_classes(state, key, len(drawn))
      return {"samples": images.to_pixels(samples)}

    return builders.problem(
      settings,
      make_game,
      builders.Source(sample, data),
      measure,
      snapshot,
      reference={"data_samples": drawn, "columns": jnp.int32(columns)},
      measures_rarely=True,
      protocol=measurement.protocol,
      class_names=class_names,
    )

  return build_with_images


def _of_each_class(labels: np.ndarray, num_classes: int) -> np.ndarray:
  """Returns places of images of class 0, 1, ..., and again, in rows.

  A class with fewer images than rows has them repeated.
  """
  rows = -(-NUM_DRAWN // num_classes)
  places = [np.flatnonzero(labels == own) for own in range(num_classes)]
  return np.stack([np.resize(own, rows) for own in places], axis=1).ravel()


def score(results: Results) -> np.ndarray:
  """Scores the data's manifold covered: coverage / PERFECT_COVERAGE.

  Args:
    results: with `coverage`.

  Returns:
    [num_seeds, num_logs]: 1 for a perfect sampler, 0 for one that is nowhere
    near; NaN where samples were not measured.
  """
  return np.clip(results.sampled("coverage") / PERFECT_COVERAGE, 0, 1)


FIGURES = {
  "costs.png": curves.costs,
  "discriminator.png": curves.discriminator,
  "metrics.png": curves.image_quality,
  "samples.png": image_plots.samples_over_time,
  "final.png": image_plots.real_beside_generated,
  "training.gif": image_plots.animation,
}

_DEFAULTS = ImageSettings(
  generator_learning_rate=2e-4,
  discriminator_learning_rate=2e-4,
  generator_beta1=0.5,
  discriminator_beta1=0.5,
  discriminator_normalization="batch",
  batch_size=64,
  evaluation_samples=2000,
  generator_average=0.0,
  steps=10_000,
)

_SOURCE = "DCGAN 2016, arXiv 1511.06434"

EXPERIMENTS = (
  Experiment(
    name="dcgan_mnist",
    source=_SOURCE,
    summary="convolutional networks on handwritten digits",
    settings=_DEFAULTS,
    build=build,
    builder=builder,
    score=score,
    figures=FIGURES,
  ),
  Experiment(
    name="dcgan_fashion_mnist",
    source=_SOURCE,
    summary="convolutional networks on pictures of clothes",
    settings=_DEFAULTS.replace(dataset="fashion_mnist"),
    build=build,
    builder=builder,
    score=score,
    figures=FIGURES,
  ),
  Experiment(
    name="dcgan_cifar10",
    source=_SOURCE,
    summary="convolutional networks on small photographs",
    settings=_DEFAULTS.replace(
      dataset="cifar10", image_size=32, image_channels=3, depth=3
    ),
    build=build,
    builder=builder,
    score=score,
    figures=FIGURES,
  ),
  Experiment(
    name="dcgan_faces",
    source=_SOURCE,
    summary="convolutional networks on cartoon faces, drawn on this machine",
    settings=_DEFAULTS.replace(
      dataset=images.FACES,
      image_size=64,
      image_channels=3,
      depth=4,
      # Drawn faces need half the published channels, which train in a third of
      # the time.
      generator_filters=32,
      discriminator_filters=32,
      # Areas of one colour are told from generated ones at a glance: without a
      # faster generator, and noise to the end, the discriminator soon wins.
      generator_learning_rate=5e-4,
      instance_noise=0.3,
      instance_noise_decay="none",
      steps=3000,
    ),
    build=build,
    builder=builder,
    score=score,
    figures=FIGURES,
  ),
  Experiment(
    name="conditional_mnist",
    source="Conditional GAN 2014, arXiv 1411.1784; projection 2018",
    summary="digits of a class that is asked for",
    settings=_DEFAULTS.replace(condition="projection"),
    build=build,
    builder=builder,
    score=score,
    figures=FIGURES,
  ),
)
