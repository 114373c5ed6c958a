"""Deep convolutional games on images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from etils import epy

from experiments.configs import choices
from experiments.configs.experiment import Experiment, Generator
from experiments.configs.image_settings import (
  NEIGHBOURS,
  ImageSettings,
  read_dataset,
  say,
)
from experiments.errors import SettingError

if TYPE_CHECKING:
  from experiments.run_folder.results import Results
  from gan_jax.training import Problem

with epy.lazy_imports():
  import jax.numpy as jnp
  import numpy as np
  from flax import linen as nn

  from experiments.configs import builders, image_metrics
  from experiments.datasets import data_record, image_datasets
  from experiments.plots import curves
  from experiments.plots import images as image_plots
  from gan_jax import games, types
  from gan_jax.data import images, latents
  from gan_jax.metrics import neighbours

NUM_DRAWN = 64
MAX_CLASS_COLUMNS = 12
MEMORY_ON_DEVICE = 2**30
"""Bytes of pixels up to which the device keeps all training images."""


def networks(
  settings: ImageSettings, num_classes: int
) -> types.Players[nn.Module]:
  """Makes the networks of a game with `num_classes` classes, 0 for none."""
  architecture = choices.ARCHITECTURES[settings.architecture]
  generator, discriminator = architecture.networks(settings)
  dtype = getattr(jnp, settings.compute_dtype)
  normalization = settings.discriminator_normalization
  spectral = normalization == choices.SPECTRAL
  normalize = None if spectral else choices.MAP_NORMALIZATIONS[normalization]
  return types.Players(
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
      normalize=normalize,
      spectral_norm=spectral,
      dropout=settings.discriminator_dropout,
      dtype=dtype,
    ),
  )


def build(settings: ImageSettings) -> Problem:
  """Builds a game on images; raises SettingError if they cannot be read."""
  return builder(settings)(settings)


def builder(settings: ImageSettings) -> Callable[[ImageSettings], Problem]:
  """Reads the images once, for games that differ only in numeric settings.

  Returns `build` for settings that differ from these only in fields that vary,
  which may be traced. Raises SettingError if the images cannot be read.
  """
  dataset = read_dataset(settings)
  train = dataset.train
  conditional = settings.condition != "none"
  if conditional and train.labels is None:
    raise SettingError(
      f"--condition={settings.condition} needs classes, and "
      f"{settings.data_dir or settings.dataset} has none; put the images of "
      "each class in a folder"
    )
  if conditional and dataset.empty_classes:
    raise SettingError(
      f"--condition={settings.condition} needs images of every class, and "
      f"there are none of {', '.join(dataset.empty_classes)}"
    )
  class_names = train.class_names if conditional else ()
  num_classes = len(class_names)
  used = image_datasets.limited(train, settings.training_images)
  if conditional and not all(sizes := used.class_sizes().values()):
    raise SettingError(
      f"--training_images={settings.training_images} leaves "
      f"{list(sizes).count(0)} of {num_classes} classes without an image"
    )
  if len(used.pixels) < len(train.pixels):
    say(
      f"of these, {len(used.pixels):,} training images are used, a random "
      "subset that is the same for every seed"
    )
  sampler = images.sampler(used, used.pixels.nbytes <= MEMORY_ON_DEVICE)

  def sample(data, key, n):
    pixels, labels = sampler.draw(data["train"], key, n)
    return types.Conditional(pixels, labels) if conditional else pixels

  shuffled = np.random.default_rng(0).permutation(len(train.pixels))
  chosen = np.sort(shuffled[: settings.evaluation_samples])
  real = jnp.asarray(train.pixels[chosen])
  measurement = image_metrics.measurement_of(settings, dataset, real)
  data = {"train": sampler.data, **measurement.data}
  columns = image_plots.COLUMNS
  drawn = jnp.asarray(train.pixels[shuffled[:NUM_DRAWN]])
  if train.labels is not None and 0 < num_classes <= MAX_CLASS_COLUMNS:
    columns = image_plots.class_columns(num_classes)
    drawn = jnp.asarray(train.pixels[_of_each_class(train.labels, num_classes)])

  record = data_record.make(settings.dataset, settings.data_dir, dataset)

  def build_with_images(settings: ImageSettings) -> Problem:
    make_game = _game_maker(settings, num_classes)
    game = make_game(settings, jnp.int32(0))

    def sample_classes(state, key, n):
      """Draws n samples, with classes 0, 1, ... in turn if there are any."""
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
      builders.Source(sample, data, record),
      measure,
      snapshot,
      reference={"data_samples": drawn, "columns": jnp.int32(columns)},
      measures_rarely=True,
      protocol=measurement.protocol,
      class_names=class_names,
      statistics=measurement.statistics,
    )

  return build_with_images


def _game_maker(
  settings: ImageSettings, num_classes: int
) -> Callable[[Any, types.Array], games.Game]:
  """Returns the function (settings, step) -> game."""
  players = networks(settings, num_classes)
  conditions = latents.classes(num_classes) if num_classes else None

  def make_game(settings, step):
    return builders.game(
      settings,
      players.generator,
      players.discriminator,
      settings.latent_dim,
      step,
      conditions=conditions,
    )

  return make_game


def generator(settings: ImageSettings, record: Mapping[str, Any]) -> Generator:
  """Makes the generator of a trained run, without its images."""
  conditional = settings.condition != "none"
  class_names = tuple(record["class_names"]) if conditional else ()
  return builders.generator(
    settings, _game_maker(settings, len(class_names)), class_names
  )


def _of_each_class(labels: np.ndarray, num_classes: int) -> np.ndarray:
  """Returns indices of images, in rows of one image of each class.

  Images are repeated if a class has fewer images than there are rows.
  """
  rows = -(-NUM_DRAWN // num_classes)
  columns = [np.flatnonzero(labels == label) for label in range(num_classes)]
  return np.stack([np.resize(each, rows) for each in columns], axis=1).ravel()


def score(results: Results) -> np.ndarray:
  """Scores coverage / that of a perfect sampler, clipped to [0, 1].

  Returns [num_seeds, num_logs]; NaN where samples were not measured, and
  everywhere if the protocol says that the features may know nothing.
  """
  coverage, protocol = results.sampled("coverage"), results.protocol
  if not results.is_scored:
    return np.full_like(coverage, np.nan)
  # A run of an earlier version compared all of its samples at once.
  n = protocol.get(
    image_metrics.COMPARED, results.settings["evaluation_samples"]
  )
  perfect = neighbours.expected_coverage(n, n, NEIGHBOURS)
  return np.clip(coverage / perfect, 0, 1)


FIGURES = {
  "costs.png": lambda results: curves.costs(results),
  "discriminator.png": lambda results: curves.discriminator(results),
  "gradients.png": lambda results: curves.gradients(results),
  "score.png": lambda results: curves.score(results),
  "metrics.png": lambda results: curves.image_quality(results),
  "samples.png": lambda results: image_plots.samples_over_time(results),
  "final.png": lambda results: image_plots.real_beside_generated(results),
  "training.gif": lambda results: image_plots.animation(results),
}
METRIC_FIGURES = ("score.png", "metrics.png")

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


def _experiment(
  name: str,
  summary: str,
  source: str = "DCGAN 2016, arXiv 1511.06434",
  **settings: Any,
) -> Experiment:
  changed = _DEFAULTS.replace(**settings)
  return Experiment(
    name,
    source,
    summary,
    changed,
    build,
    score,
    FIGURES,
    METRIC_FIGURES,
    builder,
    generator,
  )


EXPERIMENTS = (
  _experiment("dcgan_mnist", "convolutional networks on handwritten digits"),
  _experiment(
    "dcgan_fashion_mnist",
    "convolutional networks on pictures of clothes",
    dataset="fashion_mnist",
  ),
  _experiment(
    "dcgan_cifar10",
    "convolutional networks on small photographs",
    dataset="cifar10",
    image_size=32,
    image_channels=3,
    depth=3,
  ),
  _experiment(
    "dcgan_faces",
    "convolutional networks on cartoon faces, drawn on this machine",
    dataset="faces",
    image_size=64,
    image_channels=3,
    depth=4,
    # Half of the published channels suffice for drawn faces, and train in a
    # third of the time.
    generator_filters=32,
    discriminator_filters=32,
    # Areas of one colour are easy to tell from generated ones: without a faster
    # generator, and noise until the end, the discriminator soon wins.
    generator_learning_rate=5e-4,
    instance_noise=0.3,
    instance_noise_decay="none",
    steps=3000,
  ),
  _experiment(
    "conditional_mnist",
    "digits of a class that is asked for",
    "Conditional GAN 2014, arXiv 1411.1784; projection 2018",
    condition="projection",
  ),
)
