"""One-dimensional games: the experiments of an article on Habr.

The article (Habr, "Generative adversarial networks", 2018, in Russian) learns a
normal distribution and mixtures of two with a linear generator, then the
mixtures with a perceptron. It does not publish the means of its mixtures; those
here show what it describes. The settings start from the author's code and
differ where it does not show, in most seeds, what the article says.
"""

import dataclasses
import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from experiments import assembly, plots, plots_1d
from experiments.experiment import Experiment
from experiments.results import Results
from experiments.settings import (
  MLPGeneratorSettings,
  SettingError,
  Settings,
  setting,
)
from gan_jax.data import densities
from gan_jax.metrics import one_dimensional
from gan_jax.networks.affine import Affine
from gan_jax.training import Problem
from gan_jax.types import Array, TrainState

SOURCE = "Habr 2018"

DISJOINT_JSD = math.log(2)
"""JSD of two distributions that do not overlap, the largest there is."""
NORMAL_JSD = 0.0
"""JSD of the best normal to a normal."""
NEAR_JSD = 0.1284
"""JSD of the best normal, N(0, 3.120^2), to modes at -3 and 3 of width 1, by
quadrature."""
FAR_JSD = 0.75 * math.log(4 / 3)
"""JSD of the best normal to modes at -3 and 7 of width 1: one mode alone has
half of the data's mass, so JSD = 3/4 log(4/3) = 0.2158 where they are apart."""
MIXTURE_JSD = 0.0
"""JSD of the best perceptron to a mixture."""

NUM_DRAWN_SAMPLES = 1000
NUM_POINTS = 400


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneDimensionalSettings(Settings):
  """Adds data on the line: a normal distribution, or a mixture of them."""

  input_mean: tuple[float, ...] = setting(
    (0.0,), "mean of each mode of the data, which weigh the same"
  )
  input_stddev: tuple[float, ...] = setting(
    (1.0,), "standard deviation of each mode, or one for all", above=0
  )
  published_networks: bool = setting(
    False,
    "let the second hidden layer read the input again, as the published code "
    "does by a slip: the last hidden layer alone acts",
  )

  def check(self, given=()) -> None:
    super().check(given)
    means, stddevs = len(self.input_mean), len(self.input_stddev)
    if stddevs not in (1, means):
      raise SettingError(
        f"--input_stddev has {stddevs} numbers for the {means} of "
        "--input_mean; give one for each, or one for all"
      )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerceptronSettings(OneDimensionalSettings, MLPGeneratorSettings):
  """Adds an MLP generator to data on the line."""


def _density(settings: OneDimensionalSettings) -> densities.Density:
  """Makes the density of the data."""
  means = settings.input_mean
  stddevs = settings.input_stddev
  if len(stddevs) == 1:
    stddevs *= len(means)
  return densities.normal_mixture(means, stddevs)


def _problem(
  settings: OneDimensionalSettings,
  generator: nn.Module,
  latent_dim: int,
  generated_log_prob: Callable[[TrainState], Callable[[Array], Array] | None],
) -> Problem:
  """Makes the problem of a generator of numbers.

  Args:
    settings: of the experiment.
    generator: of samples [n, 1].
    latent_dim: of its latents.
    generated_log_prob: state -> the generator's exact log-density
      [k, 1] -> [k], or None where only its samples are known.

  Returns:
    The problem.
  """
  density = _density(settings)
  depth = settings.discriminator_depth
  game = assembly.game(
    settings,
    generator,
    assembly.mlp_discriminator(
      settings.replace(discriminator_depth=_acting(settings, depth))
    ),
    latent_dim,
  )

  def measure(state, key):
    samples_key, data_key = jax.random.split(key)
    count = settings.evaluation_samples
    return one_dimensional.measure(
      game.sample(state.params, state.variables, samples_key, count),
      density.sample(data_key, count),
      density.log_prob,
      generated_log_prob(state),
    )

  modes, stddevs = density.modes[:, 0], density.mode_stddev
  # The data, and N(0, 1), which the linear generator starts as.
  x = jnp.linspace(
    jnp.minimum(-3.0, jnp.min(modes - 5 * stddevs)),
    jnp.maximum(3.0, jnp.max(modes + 5 * stddevs)),
    NUM_POINTS,
  )
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
      "discriminator": assembly.discriminator_output(
        settings, game, state, x[:, None]
      ),
      # D* = p / (p + q) = sigmoid(log p - log q).
      "optimal_discriminator": jax.nn.sigmoid(data_log_density - log_density),
    }

  return assembly.problem(
    settings,
    game,
    density,
    measure,
    snapshot,
    reference={"x": x, "data_density": jnp.exp(data_log_density)},
  )


def _acting(settings: OneDimensionalSettings, depth: int) -> int:
  """Counts the hidden layers that act."""
  return min(depth, 1) if settings.published_networks else depth


def build_affine(settings: OneDimensionalSettings) -> Problem:
  """Builds the game of the linear generator G(z) = |stddev| z + mean."""

  def generated_log_prob(state):
    if settings.latent_prior != "normal":
      return None
    params = state.params.generator
    return densities.normal(
      params["mean"][0], jnp.abs(params["stddev"][0])
    ).log_prob

  return _problem(settings, Affine(), 1, generated_log_prob)


def build_perceptron(settings: PerceptronSettings) -> Problem:
  """Builds the game of a perceptron as the generator."""
  generator = assembly.mlp(
    settings,
    _acting(settings, settings.generator_depth),
    settings.generator_width,
    features=1,
  )
  return _problem(settings, generator, settings.latent_dim, lambda state: None)


def score(results: Results, best_jsd: float) -> np.ndarray:
  """Scores how near the JSD is to the best that the generator can reach.

  Args:
    results: with `jensen_shannon`.
    best_jsd: of the best generator of the family, in nats.

  Returns:
    [num_seeds, num_logs]: 1 at the best (or, by the luck of an estimate, below
    it), 0 where data and samples do not overlap.
  """
  jsd = results.sampled("jensen_shannon")
  return np.clip((DISJOINT_JSD - jsd) / (DISJOINT_JSD - best_jsd), 0, 1)


FIGURES = {
  "costs.png": plots.costs,
  "discriminator.png": plots.discriminator,
  "moments.png": plots.moments,
  "distances.png": plots.distances,
  "densities.png": plots_1d.densities_over_time,
  "final.png": plots_1d.final_1d,
  "training.gif": plots_1d.animation_1d,
}

# The author's rates and networks. The author's batch of 32, 2,000 steps,
# first-moment decay of 0.9 and constant rates let one seed in four or so miss.
_NORMAL = OneDimensionalSettings(
  update="alternating",
  generator_learning_rate=0.1,
  discriminator_learning_rate=0.01,
  learning_rate_decay="cosine",
  generator_beta1=0.5,
  discriminator_beta1=0.5,
  steps=3000,
  discriminator_width=256,
  initializer="truncated_normal",
  initial_scale=0.1,
  initial_bias=0.1,
)
# With the author's rate of 0.1 the generator leaps from mode to mode.
_AFFINE = _NORMAL.replace(
  generator_learning_rate=0.01,
  learning_rate_decay="none",
  generator_beta1=0.9,
  discriminator_beta1=0.9,
)
# The author's settings collapse onto one mode, or a point, in most seeds.
_PERCEPTRON = PerceptronSettings(
  update="alternating",
  generator_learning_rate=0.002,
  discriminator_learning_rate=0.006,
  learning_rate_decay="cosine",
  generator_beta1=0.5,
  discriminator_beta1=0.5,
  steps=5000,
  latent_dim=1,
  generator_width=64,
  discriminator_width=64,
)
_NEAR = (-3.0, 3.0)
_FAR = (-3.0, 7.0)

EXPERIMENTS = (
  Experiment(
    name="normal",
    source=f"{SOURCE}, figures 1-7",
    summary="a linear generator learns the mean and deviation of a normal",
    settings=_NORMAL.replace(input_mean=(15.0,), input_stddev=(7.0,)),
    build=build_affine,
    score=functools.partial(score, best_jsd=NORMAL_JSD),
    figures=FIGURES,
  ),
  Experiment(
    name="mixture_near",
    source=f"{SOURCE}, figures 8-14",
    summary="a linear generator averages two near modes",
    settings=_AFFINE.replace(input_mean=_NEAR),
    build=build_affine,
    score=functools.partial(score, best_jsd=NEAR_JSD),
    figures=FIGURES,
  ),
  Experiment(
    name="mixture_far",
    source=f"{SOURCE}, figure 15",
    summary="a linear generator collapses onto one of two far modes",
    settings=_AFFINE.replace(input_mean=_FAR),
    build=build_affine,
    score=functools.partial(score, best_jsd=FAR_JSD),
    figures=FIGURES,
  ),
  Experiment(
    name="mixture_near_mlp",
    source=f"{SOURCE}, figures 16-20",
    summary="a perceptron finds both of two near modes",
    settings=_PERCEPTRON.replace(input_mean=_NEAR),
    build=build_perceptron,
    score=functools.partial(score, best_jsd=MIXTURE_JSD),
    figures=FIGURES,
  ),
  Experiment(
    name="mixture_far_mlp",
    source=f"{SOURCE}, figure 21",
    summary="a perceptron finds both of two far modes",
    settings=_PERCEPTRON.replace(input_mean=_FAR),
    build=build_perceptron,
    score=functools.partial(score, best_jsd=MIXTURE_JSD),
    figures=FIGURES,
  ),
)
