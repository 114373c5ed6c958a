"""InfoGAN: digits whose codes, of no known meaning, can be told from them."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from etils import epy

from experiments.configs import images
from experiments.configs.experiment import Experiment, Generator
from experiments.configs.fields import setting
from experiments.configs.image_settings import (
  ConvolutionSettings,
  read_dataset,
)
from experiments.errors import SettingError

if TYPE_CHECKING:
  from experiments.run_folder.results import Results
  from gan_jax.training import Problem

with epy.lazy_imports():
  import jax
  import jax.numpy as jnp
  from flax import linen as nn

  from experiments.configs import builders, image_builders
  from experiments.plots import curves
  from experiments.plots import images as image_plots
  from gan_jax import games, types
  from gan_jax.games import infogan
  from gan_jax.networks import dcgan


@dataclasses.dataclass(frozen=True, kw_only=True)
class InfoGANSettings(ConvolutionSettings):
  """Adds the codes that samples tell."""

  num_categories: int = setting(
    10,
    "values of the categorical code",
    minimum=2,
    maximum=1000,
    heading="Codes that samples tell",
  )
  num_continuous: int = setting(
    2, "number of continuous codes, each U(-1, 1)", minimum=0, maximum=100
  )
  information_weight: float = setting(
    1.0,
    "weight of the information about the codes in the generator's cost; with 0 "
    "the discriminator still learns to find the codes",
    minimum=0,
    varies=False,
  )
  depth: int = setting(
    2,
    "number of halvings of the image, each a convolution",
    minimum=1,
    maximum=8,
  )
  latent_dim: int = setting(
    62, "number of latents beside the codes", minimum=1, maximum=4096
  )

  def check_contradictions(self) -> None:
    super().check_contradictions()
    self.check_unavailable(
      ("packing",), "InfoGAN, where a pack of samples has no single code"
    )
    if self.image_size % 2**self.depth:
      raise SettingError(
        f"--image_size={self.image_size} must be a multiple of "
        f"{2**self.depth} to be halved --depth={self.depth} times"
      )


def networks(settings: InfoGANSettings) -> types.Players[nn.Module]:
  """Makes the generator, and the discriminator that also finds the codes."""
  layers = image_builders.convolutions(settings)
  return types.Players(
    generator=dcgan.Generator(
      size=settings.image_size,
      channels=settings.image_channels,
      depth=settings.depth,
      **layers.generator,
    ),
    discriminator=dcgan.Discriminator(
      depth=settings.depth,
      features=1 + settings.num_categories + settings.num_continuous,
      **layers.discriminator,
    ),
  )


def make_game(settings: InfoGANSettings, step: types.Array) -> games.Game:
  """Makes the game after `step` steps; its samples take codes."""
  players = networks(settings)
  return builders.game(
    settings,
    players.generator,
    players.discriminator,
    settings.latent_dim,
    step,
    make=functools.partial(
      games.infogan,
      num_categories=settings.num_categories,
      num_continuous=settings.num_continuous,
      weight=settings.information_weight,
    ),
  )


def _with_categories(settings: InfoGANSettings, step: types.Array):
  """Makes the game whose samples take categories [n], by default in turn."""
  game = make_game(settings, step)
  draw_codes = infogan.codes_prior(
    settings.num_categories, settings.num_continuous
  )

  def sample(params, variables, key, n, categories=None):
    key, codes_key = jax.random.split(key)
    if categories is None:
      categories = jnp.arange(n) % settings.num_categories
    chosen = jax.nn.one_hot(categories, settings.num_categories)
    codes = draw_codes(codes_key, n).at[:, : settings.num_categories]
    return game.sample(params, variables, key, n, codes.set(chosen))

  return game._replace(sample=sample)


def _names(settings: InfoGANSettings) -> tuple[str, ...]:
  """Returns the names of the categories, their numbers."""
  return tuple(map(str, range(settings.num_categories)))


def build(settings: InfoGANSettings) -> Problem:
  """Builds a game on images; raises SettingError if they cannot be read."""
  return builder(settings)(settings)


def builder(settings: InfoGANSettings) -> Callable[[InfoGANSettings], Problem]:
  """Reads the images once, for games that differ only in numeric settings.

  Returns `build` for settings that differ from these only in fields that vary,
  which may be traced. Raises SettingError if the images cannot be read.
  """
  image_data = image_builders.prepare(settings, read_dataset(settings))
  columns = {}
  if settings.num_categories <= images.MAX_CLASS_COLUMNS:
    columns["columns"] = image_plots.class_columns(settings.num_categories)
  return lambda settings: image_builders.problem(
    settings,
    image_data,
    _with_categories,
    class_names=_names(settings),
    **columns,
  )


def generator(
  settings: InfoGANSettings, record: Mapping[str, Any]
) -> Generator:
  """Makes the generator of a trained run, without its images."""
  del record
  return builders.generator(settings, _with_categories, _names(settings))


def _information(results: Results):
  """Draws the information about the categories over the steps."""
  most = math.log(results.settings["num_categories"])
  return curves.code_information(results, most)


FIGURES = {**images.FIGURES, "codes.png": _information}

EXPERIMENTS = (
  Experiment(
    "infogan_mnist",
    "InfoGAN 2016, arXiv 1606.03657",
    "digits whose codes can be told from them, learned without labels",
    InfoGANSettings(
      # The rates, the prior, the batch and the number of steps are those of the
      # authors' code; half of its channels train in a third of the time.
      generator_learning_rate=1e-3,
      discriminator_learning_rate=2e-4,
      generator_beta1=0.5,
      discriminator_beta1=0.5,
      discriminator_normalization="batch",
      generator_filters=32,
      discriminator_filters=32,
      latent_prior="uniform",
      batch_size=128,
      evaluation_samples=2000,
      generator_average=0.0,
      steps=5000,
    ),
    build,
    images.score,
    FIGURES,
    images.METRIC_FIGURES,
    builder,
    generator,
    minutes=10,
  ),
)
