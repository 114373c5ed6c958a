"""Games on two-dimensional mixtures, which show mode collapse."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from etils import epy

from experiments.configs.experiment import Experiment
from experiments.configs.fields import setting
from experiments.configs.settings import (
  MLPGeneratorSettings,
  TrainingSetSettings,
)

if TYPE_CHECKING:
  from experiments.run_folder.results import Results
  from gan_jax.losses import AdversarialLoss
  from gan_jax.training import Problem

with epy.lazy_imports():
  import jax
  import jax.numpy as jnp
  import numpy as np

  from experiments.configs import builders
  from experiments.plots import curves, toy_2d
  from gan_jax.data import densities
  from gan_jax.metrics import modes

RING_MODES = 8
GRID_MODES = 25
SWISS_ROLL_STATIONS = 100
NUM_DRAWN_SAMPLES = 1000
NUM_POINTS = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixtureSettings(TrainingSetSettings, MLPGeneratorSettings):
  """Adds the width of the data's modes."""

  mode_stddev: float = setting(
    0.05,
    "standard deviation of the data around each mode",
    above=0,
    sets_protocol=True,
    heading="Modes in the plane",
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RingSettings(MixtureSettings):
  """Adds the shape of the ring."""

  num_modes: int = setting(
    RING_MODES,
    "number of modes on the ring",
    minimum=1,
    maximum=1000,
    sets_protocol=True,
    heading="Ring",
  )
  radius: float = setting(
    1.0, "radius of the ring", above=0, sets_protocol=True
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class GridSettings(MixtureSettings):
  """Adds the shape of the grid."""

  grid_side: int = setting(
    5,
    "number of modes along a side of the grid",
    minimum=1,
    maximum=50,
    sets_protocol=True,
    heading="Grid",
  )
  spacing: float = setting(
    2.0, "distance between neighbouring modes", above=0, sets_protocol=True
  )


T = TypeVar("T", bound=MixtureSettings)


def problem(
  settings: MixtureSettings,
  density: densities.Density,
  loss: AdversarialLoss | None = None,
) -> Problem:
  """Makes the problem of two MLPs and data in the plane.

  `loss` replaces the one in the settings.
  """
  generator = builders.mlp_generator(settings, features=2)
  discriminator = builders.mlp_discriminator(settings)
  latent_dim = builders.num_latents(settings, generator)

  def make_game(settings, step):
    return builders.game(
      settings, generator, discriminator, latent_dim, step, loss
    )

  game = make_game(settings, jnp.int32(0))

  def measure(state, key, data):
    del data
    samples = game.sample(
      state.params, state.variables, key, settings.evaluation_samples
    )
    return modes.measure(samples, density)

  reach = 1.25 * jnp.max(jnp.abs(density.modes))
  reach += 3 * jnp.max(density.mode_stddev)
  line = jnp.linspace(-reach, reach, NUM_POINTS)
  plane = jnp.stack(jnp.meshgrid(line, line), axis=-1)

  def snapshot(state, key):
    samples = game.sample(state.params, state.variables, key, NUM_DRAWN_SAMPLES)
    values = builders.discriminator_output(
      settings, game, state, plane.reshape(-1, 2)
    )
    return {
      "samples": samples,
      "discriminator": values.reshape(plane.shape[:2]),
    }

  return builders.problem(
    settings,
    make_game,
    builders.from_density(density, settings.training_samples),
    measure,
    snapshot,
    reference={
      "x": line,
      "y": line,
      "data_samples": density.sample(jax.random.key(0), NUM_DRAWN_SAMPLES),
      "modes": density.modes,
      "mode_stddev": density.mode_stddev[0],
    },
    measure_discriminator=functools.partial(
      builders.measure_overfitting, settings, game, density
    ),
  )


def build_ring(
  settings: RingSettings, loss: AdversarialLoss | None = None
) -> Problem:
  """Builds the game on a ring of Gaussians, with `loss` if it is given."""
  return problem(
    settings,
    densities.ring(settings.num_modes, settings.radius, settings.mode_stddev),
    loss,
  )


def build_grid(
  settings: GridSettings, loss: AdversarialLoss | None = None
) -> Problem:
  """Builds the game on a grid of Gaussians, with `loss` if it is given."""
  return problem(
    settings,
    densities.grid(settings.grid_side, settings.spacing, settings.mode_stddev),
    loss,
  )


def build_swiss_roll(settings: MixtureSettings) -> Problem:
  """Builds the game on the Swiss roll."""
  return problem(
    settings, densities.swiss_roll(SWISS_ROLL_STATIONS, settings.mode_stddev)
  )


def score(results: Results, num_modes: Callable[[dict], int]) -> np.ndarray:
  """Scores the share of samples that are where the data has them.

  score = mode overlap / that of a perfect sampler, clipped to [0, 1].

  A perfect sampler draws `evaluation_samples` too, since with few samples no
  mode gets exactly its share. `num_modes` maps the settings to the number of
  modes of the data, which have equal weights. Returns [num_seeds, num_logs].
  """
  count = num_modes(results.settings)
  perfect = modes.expected_overlap(
    np.full(count, 1 / count), results.settings["evaluation_samples"]
  )
  return np.clip(results.sampled("mode_overlap") / perfect, 0, 1)


FIGURES = {
  "costs.png": lambda results: curves.costs(results),
  "discriminator.png": lambda results: curves.discriminator(results),
  "gradients.png": lambda results: curves.gradients(results),
  "score.png": lambda results: curves.score(results),
  "modes.png": lambda results: curves.modes(results),
  "samples.png": lambda results: toy_2d.samples_over_time(results),
  "final.png": lambda results: toy_2d.final_2d(results),
  "training.gif": lambda results: toy_2d.animation_2d(results),
}
METRIC_FIGURES = ("score.png", "modes.png")


def _defaults(settings_class: type[T]) -> T:
  """Makes the settings that these experiments have in common."""
  return settings_class(
    generator_learning_rate=4e-3,
    discriminator_learning_rate=4e-3,
    learning_rate_decay="cosine",
    generator_beta1=0.5,
    discriminator_beta1=0.5,
    generator_average=0.99,
    steps=8000,
  )


EXPERIMENTS = (
  Experiment(
    name="ring",
    source="Unrolled GAN 2016, figure 2",
    summary="perceptrons on a ring of eight Gaussians",
    settings=_defaults(RingSettings),
    build=build_ring,
    score=functools.partial(score, num_modes=lambda s: s["num_modes"]),
    figures=FIGURES,
    metric_figures=METRIC_FIGURES,
  ),
  Experiment(
    name="grid",
    source="VEEGAN 2017, table 1",
    summary="perceptrons on a five by five grid of Gaussians",
    settings=_defaults(GridSettings).replace(
      generator_learning_rate=2e-3,
      discriminator_learning_rate=2e-3,
      generator_depth=3,
      discriminator_depth=3,
      batch_size=128,
    ),
    build=build_grid,
    score=functools.partial(score, num_modes=lambda s: s["grid_side"] ** 2),
    figures=FIGURES,
    metric_figures=METRIC_FIGURES,
  ),
  Experiment(
    name="swiss_roll",
    source="WGAN-GP 2017, figure 1",
    summary="perceptrons on a noisy spiral",
    settings=_defaults(MixtureSettings),
    build=build_swiss_roll,
    score=functools.partial(score, num_modes=lambda s: SWISS_ROLL_STATIONS),
    figures=FIGURES,
    metric_figures=METRIC_FIGURES,
  ),
)
