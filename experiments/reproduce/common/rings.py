"""Samples and modes over the steps of several trainings on a ring of Gaussians.

Let q_k be the share of the samples whose nearest mode is mode k of m. The
samples are spread over

  m exp(-KL(q || uniform)) = exp(H(q))

modes. This number is 1 if all samples are nearest to one mode and m if all
modes have equal shares, however far the samples are from their modes. A mode is
covered if it is the nearest mode of a sample within 3 standard deviations.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.run_folder.results import Results
from gan_jax.statistics import mean_and_interval

NUM_FRAMES = 5
END = 0.9
"""The end of a training starts after this share of its steps."""


class Row(NamedTuple):
  """The data of one row of the picture, from one training.

  Attributes:
    frames: [n], the steps of the snapshots.
    samples: [n, num_samples, 2], samples of the first seed at those steps.
    steps: [num_logs], the logged steps.
    curves: for each label the mean over seeds and half of its 95 % confidence
      interval, [num_logs] each.
  """

  frames: np.ndarray
  samples: np.ndarray
  steps: np.ndarray
  curves: Mapping[str, tuple[np.ndarray, np.ndarray]]


def spread(results: Results) -> np.ndarray:
  """Computes over how many modes the samples are spread.

  Args:
    results: a training on a ring of equally probable modes.

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


def mean_at_end(results: Results, values: np.ndarray) -> float:
  """Averages values [num_seeds, num_logs] over seeds and the last tenth.

  The mean is NaN if a seed failed.
  """
  late = results.steps >= END * results.steps[-1]
  return float(np.mean(values[:, late]))


def make_row(results: Results) -> Row:
  """Computes the row of one training."""
  chosen = curves.choose_frames(len(results.snapshots["step"]), NUM_FRAMES)
  over_steps = {}
  for label, values in (
    ("modes that samples are spread over", spread(results)),
    ("modes covered", results.metrics["modes_covered"]),
  ):
    means = [mean_and_interval(column) for column in values.T]
    # None, the interval of too few seeds, becomes NaN.
    over_steps[label] = (
      np.array([each.mean for each in means], float),
      np.array([each.ci95 for each in means], float),
    )
  return Row(
    results.snapshots["step"][chosen],
    results.snapshots["samples"][0, chosen],
    results.steps,
    over_steps,
  )


def draw_rows(
  title: str, rows: Mapping[str, Row], modes: np.ndarray, height: float
) -> Figure:
  """Draws the snapshots and the mode curves of each training in a row.

  Args:
    title: the headline.
    rows: the rows, by their labels.
    modes: [num_modes, 2], the centres of the data.
    height: height in inches; the width is 12.
  """
  columns = NUM_FRAMES + 1
  figure, panels = curves.grid(
    len(rows) * columns,
    columns,
    (12, height),
    width_ratios=(*(1,) * NUM_FRAMES, 1.35),
  )
  pictures.headline(figure, title)
  for index, (name, drawn) in enumerate(rows.items()):
    *snapshots, over_steps = panels[index * columns : (index + 1) * columns]
    for axes, step, samples in zip(
      snapshots, drawn.frames, drawn.samples, strict=True
    ):
      _draw_samples(axes, samples, modes)
      if index == 0:
        axes.set_title(f"step {step:,}", fontsize=10)
    snapshots[0].set_ylabel(name, fontsize=11)
    _draw_curves(over_steps, drawn, len(modes))
  panels[columns - 1].set_title("mean of seeds, 95 % interval", fontsize=10)
  panels[-1].set_xlabel("step", fontsize=9)
  return curves.legend(figure, markerscale=2)


def _draw_samples(axes: Axes, samples: np.ndarray, modes: np.ndarray) -> None:
  """Draws samples as dots and modes as rings."""
  axes.plot(
    *samples.T,
    ".",
    color=curves.GENERATED,
    ms=2,
    label="generated samples, seed 0",
  )
  axes.plot(
    *modes.T,
    "o",
    mfc="none",
    mec=curves.DATA,
    mew=0.8,
    ms=6,
    label="data modes",
  )
  limit = 1.5 * np.max(np.abs(modes))
  axes.set(aspect="equal", xlim=(-limit, limit), ylim=(-limit, limit))
  axes.tick_params(labelbottom=False, labelleft=False, length=0)


def _draw_curves(axes: Axes, drawn: Row, num_modes: int) -> None:
  """Draws the numbers of modes over the steps."""
  axes.axhline(num_modes, color=curves.DATA, **curves.REFERENCE)
  colors = (curves.GENERATED, curves.DISCRIMINATOR)
  for color, (label, (mean, half)) in zip(
    colors, drawn.curves.items(), strict=True
  ):
    axes.plot(drawn.steps, mean, color=color, lw=1.4, label=label)
    axes.fill_between(
      drawn.steps, mean - half, mean + half, color=color, alpha=0.2, lw=0
    )
  axes.set(ylim=(0, 1.08 * num_modes), xlim=(0, drawn.steps[-1]))
  axes.set_yticks(range(0, num_modes + 1, 2))
  axes.set_ylabel("modes", fontsize=9)
  axes.locator_params(axis="x", nbins=3)
  axes.xaxis.set_major_formatter("{x:,.0f}")
