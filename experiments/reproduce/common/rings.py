"""Trainings on a ring of Gaussians side by side: samples, and modes over steps.

Of the samples of a generator, q_k is the share that is nearest to mode k of m.
They are spread over

  m exp(-KL(q || uniform)) = exp(H(q))

modes: 1 where all are nearest to one mode, m where all modes have equal shares,
however far from their modes the samples are. A mode is covered if it is nearest
to a sample within 3 standard deviations of it.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves as plots
from experiments.reproduce.common import pictures
from experiments.run_folder.results import Results, mean_and_interval

NUM_FRAMES = 5
END = 0.9
"""From which part of a training on it is at its end."""


class Row(NamedTuple):
  """What is drawn of a training.

  Attributes:
    frames: [n], the steps of the frames.
    samples: [n, num_samples, 2], of the first seed at those steps.
    steps: [num_logs], the logged steps.
    curves: what to draw over them, by its label: the mean over seeds and half
      of its 95 % confidence interval, [num_logs] each.
  """

  frames: np.ndarray
  samples: np.ndarray
  steps: np.ndarray
  curves: Mapping[str, tuple[np.ndarray, np.ndarray]]


def spread(results: Results) -> np.ndarray:
  """Computes over how many modes the samples are spread.

  Args:
    results: a training on a ring, whose modes all have the same probability.

  Returns:
    [num_seeds, num_logs], from 1 to the number of modes.
  """
  num_modes = results.settings["num_modes"]
  return num_modes * np.exp(-results.metrics["reverse_kl"])


def num_visited(results: Results) -> np.ndarray:
  """Counts the modes that most samples were nearest to at some logged step.

  Args:
    results: a training on a ring.

  Returns:
    [members], of those that there are snapshots of.
  """
  samples, modes = (results.snapshots[name] for name in ("samples", "modes"))
  offsets = samples[..., None, :] - modes
  nearest = np.argmin(np.linalg.norm(offsets, axis=-1), axis=-1)
  shares = np.mean(nearest[..., None] == np.arange(len(modes)), axis=2)
  fullest = np.argmax(shares, axis=-1)
  return np.array([len(np.unique(modes)) for modes in fullest])


def at_end(results: Results, values: np.ndarray) -> float:
  """Averages over seeds and the last tenth of the steps.

  Args:
    results: of a training.
    values: [num_seeds, num_logs], of the same training.

  Returns:
    The mean; NaN if a member failed.
  """
  late = results.steps >= END * results.steps[-1]
  return float(np.mean(values[:, late]))


def row(results: Results) -> Row:
  """Computes what is drawn of a training."""
  chosen = plots.choose_frames(len(results.snapshots["step"]), NUM_FRAMES)
  curves = {}
  for label, values in (
    ("modes that samples are spread over", spread(results)),
    ("modes covered", results.metrics["modes_covered"]),
  ):
    columns = [mean_and_interval(column) for column in values.T]
    # None, where too few members are left, turns into NaN.
    curves[label] = tuple(
      np.array([column[name] for column in columns], float)
      for name in ("mean", "ci95")
    )
  return Row(
    results.snapshots["step"][chosen],
    results.snapshots["samples"][0, chosen],
    results.steps,
    curves,
  )


def draw(
  title: str, rows: Mapping[str, Row], modes: np.ndarray, height: float
) -> Figure:
  """Draws a row of snapshots for each training, and its modes over steps.

  Args:
    title: what is seen.
    rows: of the trainings, by what they are called.
    modes: [num_modes, 2], of the data.
    height: of the figure, in inches.

  Returns:
    The figure, 12 inches wide.
  """
  columns = NUM_FRAMES + 1
  figure, panels = plots.grid(
    len(rows) * columns,
    columns,
    (12, height),
    width_ratios=(*(1,) * NUM_FRAMES, 1.35),
  )
  pictures.headline(figure, title)
  for index, (name, drawn) in enumerate(rows.items()):
    *snapshots, curves = panels[index * columns : (index + 1) * columns]
    for axes, step, samples in zip(
      snapshots, drawn.frames, drawn.samples, strict=True
    ):
      _draw_samples(axes, samples, modes)
      if index == 0:
        axes.set_title(f"step {step:,}", fontsize=10)
    snapshots[0].set_ylabel(name, fontsize=11)
    _draw_curves(curves, drawn, len(modes))
  panels[columns - 1].set_title("mean of seeds, 95 % interval", fontsize=10)
  panels[-1].set_xlabel("step", fontsize=9)
  return plots.legend(figure, markerscale=2)


def _draw_samples(axes: Axes, samples: np.ndarray, modes: np.ndarray) -> None:
  """Draws samples, and the modes as rings around their centres."""
  axes.plot(
    *samples.T,
    ".",
    color=plots.GENERATED,
    ms=2,
    label="generated samples, seed 0",
  )
  axes.plot(
    *modes.T,
    "o",
    mfc="none",
    mec=plots.DATA,
    mew=0.8,
    ms=6,
    label="data modes",
  )
  limit = 1.5 * np.max(np.abs(modes))
  axes.set(aspect="equal", xlim=(-limit, limit), ylim=(-limit, limit))
  axes.tick_params(labelbottom=False, labelleft=False, length=0)


def _draw_curves(axes: Axes, drawn: Row, num_modes: int) -> None:
  """Draws how many modes there are samples of, over the steps."""
  axes.axhline(num_modes, color=plots.DATA, **plots.REFERENCE)
  colors = (plots.GENERATED, plots.DISCRIMINATOR)
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
