"""Parts of pictures that several figures share."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves, images


def headline(figure: Figure, text: str) -> None:
  """Writes what a figure shows above all its panels, at the left edge."""
  figure.suptitle(text, x=0.01, ha="left", fontsize=11)


def density(
  axes: Axes, x: np.ndarray, values: np.ndarray, color: str, label: str
) -> None:
  """Draws a density with a shaded area below it."""
  axes.fill_between(x, values, color=color, alpha=0.15, lw=0)
  axes.plot(x, values, color=color, label=label)


def show_images(
  axes: Axes, pixels: np.ndarray, columns: int | None = None, title: str = ""
) -> None:
  """Shows images, uint8 [n, height, width, channels], in rows."""
  images.show(axes, images.mosaic(pixels, columns))
  axes.set_title(title, fontsize=10)


def image_panels(
  text: str,
  panels: Mapping[str, np.ndarray],
  size: tuple[float, float],
  columns: int | None = None,
) -> Figure:
  """Draws panels of images side by side, by their titles."""
  figure, all_axes = curves.grid(len(panels), len(panels), size)
  headline(figure, text)
  for axes, (title, pixels) in zip(all_axes, panels.items(), strict=True):
    show_images(axes, pixels, columns, title)
  return figure
