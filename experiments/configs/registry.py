"""All experiments."""

from collections.abc import Mapping
from typing import Any

from experiments.configs import (
  cycle,
  fgan,
  habr,
  image_to_image,
  images,
  infogan,
  lapgan,
  semi_supervised,
  toy_2d,
)
from experiments.configs.experiment import Experiment
from experiments.configs.fields import fields_of
from experiments.configs.hints import unknown, unknown_flag
from experiments.configs.settings import Settings, with_values
from experiments.errors import SettingError

EXPERIMENTS: tuple[Experiment, ...] = (
  *habr.EXPERIMENTS,
  *fgan.EXPERIMENTS,
  *toy_2d.EXPERIMENTS,
  *images.EXPERIMENTS,
  *infogan.EXPERIMENTS,
  *lapgan.EXPERIMENTS,
  *image_to_image.EXPERIMENTS,
  *cycle.EXPERIMENTS,
  *semi_supervised.EXPERIMENTS,
)

BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}


MAX_NAMED = 5
"""Experiments that a message names."""


def find_experiment(name: str) -> Experiment:
  """Returns the experiment of a name, or raises SettingError."""
  names = [each.strip() for each in name.split(",")]
  if len(names) > 1 and set(names) <= set(BY_NAME):
    raise SettingError(
      f"--experiment={name} is not allowed; name one experiment, or train them "
      f"all by experiments.sweep --experiment={name}"
    )
  if name not in BY_NAME:
    raise SettingError(unknown("experiment", name, BY_NAME))
  return BY_NAME[name]


def setting_names(settings: Settings) -> tuple[str, ...]:
  """Lists the settings of an experiment, any of whose settings are given."""
  return tuple(field.name for field in fields_of(type(settings)))


def no_such_setting(
  settings: Settings, name: str, subject: str = "this experiment"
) -> str:
  """Writes that an experiment lacks a setting, and which experiments have it.

  If none has it, the message says what is meant instead.

  Args:
    settings: any of the experiment.
    name: name of the setting.
    subject: the experiment, in words.
  """
  others = [
    each.name for each in EXPERIMENTS if name in setting_names(each.settings)
  ]
  if not others:
    return unknown_flag(name, setting_names(settings))
  shown = ", ".join(others[:MAX_NAMED])
  if len(others) > MAX_NAMED:
    shown += f" and {len(others) - MAX_NAMED} more"
  return f"{subject} has no --{name}; it is a setting of {shown}"


def change_settings(
  experiment: Experiment, settings: Settings, values: Mapping[str, Any]
) -> Settings:
  """Changes settings of an experiment by name and checks the result.

  Raises:
    SettingError: for a setting that the experiment does not have, a wrong value
      or a wrong combination.
  """
  for name in values:
    if name not in setting_names(settings):
      subject = f"experiment {experiment.name!r}"
      raise SettingError(no_such_setting(settings, name, subject))
  return with_values(settings, values)
