"""The best normal approximation of a mixture under five divergences.

Five divergences between the data p and q = N(mu, sigma^2) have five different
best normals q*. They are found in two ways: by minimising the divergence
itself, and by the game of a linear generator with a critic, which uses samples
only.

Source: Nowozin, Cseke and Tomioka, f-GAN: Training Generative Neural Samplers
using Variational Divergence Minimization, arXiv 1606.00709, section 4.1. Its
settings (unconfirmed) are a critic of 64-64 tanh units, batches of 1,024 and a
learning rate of 0.01, which decays to 0 here. The paper's JS is twice the
divergence whose largest value is log 2, and its Pearson divergence is int (p -
q)^2 / q. The paper does not publish its mixture; this one is inferred from its
table.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import optimize

from experiments.configs.registry import BY_NAME
from experiments.configs.toy_1d import OneDimensionalSettings
from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.figure import (
  Check,
  Computed,
  Reproduction,
  Training,
)
from experiments.run_folder.results import Results
from gan_jax import divergences
from gan_jax.data import densities

EXPERIMENT = "fgan_mixture"
SEEDS = 4
ENDS = -14.0, 18.0


QUANTITIES = ("divergence", "mu", "sigma")


class Column(NamedTuple):
  """A column of the table.

  Attributes:
    title: its name in the picture.
    best: the least divergence of a normal, and its mean and standard deviation.
    published: mean and deviation of the paper's trained generator, unconfirmed.
  """

  title: str
  best: tuple[float, float, float]
  published: tuple[float, float]


TABLE: Mapping[str, Column] = {
  "kl": Column("KL", (0.2831, 1.0100, 1.8308), (1.0335, 1.8236)),
  "reverse_kl": Column(
    "reverse KL", (0.2480, 1.5782, 1.6319), (1.5624, 1.6403)
  ),
  "jensen_shannon": Column("JS", (0.1280, 1.3070, 1.7542), (1.2854, 1.7659)),
  "jeffrey": Column("Jeffrey", (0.5705, 1.3218, 1.7034), (1.2295, 1.8087)),
  "pearson": Column("Pearson", (0.6457, 0.5737, 1.9274), (0.6157, 1.9031)),
}


def _best(name: str, x: jax.Array, weights: jax.Array) -> np.ndarray:
  """Minimises a divergence over normals.

  Args:
    name: name of the divergence.
    x: [n], points of a quadrature rule.
    weights: [n], weights of the rule.

  Returns:
    The least divergence, and the mean and standard deviation that attain it.
  """
  settings = BY_NAME[EXPERIMENT].settings
  assert isinstance(settings, OneDimensionalSettings)
  mixture = densities.normal_mixture(
    settings.input_mean, settings.input_stddev, settings.input_weight
  )
  p = jnp.exp(mixture.log_prob(x[:, None]))

  @jax.jit
  def divergence(mean, stddev):
    q = jnp.exp(densities.normal(mean, stddev).log_prob(x[:, None]))
    return divergences.f_divergence(name, p, q, weights)

  found = optimize.minimize(
    lambda normal: float(divergence(*normal)),
    (1.0, 1.5),
    method="Nelder-Mead",
    options={"xatol": 1e-6, "fatol": 1e-10},
  )
  return np.array([found.fun, *found.x])


def _moments(x: np.ndarray, density: np.ndarray) -> tuple[float, float]:
  """Fits mean and standard deviation to a normal density [n] at x [n]."""
  # log N = -x^2 / (2 sigma^2) + x mu / sigma^2 + ... is exact, unlike moments
  # of samples, and needs no tails, unlike an integral.
  square, linear, _ = np.polyfit(x, np.log(density), 2)
  return -linear / (2 * square), math.sqrt(-1 / (2 * square))


def compute(runs: Mapping[str, Results]) -> Computed:
  """Minimises each divergence and measures the end of its game."""
  measured, drawn = {}, {}
  for name, run in runs.items():
    with jax.enable_x64(True):
      best = _best(name, *divergences.gauss_legendre(*ENDS, 20, 64))
    generated = run.snapshots["generated_density"][:, -1]
    trained = np.column_stack(
      [
        # The generator's cost is the critic's bound on the divergence.
        run.metrics["generator_cost"][:, -1],
        [_moments(run.snapshots["x"], density) for density in generated],
      ]
    )
    for quantity, value, values in zip(
      QUANTITIES, best, trained.T, strict=True
    ):
      measured[f"{name}: {quantity}"] = value
      measured[f"{name}: trained {quantity}"] = np.mean(values)
    errors = np.abs(trained[:, 1:] / TABLE[name].best[1:] - 1)
    measured[f"{name}: largest relative error of a seed"] = np.max(errors)
    x = run.snapshots["x"]
    _, mean, stddev = best
    drawn[name] = {
      "x": x,
      "data": run.snapshots["data_density"],
      "generated": generated,
      "best": best,
      "density": np.exp(-0.5 * ((x - mean) / stddev) ** 2)
      / (stddev * math.sqrt(2 * math.pi)),
      "trained": trained.mean(axis=0),
    }
  return Computed(measured, drawn)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws a panel for each divergence above its column of the table."""
  count = len(drawn)
  figure, panels = curves.grid(
    2 * count, count, (12, 5.2), sharey="row", height_ratios=(3, 1)
  )
  pictures.headline(
    figure,
    "the normal that each divergence fits to a mixture: best by quadrature, "
    f"trained by the f-GAN of that divergence ({SEEDS} seeds)",
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
    axes.set_title(TABLE[name].title, fontsize=10)
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
  paper = (None, *published)
  rows = [("", "best", "trained", "paper*")]
  rows += [
    (label, *("" if value is None else f"{value:.3f}" for value in values))
    for label, *values in zip(
      ("D_f", "mu", "sigma"), best, trained, paper, strict=True
    )
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


def _others(name: str, index: int, tolerance: float) -> dict[str, float]:
  """Returns the values of other divergences that differ by over `tolerance`."""
  return {
    f"of {other.title}": other.best[index]
    for other in TABLE.values()
    if abs(other.best[index] - TABLE[name].best[index]) > tolerance
  }


def _checks(name: str, column: Column) -> list[Check]:
  """Returns the checks of a column."""
  checks = []
  for index, quantity in enumerate(QUANTITIES):
    expected = column.best[index]
    published = (None, *column.published)[index]
    tolerance = (0.1, 0.05, 0.05)[index] * expected
    untrained = {} if index == 0 else {"untrained": float(index - 1)}
    checks += [
      Check(
        f"{name}: {quantity}",
        expected,
        1e-3,
        "the paper's table, from which the mixture is inferred",
        wrong=_others(name, index, 1e-3),
      ),
      Check(
        f"{name}: trained {quantity}",
        expected,
        tolerance,
        f"the best normal; mean of {SEEDS} seeds",
        wrong=_others(name, index, tolerance) | untrained,
        published=published,
        unconfirmed=published is not None,
      ),
    ]
  return [
    *checks,
    Check(
      f"{name}: largest relative error of a seed",
      0.1,
      0.0,
      "mu and sigma of the best normal",
      relation="at most",
      wrong={"of an untrained mean": 1.0},
    ),
  ]


REPRODUCTION = Reproduction(
  id="fgan_table",
  source="f-GAN 2016, arXiv 1606.00709, section 4.1, the table",
  summary="five divergences fit a normal to a mixture in five ways",
  compute=compute,
  checks=tuple(
    check for name, column in TABLE.items() for check in _checks(name, column)
  ),
  draw=draw,
  trainings={
    name: Training(
      EXPERIMENT,
      {"loss": f"f_{name}", "evaluation_samples": 10_000, "log_every": 100},
      num_seeds=SEEDS,
    )
    for name in TABLE
  },
)
