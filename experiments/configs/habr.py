"""One-dimensional games: the experiments of an article on Habr.

The article (Habr, "Generative adversarial networks", 2018, in Russian) trains a
linear generator on a normal distribution and on mixtures of two, then an MLP on
the mixtures. It does not publish the means of its mixtures; those here show
what it describes. The settings start from the author's code. They differ where
the author's do not show, in most seeds, what the article says.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from experiments.configs.experiment import Experiment
from experiments.configs.toy_1d import (
  FIGURES,
  OneDimensionalSettings,
  PerceptronSettings,
  build_affine,
  build_perceptron,
  score,
)

if TYPE_CHECKING:
  from gan_jax.training import Problem

NORMAL_JSD = 0.0
"""JSD of the best normal to a normal."""
NEAR_JSD = 0.1284
"""JSD of the best normal, N(0, 3.120^2), to modes at -3 and 3 of width 1, by
quadrature."""
FAR_JSD = 0.75 * math.log(4 / 3)
"""JSD of the best normal to modes at -3 and 7 of width 1: a generator on one
mode has half of the data's mass, so JSD = 3/4 log(4/3) = 0.2158 if the modes do
not overlap."""
MIXTURE_JSD = 0.0
"""JSD of the best MLP to a mixture."""

# The author's learning rates and networks. With the author's batch of 32, 2,000
# steps, beta1 of 0.9 and constant rates about one seed in four fails.
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
# With the author's rate of 0.1 the generator jumps from mode to mode.
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


def _experiment(
  name: str,
  figures: str,
  summary: str,
  settings: OneDimensionalSettings,
  build: Callable[[Any], Problem],
  best_jsd: float,
) -> Experiment:
  return Experiment(
    name,
    f"Habr 2018, {figures}",
    summary,
    settings,
    build,
    functools.partial(score, best_jsd=best_jsd),
    FIGURES,
  )


EXPERIMENTS = (
  _experiment(
    "normal",
    "figures 1-7",
    "a linear generator learns the mean and deviation of a normal",
    _NORMAL.replace(input_mean=(15.0,), input_stddev=(7.0,)),
    build_affine,
    NORMAL_JSD,
  ),
  _experiment(
    "mixture_near",
    "figures 8-14",
    "a linear generator averages two near modes",
    _AFFINE.replace(input_mean=_NEAR),
    build_affine,
    NEAR_JSD,
  ),
  _experiment(
    "mixture_far",
    "figure 15",
    "a linear generator collapses onto one of two far modes",
    _AFFINE.replace(input_mean=_FAR),
    build_affine,
    FAR_JSD,
  ),
  _experiment(
    "mixture_near_mlp",
    "figures 16-20",
    "a perceptron finds both of two near modes",
    _PERCEPTRON.replace(input_mean=_NEAR),
    build_perceptron,
    MIXTURE_JSD,
  ),
  _experiment(
    "mixture_far_mlp",
    "figure 21",
    "a perceptron finds both of two far modes",
    _PERCEPTRON.replace(input_mean=_FAR),
    build_perceptron,
    MIXTURE_JSD,
  ),
)
