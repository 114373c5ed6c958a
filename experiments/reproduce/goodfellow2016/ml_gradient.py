"""The maximum-likelihood game descends KL(p || q) at the best discriminator.

At D* = p/(p + q) the generator's cost is -1/2 E_q exp(logit D*), with the
tutorial's factor 1/2. Its gradient through the samples, with D* held fixed, is

  -1/2 E_z[p/q d log(p/q)/dx dx/dtheta] = 1/2 d/dtheta KL(p || q).

Without the factor, as here, it is the gradient of KL(p || q). For data N(m,
s_p^2) and a linear generator with density N(mu, s^2) it has the closed form

  dKL/dmu = (mu - m) / s^2,   dKL/ds = 1/s - (s_p^2 + (mu - m)^2) / s^3.

The game's gradient is computed on one large minibatch, the quantiles of z. Two
other games are shown for comparison. Their gradients at D* are those of 2 JSD
and of KL(q || p) - 2 JSD, which differ in size and, in s, even in sign.

Source: Goodfellow, NIPS 2016 Tutorial: Generative Adversarial Networks, arXiv
1701.00160, sections 3.2.4, 7.3 and 8.3. The second of the other two is from
Arjovsky and Bottou, Towards Principled Methods for Training Generative
Adversarial Networks, arXiv 1701.04862, theorem 2.5.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import expected, pictures
from experiments.reproduce.common.checks import at_most
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from experiments.reproduce.goodfellow2016 import normal_game

DATA = (1.0, 1.0)
WIDTH = 1.5
"""The generator's standard deviation while its mean varies."""
OFFSET = 1.5
"""The generator's mean while its standard deviation varies."""
VARIED = {"mean": np.linspace(-2, 4, 25), "stddev": np.linspace(1, 3, 25)}
POINTS = {
  "mean": np.array([(mean, WIDTH) for mean in VARIED["mean"]]),
  "stddev": np.array([(OFFSET, stddev) for stddev in VARIED["stddev"]]),
}
"""Means and standard deviations of the generator, [25, 2]."""
LABELS = {
  "mean": ("mean mu", "mu", f"at s = {WIDTH:g}"),
  "stddev": ("standard deviation s", "s", f"at mu = {OFFSET:g}"),
}
NUM_LATENTS = 100_000
ORIGINS = {
  "maximum likelihood": (
    "closed form of KL(p || q): (mu - m) / s^2; 1/s - (s_p^2 + (mu - m)^2) / "
    "s^3"
  ),
  "minimax": "central differences of 2 JSD, scipy.integrate.quad",
  "non-saturating": (
    "closed form of KL(q || p): (mu - m) / s_p^2; s / s_p^2 - 1/s; and central "
    "differences of 2 JSD, scipy.integrate.quad"
  ),
}


def _expected_slopes(column: int, points: np.ndarray) -> dict[str, np.ndarray]:
  """Computes the slopes in the column of points [n, 2] for each game, [n]."""
  mean, stddev = points.T
  gap, data_stddev = mean - DATA[0], DATA[1]
  kl = (gap / stddev**2, 1 / stddev - (data_stddev**2 + gap**2) / stddev**3)
  reverse_kl = (gap / data_stddev**2, stddev / data_stddev**2 - 1 / stddev)

  def jsd(point):
    return expected.jensen_shannon(
      lambda x: expected.log_normal(x, *DATA),
      lambda x: expected.log_normal(x, *point),
      -30,
      32,
    )

  step = 1e-4 * np.eye(2)[column]
  jsd_slopes = np.array(
    [(jsd(point + step) - jsd(point - step)) / 2e-4 for point in points]
  )
  return {
    "maximum likelihood": kl[column],
    "minimax": 2 * jsd_slopes,
    "non-saturating": reverse_kl[column] - 2 * jsd_slopes,
  }


def compute(inputs: Inputs) -> Computed:
  """Computes the gradients for a line of means and a line of deviations."""
  del inputs
  slopes = {}
  with jax.enable_x64(True):
    # The midpoint rule in the quantiles of z.
    chances = (jnp.arange(NUM_LATENTS, dtype=float) + 0.5) / NUM_LATENTS
    latents = jax.scipy.special.ndtri(chances)[:, None]
    for loss, costs in normal_game.LOSSES.items():

      def gradient(point, costs=costs):
        mean, stddev = point
        return jnp.stack(
          normal_game.gradient(costs, DATA, mean, stddev, latents)
        )

      along = jax.jit(lambda points, of=gradient: jax.lax.map(of, points))
      for column, (name, points) in enumerate(POINTS.items()):
        slopes[loss, name] = np.asarray(along(points)[:, column])
  expected_slopes = {
    (loss, name): values
    for column, (name, points) in enumerate(POINTS.items())
    for loss, values in _expected_slopes(column, points).items()
  }
  checks = [
    at_most(
      f"greatest error of the slopes in the {name}, {loss}",
      np.abs(slopes[loss, name] - values).max(),
      1e-4,
      ORIGINS[loss],
    )
    for (loss, name), values in expected_slopes.items()
  ]
  return Computed(checks, {"slopes": slopes, "expected": expected_slopes})


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the gradients of the three games and of KL."""
  figure, panels = curves.grid(2, 2, (11, 4.6))
  pictures.headline(
    figure,
    "gradients against the best discriminator: that of the maximum-likelihood "
    "game is that of KL(p || q)",
  )
  for axes, (name, x) in zip(panels, VARIED.items(), strict=True):
    for loss, style in normal_game.STYLES.items():
      axes.plot(x, drawn["slopes"][loss, name], label=f"J_G, {loss}", **style)
    axes.plot(
      x,
      drawn["expected"]["maximum likelihood", name],
      "--",
      color=curves.DATA,
      label="KL(p || q)",
    )
    axes.axhline(0, color=curves.FRAME, linewidth=0.8)
    label, symbol, where = LABELS[name]
    axes.set_title(
      f"slope in the {label}\n{where}, data N({DATA[0]:g}, {DATA[1] ** 2:g})",
      fontsize=10,
    )
    axes.set(
      xlabel=f"generator's {label}",
      ylabel=f"slope in {symbol} (nats per unit)",
    )
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="ml_gradient",
  source="Goodfellow 2016, arXiv 1701.00160, sections 3.2.4 and 8.3",
  summary="at D* the maximum-likelihood game has the gradient of KL(p || q)",
  compute=compute,
  draw=draw,
)
