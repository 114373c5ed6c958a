"""Draws one-dimensional runs: densities over time, at the end, animated."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from experiments.plots import curves
from experiments.run_folder.results import Results


def densities_over_time(results: Results) -> Figure:
  """Draws the first seed's density as a colour over step and x.

  The data's density is beside it in the same colours.
  """
  steps = results.snapshots["step"]
  frames = curves.choose_frames(len(steps), 200)
  x = curves.edges(results.snapshots["x"])
  data = results.snapshots["data_density"]
  figure, (axes, strip) = curves.grid(2, 2, (8, 5), width_ratios=(18, 1))
  curves.title(figure, results, f"generated density, seed {results.seeds[0]}")
  # A collapsed generator is a spike: far above the data's peak all is one
  # colour, or the spike would leave everything else pale.
  colours = {"vmin": 0, "vmax": 1.5 * data.max(), "cmap": "magma_r"}
  mesh = axes.pcolormesh(
    curves.edges(steps[frames]),
    x,
    results.snapshots["generated_density"][0, frames].T,
    **colours,
  )
  strip.pcolormesh([0, 1], x, data[:, None], **colours)
  strip.set(xlabel="data", xticks=[], yticks=[])
  axes.set_ylabel("x")
  curves.step_axis(axes)
  for panel in (axes, strip):
    panel.grid(False)
  figure.colorbar(
    mesh, ax=[axes, strip], extend="max", aspect=30, label="density"
  )
  return figure


def final_1d(results: Results) -> Figure:
  """Draws the last densities and D of each seed, up to `curves.MAX_PANELS`.

  D*(x) = p(x) / (p(x) + q(x)) is the best discriminator between the data's
  density p and the generated density q. It is drawn where D is a probability,
  and where there is enough of either density for their ratio to mean something.

  References:
    Goodfellow et al., Generative Adversarial Nets, arXiv 1406.2661, equation 2.
  """
  snapshots = results.snapshots
  x = snapshots["x"]
  num_panels = min(len(snapshots["samples"]), curves.MAX_PANELS)
  columns = min(num_panels, 2)
  rows = -(-num_panels // columns)
  height = 5 if num_panels == 1 else 1.4 + 1.9 * rows
  figure, panels = curves.grid(num_panels, columns, (8, height))
  curves.title(figure, results, f"densities at step {snapshots['step'][-1]:,}")
  densities = snapshots["generated_density"][:num_panels, -1]
  values = snapshots["discriminator"][:num_panels, -1]
  for member, axes in enumerate(panels):
    right = _density_axes(axes, results, densities, values)
    samples = snapshots["samples"][member, -1, :, 0]
    counts, edges = np.histogram(samples, bins=50, range=(x[0], x[-1]))
    axes.stairs(
      counts / (samples.size * np.diff(edges)),
      edges,
      fill=True,
      color=curves.GENERATED,
      alpha=0.3,
      label="generated samples",
    )
    _plot_generated(axes, x, densities[member])
    right.plot(x, values[member], color=curves.DISCRIMINATOR, label="D(x)")
    if curves.is_probability(results):
      density = snapshots["data_density"]
      known = density + densities[member] > 0.01 * density.max()
      right.plot(
        x,
        np.where(known, snapshots["optimal_discriminator"][member, -1], np.nan),
        color=curves.DISCRIMINATOR,
        label=f"D*(x) = {curves.label_of_data(results)}p / (p + q)",
        **curves.REFERENCE,
      )
    if curves.failed(results)[member]:
      axes.text(0.02, 0.9, "failed", transform=axes.transAxes, va="top")
    _label_rightmost(right, member, columns, num_panels)
    if num_panels > 1:
      axes.set_title(f"seed {results.seeds[member]}", fontsize=9)
  curves.label_outer(panels, columns, "x", "density")
  return curves.legend(figure)


def frames_1d(results: Results) -> Figure:
  """Draws six frames of the first seed's training side by side.

  Early frames, where most happens, are nearer to each other than late ones.
  """
  snapshots = results.snapshots
  x, steps = snapshots["x"], snapshots["step"]
  densities = snapshots["generated_density"][0]
  values = snapshots["discriminator"][0]
  last = len(steps) - 1
  frames = np.unique(np.round(last * np.linspace(0, 1, 6) ** 2).astype(int))
  columns = min(len(frames), 3)
  figure, panels = curves.grid(len(frames), columns, (10.5, 6))
  curves.title(figure, results, f"training of seed {results.seeds[0]}")
  for index, (axes, frame) in enumerate(zip(panels, frames, strict=True)):
    right = _density_axes(axes, results, densities, values)
    axes.fill_between(
      x, densities[frame], color=curves.GENERATED, alpha=0.25, lw=0
    )
    _plot_generated(axes, x, densities[frame])
    right.plot(
      x, values[frame], color=curves.DISCRIMINATOR, lw=1.2, label="D(x)"
    )
    _mark_undecided(right, results)
    axes.set_title(f"step {steps[frame]:,}", fontsize=10)
    _label_rightmost(right, index, columns, len(frames))
  curves.label_outer(panels, columns, "x", "density")
  return curves.legend(figure)


def animation_1d(results: Results) -> Iterator[Image.Image]:
  """Animates the first seed's density and discriminator, 640 by 400 pixels."""
  snapshots = results.snapshots
  x = snapshots["x"]
  densities = snapshots["generated_density"][0]
  values = snapshots["discriminator"][0]
  figure, (axes,) = curves.grid(1, 1, (6.4, 4))
  curves.title(figure, results, f"training of seed {results.seeds[0]}")
  right = _density_axes(axes, results, densities, values)
  axes.set(xlabel="x", ylabel="density")
  (fill,) = axes.fill(x, x, color=curves.GENERATED, alpha=0.25, lw=0)
  line = _plot_generated(axes, x, x)
  (curve,) = right.plot(x, x, color=curves.DISCRIMINATOR, label="D(x)")
  _mark_undecided(right, results)
  curves.legend(figure)

  def update(frame: int) -> None:
    line.set_ydata(densities[frame])
    curve.set_ydata(values[frame])
    # The ends are pulled down to zero, which closes the area.
    heights = np.pad(densities[frame], 1)
    fill.set_xy(np.stack([np.pad(x, 1, mode="edge"), heights], axis=1))

  yield from curves.animate(figure, results, [fill, line, curve], update)


def _plot_generated(axes: Axes, x: np.ndarray, density: np.ndarray) -> Line2D:
  """Draws a generated density."""
  label = "generated density"
  return axes.plot(x, density, color=curves.GENERATED, label=label)[0]


def _mark_undecided(right: Axes, results: Results) -> None:
  """Marks D's value where it cannot tell real from fake, if a probability."""
  if curves.is_probability(results):
    value = curves.undecided(results)
    right.axhline(value, color=curves.DISCRIMINATOR, lw=1, ls=":")


def _label_rightmost(
  right: Axes, index: int, columns: int, num_panels: int
) -> None:
  """Labels the right-hand axis of a panel that has none to its right."""
  rightmost = index % columns == columns - 1 or index == num_panels - 1
  right.tick_params(labelright=rightmost)
  right.yaxis.label.set_visible(rightmost)


def _density_axes(
  axes: Axes, results: Results, densities: np.ndarray, values: np.ndarray
) -> Axes:
  """Draws the data's density, and returns a right-hand axis for D.

  All `densities` and `values` of D, [..., num_points], fit into the axes.
  """
  x = results.snapshots["x"]
  density = results.snapshots["data_density"]
  axes.fill_between(
    x, density, color=curves.DATA, alpha=0.15, lw=0, label="data density"
  )
  axes.plot(x, density, color=curves.DATA, lw=1)
  # A collapsed generator is a spike, which may leave the picture.
  peak = density.max()
  highest = np.fmax.reduce(densities, axis=None, initial=peak)
  axes.set(xlim=(x[0], x[-1]), ylim=(0, 1.2 * min(highest, 2.5 * peak)))
  right = axes.twinx()
  right.set_ylabel(curves.discriminator_label(results))
  right.yaxis.label.set_color(curves.DISCRIMINATOR)
  right.tick_params(
    color=curves.FRAME, labelcolor=curves.DISCRIMINATOR, labelsize=9
  )
  right.spines[["left", "top", "bottom"]].set_visible(False)
  right.spines["right"].set_color(curves.FRAME)
  low, high = curves.value_range(results, values)
  pad = 0.02 * (high - low)
  right.set_ylim(low - pad, high + pad)
  return right
