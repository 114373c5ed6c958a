"""The practical objective of f-GAN, and where its generator rests.

Against the critic V of a divergence D_f, with T = g(V), the generator minimises

  zero-sum:   J_G = E_p[T] - E_q[f*(T)],
  practical:  J_G = -E_q[T].

At the best critic T = f'(p / q). There the zero-sum slope of a generated sample
in its logit v is p / q times the practical one. The first generator descends
D_f, the second another divergence D_h with u h'(u) - h(u) = f'(u). Both rest at
q = p if the generator can reach it. The normal q of this figure cannot reach
the mixture p, so each divergence has two best normals.

The last column shows why Pearson's zero-sum generator learns nothing where
there is no data: its slope -(1 + v/2) is -p / q at the best critic, which is v
= -2 there. Below -2 it even has the wrong sign.

Source: Nowozin, Cseke and Tomioka, f-GAN: Training Generative Neural Samplers
using Variational Divergence Minimization, arXiv 1606.00709, section 3.2. The
mixture and the game are those of `fgan_table`.

References:
  Poole, Alemi, Sohl-Dickstein and Angelova, Improved generator objectives for
    GANs, arXiv 1612.02780.
  Shannon et al., Non-saturating GAN training as divergence minimization, arXiv
    2010.08029, for the D_h of the original GAN.
"""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import optimize, stats

from experiments.plots import curves
from experiments.reproduce.common import expected, pictures
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
from gan_jax import divergences, losses

NUM_SEEDS = 5
TOLERANCE = 0.1
"""Relative tolerance of a trained number."""


class Rests(NamedTuple):
  """Mean and deviation of the best normals of a divergence.

  Attributes:
    zero_sum: of D_f.
    practical: of D_h.
    descended: what D_h is called.
  """

  zero_sum: tuple[float, float]
  practical: tuple[float, float]
  descended: str


TABLE: Mapping[str, Rests] = {
  "kl": Rests((1.0100, 1.8311), (1.5779, 1.6318), "reverse KL"),
  "reverse_kl": Rests((1.5779, 1.6318), (1.8246, 1.5193), "Neyman / 2"),
  "pearson": Rests((0.5736, 1.9277), (1.0100, 1.8311), "2 KL"),
  "neyman": Rests((1.8246, 1.5193), (1.8980, 1.4790), "∫ q³ / 3p²"),
  "squared_hellinger": Rests(
    (1.3129, 1.7331), (1.7398, 1.5612), "2/3 ∫ q √(q / p)"
  ),
  "jeffrey": Rests(
    (1.3215, 1.7034), (1.7399, 1.5549), "reverse KL + Neyman / 2"
  ),
  "jensen_shannon": Rests(
    (1.3068, 1.7545), (1.7373, 1.5676), "reverse KL - JS"
  ),
}
SLOPES_AT_ZERO = dict.fromkeys(TABLE, -1.0) | {"jensen_shannon": -0.5}
"""-g'(0) of the published activations."""
QUANTITIES = ("mu", "sigma")
RATIOS = np.array([0.1, 0.5, 3.0])
COLUMNS = 4
LOGITS = np.linspace(-5, 3, 161)
NO_DATA = -2.0
"""Mean of a generator without data; the data is as far on the other side."""
NARROW = 0.5
"""Their standard deviation."""
BEYOND = -4.0
"""An output below that of the best critic."""
ZERO_SUM, PRACTICAL = curves.DISCRIMINATOR, curves.GENERATED


def compute(inputs: Inputs) -> Computed:
  """Finds both best normals, the trained ones and the generators' slopes."""
  checks, drawn = [], {}
  with jax.enable_x64(True):
    for name, rests in TABLE.items():
      best = [
        mixture_game.best_normal(divergence, name)[:2]
        for divergence in (
          divergences.f_divergence,
          divergences.practical_divergence,
        )
      ]
      run = inputs.runs[name]
      trained = mixture_game.trained_normals(run)
      logits = np.concatenate([LOGITS, best_logits(name), [0.0]])
      both = np.stack(slopes(name, logits))
      checks += [
        *_check_rests(name, rests, best, trained),
        *_check_slopes(name, *both[:, len(LOGITS) :]),
      ]
      drawn[name] = {
        "x": run.snapshots["x"],
        "data": run.snapshots["data_density"],
        "generated": run.snapshots["generated_density"][:, -1],
        "best": best,
        "trained": trained.mean(axis=0),
        "slopes": both[:, : len(LOGITS)],
      }
    no_data = _without_data()
  return Computed(
    [*checks, *_check_without_data(no_data)],
    {"fits": drawn, "no_data": no_data},
  )


def _check_rests(
  name: str, rests: Rests, best: Any, trained: np.ndarray
) -> list[Check]:
  to_zero_sum, to_practical = (
    np.linalg.norm(trained - rest, axis=1) for rest in rests[:2]
  )
  checks = [
    at_least(
      f"{name}: how much nearer to D_h's best normal than to D_f's, lower end",
      lower_end(to_zero_sum - to_practical),
      0.0,
      "the objective decides where the generator rests",
    )
  ]
  for index, quantity in enumerate(QUANTITIES):
    aim = rests.practical[index]
    checks += [
      *(
        close(
          f"{name}: {quantity} of the best normal, {objective}",
          normal[index],
          exact[index],
          1e-4,
          f"least {divergence} by adaptive quadrature",
        )
        for objective, normal, exact, divergence in zip(
          ("zero-sum", "practical"),
          best,
          rests[:2],
          ("D_f", "D_h"),
          strict=True,
        )
      ),
      covers(
        f"{name}: trained {quantity}, practical",
        trained[:, index],
        aim,
        TOLERANCE * aim,
        "the best normal of D_h",
      ),
    ]
  return checks


@functools.partial(jax.jit, static_argnums=0)
def slopes(name: str, logits: np.ndarray) -> tuple[jax.Array, jax.Array]:
  """Returns dJ_G/dv [n] at logits [n]: zero-sum and practical."""

  def slope(practical: bool) -> jax.Array:
    cost = losses.f_divergence(name, practical).generator
    real = jnp.zeros(1)
    return jax.vmap(jax.grad(lambda v: cost(real, v[None])))(logits)

  return slope(False), slope(True)


def best_logits(name: str) -> np.ndarray:
  """Solves g(v) = f'(p / q) for the best critic's logits v at `RATIOS`."""
  activation = jax.jit(divergences.F_DIVERGENCES[name].activation)

  def solve(slope):
    return optimize.root_scalar(
      lambda v: float(activation(v)) - slope, bracket=(-15.0, 15.0)
    ).root

  return np.array([solve(FORMS[name].slope(ratio)) for ratio in RATIOS])


def _check_slopes(
  name: str, zero_sum: np.ndarray, practical: np.ndarray
) -> list[Check]:
  """Checks the slopes at `best_logits` and at 0, each [n + 1]."""
  return [
    close(
      f"{name}: zero-sum slope over practical slope, over p/q, mean",
      np.mean(zero_sum[:-1] / practical[:-1] / RATIOS),
      1.0,
      1e-6,
      "f*'(f'(u)) = u, so that the slopes are -u g'(v) and -g'(v)",
    ),
    close(
      f"{name}: practical slope at v = 0",
      practical[-1],
      SLOPES_AT_ZERO[name],
      1e-6,
      "-g'(0) of the published g",
    ),
  ]


def _without_data() -> dict[str, np.ndarray]:
  """Evaluates Pearson's best critic and slopes where p or q is nearly 0."""
  x = np.linspace(-4, 4, 161)
  log_p = expected.log_normal(x, -NO_DATA, NARROW)
  log_q = expected.log_normal(x, NO_DATA, NARROW)
  critic = FORMS["pearson"].slope(np.exp(log_p - log_q))
  zero_sum, practical = slopes("pearson", np.append(critic, BEYOND))
  return {
    "x": x,
    "data": np.exp(log_p),
    "generated": np.exp(log_q),
    "critic": critic,
    "slopes": np.stack([zero_sum[:-1], practical[:-1]]),
    "beyond": np.asarray(zero_sum[-1]),
  }


def _check_without_data(no_data: Mapping[str, np.ndarray]) -> list[Check]:
  middle = np.argmax(no_data["generated"])
  zero_sum, practical = no_data["slopes"][:, middle]
  values = {
    "best critic": (no_data["critic"][middle], -2.0, "2 (p/q - 1), p/q = 0"),
    "zero-sum slope": (zero_sum, 0.0, "-(1 + v/2) at v = -2"),
    "practical slope": (practical, -1.0, "-g'(v), g = v"),
    f"zero-sum slope at v = {BEYOND:g}": (
      no_data["beyond"],
      1.0,
      "-(1 + v/2): the generator lowers v further",
    ),
  }
  return [
    close(f"pearson without data: {what}", value, exact, 1e-6, origin)
    for what, (value, exact, origin) in values.items()
  ]


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the normals of each divergence above the slopes of its costs."""
  figure, panels = curves.grid(4 * COLUMNS, COLUMNS, (13, 12))
  pictures.headline(
    figure,
    "with f-GAN's practical objective the generator does not descend the "
    "critic's divergence, but another one; trained: mean of "
    f"{NUM_SEEDS} seeds",
  )
  cells = [*drawn["fits"].items(), None]
  for index, cell in enumerate(cells):
    row, column = divmod(index, COLUMNS)
    first = 2 * COLUMNS * row + column
    upper, lower = panels[first], panels[first + COLUMNS]
    if cell is None:
      _draw_without_data(upper, lower, drawn["no_data"])
    else:
      _draw_fit(upper, *cell)
      _draw_slopes(lower, LOGITS, cell[1]["slopes"], "critic's output v")
    if column == 0:
      upper.set_ylabel("probability density")
      lower.set_ylabel("slope dJ_G / dv")
  return curves.legend(figure)


def _draw_fit(axes: Axes, name: str, fit: Mapping[str, Any]) -> None:
  """Draws the best and the trained normals, and writes their moments."""
  x = fit["x"]
  axes.fill_between(
    x, fit["data"], color=curves.DATA, alpha=0.2, lw=0, label="data p"
  )
  for density in fit["generated"]:
    axes.plot(
      x,
      density,
      color=PRACTICAL,
      alpha=0.4,
      lw=1,
      label="trained q, a seed, practical",
    )
  normals = {
    ("zero-sum", ZERO_SUM): fit["best"][0],
    ("practical", curves.DATA): fit["best"][1],
    ("trained", PRACTICAL): fit["trained"],
  }
  for (label, color), normal in [*normals.items()][:2]:
    axes.plot(
      x,
      stats.norm.pdf(x, *normal),
      color=color,
      label=f"best q, {label}",
      **curves.REFERENCE,
    )
  rows = [("", "mu", "sigma", curves.FRAME)]
  for (label, color), (mean, stddev) in normals.items():
    rows.append((label, f"{mean:.3f}", f"{stddev:.3f}", color))
  for row, (*texts, color) in enumerate(rows):
    for position, text in zip((0.66, 0.83, 1.0), texts, strict=True):
      axes.text(
        position,
        0.95 - 0.09 * row,
        text,
        transform=axes.transAxes,
        ha="right",
        fontsize=8,
        color=color,
      )
  axes.set(xlim=(-4, 7), ylim=(0, 0.58), xlabel="x")
  axes.set_title(
    f"critic: {TITLES[name]}\ngenerator: {TABLE[name].descended}", fontsize=10
  )


def _draw_slopes(axes: Axes, x: np.ndarray, values: Any, label: str) -> None:
  """Draws the slopes [2, n] of both costs."""
  for slope, name, color in zip(
    values, ("zero-sum", "practical"), (ZERO_SUM, PRACTICAL), strict=True
  ):
    axes.plot(x, slope, color=color, label=f"slope, {name}")
  axes.axhline(0, color=curves.FRAME, lw=1)
  axes.set(xlim=(x[0], x[-1]), ylim=(-3.2, 1.6), xlabel=label)


def _draw_without_data(
  upper: Axes, lower: Axes, no_data: Mapping[str, np.ndarray]
) -> None:
  """Draws Pearson's critic and slopes where there is no data."""
  x = no_data["x"]
  pictures.density(upper, x, no_data["data"], curves.DATA, "_p")
  pictures.density(upper, x, no_data["generated"], PRACTICAL, "_q")
  for center, text in ((-NO_DATA, "data p"), (NO_DATA, "generated q")):
    upper.text(center, 0.83, text, ha="center", fontsize=9)
  upper.set(xlim=(-4, 4), ylim=(0, 0.95), xlabel="x")
  upper.set_title("Pearson: samples without\ndata have no slope", fontsize=10)
  _draw_slopes(lower, x, no_data["slopes"], "x")
  lower.plot(
    x, no_data["critic"], color=curves.DATA, ls=":", label="best critic v"
  )


REPRODUCTION = Reproduction(
  id="fgan_practical",
  source="f-GAN 2016, arXiv 1606.00709, section 3.2",
  summary="f-GAN's practical objective descends another divergence",
  minutes=2,
  compute=compute,
  draw=draw,
  trainings={
    name: mixture_game.training(
      name, NUM_SEEDS, generator_objective="practical"
    )
    for name in TABLE
  },
)
