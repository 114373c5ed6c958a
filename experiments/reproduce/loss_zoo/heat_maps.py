"""Heat maps of every loss under three update rules and three penalties.

The maps show the modes covered and the fraction of high-quality samples, on a
ring of 8 Gaussians and on a grid of 25. Each cell is trained with 10 seeds. A
row called practical has f-GAN's practical objective of the generator.

  simultaneous:   both players use the gradients at the old point
  alternating:    one step of the discriminator, then one of the generator
  extragradient:  both use the gradients at an extrapolated point

  R1:       weight / 2 E |grad C|^2 on data
  WGAN-GP:  weight E (|grad C| - 1)^2 between data and samples

All cells of a map share the networks (2 hidden layers of 64 ReLU units), the
batch size (32), the optimizer (Adam, beta1 .5, learning rate .004 for both
players, cosine decay) and the number of steps. Only the loss, the update rule
and the penalty differ. No setting is tuned for one loss, so a poor cell shows
how a loss does with these settings, not what it can do. The weight of both
penalties is .1. Of .03, .1, .3 and 1 it gave one seed of simultaneous training
the best mean quality over the losses, on both data sets, and it is the weight
of the WGAN-GP toys. The grid is as wide as the ring, with spacing 1/2 and
standard deviation 1/40. The grid of the literature, with spacing 2 and standard
deviation 1/20, is not learnt in so few steps.

The generator at the end of training is evaluated, not an average of its
parameters, on 2,500 samples. A sample is of high quality within 3 standard
deviations of the nearest mode, and a mode is covered if it is the nearest mode
of such a sample. A training with a cost that is not finite at some step has
failed and counts as 0 modes and 0 quality.

Some rows are known in advance. The gradients of minimax, f_gan and
f_jensen_shannon are equal, so their rows must agree, and so must those of
non_saturating and of these two with the practical objective. The zero-sum
generator of f_pearson gains without bound from a large critic value of either
sign, so it diverges. With the practical objective it gains from one sign only.

No publication has this table. The checks compare it with the first run, of the
seeds 0 to 9, with a margin for the difference between seeds.

References:
  Lucic et al., Are GANs Created Equal? A Large-Scale Study, arXiv 1711.10337,
    for comparing losses with one budget.
  Lin et al., PacGAN, arXiv 1712.04086, section 4.1, for the definition of a
    covered mode.
  Mescheder, Geiger and Nowozin, Which Training Methods for GANs do actually
    Converge?, arXiv 1801.04406, for R1.
  Gulrajani et al., Improved Training of Wasserstein GANs, arXiv 1704.00028.
  Gidel et al., A Variational Inequality Perspective on Generative Adversarial
    Networks, arXiv 1802.10551, for extragradient.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.cli import console
from experiments.configs import toy_2d
from experiments.configs.choices import LOSSES, PRACTICAL_LOSSES
from experiments.configs.toy_2d import (
  GridSettings,
  MixtureSettings,
  RingSettings,
)
from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.checks import (
  Check,
  at_least,
  at_most,
  covers,
)
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import losses, training
from gan_jax.losses import AdversarialLoss
from gan_jax.statistics import mean_and_interval
from gan_jax.training import Problem
from gan_jax.types import Device

NUM_SEEDS = 10
WEIGHT = 0.1
UPDATES = ("simultaneous", "alternating", "extragradient")
PENALTIES: Mapping[str, tuple[str, ...]] = {
  "none": (),
  "R1": ("r1",),
  "WGAN-GP": ("gradient_penalty",),
}
COLUMNS = tuple((u, p) for u in UPDATES for p in PENALTIES)
"""The update rule and the penalty of each column of a map."""
ROWS: Mapping[str, Callable[[], AdversarialLoss]] = {
  row: zoo[name]
  for name in LOSSES
  for row, zoo in (
    (name, LOSSES),
    (f"{name}, practical", PRACTICAL_LOSSES),
  )
  if name in zoo
}
"""The loss of each row of a map."""
STANDARD = [row for row, name in enumerate(ROWS) if name in LOSSES]
"""The rows without the practical objective."""

_SHARED: Mapping[str, Any] = {
  "generator_width": 64,
  "discriminator_width": 64,
  "batch_size": 32,
  "generator_learning_rate": 4e-3,
  "discriminator_learning_rate": 4e-3,
  "learning_rate_decay": "cosine",
  "generator_beta1": 0.5,
  "discriminator_beta1": 0.5,
  "penalty_weight": (WEIGHT,),
  "evaluation_samples": 2500,
}


class Data(NamedTuple):
  """A data set, and the trainings on it.

  Attributes:
    num_modes: number of modes of the data.
    settings: the settings that all trainings share.
    build: maps (settings, loss) to the problem.
  """

  num_modes: int
  settings: MixtureSettings
  build: Callable[[Any, AdversarialLoss], Problem]


DATA: Mapping[str, Data] = {
  "ring": Data(8, RingSettings(steps=2500, **_SHARED), toy_2d.build_ring),
  "grid": Data(
    25,
    GridSettings(steps=8000, spacing=0.5, mode_stddev=0.025, **_SHARED),
    toy_2d.build_grid,
  ),
}


class Cells(NamedTuple):
  """Results of trainings, each [..., losses, seeds].

  Attributes:
    modes: modes covered.
    quality: the fraction of samples of high quality.
    failed: whether a cost was not finite; modes and quality are then 0.
  """

  modes: np.ndarray
  quality: np.ndarray
  failed: np.ndarray


def train_losses(
  build: Callable[[Any, AdversarialLoss], Problem],
  settings: MixtureSettings,
  seeds: Sequence[int],
  devices: Sequence[Device],
) -> Cells:
  """Trains every loss with every seed in one program.

  Args:
    build: maps (settings, loss) to the problem.
    settings: all settings but the loss.
    seeds: the seeds of each loss.
    devices: the trainings are divided among them.

  Returns:
    The cells, [losses, seeds].
  """
  zoo = [make() for make in ROWS.values()]
  shape = len(zoo), len(seeds)
  num_cells = len(zoo) * len(seeds)
  # Every device trains equally many, so some trainings may be repeated.
  per_device = -(-num_cells // len(devices))
  cells = np.arange(per_device * len(devices)) % num_cells
  loss, seed = np.unravel_index(cells, shape)
  population = training.varied_population(
    lambda index: build(settings, losses.selected(index, zoo)),
    jnp.asarray(loss, jnp.int32),
    len(cells),
    devices,
    num_drawn=1,
  )
  keys = jax.vmap(training.member_keys)(jnp.asarray(seeds, jnp.uint32)[seed])
  progress = population.advance(
    population.init(keys), keys, jnp.int32(0), jnp.int32(settings.steps)
  )
  metrics = population.evaluate(progress, keys)
  failed = np.any(np.stack(progress.failed_at) != training.NEVER, axis=0)
  # The costs of a step are those before it, so the last step is tested here.
  for cost in ("generator_cost", "discriminator_cost"):
    failed |= ~np.isfinite(metrics[cost])
  modes, quality = (
    np.where(failed, 0.0, metrics[name])
    for name in ("modes_covered", "high_quality_fraction")
  )
  return Cells(
    *(x[:num_cells].reshape(shape) for x in (modes, quality, failed))
  )


def _train_column(
  data: Data, settings: MixtureSettings, seeds: Sequence[int]
) -> Mapping[str, np.ndarray]:
  """Trains a column of a map, and says how long it took."""
  started = time.perf_counter()
  cells = train_losses(data.build, settings, seeds, jax.devices())
  console.say(
    f"  {data.num_modes} modes, {settings.update}, penalty "
    f"{', '.join(settings.penalty) or 'none'}, "
    f"{time.perf_counter() - started:.0f} s"
  )
  return cells._asdict()


def compute(inputs: Inputs) -> Computed:
  """Trains one program for each data set, update rule and penalty."""
  seeds = range(inputs.seed, inputs.seed + NUM_SEEDS)
  cells = {}
  for name, data in DATA.items():
    columns = []
    for update, penalty in COLUMNS:
      settings = data.settings.replace(
        update=update, penalty=PENALTIES[penalty]
      )
      kept = inputs.keep(
        f"{name}-{update}-{penalty}",
        {
          **dataclasses.asdict(settings),
          "rows": list(ROWS),
          "seeds": list(seeds),
        },
        functools.partial(_train_column, data, settings, seeds),
      )
      columns.append(Cells(**kept))
    cells[name] = Cells(*map(np.stack, zip(*columns, strict=True)))
  return Computed(check_cells(cells), {"cells": cells})


def check_cells(cells: Mapping[str, Cells]) -> list[Check]:
  """Checks cells [columns, losses, seeds] of each data set."""
  ring, grid = cells["ring"], cells["grid"]
  rows = {name: row for row, name in enumerate(ROWS)}

  def cell(loss, update="simultaneous", penalty="none", values=ring.modes):
    return values[COLUMNS.index((update, penalty)), rows[loss]]

  checks = [
    covers(
      "modes of non_saturating, ring, simultaneous",
      cell("non_saturating"),
      8.0,
      1.0,
      "the modes of the data",
    ),
    at_least(
      "quality of non_saturating, grid, simultaneous",
      cell("non_saturating", values=grid.quality),
      0.5,
      "the first run: 0.55; samples spread over the grid have 0.07",
      0.1,
    ),
  ]
  for name, loss, update, penalty in (
    ("WGAN-GP adds to wasserstein", "wasserstein", UPDATES[0], "WGAN-GP"),
    ("extragradient adds to wasserstein", "wasserstein", UPDATES[2], "none"),
    ("R1 adds to bounded_linear", "bounded_linear", UPDATES[0], "R1"),
  ):
    added = cell(loss, update, penalty) - cell(loss)
    origin = "the first run: 5.8 to 5.9"
    checks.append(at_least(f"modes that {name}, ring", added, 5, origin, 3))
  checks.append(
    at_least(
      "modes that the practical objective adds to f_pearson, ring",
      cell("f_pearson, practical") - cell("f_pearson"),
      7,
      "the first run: 8.0",
      1,
    )
  )
  for name, added, margin in (("ring", 1.7, 0.5), ("grid", 6.8, 2.0)):
    modes = cells[name].modes[:, STANDARD]
    shape = (len(UPDATES), len(PENALTIES), *modes.shape[1:])
    plain, with_r1, _ = modes.reshape(shape).mean(axis=(0, 2))
    checks.append(
      covers(
        f"modes that R1 adds, mean of standard losses and rules, {name}",
        with_r1 - plain,
        added,
        margin,
        "the first run",
      )
    )
  # [losses, seeds], the means of both data sets and all columns.
  qualities = np.mean([each.quality for each in cells.values()], axis=(0, 1))
  for loss, same in (
    ("f_gan", "minimax"),
    ("f_jensen_shannon", "minimax"),
    ("f_gan, practical", "non_saturating"),
    ("f_jensen_shannon, practical", "non_saturating"),
  ):
    checks.append(
      covers(
        f"quality of {loss} above that of {same}",
        qualities[rows[loss]] - qualities[rows[same]],
        0.0,
        0.05,
        "algebra: they differ by constants, so their gradients are equal",
      )
    )
  failed = np.mean([each.failed.mean() for each in cells.values()])
  origin = "losses and slopes are finite for finite logits"
  return [*checks, at_most("share of failed trainings", failed, 0.01, origin)]


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws a map of the modes and of the quality for each data set."""
  figure, panels = curves.grid(2 * len(DATA), 2, (12, 19.5))
  num_seeds = drawn["cells"]["ring"].modes.shape[-1]
  pictures.headline(
    figure,
    f"every loss, update rule and penalty: mean of {num_seeds} seeds and its "
    "95 % interval\nthe last generator, not an average; 2 hidden layers of 64, "
    f"batch 32, Adam .004, penalties weigh {WEIGHT:g}",
  )
  for index, (name, cells) in enumerate(drawn["cells"].items()):
    num_modes, settings, _ = DATA[name]
    covered, quality = panels[2 * index : 2 * index + 2]
    _heat_map(covered, cells.modes, cells.failed, num_modes, "{:.1f}".format)
    _heat_map(
      quality,
      cells.quality,
      cells.failed,
      1.0,
      lambda fraction: f"{fraction:.2f}".removeprefix("0"),
    )
    covered.set_title(
      f"{name}: modes covered, of {num_modes} ({settings.steps:,} steps)",
      fontsize=10,
    )
    quality.set_title(
      f"{name}: fraction of samples of high quality", fontsize=10
    )
    quality.tick_params(labelleft=False)
  return figure


def _heat_map(
  axes: Axes,
  values: np.ndarray,
  failed: np.ndarray,
  highest: float,
  written: Callable[[float], str],
) -> None:
  """Draws a row for each loss, and one for the mean of the standard rows.

  Args:
    axes: the axes.
    values: [columns, losses, seeds].
    failed: [columns, losses, seeds].
    highest: the value of the brightest colour; the darkest colour is 0.
    written: formats a number.
  """
  # The mean of losses has one value for each seed, like a single loss.
  averages = values[:, STANDARD].mean(axis=1, keepdims=True)
  counts = failed[:, STANDARD].sum(axis=1, keepdims=True)
  values = np.concatenate([values, averages], axis=1)
  failed = np.concatenate([failed, counts], axis=1)
  means = values.mean(axis=-1).T
  axes.imshow(means, cmap="cividis", vmin=0, vmax=highest, aspect="auto")
  for (row, column), mean in np.ndenumerate(means):
    interval = mean_and_interval(values[column, row]).ci95
    text = written(mean)
    if interval is not None:
      text += f" ±{written(interval)}"
    if count := int(failed[column, row].sum()):
      text += f"\n{count} failed"
    axes.text(
      column,
      row,
      text,
      ha="center",
      va="center",
      fontsize=7,
      # The lower half of the colours is dark.
      color="black" if mean > highest / 2 else "white",
    )
  axes.grid(False)
  axes.spines[:].set_visible(False)
  axes.tick_params(length=0, labelsize=8)
  axes.set_xticks(range(len(COLUMNS)), [penalty for _, penalty in COLUMNS])
  axes.set_yticks(range(len(ROWS) + 1), [*ROWS, "mean, not practical"])
  axes.axhline(len(ROWS) - 0.5, color="white", lw=3)
  for index, update in enumerate(UPDATES):
    first = index * len(PENALTIES) - 0.5
    axes.axvline(first, color="white", lw=3)
    axes.annotate(
      update,
      (first + len(PENALTIES) / 2, 0),
      (0, -30),
      xycoords=("data", "axes fraction"),
      textcoords="offset points",
      ha="center",
      fontsize=9,
    )


REPRODUCTION = Reproduction(
  id="loss_zoo",
  source="no publication, modes as in PacGAN 2018, section 4.1",
  summary="every loss under three update rules and three penalties",
  minutes=45,
  compute=compute,
  draw=draw,
  trains=True,
)
