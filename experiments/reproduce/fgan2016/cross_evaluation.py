"""Five normals, each trained with one divergence and evaluated by all five.

A normal q that is fitted to the mixture p by one divergence is not the best one
for another, so in each column the diagonal is the smallest:

  D_j(p || q_j) <= D_j(p || q_i),  q_i the normal fitted by D_i.

The best normals are found by quadrature. The trained ones are the ends of the
games of `fgan_table`, whose runs this figure shares. Both are evaluated by
quadrature, so that only the trainings differ between seeds.

The best normals of JS and Jeffrey differ by 0.4 % in JS, and the trained ones
tie. The deviation of the one trained with Jeffrey is 2.5 % too large, which
happens to be the best for JS; five steps of the critic to one of the generator
do not change it.

Source: Nowozin, Cseke and Tomioka, f-GAN: Training Generative Neural Samplers
using Variational Divergence Minimization, arXiv 1606.00709, the table of the
divergences trained with and evaluated by.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import expected, pictures, quadrature
from experiments.reproduce.common.checks import (
  Check,
  at_least,
  close,
  covers,
  lower_end,
)
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.fgan2016 import mixture_game
from experiments.reproduce.fgan2016.conjugates import FORMS
from experiments.reproduce.fgan2016.mixture_game import TITLES
from gan_jax import divergences
from gan_jax.statistics import mean_and_interval

NAMES = ("kl", "reverse_kl", "jensen_shannon", "jeffrey", "pearson")
"""In the order of the paper's rows and columns."""
MIXTURE = (-1.0, 2.0), (0.255, 1.415), (0.33, 0.67)
"""Means, deviations and weights, for the expected numbers."""
TIES: Mapping[str, tuple[str, float]] = {"jensen_shannon": ("jeffrey", 2.4e-4)}
"""The row that ties with the diagonal of a column, and by how much."""
ENDS = -12.0, 14.0
ORIGIN = "f-GAN 2016: the diagonal is the best of its column"


def compute(inputs: Inputs) -> Computed:
  """Evaluates the best and the trained normals by every divergence."""
  with jax.enable_x64(True):
    normals = [
      mixture_game.best_normal(divergences.f_divergence, name)[:2]
      for name in NAMES
    ]
    best = evaluate(np.array(normals))
    trained = np.stack(
      [
        evaluate(mixture_game.trained_normals(inputs.runs[name]))
        for name in NAMES
      ]
    )
  return Computed(
    [*check_best(best, normals), *check_trained(trained)],
    {"best": best, "trained": trained},
  )


def evaluate(normals: np.ndarray) -> np.ndarray:
  """Computes the divergences of the mixture from normals [n, 2], [n, 5]."""
  x, weights = quadrature.axis()
  p = mixture_game.data()
  return np.array(
    [
      [divergences.f_divergence(name, p, q, weights) for name in NAMES]
      for q in (quadrature.normal(x, *normal) for normal in normals)
    ]
  )


def check_best(best: np.ndarray, normals: list[Any]) -> list[Check]:
  """Checks the matrix [5, 5] of the best normals, column by column."""
  checks = []
  for column, name in enumerate(NAMES):
    rivals = np.delete(best[:, column], column)
    checks += [
      close(
        f"{name}: mean of the column",
        np.mean(best[:, column]),
        np.mean([_integral(name, *normal) for normal in normals]),
        1e-5,
        "int q f(p / q) by scipy.integrate.quad",
      ),
      at_least(
        f"{name}: least lead of the diagonal, best normals",
        np.min(rivals) - best[column, column],
        0.0,
        ORIGIN,
      ),
    ]
  return checks


def _integral(name: str, mean: float, stddev: float) -> float:
  """Integrates a divergence of the mixture from a normal adaptively."""

  def integrand(x):
    log_q = expected.log_normal(x, mean, stddev)
    ratio = np.exp(expected.log_mixture(x, *MIXTURE) - log_q)
    return np.exp(log_q) * FORMS[name].f(ratio)

  return expected.integral(integrand, *ENDS)


def check_trained(trained: np.ndarray) -> list[Check]:
  """Checks that the diagonal wins each column by more than the intervals.

  The checked number is the lower end of the 95 % interval of the lead over the
  row that is next to the diagonal in this sense.

  Args:
    trained: [5, seeds, 5]: trained with, seed, evaluated by.
  """
  checks = []
  for column, name in enumerate(NAMES):
    values = trained[..., column]
    leads = {
      rival: values[row] - values[column]
      for row, rival in enumerate(NAMES)
      if row != column
    }
    if name in TIES:
      rival, margin = TIES[name]
      checks.append(
        covers(
          f"{name}: lead over {rival}, trained",
          leads.pop(rival),
          0.0,
          margin,
          "the first run: a tie; half of the lead of the best normals",
        )
      )
    checks.append(
      at_least(
        f"{name}: least lead, trained, lower end",
        min(map(lower_end, leads.values())),
        0.0,
        ORIGIN,
      )
    )
  return checks


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws both matrices, coloured by the loss to the diagonal."""
  figure, panels = curves.grid(2, 2, (12, 4.2))
  pictures.headline(
    figure,
    "a normal trained with one divergence and evaluated by another: the "
    "diagonal is the smallest of its column",
  )
  best, trained = drawn["best"], drawn["trained"]
  _matrix(panels[0], best, None, "best normals, by quadrature")
  summaries = [
    [mean_and_interval(trained[row, :, column]) for column in range(len(NAMES))]
    for row in range(len(NAMES))
  ]
  _matrix(
    panels[1],
    trained.mean(axis=1),
    np.array([[each.ci95 for each in row] for row in summaries]),
    f"trained normals, mean of {trained.shape[1]} seeds and its 95 % interval",
  )
  panels[0].set_ylabel("trained with")
  return figure


def _matrix(
  axes: Axes, values: np.ndarray, ci95: np.ndarray | None, title: str
) -> None:
  """Draws a matrix whose colours say how many times the best a cell is."""
  times = values / values.min(axis=0)
  axes.imshow(
    np.log(times), cmap="cividis_r", vmin=0, vmax=np.log(2.5), aspect="auto"
  )
  for (row, column), value in np.ndenumerate(values):
    text = f"{value:.4f}"
    if ci95 is not None:
      text += f"\n±{ci95[row, column]:.4f}"
    axes.text(
      column,
      row,
      text,
      ha="center",
      va="center",
      fontsize=9,
      weight="bold" if times[row, column] == 1 else "normal",
      color="black" if times[row, column] < np.sqrt(2.5) else "white",
    )
  axes.grid(False)
  axes.spines[:].set_visible(False)
  axes.tick_params(length=0)
  names = [TITLES[name] for name in NAMES]
  axes.set_xticks(range(len(NAMES)), names)
  axes.set_yticks(range(len(NAMES)), names)
  axes.set_xlabel("evaluated by")
  axes.set_title(title, fontsize=10)


REPRODUCTION = Reproduction(
  id="fgan_matrix",
  source="f-GAN 2016, arXiv 1606.00709, the table of both divergences",
  summary="the divergence that is trained with is the smallest in the end",
  minutes=2,
  compute=compute,
  draw=draw,
  trainings={name: mixture_game.training(name) for name in NAMES},
)
