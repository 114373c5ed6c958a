"""Parts of pictures that several figures share."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def headline(figure: Figure, text: str) -> None:
  """Writes what a figure shows above all its panels, at the left edge."""
  figure.suptitle(text, x=0.01, ha="left", fontsize=11)


def density(
  axes: Axes, x: np.ndarray, values: np.ndarray, color: str, label: str
) -> None:
  """Draws a density with a shaded area below it."""
  axes.fill_between(x, values, color=color, alpha=0.15, lw=0)
  axes.plot(x, values, color=color, label=label)
