"""The command that plans a sweep again."""

import math
import shlex

from experiments.configs.fields import fields_of
from experiments.sweeps.plan import MANY_TRIALS, Plan


def command(plan: Plan) -> str:
  """Writes the command that trains a sweep again: the same plan.

  Where it trains and what it draws of each trial are not of the plan, and not
  in the command.

  Args:
    plan: of the sweep.

  Returns:
    One line for a shell.
  """
  experiment, settings, seeds = plan.base
  fields = {field.name: field for field in fields_of(type(settings))}
  flags = {"experiment": experiment.name}
  if plan.axes:
    axes = []
    for name, values in plan.axes:
      parts = [_part(fields[name].format(value)) for value in values]
      axes.append(f"{name}={','.join(parts)}")
    flags["grid"] = ";".join(axes)
  if plan.told.random:
    flags["random"] = plan.told.random
    flags["trials"] = str(plan.told.draws)
  for name, field in fields.items():
    if getattr(settings, name) != getattr(experiment.settings, name):
      flags[name] = field.format(getattr(settings, name))
  if seeds[0]:
    flags["seed"] = str(seeds[0])
  if len(seeds) > 1:
    flags["num_seeds"] = str(len(seeds))
  if plan.told.max_members:
    flags["max_members"] = str(plan.told.max_members)
  if plan.left_out:
    flags["skip_invalid"] = "true"
  points = math.prod(len(axis.values) for axis in plan.axes)
  if points * (plan.told.draws or 1) > MANY_TRIALS:
    flags["yes"] = "true"
  return " ".join(
    [
      "python -m experiments.sweep",
      *(f"--{name}={shlex.quote(text)}" for name, text in flags.items()),
    ]
  )


def _part(text: str) -> str:
  """Writes a value of an axis: one that has commas stands in parentheses."""
  return f"({text})" if "," in text else text
