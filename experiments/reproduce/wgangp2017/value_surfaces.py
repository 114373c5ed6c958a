"""Value surfaces of critics with clipped weights and with a gradient penalty.

The top row shows critics with clipped weights, the middle row critics with the
gradient penalty. The bottom row shows the best of all 1-Lipschitz functions,
D(x) = max_k (v_k - |x - a_k|), found by optimal transport from the data's
centres a_k. Real data is drawn as dots. Generated samples are data with noise
N(0, I) and are not drawn.

A clipped critic learns that real data is nearer to the middle than the rest and
draws a box around it. With the penalty it has hills and ridges on the data. On
the ring all v_k are equal, so the best critic falls from a mode to the midpoint
between two modes by their distance, 2 r sin(pi / 16).

A clipped critic's slopes are far below 1: with layers of w units and weights
within c they are at most sqrt(2) w^3 c^4. Its estimate of W1 is therefore
divided by its steepest slope, the 99th percentile on interpolates between real
and generated samples.

Source: Gulrajani et al., Improved Training of Wasserstein GANs, arXiv
1704.00028, section 3.1 and figure 1a; `toys` lists which settings are the
paper's. W1 has an error of up to a tenth, because slopes of up to 1.2 count as
1 and the penalty also asks for the slope 1 where no mass needs to be moved.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from scipy import interpolate

from experiments.plots import curves
from experiments.reproduce.common import pictures
from experiments.reproduce.common.checks import at_least, at_most, covers
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.wgangp2017 import toys
from experiments.reproduce.wgangp2017.toys import CLIPPED, PENALISED

RING = "8 Gaussians"
NUM_DRAWN = 400
STEEPEST = math.sqrt(2) * toys.WIDTH**3 * toys.LIMIT**4
RISE = 2 * toys.RADIUS * math.sin(math.pi / 16)


def _rise(values: np.ndarray) -> float:
  """Computes a critic's mean rise from between two modes of the ring to a mode.

  Args:
    values: values on the plane, [121, 121].
  """
  on, between = (
    toys.RADIUS * np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    for angles in np.pi / 4 * (np.arange(8) + np.array([[0], [0.5]]))
  )
  critic = interpolate.RegularGridInterpolator((toys.LINE, toys.LINE), values)
  return np.mean(critic(on) - critic(between))


def compute(inputs: Inputs) -> Computed:
  """Trains six critics for each seed and measures them."""
  surfaces, shares, rises = {}, {}, {}
  for method in toys.METHODS:
    for data in toys.DATA:
      critics = toys.trained_critics(data, method, inputs.seed)
      steepest = np.percentile(critics.slopes, 99, axis=1)
      surfaces[method, data] = critics.values[0], steepest[0], critics.real
      if data == RING:
        distance = toys.best(RING).wasserstein_1
        shares[method] = critics.objectives / steepest / distance
        rises[method] = np.array([*map(_rise, critics.values)]) / steepest
  clipped, penalised = (
    [toys.trained_critics(data, method, inputs.seed) for data in toys.DATA]
    for method in (CLIPPED, PENALISED)
  )
  figure = "the publication's figure"
  checks = [
    at_most(
      "clipped: largest slope",
      max(critics.slopes.max() for critics in clipped),
      STEEPEST,
      "closed form: at most sqrt(2) w^3 c^4; all data and seeds",
    ),
    at_most(
      f"clipped: share of W1 at equal slope, {RING}",
      shares[CLIPPED],
      0.6,
      f"{figure}: far from the best critic",
      margin=0.05,
    ),
    at_most(
      "clipped: rise to a mode at equal slope",
      np.abs(rises[CLIPPED]),
      0.1,
      f"{figure}: none",
      margin=0.05,
    ),
    at_least(
      "penalised: least share of slopes of 0.8 to 1.2",
      np.min(
        [np.mean(np.abs(each.slopes - 1) <= 0.2, axis=1) for each in penalised],
        axis=0,
      ),
      0.9,
      "the slope that costs nothing is 1; all data",
      margin=0.05,
    ),
    at_least(
      f"penalised: share of W1 at equal slope, {RING}",
      shares[PENALISED],
      0.8,
      "the best critic has 1",
      margin=0.1,
    ),
    at_least(
      "penalised: rise to a mode at equal slope",
      rises[PENALISED],
      0.25,
      f"closed form: at most 2 r sin(pi / 16) = {RISE:.2f}",
      margin=0.1,
    ),
  ]
  for data, critics in zip(toys.DATA, penalised, strict=True):
    distance = toys.best(data).wasserstein_1
    checks += [
      covers(
        f"penalised: mean slope, {data}",
        critics.slopes.mean(axis=1),
        1 + distance / (2 * toys.WEIGHT),
        0.02,
        "1 + W1 / (2 weight), W1 by optimal transport",
      ),
      covers(
        f"penalised: E_p D - E_q D, {data}",
        critics.objectives,
        distance,
        0.09,
        "W1 by optimal transport",
      ),
    ]
    best = toys.best(data).critic(toys.PLANE).reshape(critics.values[0].shape)
    surfaces["best 1-Lipschitz critic", data] = best, 1.0, critics.real
  return Computed(checks, surfaces)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the level sets of the critics of the first seed."""
  figure, panels = curves.grid(9, 3, (10, 10.4))
  pictures.headline(
    figure,
    "a clipped critic is a box, a penalised one has hills on the data (dots: "
    "real samples)\nthe generator is held at data + N(0, I); levels are 1/4 "
    "apart at each critic's steepest slope, the darkest highest",
  )
  colours = LinearSegmentedColormap.from_list(
    "critic", ["#FFFFFF", curves.DISCRIMINATOR]
  )
  for axes, ((method, data), (values, steepest, real)) in zip(
    panels, drawn.items(), strict=True
  ):
    step = steepest / 4
    levels = np.arange(values.min(), values.max() + step, step)
    plane = (toys.LINE, toys.LINE, values, levels)
    axes.grid(False)
    axes.contourf(*plane, cmap=colours, alpha=0.8)
    axes.contour(
      *plane,
      colors=curves.DISCRIMINATOR,
      linestyles="solid",
      linewidths=0.7,
    )
    axes.plot(*real[:NUM_DRAWN].T, ".", color=curves.DATA, ms=2)
    axes.set_title(f"{data}: {method}", fontsize=10)
    axes.set(aspect="equal", xticks=range(-3, 4), yticks=range(-3, 4))
  curves.label_outer(panels, 3, "x", "y")
  return figure


REPRODUCTION = Reproduction(
  id="wgangp_surfaces",
  source="WGAN-GP 2017, arXiv 1704.00028, figure 1a",
  summary="clipped critics are boxes, penalised ones have hills on the data",
  minutes=6,
  compute=compute,
  draw=draw,
  trains=True,
)
