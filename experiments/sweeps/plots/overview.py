"""The figures of a sweep, chosen by what it varies."""

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from experiments.sweeps import labels
from experiments.sweeps.plan import Plan
from experiments.sweeps.plots import heat_map, learning_curves
from experiments.sweeps.plots import numeric as plots_numbers
from experiments.sweeps.plots import ranked as plots_ranked
from experiments.sweeps.ranking import Place
from experiments.sweeps.search_space import Axis

MAX_FACETS = 12


def figures(
  plan: Plan, places: Sequence[Place]
) -> dict[str, Callable[[], Figure]]:
  """Chooses the figures of a sweep.

  An axis of a single value varies nothing and is passed over. Then

    two axes of numbers: a heat map (heat_map.png);
    three axes, two or three of them of numbers: a heat map for each value of
      the third, or of the shortest, if it has no more than 12
      (heat_maps.png);
    one axis of numbers: a line (line.png);
    settings that were drawn: the score against each setting that varies
      (drawn.png), and bars;
    anything else: the best trials as bars (ranked.png);

  and the learning curves of the best and of the median trial
  (learning_curves.png).

  Args:
    plan: of the sweep.
    places: of its trials, the best first.

  Returns:
    File name -> a function that draws it.
  """
  chosen = _by_shape(plan, places)
  chosen["learning_curves.png"] = lambda: learning_curves.curves(plan, places)
  return chosen


def _by_shape(
  plan: Plan, places: Sequence[Place]
) -> dict[str, Callable[[], Figure]]:
  """Chooses the figures that compare all trials."""
  ranked = {"ranked.png": lambda: plots_ranked.bars(plan, places)}
  axes = [axis for axis in plan.axes if len(axis.values) > 1]
  drawn = [
    name
    for name in plan.drawn
    if len({trial.values[name] for trial in plan.trials}) > 1
  ]
  if drawn:
    names = [*drawn, *(axis.name for axis in axes)]
    return {
      "drawn.png": lambda: plots_numbers.drawn(plan, places, names),
      **ranked,
    }
  numeric = [axis for axis in axes if _is_numeric(axis)]
  if len(axes) == 1 and numeric:
    return {"line.png": lambda: plots_numbers.line(plan, places, axes[0])}
  if len(axes) == len(numeric) == 2:
    up, across = axes
    return {
      "heat_map.png": lambda: heat_map.heat_maps(plan, places, across, up)
    }
  if len(axes) == 3 and len(numeric) > 1:
    by = _third(axes, numeric)
    if len(by.values) <= MAX_FACETS:
      up, across = (axis for axis in axes if axis != by)
      return {
        "heat_maps.png": lambda: heat_map.heat_maps(
          plan, places, across, up, by
        )
      }
  return ranked


def _is_numeric(axis: Axis) -> bool:
  return all(labels.number(value) is not None for value in axis.values)


def _third(axes: Sequence[Axis], numeric: Sequence[Axis]) -> Axis:
  """Chooses the axis of the panels: that of words, else the shortest."""
  others = [axis for axis in axes if axis not in numeric]
  return others[0] if others else min(axes, key=lambda own: len(own.values))
