"""PacGAN's table 1: discriminators that judge several samples keep more modes.

A discriminator that judges m samples at once, all real or all generated, can
see that generated samples are too similar; a single sample does not show that.
The data is a ring of 8 Gaussians of radius 1 and standard deviation 0.01. The
table measures 2,500 generated samples:

  modes covered: those with a sample within 3 standard deviations,
  high quality: the share of samples within 3 of their nearest mode,
  reverse KL: sum_k q_k log(8 q_k), q_k the share nearest to mode k, in nats.

It has means and standard errors, over 10 published runs and here over 20 seeds,
because with 10 the modes of two rows differ by only 1.96 standard errors. The
publication takes 400,000 steps of Adam at a rate of 1e-4 (decays 0.8 and
0.999), as does --full. The default is 3,000 steps at 3e-3 with cosine decay:
after 4,000 steps at 1e-4 even the plain GAN still has all 8 modes, which it
loses late, and a larger rate makes that happen earlier. So short a run loses
more modes and is less exact than the published one, with and without packing.
Only the order and the number of covered modes are therefore checked; the other
published numbers are shown for comparison.

All other settings are the paper's: latents N(0, I_2); a generator of 4 layers
of 400 rectified units with batch normalisation; a discriminator of 3 layers of
200 maxout units of 5 pieces; kernels N(0, 0.02^2); the non-saturating loss; 100
packs, that is 100 m samples, of each kind in a step; both players at once.
Three details differ: data is drawn afresh in every step instead of from 100,000
samples; the generator's batch is normalised as a whole and not in m parts; and
the averages of its normalisation decay by 0.9 a step and not by 0.95.

Source: Lin, Khetan, Fanti and Oh, PacGAN: The power of two samples in
generative adversarial networks, arXiv 1712.04086, section 4.1 and table 1.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, rings
from experiments.reproduce.common.checks import at_least, at_most, compare
from experiments.reproduce.common.figure import (
  Computed,
  Inputs,
  Reproduction,
  Training,
)
from gan_jax.metrics import modes

NUM_SEEDS = 20
EVALUATION_SAMPLES = 2500
NUM_MODES = 8
COLORS = {
  # By row of the table: packs of 1, 2, 3 and 4 samples.
  "GAN": curves.GENERATED,
  "PacGAN2": "#56B4E9",
  "PacGAN3": curves.DISCRIMINATOR,
  "PacGAN4": "#00324F",
}
PLAIN, *PACKED = COLORS


class Column(NamedTuple):
  """A column of the published table.

  Attributes:
    metric: name of the metric.
    scale: the metric's unit in the column's.
    label: label of the column, with its unit.
    number: printf format of a number.
    perfect: the value of the data itself.
    published: the mean of each row.
    errors: the published standard errors, if any.
  """

  metric: str
  scale: float
  label: str
  number: str
  perfect: float
  published: tuple[float, ...]
  errors: tuple[float, ...] | None = None


MODES = Column(
  "modes_covered",
  1,
  "modes covered",
  "%.1f",
  NUM_MODES,
  (6.3, 7.9, 7.8, 7.8),
  (0.5, 0.1, 0.1, 0.1),
)
HIGH_QUALITY = Column(
  "high_quality_fraction",
  100,
  "high quality (%)",
  "%.1f",
  100 * modes.PERFECT_HIGH_QUALITY,
  (98.2, 95.6, 97.7, 95.9),
)
REVERSE_KL = Column(
  "reverse_kl",
  1,
  "reverse KL (nats)",
  "%.2f",
  (NUM_MODES - 1) / (2 * EVALUATION_SAMPLES),
  (0.45, 0.07, 0.10, 0.07),
  (0.09, 0.03, 0.02, 0.02),
)
COLUMNS = (MODES, HIGH_QUALITY, REVERSE_KL)
CONFIDENT = 1.7
"""Standard errors of a difference that is above 0 at 95 % confidence."""


def _difference(values: np.ndarray) -> float:
  """Returns by how many standard errors packing raises values [rows, seeds]."""
  means = values[0].mean(), values[1:].mean()
  errors = (
    rows.std(ddof=1) / math.sqrt(rows.size) for rows in (values[0], values[1:])
  )
  return (means[1] - means[0]) / math.hypot(*errors)


def compute(inputs: Inputs) -> Computed:
  """Compares the last evaluation of each pack size with the table."""
  runs = [inputs.runs[name] for name in COLORS]
  paths = {
    column.label: column.scale
    * np.stack([run.sampled(column.metric) for run in runs])
    for column in COLUMNS
  }
  final = {label: values[..., -1] for label, values in paths.items()}
  origin = "PacGAN, table 1, ring"
  checks = [
    at_least(
      f"{column.label}, packs against GAN (standard errors)",
      _difference(sign * final[column.label]),
      CONFIDENT,
      f"{origin}: packing is better",
    )
    for column, sign in ((MODES, 1), (REVERSE_KL, -1))
  ]
  for name, published, values in zip(
    COLORS, MODES.published, final[MODES.label], strict=True
  ):
    check, margin = (at_most, 1.0) if name == PLAIN else (at_least, 0.6)
    checks.append(
      check(
        f"modes, {name}", values, published, origin, margin, published, origin
      )
    )
  checks += [
    compare(f"{column.label}, {name}", values.mean(), published, origin)
    for column in (HIGH_QUALITY, REVERSE_KL)
    for name, published, values in zip(
      COLORS, column.published, final[column.label], strict=True
    )
  ]
  return Computed(
    checks,
    {
      "settings": runs[0].settings,
      "steps": runs[0].steps,
      "modes over steps": paths[MODES.label].mean(axis=1),
      "final": final,
      "samples": [run.snapshots["samples"][0, -1] for run in runs],
      "modes": runs[0].snapshots["modes"],
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws samples of a seed, the columns of the table, and modes over steps."""
  figure, panels = curves.grid(8, 4, (12, 6.8))
  settings = drawn["settings"]
  decay = settings["learning_rate_decay"]
  pictures.headline(
    figure,
    "discriminators that judge several samples keep more modes: "
    f"{settings['steps']:,} steps at a rate of "
    f"{settings['generator_learning_rate']:g}"
    + ("" if decay == "none" else f" with {decay} decay")
    + f", {drawn['final'][MODES.label].shape[1]} seeds\n"
    "(published: 400,000 steps at a rate of 0.0001, 10 runs)",
  )
  over_steps = panels[-1]
  for axes, (name, color), samples, path in zip(
    panels[:4],
    COLORS.items(),
    drawn["samples"],
    drawn["modes over steps"],
    strict=True,
  ):
    rings.draw_modes(axes, drawn["modes"], 9)
    axes.plot(*samples.T, ".", color=color, ms=2.5)
    axes.set_title(f"{name}, samples of one seed", fontsize=10)
    axes.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal", xlabel="x")
    over_steps.plot(drawn["steps"], path, ".-", color=color, label=name)
  panels[0].set_ylabel("y")
  for axes, column in zip(panels[4:7], COLUMNS, strict=True):
    _draw_column(axes, column, drawn["final"][column.label])
  over_steps.set_title("modes covered, mean of seeds", fontsize=10)
  over_steps.set(ylabel="modes covered", ylim=(0, 8.4))
  curves.step_axis(over_steps)
  over_steps.locator_params(axis="x", nbins=4)
  return curves.legend(figure)


def _draw_column(axes: Axes, column: Column, final: np.ndarray) -> None:
  """Draws a column [rows, seeds] of the table beside the published one."""
  axes.axhline(
    column.perfect,
    color=curves.FRAME,
    label="perfect sampler",
    **curves.REFERENCE,
  )
  num_seeds = final.shape[1]
  ticks = []
  for row, (name, color) in enumerate(COLORS.items()):
    mean, published = final[row].mean(), column.published[row]
    error = final[row].std(ddof=1) / math.sqrt(num_seeds)
    axes.plot(
      row - 0.3 + 0.15 * np.linspace(-1, 1, num_seeds),
      final[row],
      ".",
      color=color,
      alpha=0.5,
      ms=4,
    )
    axes.errorbar(row, mean, error, fmt="o", color=color, ms=6, capsize=3)
    axes.errorbar(
      row + 0.25,
      published,
      column.errors and column.errors[row],
      fmt="D",
      color=curves.DATA,
      mfc="white",
      ms=5,
      capsize=3,
      label="published",
    )
    ticks.append(
      f"{name}\n{column.number % mean}\n({column.number % published})"
    )
  axes.set_xticks(range(len(ticks)), ticks, fontsize=8)
  axes.set_title(f"{column.label}, final (published)", fontsize=10)
  axes.set(ylabel=column.label, xlim=(-0.6, 3.5))


def _trainings(
  steps: int, learning_rate: float, decay: str
) -> dict[str, Training]:
  """Returns the trainings of each pack size."""
  settings = {
    "mode_stddev": 0.01,
    "generator_width": 400,
    "generator_depth": 4,
    "generator_normalization": "batch",
    "discriminator_width": 200,
    "discriminator_depth": 3,
    "discriminator_pieces": 5,
    "discriminator_activation": "identity",
    "initializer": "normal",
    "initial_scale": 0.02,
    "batch_size": 100,
    "generator_learning_rate": learning_rate,
    "discriminator_learning_rate": learning_rate,
    "learning_rate_decay": decay,
    "generator_beta1": 0.8,
    "discriminator_beta1": 0.8,
    "generator_average": 0.0,
    "evaluation_samples": EVALUATION_SAMPLES,
    "steps": steps,
    "log_every": steps // 10,
  }
  return {
    name: Training("ring", {**settings, "packing": packing}, NUM_SEEDS)
    for packing, name in enumerate(COLORS, start=1)
  }


REPRODUCTION = Reproduction(
  id="pacgan_table1",
  source="PacGAN 2018, arXiv 1712.04086, table 1",
  summary="packs of 2 to 4 samples keep modes of the ring that a GAN loses",
  minutes=120,
  compute=compute,
  draw=draw,
  trainings=_trainings(3000, 3e-3, "cosine"),
  full_trainings=_trainings(400_000, 1e-4, "none"),
)
