"""The experiments: every list, choice and test table derives from this one."""

from experiments import dcgan, fgan, habr, mixtures_2d
from experiments.experiment import Experiment

EXPERIMENTS: tuple[Experiment, ...] = (
  *habr.EXPERIMENTS,
  *fgan.EXPERIMENTS,
  *mixtures_2d.EXPERIMENTS,
  *dcgan.EXPERIMENTS,
)

BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}
