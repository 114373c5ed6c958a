"""Ridge plots: histograms above one another, at the height of their step."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

NUM_BINS = 50
PEAK = 1.5
"""Height of the data's peak, in distances between ridges."""
HIGHEST = 2.5
"""Height at which a ridge is cut, in multiples of the data's peak."""


def height_of_one(steps: np.ndarray, peak: float) -> float:
  """Returns the drawn height of a density of 1, in steps."""
  return PEAK * (steps[-1] - steps[0]) / (len(steps) - 1) / peak


def draw_ridges(
  axes: Axes,
  steps: np.ndarray,
  samples: np.ndarray,
  drawn: Mapping[str, Any],
  color: str,
) -> None:
  """Draws histograms above one another, with the last one lowest and in front.

  Args:
    axes: the axes to draw on.
    steps: [ridges], increasing.
    samples: [ridges, n].
    drawn: has the `ends` of the x axis and the `peak` of the data.
    color: colour of the ridges; early ridges are paler.
  """
  low, high = drawn["ends"]
  height = height_of_one(steps, drawn["peak"])
  axes.grid(False)
  for index, (step, values) in enumerate(zip(steps, samples, strict=True)):
    counts, edges = np.histogram(values, bins=NUM_BINS, range=(low, high))
    density = counts / (len(values) * np.diff(edges))
    top = step - height * np.minimum(density, HIGHEST * drawn["peak"])
    shade = 0.25 + 0.5 * index / (len(steps) - 1)
    axes.stairs(
      top, edges, baseline=step, fill=True, color="white", zorder=index + 2
    )
    axes.stairs(
      top,
      edges,
      baseline=step,
      fill=True,
      color=color,
      alpha=shade,
      lw=0,
      zorder=index + 2,
      label="samples" if step == steps[-1] else None,
    )
    axes.stairs(
      top, edges, baseline=None, color=color, lw=0.8, zorder=index + 2
    )
  axes.margins(x=0, y=0.03)
  axes.set_yticks(steps[::3])
  axes.yaxis.set_major_formatter("{x:,.0f}")
