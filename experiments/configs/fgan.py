"""The game of the f-GAN paper: one Gaussian against a mixture of two.

Nowozin, Cseke and Tomioka, f-GAN: Training Generative Neural Samplers using
Variational Divergence Minimization, arXiv 1606.00709. The mixture is not
published; this one is inferred from the best divergences, means and deviations
in the paper's table, which it reproduces to 4e-4.
"""

import functools

from experiments.configs.experiment import Experiment
from experiments.configs.toy_1d import (
  FIGURES,
  METRIC_FIGURES,
  OneDimensionalSettings,
  build_affine,
  score,
)

MIXTURE_JSD = 0.0640
"""JSD of the best normal, N(1.307, 1.754^2), to the mixture, by quadrature."""

EXPERIMENTS = (
  Experiment(
    name="fgan_mixture",
    source="f-GAN 2016, the fitted normals",
    summary="a linear generator, and a mixture that each divergence fits apart",
    settings=OneDimensionalSettings(
      loss="f_jensen_shannon",
      input_mean=(-1.0, 2.0),
      input_stddev=(0.255, 1.415),
      input_weight=(0.33, 0.67),
      discriminator_width=64,
      discriminator_activation="tanh",
      generator_learning_rate=0.01,
      discriminator_learning_rate=0.01,
      learning_rate_decay="cosine",
      generator_beta1=0.5,
      discriminator_beta1=0.5,
      batch_size=1024,
      steps=2000,
    ),
    build=build_affine,
    score=functools.partial(score, best_jsd=MIXTURE_JSD),
    figures=FIGURES,
    metric_figures=METRIC_FIGURES,
  ),
)
