"""The figures of a sweep, chosen by what it varies."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from experiments.sweeps.plan import Plan
from experiments.sweeps.plots.bars import bars
from experiments.sweeps.plots.heat_map import heat_maps
from experiments.sweeps.plots.learning_curves import learning_curves
from experiments.sweeps.plots.scores_by_setting import (
  as_number,
  line,
  scatter,
)
from experiments.sweeps.ranking import RankedTrial
from experiments.sweeps.search_space import Axis

MAX_MAPS = 12


def figures(plan: Plan, ranked: Sequence[RankedTrial]) -> dict[str, Figure]:
  """Draws the figures of a sweep, by file name.

  Axes of a single value are ignored. The others choose the figures:

    two axes of numbers: a heat map (heat_map.png);
    three axes, two or three of them of numbers: a heat map for each value of
      the third, or of the shortest, if it has no more than 12
      (heat_maps.png);
    one axis of numbers: a line (line.png);
    settings that were drawn: the score against each setting that varies
      (drawn.png), and bars;
    anything else: the best trials as bars (ranked.png);

  and always the learning curves of the best and of the median trial
  (learning_curves.png). Where no trial has a score there is none.
  """
  if not any(each.rank for each in ranked):
    return {}
  return {
    **_comparison(plan, ranked),
    "learning_curves.png": learning_curves(plan, ranked),
  }


def _comparison(plan: Plan, ranked: Sequence[RankedTrial]) -> dict[str, Figure]:
  """Draws the figures that compare all trials."""
  axes = [axis for axis in plan.axes if len(axis.values) > 1]
  drawn = [
    name
    for name in plan.drawn
    if len({trial.values[name] for trial in plan.trials}) > 1
  ]
  if drawn:
    names = [*drawn, *(axis.name for axis in axes)]
    return {
      "drawn.png": scatter(plan, ranked, names),
      "ranked.png": bars(plan, ranked),
    }
  numeric = [axis for axis in axes if _is_numeric(axis)]
  if len(axes) == len(numeric) == 1:
    return {"line.png": line(plan, ranked, axes[0])}
  if len(axes) == len(numeric) == 2:
    up, across = axes
    return {"heat_map.png": heat_maps(plan, ranked, across, up)}
  if len(axes) == 3 and len(numeric) >= 2:
    not_numeric = [axis for axis in axes if axis not in numeric]
    by = min(not_numeric or axes, key=lambda axis: len(axis.values))
    if len(by.values) <= MAX_MAPS:
      up, across = (axis for axis in axes if axis != by)
      return {"heat_maps.png": heat_maps(plan, ranked, across, up, by)}
  return {"ranked.png": bars(plan, ranked)}


def _is_numeric(axis: Axis) -> bool:
  return all(as_number(value) is not None for value in axis.values)
