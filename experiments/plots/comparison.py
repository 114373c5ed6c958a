"""Draws the metrics of several runs, all runs in each panel."""

from collections.abc import Collection, Mapping

from matplotlib.figure import Figure

from experiments.plots import curves as plots
from experiments.run_folder import intervals, metric_table
from experiments.run_folder.results import Results

COLORS = (
  *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
  *("#000000", "#F0E442"),
)
"""Colours of the runs in turn: the palette of Okabe and Ito."""
COLUMNS = 3


def curves(runs: Mapping[str, Results], marked: Collection[str] = ()) -> Figure:
  """Draws a panel for each metric, with its mean and 95 % interval per run.

  Args:
    runs: by name.
    marked: metrics that are not comparable; their titles have a star.
  """
  names = dict.fromkeys(name for run in runs.values() for name in run.metrics)
  names = sorted(names, key=lambda name: name != intervals.SCORE)
  rows = -(-len(names) // COLUMNS)
  figure, panels = plots.grid(len(names), COLUMNS, (12, 0.8 + 2.1 * rows))
  for axes, name in zip(panels, names, strict=True):
    star = " * (not comparable)" if name in marked else ""
    axes.set_title(f"{name}{star}", loc="left", fontsize=10)
    axes.set_ylabel(metric_table.describe(name).guide, fontsize=8)
    for index, (label, run) in enumerate(runs.items()):
      # Otherwise Matplotlib reads what is between dollars as mathematics.
      label = label.replace("$", r"\$")
      if name in run.metrics:
        plots.curve(axes, run, name, COLORS[index % len(COLORS)], label)
    axes.tick_params(labelsize=8)
  for axes in panels[-COLUMNS:]:
    plots.step_axis(axes)
  return plots.legend(figure)
