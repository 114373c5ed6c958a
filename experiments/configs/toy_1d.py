"""Games on one-dimensional data: settings, problem, score and figures."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from etils import epy

from experiments.configs import choices
from experiments.configs.fields import is_on, setting
from experiments.configs.settings import (
  MLPGeneratorSettings,
  TrainingSetSettings,
)
from experiments.errors import SettingError

if TYPE_CHECKING:
  from experiments.run_folder.results import Results
  from gan_jax.training import Problem
  from gan_jax.types import Array, TrainState

with epy.lazy_imports():
  import jax
  import jax.numpy as jnp
  import numpy as np
  from flax import linen as nn

  from experiments.configs import builders
  from experiments.plots import curves, toy_1d
  from gan_jax.data import densities
  from gan_jax.metrics import one_dimensional
  from gan_jax.networks import affine

DISJOINT_JSD = math.log(2)
"""JSD of two distributions that do not overlap, which is the largest JSD."""
NUM_DRAWN_SAMPLES = 1000
NUM_POINTS = 300
NUM_POINTS_OF_MODE = 101


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneDimensionalSettings(TrainingSetSettings):
  """Adds the data: a normal distribution or a mixture of them."""

  input_mean: tuple[float, ...] = setting(
    (0.0,),
    "mean of each mode of the data",
    sets_protocol=True,
    heading="Modes on the line",
  )
  input_stddev: tuple[float, ...] = setting(
    (1.0,),
    "standard deviation of each mode of the data, or one for all",
    above=0,
    sets_protocol=True,
  )
  input_weight: tuple[float, ...] = setting(
    (1.0,),
    "relative weight of each mode of the data; one number makes all equal",
    above=0,
    sets_protocol=True,
  )
  published_networks: bool = setting(
    False,
    "build the networks with the mistake of the published code: each hidden "
    "layer reads the input, so only the last one has an effect",
  )

  def check_contradictions(self) -> None:
    super().check_contradictions()
    num_modes = len(self.input_mean)
    for name in ("input_stddev", "input_weight"):
      count = len(getattr(self, name))
      if count not in (1, num_modes):
        raise SettingError(
          f"--{name} has {count} numbers for the {num_modes} of --input_mean; "
          "give one for each, or one for all"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerceptronSettings(OneDimensionalSettings, MLPGeneratorSettings):
  """Adds an MLP generator."""

  def check_contradictions(self) -> None:
    super().check_contradictions()
    if self.published_networks and self.latent_join != "none":
      raise SettingError(
        f"--latent_join={self.latent_join} cannot be combined with "
        "--published_networks, whose first hidden layers have no effect"
      )


def data_density(settings: OneDimensionalSettings) -> densities.Density:
  """Makes the density of the data."""
  num_modes = len(settings.input_mean)

  def for_each_mode(values):
    return values * num_modes if len(values) == 1 else values

  weights = for_each_mode(settings.input_weight)
  return densities.normal_mixture(
    settings.input_mean,
    for_each_mode(settings.input_stddev),
    [weight / sum(weights) for weight in weights],
  )


def drawn_points(density: densities.Density) -> Array:
  """Returns the points at which figures show densities.

  They are evenly spaced over the data and N(0, 1), the initial distribution of
  the linear generator, and again over each mode, which may be much narrower.
  With m modes the result is [NUM_POINTS + m * NUM_POINTS_OF_MODE], increasing;
  values may repeat.
  """
  scaled = jnp.linspace(-5.0, 5.0, NUM_POINTS_OF_MODE)
  about_modes = density.modes + density.mode_stddev[:, None] * scaled[None]
  low = jnp.minimum(-3.0, jnp.min(about_modes))
  high = jnp.maximum(3.0, jnp.max(about_modes))
  # With a margin, no mode lies on the frame of a figure.
  margin = 0.05 * (high - low)
  whole = jnp.linspace(low - margin, high + margin, NUM_POINTS)
  return jnp.sort(jnp.concatenate([whole, about_modes.ravel()]))


def _problem(
  settings: OneDimensionalSettings,
  generator: nn.Module,
  latent_dim: int,
  generated_log_prob: Callable[[TrainState], Callable[[Array], Array] | None],
) -> Problem:
  """Makes the problem of a generator from latents to samples [n, 1].

  `generated_log_prob` maps a state to the generator's exact log-density
  [k, 1] -> [k], or to None if it is not known.
  """
  density = data_density(settings)
  depth = _effective_depth(settings, settings.discriminator_depth)
  effective = settings.replace(discriminator_depth=depth)
  discriminator = builders.mlp_discriminator(effective)

  def make_game(settings, step):
    return builders.game(settings, generator, discriminator, latent_dim, step)

  game = make_game(settings, jnp.int32(0))

  def measure(state, key, data):
    del data
    samples_key, data_key = jax.random.split(key)
    count = settings.evaluation_samples
    return one_dimensional.measure(
      game.sample(state.params, state.variables, samples_key, count),
      density.sample(data_key, count),
      density.log_prob,
      generated_log_prob(state),
    )

  # D* = (1 - s) p / (p + q) = (1 - s) sigmoid(log p - log q) if the label of
  # data is 1 - s: Goodfellow 2016, arXiv 1701.00160, section 4.2.
  real_label = 1 - settings.label_smoothing

  def measure_discriminator(state, key, data):
    overfitting_key, real_key, fake_key = jax.random.split(key, 3)
    metrics = builders.measure_overfitting(
      settings, game, density, state, overfitting_key, data
    )
    log_prob = generated_log_prob(state)
    is_probability = choices.LOSSES[settings.loss]().probability
    if (
      log_prob is None
      or game.discriminate is None
      or not is_probability
      or is_on(settings.instance_noise)
    ):
      return metrics
    count = settings.evaluation_samples
    return metrics | {
      "density_ratio_error": one_dimensional.density_ratio_error(
        functools.partial(builders.discriminator_output, settings, game, state),
        density.sample(real_key, count),
        game.sample(state.params, state.variables, fake_key, count),
        density.log_prob,
        log_prob,
        real_label,
      )
    }

  x = drawn_points(density)
  data_log_density = density.log_prob(x[:, None])

  def snapshot(state, key):
    samples = game.sample(
      state.params, state.variables, key, settings.evaluation_samples
    )
    log_prob = generated_log_prob(state)
    log_density = (
      jnp.log(one_dimensional.kernel_density(samples[:, 0], x))
      if log_prob is None
      else log_prob(x[:, None])
    )
    return {
      "samples": samples[:NUM_DRAWN_SAMPLES],
      "generated_density": jnp.exp(log_density),
      "discriminator": builders.discriminator_output(
        settings, game, state, x[:, None]
      ),
      "optimal_discriminator": real_label
      * jax.nn.sigmoid(data_log_density - log_density),
    }

  return builders.problem(
    settings,
    make_game,
    builders.from_density(density, settings.training_samples),
    measure,
    snapshot,
    reference={"x": x, "data_density": jnp.exp(data_log_density)},
    measure_discriminator=measure_discriminator,
  )


def _effective_depth(settings: OneDimensionalSettings, depth: int) -> int:
  """Returns the number of hidden layers that have an effect."""
  return min(depth, 1) if settings.published_networks else depth


def build_affine(settings: OneDimensionalSettings) -> Problem:
  """Builds the game of the linear generator G(z) = |stddev| z + mean."""

  def generated_log_prob(state):
    if settings.latent_prior != "normal":
      return None
    params = state.params.generator
    mean, stddev = params["mean"][0], jnp.abs(params["stddev"][0])
    return densities.normal(mean, stddev).log_prob

  return _problem(settings, affine.Affine(), 1, generated_log_prob)


def build_perceptron(settings: PerceptronSettings) -> Problem:
  """Builds the game of an MLP generator."""
  depth = _effective_depth(settings, settings.generator_depth)
  effective = settings.replace(generator_depth=depth)
  generator = builders.mlp_generator(effective, features=1)
  latent_dim = builders.num_latents(settings, generator)
  return _problem(settings, generator, latent_dim, lambda state: None)


def score(results: Results, best_jsd: float) -> np.ndarray:
  """Scores how close the JSD is to the best that the generator can reach.

  score = (log 2 - JSD) / (log 2 - best JSD), clipped to [0, 1]: 0 if data and
  samples do not overlap. `best_jsd`, in nats, is that of the best generator of
  the family. Returns [num_seeds, num_logs].
  """
  jsd = results.sampled("jensen_shannon")
  return np.clip((DISJOINT_JSD - jsd) / (DISJOINT_JSD - best_jsd), 0, 1)


FIGURES = {
  "costs.png": lambda results: curves.costs(results),
  "discriminator.png": lambda results: curves.discriminator(results),
  "gradients.png": lambda results: curves.gradients(results),
  "score.png": lambda results: curves.score(results),
  "moments.png": lambda results: curves.moments(results),
  "distances.png": lambda results: curves.distances(results),
  "densities.png": lambda results: toy_1d.densities_over_time(results),
  "final.png": lambda results: toy_1d.final_1d(results),
  "training.gif": lambda results: toy_1d.animation_1d(results),
}
METRIC_FIGURES = ("score.png", "moments.png", "distances.png")
