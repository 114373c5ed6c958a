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
from experiments.reproduce.common.checks import at_least, close
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import divergences

# Grains at each position, 40 in all for both heaps.
HEAP = np.array([3, 8, 12, 7, 4, 2, 1, 1, 1, 1])
TARGET = np.array([1, 1, 2, 2, 3, 5, 9, 9, 5, 3])
POSITIONS = np.arange(len(HEAP))
P, Q = HEAP / HEAP.sum(), TARGET / TARGET.sum()
COST = np.abs(POSITIONS[:, None] - POSITIONS).astype(float)


def compute(inputs: Inputs) -> Computed:
  """Computes the cheapest plan and other plans."""
  del inputs
  _, cost = divergences.optimal_plan(P, Q, COST)
  # Many plans have the least cost. Adding a small squared distance selects the
  # one that keeps the grains in order.
  plan, _ = divergences.optimal_plan(P, Q, COST + 1e-6 * COST**2)
  independent = np.outer(P, Q)
  independent_cost = np.sum(independent * COST)
  _, small = divergences.optimal_plan(
    [0.5, 0, 0.5, 0], [0, 0, 0, 1], COST[:4, :4]
  )
  sources, goals = np.repeat(POSITIONS, HEAP), np.repeat(POSITIONS, TARGET)
  others = [
    np.mean(np.abs(sources - np.random.default_rng(seed).permutation(goals)))
    for seed in range(100)
  ]
  with jax.enable_x64(True):
    on_line = divergences.wasserstein_1_on_line(
      jnp.asarray(P), jnp.asarray(Q), jnp.asarray(POSITIONS, float)
    )
    of_grains = divergences.wasserstein_1(
      jnp.asarray(sources, float), jnp.asarray(goals, float)
    )
  checks = [
    close(name, measured, expected, 1e-9, origin)
    for name, measured, expected, origin in (
      (
        "cost of the cheapest plan",
        cost,
        np.sum(np.abs(np.cumsum(P) - np.cumsum(Q))),
        "sum |F - G| over the cumulative distributions, in NumPy",
      ),
      (
        "cost of the plan in order",
        np.sum(plan * COST),
        np.mean(np.abs(sources - goals)),
        "the mean distance of the sorted grains, in NumPy",
      ),
      (
        "largest error of a row's sum",
        np.abs(plan.sum(axis=1) - P).max(),
        0.0,
        "all earth of the heap is taken",
      ),
      (
        "largest error of a column's sum",
        np.abs(plan.sum(axis=0) - Q).max(),
        0.0,
        "as much earth as in the target is brought",
      ),
      *(
        (
          name,
          measured,
          stats.wasserstein_distance(POSITIONS, POSITIONS, P, Q),
          "scipy.stats.wasserstein_distance",
        )
        for name, measured in (
          ("W from cumulative distributions", on_line),
          ("W of the sorted grains", of_grains),
        )
      ),
      (
        "cost of the independent plan",
        independent_cost,
        np.mean(np.abs(sources[:, None] - goals)),
        "the mean distance over all pairs of grains",
      ),
      (
        "cost of the plan by hand",
        small,
        2.0,
        "by hand: half moves from 0 to 3, half from 2 to 3",
      ),
    )
  ]
  checks.append(
    at_least(
      "least excess of 100 random plans",
      min(others) - cost,
      0.0,
      "no plan is cheaper",
    )
  )
  plans = {
    "the cheapest plan": (plan, cost),
    "T = P Q^T: all spread like Q": (independent, independent_cost),
  }
  return Computed(checks, {"plans": plans})


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws each plan: the heap, the plan as a matrix, and the moved heap."""
  figure, panels = curves.grid(6, 3, (11, 7.4), width_ratios=(1, 0.92, 1))
  pictures.headline(
    figure,
    "two plans that move the heap P onto Q: the cheapest costs W(P, Q)\n"
    "earth keeps the colour of its first position",
  )
  for row, (title, (plan, cost)) in enumerate(drawn["plans"].items()):
    before, matrix, after = panels[3 * row : 3 * row + 3]
    _draw_stacks(before, np.diag(P))
    _draw_stacks(after, plan)
    before.set(title="P, before", ylabel="share of the earth")
    after.set(title=f"Q, moved by {cost:.3f} on average")
    image = matrix.imshow(plan, cmap="Oranges", vmin=0, vmax=0.23)
    matrix.plot(POSITIONS, POSITIONS, color=curves.FRAME, lw=0.8)
    matrix.text(
      3.3, 4.2, "unmoved", rotation=45, color=curves.FRAME, fontsize=9
    )
    matrix.set(
      title=title,
      xlabel="to position",
      ylabel="from position",
      xticks=POSITIONS,
      yticks=POSITIONS,
    )
    matrix.invert_yaxis()
    matrix.grid(False)
    figure.colorbar(image, ax=matrix, label="share of the earth", shrink=0.8)
  for axes in panels:
    axes.title.set_fontsize(10)
  return figure


def _draw_stacks(axes: Axes, plan: np.ndarray) -> None:
  """Stacks at each position j the earth from each position i."""
  # The lightness increases evenly, also for colour-blind readers.
  colors = colormaps["cividis"](np.linspace(0, 1, len(POSITIONS)))
  bottoms = np.cumsum(plan, axis=0) - plan
  for source, bottom, color in zip(plan, bottoms, colors, strict=True):
    axes.bar(
      POSITIONS, source, bottom=bottom, color=color, edgecolor="white", lw=0.4
    )
  axes.set(xlabel="position", xticks=POSITIONS, ylim=(0, 0.33))
  axes.grid(axis="x", visible=False)


REPRODUCTION = Reproduction(
  id="moving_plan",
  source="Lee 2021, lecture 6-2, the moving plan",
  summary="the cheapest plan that moves a heap of earth; its cost is W",
  compute=compute,
  draw=draw,
)
