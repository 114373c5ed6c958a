"""One-dimensional games: the experiments of an article on Habr.

The article (Habr, "Generative adversarial networks", 2018, in Russian) trains a
linear generator on a normal distribution and on mixtures of two, then an MLP on
the mixtures. It does not publish the means of its mixtures; those here show
what it describes. The settings start from the author's code. They differ where
the author's do not show, in most seeds, what the article says, or where players
come closer to rest.
"""

import functools
import math

from experiments.configs.experiment import Experiment
from experiments.configs.toy_1d import (
  FIGURES,
  METRIC_FIGURES,
  OneDimensionalSettings,
  PerceptronSettings,
  build_affine,
  build_perceptron,
  score,
)

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
# With the author's rate of 0.1, batches of 32 and 2,000 steps, 8 of 8 seeds
# average the near modes too, as in figures 8-14. Only at the far modes of
# figure 15 does the generator not come to rest: its mean has a standard
# deviation of 2.6 to 3.6 over the last quarter of the steps.
_AFFINE = _NORMAL.replace(
  generator_learning_rate=0.01,
  learning_rate_decay="none",
  generator_beta1=0.9,
  discriminator_beta1=0.9,
)
# With the author's settings and a plain discriminator, 7 of 8 seeds find both
# near modes and 6 of 8 both far modes: the lighter one has a share of at least
# 0.37. But the last divergence from the near modes is 0.16 to 0.29, more than
# that of the best normal.
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
    source="Habr 2018, figures 1-7",
    summary="a linear generator learns the mean and deviation of a normal",
    settings=_NORMAL.replace(input_mean=(15.0,), input_stddev=(7.0,)),
    build=build_affine,
    score=functools.partial(score, best_jsd=NORMAL_JSD),
    figures=FIGURES,
    metric_figures=METRIC_FIGURES,
  ),
  Experiment(
    name="mixture_near",
    source="Habr 2018, figures 8-14",
    summary="a linear generator averages two near modes",
    settings=_AFFINE.replace(input_mean=_NEAR),
    build=build_affine,
    score=functools.partial(score, best_jsd=NEAR_JSD),
    figures=FIGURES,
    metric_figures=METRIC_FIGURES,
  ),
  Experiment(
    name="mixture_far",
    source="Habr 2018, figure 15",
    summary="a linear generator collapses onto one of two far modes",
    settings=_AFFINE.replace(input_mean=_FAR),
    build=build_affine,
    score=functools.partial(score, best_jsd=FAR_JSD),
    figures=FIGURES,
    metric_figures=METRIC_FIGURES,
  ),
  Experiment(
    name="mixture_near_mlp",
    source="Habr 2018, figures 16-20",
    summary="a perceptron finds both of two near modes",
    settings=_PERCEPTRON.replace(input_mean=_NEAR),
    build=build_perceptron,
    score=functools.partial(score, best_jsd=MIXTURE_JSD),
    figures=FIGURES,
    metric_figures=METRIC_FIGURES,
  ),
  Experiment(
    name="mixture_far_mlp",
    source="Habr 2018, figure 21",
    summary="a perceptron finds both of two far modes",
    settings=_PERCEPTRON.replace(input_mean=_FAR),
    build=build_perceptron,
    score=functools.partial(score, best_jsd=MIXTURE_JSD),
    figures=FIGURES,
    metric_figures=METRIC_FIGURES,
  ),
)
