"""All experiments."""

from collections.abc import Mapping
from typing import Any

from experiments.configs import fgan, habr, images, toy_2d
from experiments.configs.experiment import Experiment
from experiments.configs.fields import fields_of, unknown
from experiments.configs.settings import Settings, with_values
from experiments.errors import SettingError

EXPERIMENTS: tuple[Experiment, ...] = (
  *habr.EXPERIMENTS,
  *fgan.EXPERIMENTS,
  *toy_2d.EXPERIMENTS,
  *images.EXPERIMENTS,
)

BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}


def find_experiment(name: str) -> Experiment:
  """Returns the experiment of a name, or raises SettingError."""
  if name not in BY_NAME:
    raise SettingError(unknown("experiment", name, BY_NAME))
  return BY_NAME[name]


def change_settings(
  experiment: Experiment, settings: Settings, values: Mapping[str, Any]
) -> Settings:
  """Changes settings of an experiment by name and checks the result.

  Raises:
    SettingError: for a setting that the experiment does not have, a wrong value
      or a wrong combination.
  """
  names = [field.name for field in fields_of(type(settings))]
  for name in values:
    if name not in names:
      raise SettingError(
        f"experiment {experiment.name!r} has no --{name}; it has "
        + ", ".join(f"--{each}" for each in names)
      )
  return with_values(settings, values)
