"""The best normal approximation of a mixture under five divergences.

Five divergences between the data p and q = N(mu, sigma^2) have five different
best normals q*. They are found in two ways: by minimising the divergence
itself, and by the game of a linear generator with a critic, which uses samples
only.

Source: Nowozin, Cseke and Tomioka, f-GAN: Training Generative Neural Samplers
using Variational Divergence Minimization, arXiv 1606.00709. Its settings
(unconfirmed) are a critic of 64-64 tanh units, batches of 1,024 and a learning
rate of 0.01, which decays to 0 here. The paper's JS is twice the
divergence whose largest value is log 2, and its Pearson divergence is int (p -
q)^2 / q. The paper does not publish its mixture; this one is inferred from its
table.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.checks import close, covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.fgan2016 import mixture_game
from experiments.reproduce.fgan2016.mixture_game import NUM_SEEDS, TITLES
from gan_jax import divergences

QUANTITIES = {"divergence": 0.1, "mu": 0.05, "sigma": 0.05}
"""The rows of the table, with the relative tolerance of a trained number."""


class Column(NamedTuple):
  """A column of the table.

  Attributes:
    best: the least divergence of a normal, and its mean and standard deviation.
    published: mean and deviation of the paper's trained generator, unconfirmed.
  """

  best: tuple[float, float, float]
  published: tuple[float, float]


TABLE: Mapping[str, Column] = {
  "kl": Column((0.2831, 1.0100, 1.8308), (1.0335, 1.8236)),
  "reverse_kl": Column((0.2480, 1.5782, 1.6319), (1.5624, 1.6403)),
  "jensen_shannon": Column((0.1280, 1.3070, 1.7542), (1.2854, 1.7659)),
  "jeffrey": Column((0.5705, 1.3218, 1.7034), (1.2295, 1.8087)),
  "pearson": Column((0.6457, 0.5737, 1.9274), (0.6157, 1.9031)),
}


def compute(inputs: Inputs) -> Computed:
  """Minimises each divergence and measures the end of its game."""
  checks, drawn = [], {}
  for name, run in inputs.runs.items():
    with jax.enable_x64(True):
      *normal, least = mixture_game.best_normal(divergences.f_divergence, name)
    best = np.array([least, *normal])
    x, column = run.snapshots["x"], TABLE[name]
    trained = np.column_stack(
      [
        # The generator's cost is the critic's bound on the divergence.
        run.metrics["generator_cost"][:, -1],
        mixture_game.trained_normals(run),
      ]
    )
    for (quantity, tolerance), value, per_seed, expected, published in zip(
      QUANTITIES.items(),
      best,
      trained.T,
      column.best,
      (None, *column.published),
      strict=True,
    ):
      checks += [
        close(
          f"{name}: {quantity}",
          value,
          expected,
          1e-3,
          "the paper's table, from which the mixture is inferred",
        ),
        covers(
          f"{name}: trained {quantity}",
          per_seed,
          expected,
          tolerance * expected,
          "the best normal",
          published,
        ),
      ]
    drawn[name] = {
      "x": x,
      "data": run.snapshots["data_density"],
      "generated": run.snapshots["generated_density"][:, -1],
      "best": best,
      "density": stats.norm.pdf(x, *normal),
      "trained": trained.mean(axis=0),
    }
  return Computed(checks, drawn)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws a panel for each divergence above its column of the table."""
  count = len(drawn)
  figure, panels = curves.grid(
    2 * count, count, (12, 5.2), sharey="row", height_ratios=(3, 1)
  )
  pictures.headline(
    figure,
    "the normal that each divergence fits to a mixture: best by quadrature, "
    f"trained by the f-GAN of that divergence ({NUM_SEEDS} seeds)",
  )
  for axes, table, (name, fit) in zip(
    panels[:count], panels[count:], drawn.items(), strict=True
  ):
    x = fit["x"]
    axes.fill_between(
      x, fit["data"], color=curves.DATA, alpha=0.2, lw=0, label="data p"
    )
    for density in fit["generated"]:
      axes.plot(
        x, density, color=curves.GENERATED, alpha=0.5, label="trained q, a seed"
      )
    axes.plot(
      x, fit["density"], color=curves.DATA, label="best q*", **curves.REFERENCE
    )
    axes.set_title(TITLES[name], fontsize=10)
    axes.set(xlim=(-4, 7), xlabel="x")
    _write_column(table, fit["best"], fit["trained"], TABLE[name].published)
  panels[0].set_ylabel("probability density")
  panels[0].set_ylim(0, 0.58)
  panels[-1].text(
    1,
    -0.05,
    "* unconfirmed",
    transform=panels[-1].transAxes,
    ha="right",
    va="top",
    fontsize=8,
  )
  return curves.legend(figure)


def _write_column(
  axes: Axes,
  best: np.ndarray,
  trained: np.ndarray,
  published: tuple[float, float],
) -> None:
  """Writes a column of the table, with three numbers side by side."""
  axes.set_axis_off()
  numbers = zip(best, trained, (None, *published), strict=True)
  rows = [("", "best", "trained", "paper*")]
  rows += [
    (label, *("" if value is None else f"{value:.3f}" for value in values))
    for label, values in zip(("D_f", "mu", "sigma"), numbers, strict=True)
  ]
  for row, texts in enumerate(rows):
    for position, text in zip((0.18, 0.45, 0.73, 1.0), texts, strict=True):
      axes.text(
        position,
        0.9 - 0.25 * row,
        text,
        transform=axes.transAxes,
        ha="right",
        va="center",
        fontsize=9,
        color=curves.FRAME if row == 0 else curves.DATA,
      )


REPRODUCTION = Reproduction(
  id="fgan_table",
  source="f-GAN 2016, arXiv 1606.00709, the table of fitted normals",
  summary="five divergences fit a normal to a mixture in five ways",
  minutes=2,
  compute=compute,
  draw=draw,
  trainings={name: mixture_game.training(name) for name in TABLE},
)
