"""Samples and modes over the steps of several trainings on a ring of Gaussians.

Let q_k be the share of the samples whose nearest mode is mode k of m. The
samples are spread over

  m exp(-KL(q || uniform)) = exp(H(q))

modes. This number is 1 if all samples are nearest to one mode and m if all
modes have equal shares, however far the samples are from their modes. A mode is
covered if it is the nearest mode of a sample within 3 standard deviations.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.run_folder.results import Results

NUM_FRAMES = 5
END = 0.9
"""The end of a training starts after this share of its steps."""


def spread(results: Results) -> np.ndarray:
  """Computes over how many modes the samples are spread.

  Returns:
    [num_seeds, num_logs], from 1 to the number of modes.
  """
  num_modes = results.settings["num_modes"]
  return num_modes * np.exp(-results.metrics["reverse_kl"])


def num_visited(results: Results) -> np.ndarray:
  """Counts the modes that held most of the samples at some snapshot.

  Returns:
    [seeds with snapshots].
  """
  samples, modes = (results.snapshots[name] for name in ("samples", "modes"))
  offsets = samples[..., None, :] - modes
  nearest = np.argmin(np.linalg.norm(offsets, axis=-1), axis=-1)
  shares = np.mean(nearest[..., None] == np.arange(len(modes)), axis=2)
  fullest = np.argmax(shares, axis=-1)
  return np.array([len(np.unique(modes)) for modes in fullest])


def mean_at_end(results: Results, values: np.ndarray) -> np.ndarray:
  """Averages values [num_seeds, num_logs] over the last tenth of the steps."""
  late = results.steps >= END * results.steps[-1]
  return np.mean(values[:, late], axis=1)


def draw_rows(
  title: str, published: str, runs: Mapping[str, Results], height: float
) -> Figure:
  """Draws the snapshots and the mode curves of each training in a row.

  Args:
    title: the headline.
    published: how the publication's trainings differ, for the second line.
    runs: the trainings, by the labels of their rows.
    height: height in inches; the width is 12.
  """
  columns = NUM_FRAMES + 1
  figure, panels = curves.grid(
    len(runs) * columns,
    columns,
    (12, height),
    width_ratios=(*(1,) * NUM_FRAMES, 1.35),
  )
  first = next(iter(runs.values()))
  pictures.headline(
    figure,
    f"{title}\n{first.settings['steps']:,} steps at a rate of "
    f"{first.settings['generator_learning_rate']:g}, batches of "
    f"{first.settings['batch_size']}, {len(first.seeds)} seeds "
    f"(published: {published})",
  )
  for index, (name, results) in enumerate(runs.items()):
    *snapshots, over_steps = panels[index * columns : (index + 1) * columns]
    frames, modes = (results.snapshots[name] for name in ("step", "modes"))
    limit = 1.5 * np.max(np.abs(modes))
    for axes, frame in zip(
      snapshots, curves.choose_frames(len(frames), NUM_FRAMES), strict=True
    ):
      axes.plot(
        *results.snapshots["samples"][0, frame].T,
        ".",
        color=curves.GENERATED,
        ms=2,
        label=f"generated samples, seed {results.seeds[0]}",
      )
      draw_modes(axes, modes, 6)
      axes.set(aspect="equal", xlim=(-limit, limit), ylim=(-limit, limit))
      axes.tick_params(labelbottom=False, labelleft=False, length=0)
      if index == 0:
        axes.set_title(f"step {frames[frame]:,}", fontsize=10)
    snapshots[0].set_ylabel(name, fontsize=11)
    _draw_curves(over_steps, results)
  panels[columns - 1].set_title("mean of seeds, 95 % interval", fontsize=10)
  panels[-1].set_xlabel("step", fontsize=9)
  return curves.legend(figure, markerscale=2)


def draw_samples(
  axes: Axes, data: np.ndarray, generated: np.ndarray, size: float
) -> None:
  """Draws data [n, 2] in grey, and generated samples [n, 2] of a size."""
  for points, color, markersize, label in (
    (data, "#A8A8A8", 3, "data"),
    (generated, curves.GENERATED, size, "generated samples"),
  ):
    axes.plot(*points.T, ".", color=color, markersize=markersize, label=label)


def draw_modes(axes: Axes, modes: np.ndarray, size: float) -> None:
  """Draws rings of a size in points around the modes [n, 2] of the data."""
  axes.plot(
    *modes.T,
    "o",
    mfc="none",
    mec=curves.DATA,
    mew=0.8,
    ms=size,
    label="data modes",
  )


def _draw_curves(axes: Axes, results: Results) -> None:
  """Draws the numbers of modes over the steps."""
  num_modes = results.settings["num_modes"]
  metrics = {**results.metrics, "spread": spread(results)}
  for name, color, label in (
    ("spread", curves.GENERATED, "modes that samples are spread over"),
    ("modes_covered", curves.DISCRIMINATOR, "modes covered"),
  ):
    curves.curve(axes, results._replace(metrics=metrics), name, color, label)
  axes.axhline(num_modes, color=curves.DATA, **curves.REFERENCE)
  axes.set(ylim=(0, 1.08 * num_modes), xlim=(0, results.steps[-1]))
  axes.set_yticks(range(0, num_modes + 1, 2))
  axes.set_ylabel("modes", fontsize=9)
  axes.locator_params(axis="x", nbins=3)
  axes.xaxis.set_major_formatter("{x:,.0f}")
