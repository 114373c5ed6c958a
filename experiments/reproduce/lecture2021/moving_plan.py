"""The cheapest plan that moves one heap of earth onto another: Wasserstein-1.

P is a heap and Q its target. A plan T says how much earth moves from where to
where: the rows of T sum to P and its columns to Q. Its cost is the average
distance, sum_ij T_ij |x_i - x_j|, and the least cost of all plans is W(P, Q). A
linear program finds it. On a line it equals sum |F - G| over the cumulative
distributions, and the mean distance of the sorted grains. The independent plan
T = P Q^T, which moves earth from everywhere to everywhere in proportion, is
allowed too but costs more.

References:
  Lee, Machine Learning 2021, lecture 6-2: theory of GAN and WGAN (notes, in
    Chinese), "moving plan".
  Villani, Optimal Transport: Old and New, 2009, chapter 6.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results
from gan_jax import divergences

# Grains at each position, 40 in all for both heaps.
HEAP = np.array([3, 8, 12, 7, 4, 2, 1, 1, 1, 1])
TARGET = np.array([1, 1, 2, 2, 3, 5, 9, 9, 5, 3])
POSITIONS = np.arange(len(HEAP))
NUM_GRAINS = HEAP.sum()
P, Q = HEAP / NUM_GRAINS, TARGET / NUM_GRAINS
COST = np.abs(POSITIONS[:, None] - POSITIONS).astype(float)

# Two positions move to one: half of the earth by 1 and half by 3.
SMALL_P, SMALL_Q = np.array([0.5, 0.0, 0.5, 0.0, 0.0]), np.eye(5)[3]
_SMALL_COST = np.abs(np.arange(5)[:, None] - np.arange(5)).astype(float)

PLANS = {"optimal": "the cheapest plan", "independent": "T = P Q^T"}


def _random_plan(seed: int) -> np.ndarray:
  """Returns the plan [n, n] that pairs the grains of both heaps at random."""
  rng = np.random.default_rng(seed)
  plan = np.zeros_like(COST)
  goals = rng.permutation(np.repeat(POSITIONS, TARGET))
  np.add.at(plan, (np.repeat(POSITIONS, HEAP), goals), 1 / NUM_GRAINS)
  return plan


def compute(runs: Mapping[str, Results]) -> Computed:
  """Computes the cheapest plan and other plans."""
  del runs
  _, cost = divergences.optimal_plan(P, Q, COST)
  # Many plans have the least cost. Adding a small squared distance selects the
  # one that keeps the grains in order.
  plan, _ = divergences.optimal_plan(P, Q, COST + 1e-6 * COST**2)
  independent = np.outer(P, Q)
  _, small = divergences.optimal_plan(SMALL_P, SMALL_Q, _SMALL_COST)
  others = [float(np.sum(_random_plan(seed) * COST)) for seed in range(100)]
  with jax.enable_x64(True):
    on_line = divergences.wasserstein_1_on_line(
      jnp.asarray(P), jnp.asarray(Q), jnp.asarray(POSITIONS, float)
    )
    sorted_distance = divergences.wasserstein_1(
      jnp.asarray(np.repeat(POSITIONS, HEAP), float),
      jnp.asarray(np.repeat(POSITIONS, TARGET), float),
    )
  return Computed(
    measured={
      "cost of the cheapest plan": cost,
      "cost of the plan in order": float(np.sum(plan * COST)),
      "earth taken from place 2": plan.sum(axis=1)[2],
      "earth brought to place 6": plan.sum(axis=0)[6],
      "largest error of a margin": max(
        np.abs(plan.sum(axis=1) - P).max(), np.abs(plan.sum(axis=0) - Q).max()
      ),
      "W from cumulative distributions": float(on_line),
      "W of the sorted grains": float(sorted_distance),
      "cost of the independent plan": float(np.sum(independent * COST)),
      "least excess of 100 random plans": min(others) - cost,
      "cost of the plan by hand": small,
    },
    drawn={
      "optimal": plan,
      "independent": independent,
      "costs": {
        "optimal": cost,
        "independent": float(np.sum(independent * COST)),
      },
    },
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws each plan: the heap, the plan as a matrix, and the moved heap."""
  figure, panels = curves.grid(6, 3, (11, 7.4), width_ratios=(1, 0.92, 1))
  pictures.headline(
    figure,
    "two plans that move the heap P onto Q: the cheapest costs W(P, Q)\n"
    "earth keeps the colour of its first position",
  )
  # The lightness increases evenly, also for colour-blind readers.
  colours = colormaps["cividis"](np.linspace(0, 1, len(POSITIONS)))
  for row, (name, title) in enumerate(PLANS.items()):
    before, matrix, after = panels[3 * row : 3 * row + 3]
    plan = drawn[name]
    _stack(before, np.diag(P), colours)
    _stack(after, plan, colours)
    before.set(title="P, before", ylabel="share of the earth")
    after.set(title=f"Q, moved by {drawn['costs'][name]:.3f} on average")
    _draw_matrix(figure, matrix, plan)
    matrix.set_title(title)
  for axes in panels:
    axes.title.set_fontsize(10)
  return figure


def _stack(axes: Axes, plan: np.ndarray, colours: np.ndarray) -> None:
  """Stacks at each position j the earth from each position i."""
  bottom = np.zeros(len(POSITIONS))
  for source, colour in zip(plan, colours, strict=True):
    axes.bar(
      POSITIONS, source, bottom=bottom, color=colour, edgecolor="white", lw=0.4
    )
    bottom += source
  axes.set(xlabel="position", xticks=POSITIONS, ylim=(0, 0.33))
  axes.grid(axis="x", visible=False)


def _draw_matrix(figure: Figure, axes: Axes, plan: np.ndarray) -> None:
  """Shades a plan, and writes how many grains move."""
  image = axes.imshow(
    plan, cmap="Oranges", vmin=0, vmax=0.23, origin="lower", aspect="equal"
  )
  axes.plot(POSITIONS, POSITIONS, color=curves.FRAME, lw=0.8)
  axes.text(3.3, 4.2, "unmoved", rotation=45, color=curves.FRAME, fontsize=9)
  axes.set(
    xlabel="to place", ylabel="from place", xticks=POSITIONS, yticks=POSITIONS
  )
  axes.grid(False)
  figure.colorbar(image, ax=axes, label="share of the earth", shrink=0.8)


def _sorted_distance() -> float:
  """Averages the distances of the sorted grains, in NumPy."""
  grains = np.repeat(POSITIONS, HEAP), np.repeat(POSITIONS, TARGET)
  return float(np.mean(np.abs(np.sort(grains[0]) - np.sort(grains[1]))))


def _cumulative_distance() -> float:
  """Sums |F - G| over the positions, in NumPy."""
  return float(np.sum(np.abs(np.cumsum(P) - np.cumsum(Q))))


def _independent_cost() -> float:
  """Averages |x - y| over independent x and y, one pair at a time."""
  return sum(
    p * q * abs(x - y)
    for x, p in zip(POSITIONS, P, strict=True)
    for y, q in zip(POSITIONS, Q, strict=True)
  )


_MISTAKES = {
  "the independent plan": _independent_cost,
  "the difference of masses": lambda: float(np.sum(np.abs(P - Q))),
}

CHECKS = (
  Check(
    "cost of the cheapest plan",
    _cumulative_distance,
    1e-9,
    "sum |F - G| over the cumulative distributions, in NumPy",
    wrong=_MISTAKES,
  ),
  Check(
    "cost of the plan in order",
    _sorted_distance,
    1e-9,
    "the mean distance of the sorted grains, in NumPy",
    wrong=_MISTAKES,
  ),
  Check(
    "earth taken from place 2",
    12 / 40,
    1e-9,
    "the heap: 12 of 40 grains",
    wrong={"a transposed plan": 2 / 40},
  ),
  Check(
    "earth brought to place 6",
    9 / 40,
    1e-9,
    "the target: 9 of 40 grains",
    wrong={"a transposed plan": 1 / 40},
  ),
  Check(
    "largest error of a margin",
    0.0,
    1e-9,
    "every grain is moved, and none is made",
    wrong={"a grain lost": 1 / 40},
  ),
  *(
    Check(
      name,
      lambda: float(stats.wasserstein_distance(POSITIONS, POSITIONS, P, Q)),
      1e-9,
      "scipy.stats.wasserstein_distance",
      wrong=_MISTAKES,
    )
    for name in ("W from cumulative distributions", "W of the sorted grains")
  ),
  Check(
    "cost of the independent plan",
    _independent_cost,
    1e-9,
    "closed form: sum_ij P_i Q_j |i - j|",
    wrong={"the cheapest plan": _cumulative_distance},
  ),
  Check(
    "least excess of 100 random plans",
    0.0,
    0.0,
    "no plan is cheaper",
    relation="at least",
    wrong={"the most expensive plan": lambda: _cumulative_distance() - 6},
  ),
  Check(
    "cost of the plan by hand",
    2.0,
    1e-9,
    "by hand: half moves from 0 to 3, half from 2 to 3",
    wrong={"unit distances": 1.0, "one half forgotten": 1.5},
  ),
)

REPRODUCTION = Reproduction(
  id="moving_plan",
  source="Lee 2021, lecture 6-2, the moving plan",
  summary="the cheapest plan that moves a heap of earth; its cost is W",
  compute=compute,
  checks=CHECKS,
  draw=draw,
)
