"""Packs trials that differ only in numbers into one compiled training."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from experiments.configs.fields import fields_of
from experiments.configs.settings import Settings
from experiments.training.run_config import RunSettings
from gan_jax.training import Problem, Variation


def builder(run: RunSettings) -> Callable[[Settings], Problem]:
  """Returns what builds the problem of each trial, with its data read once.

  Args:
    run: one of the trials.

  Returns:
    settings -> the problem; those of `run` with other numbers.

  Raises:
    SettingError: if the data cannot be had.
  """
  if run.experiment.builder is None:
    return run.experiment.build
  return run.experiment.builder(run.settings)


def pack(
  runs: Sequence[RunSettings], build: Callable[[Settings], Problem]
) -> Variation:
  """Makes the seeds of trials the members of one population.

  What the trials differ in becomes an argument of the compiled program; what
  they share stays a constant of it.

  Args:
    runs: trials of one structure, with as many seeds each.
    build: settings, whose numbers may be traced -> the problem.

  Returns:
    The members: all seeds of the first trial, then of the second, ...
  """
  first = runs[0].settings
  num_seeds = len(runs[0].seeds)
  differing = [
    field.name
    for field in fields_of(type(first))
    if len({getattr(run.settings, field.name) for run in runs}) > 1
  ]
  values = {
    name: jnp.repeat(
      jnp.asarray([getattr(run.settings, name) for run in runs], jnp.float32),
      num_seeds,
      axis=0,
    )
    for name in differing
  }

  def make_problem(values: Mapping[str, Any]) -> Problem:
    return build(
      first.replace(
        **{
          name: tuple(value) if value.ndim else value
          for name, value in values.items()
        }
      )
    )

  return Variation(
    roots=tuple(seed for run in runs for seed in run.seeds),
    make_problem=make_problem,
    values=values,
  )
