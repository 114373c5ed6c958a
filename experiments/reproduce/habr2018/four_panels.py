"""Figures of a metric against the step, with a panel for each discriminator."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common.figure import (
  Check,
  Computed,
  Reproduction,
  evaluate,
)
from experiments.reproduce.habr2018 import discriminators, measures
from experiments.run_folder.results import Results


class Curve(NamedTuple):
  """A metric and how it is drawn.

  Attributes:
    metric: name of the metric.
    title: title of the figure.
    label: label of the vertical axis, with its unit.
    color: colour of the curves.
    limits: limits of the vertical axis.
    line_color: colour of the reference lines.
    lines: heights of the reference lines by label, at most two.
  """

  metric: str
  title: str
  label: str
  color: str
  limits: tuple[float, float]
  line_color: str
  lines: Mapping[str, float | Callable[[], float]]


def four_panels(
  figure: int,
  summary: str,
  experiment: str,
  curve: Curve,
  check: Check,
) -> Reproduction:
  """Builds a figure with a panel for each discriminator.

  Args:
    figure: number of the figure in the article.
    summary: one line that says what the figure shows.
    experiment: name of the experiment.
    curve: the metric to draw.
    check: the check of the mean over the last quarter. The name of each
      discriminator is appended to its name.
  """

  def compute(runs: Mapping[str, Results]) -> Computed:
    measure = measures.metric(curve.metric)
    return Computed(
      measured={
        f"{check.name}, {name}": measure(run) for name, run in runs.items()
      },
      drawn={
        "runs": runs,
        "lines": {name: evaluate(line) for name, line in curve.lines.items()},
      },
    )

  return Reproduction(
    id=f"habr_fig{figure:02d}",
    source=discriminators.source(figure),
    summary=summary,
    compute=compute,
    checks=tuple(
      check._replace(name=f"{check.name}, {name}")
      for name in discriminators.DISCRIMINATORS
    ),
    draw=lambda drawn: _draw(drawn, curve),
    trainings=discriminators.trainings(experiment),
  )


def _draw(drawn: Mapping[str, Any], curve: Curve) -> Figure:
  """Draws a panel for each run, with its seeds and their mean."""
  runs = drawn["runs"]
  figure, panels = curves.grid(len(runs), 2, (10.5, 6))
  curves.title(figure, runs["plain"], curve.title)
  for axes, (name, run) in zip(panels, runs.items(), strict=True):
    values = run.metrics[curve.metric]
    for seed in values:
      axes.plot(
        run.steps, seed, color=curve.color, lw=0.8, alpha=0.4, label="each seed"
      )
    axes.plot(
      run.steps,
      values.mean(axis=0),
      color=curve.color,
      lw=2,
      label="mean over seeds",
    )
    for (label, height), style in zip(
      drawn["lines"].items(), ("--", ":"), strict=False
    ):
      # The line is drawn above the curves, which may hide it.
      axes.axhline(
        height,
        color=curve.line_color,
        ls=style,
        lw=1.4,
        label=label,
        zorder=3,
      )
    axes.set_title(f"discriminator: {name}", fontsize=10)
    axes.set(xlim=(run.steps[0], run.steps[-1]), ylim=curve.limits)
    curves.step_axis(axes)
  curves.label_outer(panels, 2, "step", curve.label)
  return curves.legend(figure)
