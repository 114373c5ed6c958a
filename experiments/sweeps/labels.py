"""Texts about a sweep that pages, figures and the terminal share."""

import string
from collections.abc import Sequence

from experiments.reports import protocols
from experiments.run_folder import intervals
from experiments.sweeps import ranking
from experiments.sweeps.plan import Plan
from experiments.sweeps.ranking import RankedTrial

TIE = "tie: not told apart from the best by these seeds"
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
  if ranked_trial.leads:
    return "best"
  if difference is None:
    return intervals.ABSENT
  text = intervals.difference_text(difference)
  return f"tie, {text}" if difference.tie else text


def unranked(group: Sequence[RankedTrial]) -> str:
  """Says why the trials of a protocol are not ranked; "" if they are."""
  if any(each.rank for each in group):
    return ""
  reason = group[0].results.protocol.get(intervals.NOT_SCORED)
  return "no trial is ranked: " + (
    f"not scored because {reason}" if reason else "none has a score"
  )


def method(ranked: Sequence[RankedTrial]) -> str:
  """Says how trials were compared; "" if no two can be."""
  num_pairs = ranking.num_comparisons([each.results for each in ranked])
  if not num_pairs:
    return ""
  return (
    "95 % intervals of differences that hold together "
    f"({ranking.METHOD}: {counted(num_pairs, 'comparison')})"
  )


def protocol_name(index: int) -> str:
  """Names a protocol of a sweep: A, B, ..., Z, A2, ..."""
  turn, letter = divmod(index, len(string.ascii_uppercase))
  return f"{string.ascii_uppercase[letter]}{turn + 1 if turn else ''}"


def protocol_note(ranked: Sequence[RankedTrial]) -> str:
  """Says in one line how protocols differ; "" if there is one."""
  found = [group[0].results.comparable for group in ranking.groups(ranked)]
  if len(found) == 1:
    return ""
  names = [protocol_name(index) for index in range(len(found))]
  return (
    f"not comparable, so ranked apart: {protocols.differences(found, names)}"
  )
