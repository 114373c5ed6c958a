"""Draws two-dimensional runs: samples over time, at the end, animated."""

import math
from collections.abc import Iterator

import numpy as np
from matplotlib import colors, ticker
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from PIL import Image

from experiments.plots import curves
from experiments.run_folder.results import Results

# Orange where D says generated, white where it cannot tell, blue where it says
# real: at the equilibrium the picture is white. Samples stand out from light
# colours, and an odd number of them has a middle.
_NUM_COLOURS = 257
_PROBABILITY = colors.LinearSegmentedColormap.from_list(
  "probability", ["#F0C562", "#FFFFFF", "#5FA7D0"], _NUM_COLOURS
)
_CRITIC = colors.LinearSegmentedColormap.from_list(
  "critic", ["#FFFFFF", "#2A7FB8"], _NUM_COLOURS
)


def samples_over_time(results: Results) -> Figure:
  """Draws the first seed's samples at up to six steps, the last included."""
  steps = results.snapshots["step"]
  frames = curves.choose_frames(len(steps), 6)
  figure, panels = _planes(results, len(frames))
  curves.title(figure, results, f"generated samples, seed {results.seeds[0]}")
  for axes, frame in zip(panels, frames, strict=True):
    data = results.snapshots["data_samples"].T
    axes.plot(*data, ".", color="#A8A8A8", markersize=2.5, label="data")
    _samples(axes, results.snapshots["samples"][0, frame])
    axes.set_title(f"step {steps[frame]:,}", fontsize=9)
  return curves.legend(figure, markerscale=3)


def final_2d(results: Results) -> Figure:
  """Draws the last samples over D for each seed, up to `curves.MAX_PANELS`.

  Each mode of the data is circled at three standard deviations.
  """
  members = results.snapshots["samples"][: curves.MAX_PANELS, -1]
  values = results.snapshots["discriminator"][: curves.MAX_PANELS, -1]
  figure, panels = _planes(results, len(members))
  step = results.snapshots["step"][-1]
  curves.title(figure, results, f"samples at step {step:,}")
  for member, axes in enumerate(panels):
    image = _levels(axes, results, values, values[member])
    _samples(axes, members[member])
    _modes(axes, results)
    if curves.failed(results)[member]:
      axes.text(0.04, 0.96, "failed", transform=axes.transAxes, va="top")
    if len(panels) > 1:
      axes.set_title(f"seed {results.seeds[member]}", fontsize=9)
  _colour_bar(figure, panels, results, image)
  return curves.legend(figure, markerscale=2)


def animation_2d(results: Results) -> Iterator[Image.Image]:
  """Animates the first seed's samples over D, 560 by 520 pixels."""
  samples = results.snapshots["samples"][0]
  values = results.snapshots["discriminator"][0]
  figure, (axes,) = curves.grid(1, 1, (5.6, 5.2))
  _plane(axes, results)
  axes.set(xlabel="x", ylabel="y")
  curves.title(figure, results, f"training of seed {results.seeds[0]}")
  image = _levels(axes, results, values, values[0])
  dots = _samples(axes, samples[0])
  circles = _modes(axes, results)
  _colour_bar(figure, [axes], results, image)
  curves.legend(figure, markerscale=2)

  def update(frame: int) -> None:
    image.set_data(values[frame])
    dots.set_data(*samples[frame].T)

  yield from curves.animate(figure, results, [image, dots, circles], update)


def _planes(results: Results, num_panels: int) -> tuple[Figure, list[Axes]]:
  """Returns a figure of equal panels of the x-y plane, with its axes."""
  columns = math.ceil(math.sqrt(num_panels))
  rows = -(-num_panels // columns)
  width = 6.4 if columns == 1 else 8
  side = (width - 1.6) / columns
  figure, panels = curves.grid(
    num_panels, columns, (width, rows * (side + 0.25) + 1.1)
  )
  for axes in panels:
    _plane(axes, results)
  curves.label_outer(panels, columns, "x", "y")
  return figure, panels


def _plane(axes: Axes, results: Results) -> None:
  """Fits the axes to the grid of the snapshots, equal units both ways."""
  x, y = results.snapshots["x"], results.snapshots["y"]
  axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), aspect="equal")
  axes.locator_params(nbins=5, steps=[1, 2, 5, 10])


def _levels(
  axes: Axes, results: Results, values: np.ndarray, value: np.ndarray
) -> AxesImage:
  """Fills the level sets of one D, `value` [rows, columns].

  All `values` [..., rows, columns] share its colours.
  """
  probability = curves.is_probability(results)
  if probability:
    # The middle band is centred on 1/2.
    levels = np.array([0, *np.arange(0.05, 1, 0.1), 1])
  else:
    levels = ticker.MaxNLocator(10).tick_values(
      *curves.value_range(results, values)
    )
  axes.grid(False)
  x, y = (curves.edges(results.snapshots[name]) for name in ("x", "y"))
  # An image interpolated before it is coloured has the contours' sharp bands at
  # a fraction of their cost, which an animation pays for every frame.
  return axes.imshow(
    value,
    extent=(x[0], x[-1], y[0], y[-1]),
    origin="lower",
    cmap=_PROBABILITY if probability else _CRITIC,
    norm=colors.BoundaryNorm(levels, _NUM_COLOURS),
    interpolation="bilinear",
    interpolation_stage="data",
  )


def _modes(axes: Axes, results: Results) -> LineCollection:
  """Circles the data's modes at three standard deviations."""
  angles = np.linspace(0, 2 * np.pi, 49)
  circle = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
  circle = 3 * results.snapshots["mode_stddev"] * circle
  centres = results.snapshots["modes"]
  circles = LineCollection(
    list(centres[:, None] + circle),
    colors=curves.DATA,
    # Modes in their hundreds overlap, and thick circles would hide the samples.
    linewidths=min(0.9, 40 / len(centres)),
    label="data modes, 3 standard deviations",
    zorder=3,
  )
  axes.add_collection(circles, autolim=False)
  return circles


def _samples(axes: Axes, samples: np.ndarray) -> Line2D:
  """Draws generated samples [n, 2]."""
  look = {"color": curves.GENERATED, "markersize": 3}
  return axes.plot(*samples.T, ".", label="generated samples", **look)[0]


def _colour_bar(
  figure: Figure, panels: list[Axes], results: Results, image: AxesImage
) -> None:
  """Explains the colours of the discriminator beside the panels."""
  figure.colorbar(
    image,
    ax=panels,
    aspect=30,
    spacing="proportional",
    ticks=[0, 0.25, 0.5, 0.75, 1] if curves.is_probability(results) else None,
    format="%g",
    label=curves.discriminator_label(results),
  )
