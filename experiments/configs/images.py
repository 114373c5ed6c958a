"""Deep convolutional games on images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from etils import epy

from experiments.configs import choices
from experiments.configs.experiment import Experiment, Generator
from experiments.configs.image_settings import (
  NEIGHBOURS,
  DCGANSettings,
  read_dataset,
)
from experiments.errors import SettingError

if TYPE_CHECKING:
  from experiments.run_folder.results import Results
  from gan_jax.data.images import Dataset, Images
  from gan_jax.training import Problem

with epy.lazy_imports():
  import jax.numpy as jnp
  import numpy as np
  from flax import linen as nn

  from experiments.configs import builders, image_builders, image_metrics
  from experiments.datasets import image_datasets
  from experiments.plots import curves
  from experiments.plots import images as image_plots
  from gan_jax import games, types
  from gan_jax.data import latents
  from gan_jax.metrics import neighbours

MAX_CLASS_COLUMNS = 12
"""Classes up to which the figures of images have a column for each."""


def networks(
  settings: DCGANSettings, num_classes: int
) -> types.Players[nn.Module]:
  """Makes the networks of a game with `num_classes` classes, 0 for none."""
  architecture = choices.ARCHITECTURES[settings.architecture]
  generator, discriminator = architecture.networks(settings)
  layers = image_builders.convolutions(settings)
  joins = builders.joins(settings)
  return types.Players(
    generator=generator(
      size=settings.image_size,
      channels=settings.image_channels,
      depth=settings.depth,
      num_classes=num_classes,
      **({"joins": joins} if joins else {}),
      **layers.generator,
    ),
    discriminator=discriminator(
      depth=settings.discriminator_halvings(),
      num_classes=num_classes,
      projection=settings.condition == "projection",
      **layers.discriminator,
    ),
  )


def build(settings: DCGANSettings) -> Problem:
  """Builds a game on images; raises SettingError if they cannot be read."""
  return builder(settings)(settings)


def builder(settings: DCGANSettings) -> Callable[[DCGANSettings], Problem]:
  """Reads the images once, for games that differ only in numeric settings.

  Returns `build` for settings that differ from these only in fields that vary,
  which may be traced. Raises SettingError if the images cannot be read.
  """
  dataset = read_dataset(settings)
  of_classes, num_classes = {}, 0
  if settings.condition != "none":
    _check_classes(settings, dataset)
    of_classes = _of_classes(dataset.train)
    num_classes = len(dataset.train.class_names)
  image_data = image_builders.prepare(settings, dataset)
  return lambda settings: image_builders.problem(
    settings, image_data, _game_maker(settings, num_classes), **of_classes
  )


def _check_classes(settings: DCGANSettings, dataset: Dataset) -> None:
  """Raises SettingError unless there are training images of all classes."""
  train = dataset.train
  if train.labels is None:
    raise SettingError(
      f"--condition={settings.condition} needs classes, and "
      f"{settings.data_dir or settings.dataset} has none; put the images of "
      "each class in a folder"
    )
  if dataset.empty_classes:
    raise SettingError(
      f"--condition={settings.condition} needs images of every class, and "
      f"there are none of {', '.join(dataset.empty_classes)}"
    )
  used = image_datasets.limited(train, settings.training_images)
  sizes = used.class_sizes()
  if not all(sizes.values()):
    raise SettingError(
      f"--training_images={settings.training_images} leaves "
      f"{list(sizes.values()).count(0)} of {len(sizes)} classes without an "
      "image"
    )


def _game_maker(
  settings: DCGANSettings, num_classes: int
) -> Callable[[Any, types.Array], games.Game]:
  """Returns the function (settings, step) -> game."""
  players = networks(settings, num_classes)
  num_latents = builders.num_latents(settings, players.generator)
  conditions = latents.classes(num_classes) if num_classes else None

  def make_game(settings, step):
    return builders.game(
      settings,
      players.generator,
      players.discriminator,
      num_latents,
      step,
      conditions=conditions,
    )

  return make_game


def generator(settings: DCGANSettings, record: Mapping[str, Any]) -> Generator:
  """Makes the generator of a trained run, without its images."""
  conditional = settings.condition != "none"
  class_names = tuple(record["class_names"]) if conditional else ()
  return builders.generator(
    settings, _game_maker(settings, len(class_names)), class_names
  )


def _of_classes(train: Images) -> dict[str, Any]:
  """Returns the arguments of a problem whose condition is the class."""
  assert train.labels is not None
  num_classes = len(train.class_names)
  arguments: dict[str, Any] = {
    "condition": image_builders.ImageCondition(
      of_images=lambda images, labels: labels,
      of_samples=lambda n: jnp.arange(n) % num_classes,
    ),
    "class_names": train.class_names,
  }
  if num_classes <= MAX_CLASS_COLUMNS:
    drawn = train.pixels[_of_each_class(train.labels, num_classes)]
    arguments |= {
      "drawn": jnp.asarray(drawn),
      "columns": image_plots.class_columns(num_classes),
    }
  return arguments


def _of_each_class(labels: np.ndarray, num_classes: int) -> np.ndarray:
  """Returns indices of images, in rows of one image of each class.

  Images are repeated if a class has fewer images than there are rows.
  """
  rows = -(-image_builders.NUM_DRAWN // num_classes)
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

_DEFAULTS = DCGANSettings(
  latent_dim=100,
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

_RELATIVISTIC = {
  "loss": "relativistic_pairing",
  "penalty": ("r1", "r2"),
  "penalty_weight": (2.5,),
  "penalty_every": 4,
  "discriminator_normalization": "none",
  "generator_beta1": 0.0,
  "discriminator_beta1": 0.0,
  "generator_average": 0.995,
}
"""The loss and penalties of R3GAN (arXiv 2501.05441), for any networks."""


def _experiment(
  name: str,
  summary: str,
  source: str = "DCGAN 2016, arXiv 1511.06434",
  minutes: float = 11,
  presets: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
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
    minutes,
    presets,
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
    minutes=28,
    dataset="cifar10",
    image_size=32,
    image_channels=3,
    depth=3,
  ),
  _experiment(
    "dcgan_faces",
    "convolutional networks on cartoon faces, drawn on this machine",
    minutes=17,
    dataset="faces",
    image_size=64,
    image_channels=3,
    depth=4,
    # Half of the published channels suffice for drawn faces, and train in a
    # third of the time.
    generator_filters=32,
    discriminator_filters=32,
    steps=3000,
    presets={
      "published": {
        "loss": "non_saturating",
        "penalty": (),
        "discriminator_normalization": "batch",
        "generator_beta1": 0.5,
        "discriminator_beta1": 0.5,
        "generator_average": 0.0,
        "generator_filters": 64,
        "discriminator_filters": 64,
        "batch_size": 128,
      }
    },
    # Areas of one colour are easy to tell from generated ones, and a
    # discriminator without penalties soon wins.
    **_RELATIVISTIC,
  ),
  _experiment(
    "conditional_mnist",
    "digits of a class that is asked for",
    "Conditional GAN 2014, arXiv 1411.1784; projection 2018",
    condition="projection",
  ),
)
