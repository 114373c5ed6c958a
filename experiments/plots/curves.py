"""Curves of a run's metrics, and what all figures share: colours, axes, titles.

Each curve is the mean over seeds, with a band for its interval. Figures
are made from results, without files or global matplotlib state.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib import ticker
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from experiments.run_folder import intervals
from experiments.run_folder.results import Results

# The palette of Okabe and Ito, which people with any common colour blindness
# can read. A thing has the same colour in every picture.
DATA = "#000000"
GENERATED = "#D55E00"
DISCRIMINATOR = "#0072B2"
AVERAGE = "#CC79A7"
REFERENCE: dict[str, Any] = {"linestyle": "--", "linewidth": 1.2}
"""Style of a line to compare with."""

FRAME = "#808080"
"""Colour of axes and ticks."""

MAX_PANELS = 8
MAX_FRAMES = 80
MAX_POINTS = 400
"""Points of a curve; a panel is some 300 to 700 pixels wide."""


def costs(results: Results) -> Figure:
  """Draws the cost of each player against the step."""
  # The cost of a probability is a logarithm; a critic has units of its output.
  label = "cost (nats)" if is_probability(results) else "cost"
  figure, (axes,) = _curves(results, "cost of each player", [label])
  curve(axes, results, "generator_cost", GENERATED, "generator")
  curve(axes, results, "discriminator_cost", DISCRIMINATOR, "discriminator")
  return legend(figure)


def discriminator(results: Results) -> Figure:
  """Draws the discriminator's means over real and over generated samples.

  With a training set, its mean over other samples of the data is drawn too.

  A probability is drawn between 0 and 1, with a line at 1/2, or at half the
  label of real samples: there the best discriminator cannot tell the two apart.
  The difference of a critic's means is drawn below: with the Wasserstein loss
  it is the critic's estimate of the distance.
  """
  probability = is_probability(results)
  name = "discriminator" if probability else "critic"
  labels = ["mean of D (probability)"]
  if not probability:
    labels = ["mean of the critic", "real - generated\n(estimated distance)"]
  figure, (axes, *distance) = _curves(
    results, f"{name} on real and on generated samples", labels
  )
  curve(axes, results, f"{name}_real", DATA, "real")
  curve(axes, results, f"{name}_fake", GENERATED, "generated")
  if f"{name}_held_out" in results.metrics:
    curve(axes, results, f"{name}_held_out", AVERAGE, "real, not trained on")
  for below in distance:
    curve(below, results, "critic_distance", DISCRIMINATOR, "difference")
    below.axhline(0, color=FRAME, **REFERENCE)
  if probability:
    axes.axhline(
      undecided(results),
      color=DISCRIMINATOR,
      label=f"{label_of_data(results)}1/2",
      **REFERENCE,
    )
    axes.set_ylim(-0.02, 1.02)
  return legend(figure)


def gradients(results: Results) -> Figure:
  """Draws the norm of the gradient of each player's cost."""
  figure, (axes,) = _curves(
    results, "gradient of each player's cost", ["norm of the gradient"]
  )
  curve(axes, results, "generator_gradient_norm", GENERATED, "generator")
  name = "discriminator_gradient_norm"
  curve(axes, results, name, DISCRIMINATOR, "discriminator")
  if any((np.asarray(line.get_ydata()) > 0).any() for line in axes.lines):
    axes.set_yscale("log", nonpositive="mask")
  return legend(figure)


def score(results: Results) -> Figure:
  """Draws the score, which is 1 for a generator as good as possible."""
  figure, (axes,) = _curves(results, "score", ["score (0 to 1)"])
  curve(axes, results, intervals.SCORE, GENERATED, "score")
  axes.set_ylim(-0.02, 1.02)
  _note_if_not_measured(axes, results, intervals.SCORE)
  return figure


def moments(results: Results) -> Figure:
  """Draws the mean and the standard deviation of generated 1-D samples.

  The data's values are integrated from its density on the grid.
  """
  x = results.snapshots["x"]
  density = results.snapshots["data_density"]
  mass = np.trapezoid(density, x)
  mean = np.trapezoid(x * density, x) / mass
  stddev = np.sqrt(np.trapezoid((x - mean) ** 2 * density, x) / mass)
  figure, panels = _curves(
    results,
    "moments of the generated samples",
    ["mean\n(units of x)", "standard deviation\n(units of x)"],
  )
  for axes, name, value in zip(
    panels, ("generated_mean", "generated_stddev"), (mean, stddev), strict=True
  ):
    _generated(axes, results, name)
    axes.axhline(float(value), color=DATA, label="data", **REFERENCE)
  panels[1].set_ylim(bottom=0)
  return legend(figure)


def distances(results: Results) -> Figure:
  """Draws the distances between the generated 1-D distribution and the data.

  The Jensen-Shannon divergence of distributions without overlap is log 2.
  """
  figure, panels = _curves(
    results,
    "distance from the data",
    ["Wasserstein-1\n(units of x)", "Jensen-Shannon\ndivergence (nats)"],
  )
  _generated(panels[0], results, "wasserstein_1")
  _generated(panels[1], results, "jensen_shannon")
  panels[1].axhline(
    np.log(2), color=DATA, label="log 2: no overlap", **REFERENCE
  )
  panels[0].set_ylim(bottom=0)
  panels[1].set_ylim(0, 0.75)
  return legend(figure)


def modes(results: Results) -> Figure:
  """Draws how well the generated samples cover the modes of a mixture.

  A run of an earlier version may lack a metric, and has no panel for it.
  """
  labels = {
    "modes_covered": "modes covered\n(count)",
    "modes_balanced": "modes with 1/4\nof their share",
    "high_quality_fraction": "high quality\n(fraction of samples)",
    "reverse_kl": "reverse KL\n(nats)",
  }
  names = [name for name in labels if name in results.metrics]
  figure, panels = _curves(
    results, "modes of the data", [labels[name] for name in names]
  )
  for axes, name in zip(panels, names, strict=True):
    _generated(axes, results, name)
    axes.set_ylim(bottom=0)
    if name.startswith("modes_") and "modes" in results.snapshots:
      num_modes = len(results.snapshots["modes"])
      axes.axhline(num_modes, color=DATA, label="all modes", **REFERENCE)
      axes.set_ylim(0, 1.08 * num_modes)
    elif name == "high_quality_fraction":
      axes.set_ylim(0, 1.04)
  return legend(figure)


def image_quality(results: Results) -> Figure:
  """Draws the Frechet distance, precision and recall of generated images."""
  labels = {
    "frechet_distance": "Frechet distance\nof features",
    "precision": "precision",
    "recall": "recall",
  }
  figure, panels = _curves(
    results,
    "generated images against the data"
    + ("" if results.is_scored else ", by features that may know nothing"),
    [*labels.values()],
  )
  for axes, name in zip(panels, labels, strict=True):
    _generated(axes, results, name)
    axes.set_ylim(0, None if name == "frechet_distance" else 1.02)
    _note_if_not_measured(axes, results, name)
  return legend(figure)


def test_errors(results: Results) -> Figure:
  """Draws the errors of a classifier and of its average on test images."""
  figure, (axes,) = _curves(
    results, "errors on test images", ["errors of 10,000"]
  )
  curve(axes, results, "test_errors", DISCRIMINATOR, "classifier")
  if "average_test_errors" in results.metrics:
    curve(axes, results, "average_test_errors", AVERAGE, "average")
  axes.set_yscale("log", nonpositive="mask")
  return legend(figure)


def code_information(results: Results, most: float) -> Figure:
  """Draws the information of samples about their category, at most `most`."""
  figure, (axes,) = _curves(
    results, "what samples tell of their category", ["information (nats)"]
  )
  curve(axes, results, "code_information", GENERATED, "lower bound")
  axes.axhline(most, color=DATA, label="log of the number", **REFERENCE)
  return legend(figure)


def _note_if_not_measured(axes: Axes, results: Results, name: str) -> None:
  """Writes into a panel that the run has no value of its metric."""
  if np.isnan(results.metric(name)).all():
    axes.annotate(
      "not measured" if results.is_scored else "not scored",
      (0.5, 0.5),
      xycoords="axes fraction",
      ha="center",
    )


def undecided(results: Results) -> float:
  """Returns the D(x) that is best if real and generated samples are alike."""
  return (1 - results.settings.get("label_smoothing", 0.0)) / 2


def label_of_data(results: Results) -> str:
  """Writes the label of real samples as a factor; nothing for 1."""
  smoothing = results.settings.get("label_smoothing", 0.0)
  return f"{1 - smoothing:g} · " if smoothing else ""


def is_probability(results: Results) -> bool:
  """Tells whether the discriminator's value is a probability."""
  return "discriminator_real" in results.metrics


def discriminator_label(results: Results) -> str:
  """Names the discriminator's value at a point."""
  if np.isnan(results.snapshots["discriminator"]).all():
    return "D has no value for one sample"
  return "D(x) (probability)" if is_probability(results) else "critic D(x)"


def value_range(results: Results, values: np.ndarray) -> tuple[float, float]:
  """Returns the range in which to draw values of the discriminator."""
  if is_probability(results):
    return 0.0, 1.0
  finite = values[np.isfinite(values)]
  low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
  return (low, high) if low < high else (low - 1, high + 1)


def choose_frames(num_frames: int, limit: int) -> np.ndarray:
  """Chooses at most `limit` frames evenly, with the first and the last."""
  count = min(num_frames, limit)
  return np.arange(count) * (num_frames - 1) // max(count - 1, 1)


def edges(centres: np.ndarray) -> np.ndarray:
  """Returns the [n + 1] edges of cells around n increasing centres."""
  if len(centres) == 1:
    return centres[0] + np.array([-1, 1])
  middles = (centres[1:] + centres[:-1]) / 2
  first, last = 2 * centres[0] - middles[0], 2 * centres[-1] - middles[-1]
  return np.concatenate([[first], middles, [last]])


def grid(
  num_panels: int, columns: int, size: tuple[float, float], **kwargs: Any
) -> tuple[Figure, list[Axes]]:
  """Returns a figure and its axes, row by row.

  Args:
    num_panels: number of axes; the last row may have fewer than the others.
    columns: number of axes in a row.
    size: width and height in inches, of 100 pixels each.
    **kwargs: passed on to `Figure.subplots`.
  """
  layout = ConstrainedLayoutEngine(compress=True, h_pad=0.06)
  figure = Figure(figsize=size, dpi=100, layout=layout)
  rows = -(-num_panels // columns)
  panels = figure.subplots(rows, columns, squeeze=False, **kwargs).ravel()
  for axes in panels[num_panels:]:
    axes.remove()
  for axes in panels[:num_panels]:
    axes.grid(color="#E4E4E4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FRAME)
    axes.tick_params(color=FRAME, labelsize=9)
  return figure, list(panels[:num_panels])


def failed(results: Results) -> np.ndarray:
  """Tells which seeds have failed, [num_seeds]."""
  last = [
    values[:, -1]
    for name, values in results.metrics.items()
    if name != intervals.SCORE  # A failed seed scores 0.
  ]
  return np.logical_and.reduce(np.isnan(last))


def title(figure: Figure, results: Results, subject: str) -> None:
  """Writes the subject and the run above all panels."""
  num_seeds, num_failed = len(results.seeds), failed(results).sum()
  members = "1 seed" if num_seeds == 1 else f"{num_seeds} seeds"
  run = [f"{members} ({num_failed} failed)" if num_failed else members]
  for name in ("loss", "generator_objective", "update"):
    # The standard objective is what the loss says.
    if results.settings.get(name, "standard") != "standard":
      run.append(f"{name}={results.settings[name]}")
  figure.suptitle(
    f"{results.experiment}: {subject}\n{' · '.join(run)}",
    x=0.01,
    ha="left",
    fontsize=11,
  )


def label_outer(panels: Sequence[Axes], columns: int, x: str, y: str) -> None:
  """Labels the left column and the lowest panel of each column."""
  for index, axes in enumerate(panels):
    lowest = index + columns >= len(panels)
    leftmost = index % columns == 0
    axes.tick_params(labelbottom=lowest, labelleft=leftmost)
    axes.set(xlabel=x if lowest else "", ylabel=y if leftmost else "")


def step_axis(axes: Axes) -> None:
  """Labels a horizontal axis of steps."""
  axes.set_xlabel("step")
  axes.xaxis.set_major_locator(
    ticker.MaxNLocator(8, steps=[1, 2, 5, 10], integer=True)
  )
  axes.xaxis.set_major_formatter("{x:,.0f}")


def legend(figure: Figure, markerscale: float = 1) -> Figure:
  """Adds one legend below all panels, each label once."""
  entries = {
    label: handle
    for axes in figure.axes
    for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
  }
  if len(entries) > 1:
    figure.legend(
      entries.values(),
      entries.keys(),
      loc="outside lower center",
      ncols=len(entries),
      frameon=False,
      fontsize=9,
      markerscale=markerscale,
    )
  return figure


def animate(
  figure: Figure,
  results: Results,
  artists: Sequence[Artist],
  update: Callable[[int], None],
) -> Iterator[Image.Image]:
  """Renders the frames of an animation, redrawing only what moves.

  Args:
    figure: the step is written above its first axes.
    results: the run.
    artists: that move, from the lowest to the topmost.
    update: moves the artists to a frame of the snapshots.

  Yields:
    At most `MAX_FRAMES` RGB images, evenly chosen, the last frame included.
  """
  clock = figure.axes[0].set_title(" ", loc="right", fontsize=10)
  moving = [*artists, clock]
  for artist in moving:
    artist.set_animated(True)
  canvas = FigureCanvasAgg(figure)
  canvas.draw()
  background = canvas.copy_from_bbox(figure.bbox)
  steps = results.snapshots["step"]
  for frame in choose_frames(len(steps), MAX_FRAMES):
    canvas.restore_region(background)
    update(frame)
    clock.set_text(f"step {steps[frame]:,}")
    for artist in moving:
      figure.draw_artist(artist)
    yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _curves(
  results: Results, subject: str, labels: Sequence[str]
) -> tuple[Figure, list[Axes]]:
  """Returns a figure with one panel above another, all against the step."""
  if len(results.seeds) > 1:
    subject += f", {intervals.band_label(len(results.seeds))}"
  num_panels = len(labels)
  height = {1: 5.0, 2: 5.6}.get(num_panels, 2.2 * num_panels)
  figure, panels = grid(num_panels, 1, (8, height), sharex=True)
  title(figure, results, subject)
  first, last = results.steps[0], results.steps[-1]
  pad = 0.01 * (last - first) or 1
  for axes, label in zip(panels, labels, strict=True):
    axes.set_ylabel(label)
    axes.set_xlim(first - pad, last + pad)
  step_axis(panels[-1])
  figure.align_ylabels()
  return figure, panels


def curve(
  axes: Axes, results: Results, name: str, color: str, label: str
) -> None:
  """Draws a metric's mean over seeds and the band of its interval.

  It is the 95 % interval, or the range of two seeds. Of many steps those with
  the extremes of the mean are drawn.
  """
  values = results.metric(name)
  known = ~np.isnan(values)
  with np.errstate(invalid="ignore", divide="ignore"):
    mean = np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
  drawn = _choose_steps(mean)
  steps, mean = results.steps[drawn], mean[drawn]
  # A line needs two points to be seen.
  marker = "o" if len(steps) == 1 else ""
  axes.plot(steps, mean, color=color, label=label, marker=marker)
  if len(results.seeds) > 1:
    ends = np.array(
      [intervals.ends(each, name, results.settings) for each in values.T[drawn]]
    )
    low, high = ends.reshape(-1, 2).T
    axes.fill_between(steps, low, high, color=color, alpha=0.2, lw=0)


def _choose_steps(mean: np.ndarray) -> np.ndarray:
  """Chooses the logged steps at which a curve is drawn.

  They are those at which the mean is known, as expensive metrics are not
  measured at every step. Of more than `MAX_POINTS`, each of `MAX_POINTS` / 2
  groups of neighbours has the steps of its least and of its greatest mean.

  Args:
    mean: [num_logs].

  Returns:
    Indices of logs, increasing, with the first and the last known one.
  """
  (steps,) = np.nonzero(np.isfinite(mean))
  if len(steps) <= MAX_POINTS:
    return steps
  chosen = {steps[0], steps[-1]}
  for group in np.array_split(steps, MAX_POINTS // 2):
    chosen |= {group[np.argmin(mean[group])], group[np.argmax(mean[group])]}
  return np.array(sorted(chosen))


def _generated(axes: Axes, results: Results, name: str) -> None:
  """Draws a metric of the generator, and of its average if there is one."""
  curve(axes, results, name, GENERATED, "generator")
  if f"average_{name}" in results.metrics:
    curve(axes, results, f"average_{name}", AVERAGE, "generator average")
