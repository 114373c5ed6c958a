"""All experiments."""

from experiments.configs import fgan, habr, images, toy_2d
from experiments.configs.experiment import Experiment

EXPERIMENTS: tuple[Experiment, ...] = (
  *habr.EXPERIMENTS,
  *fgan.EXPERIMENTS,
  *toy_2d.EXPERIMENTS,
  *images.EXPERIMENTS,
)

BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}
