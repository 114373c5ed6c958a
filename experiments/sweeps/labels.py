"""Texts about a sweep that pages, figures and the terminal share."""

from experiments.cli import console
from experiments.sweeps.plan import Plan
from experiments.sweeps.ranking import RankedTrial

ONE_SEED = "one seed: no intervals; differences may be noise"


def counted(count: int, noun: str) -> str:
  """Writes `1 trial`, or `2 trials`."""
  return f"{count:,} {noun if count == 1 else f'{noun}s'}"


def phrase(name: str) -> str:
  """Writes the name of a setting or of a metric in words."""
  return name.replace("_", " ")


def extent(plan: Plan) -> str:
  """Says how much a sweep trains."""
  steps = [trial.run.settings.steps for trial in plan.trials]
  least, most = f"{min(steps):,}", f"{max(steps):,}"
  return (
    f"{counted(len(plan.trials), 'trial')} of "
    f"{counted(len(plan.base.seeds), 'seed')} in "
    f"{counted(len(plan.programs), 'compiled program')}, "
    f"{least if least == most else f'{least} to {most}'} steps each"
  )


def verdict(ranked_trial: RankedTrial) -> str:
  """Says how a trial compares to the best one."""
  difference = ranked_trial.difference
  if ranked_trial.has_failed:
    return "failed"
  if difference is None:
    return "best"
  text = console.number(difference._asdict())
  return f"tie ({text})" if difference.tie else text
