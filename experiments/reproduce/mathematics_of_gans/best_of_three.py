"""The best of three generators has the least max_D V(G, D).

The text draws V(G, D) over D for G_1, G_2 and G_3 and chooses G_3, whose
maximum is lowest. Here the data are N(0, 1), a generator is N(m, 1), and D is
in a family that contains the best discriminator of each generator,

  logit D_t(x) = t^2 / 2 - t x,  which is log p / q for q = N(t, 1),

so that V(G, D_t) is highest at t = m, where it is -log 4 + 2 JSD(p, q). A fixed
D leads to the wrong choice: under D_t the generator of least V is the farthest
one on the other side, whose samples D_t takes for real.

References:
  Wang Haoran, The mathematics of GANs (cnblogs, 2020, in Chinese), the figure
    of three generators.
  Goodfellow et al., Generative Adversarial Nets, arXiv 1406.2661, theorem 1.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy import special, stats

from experiments.plots import curves
from experiments.reproduce.common import expected, pictures, quadrature
from experiments.reproduce.common.checks import close
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import divergences

MEANS = {"G1": 2.0, "G2": -2.6, "G3": 0.8}
HELD = "G1"
"""The generator whose best discriminator is held fixed."""
T = np.linspace(-3.2, 3.2, 321)
X = np.linspace(-6, 5, 221)
LIMIT = 9.0
"""End of the quadrature; farther out 1 - D_t rounds to 0 and V to -inf."""


@jax.jit
def _values(t: jax.Array, means: jax.Array) -> jax.Array:
  """Computes V(G, D_t) [m, n] for generators at means [m] and t [n]."""
  x, weights = quadrature.axis(LIMIT)
  p = quadrature.normal(x, 0.0, 1.0)

  def value(mean, t):
    probabilities = jax.nn.sigmoid(t**2 / 2 - t * x)
    q = quadrature.normal(x, mean, 1.0)
    return divergences.value(p, q, probabilities, weights)

  return jax.vmap(jax.vmap(value, (None, 0)), (0, None))(means, t)


def _held_value(mean: float) -> float:
  """Integrates E_p log D + E_q log(1 - D) under the fixed D with SciPy."""
  t = MEANS[HELD]
  return expected.integral(
    lambda x: (
      stats.norm.pdf(x) * special.log_expit(t**2 / 2 - t * x)
      + stats.norm.pdf(x, mean) * special.log_expit(t * x - t**2 / 2)
    )
  )


def compute(inputs: Inputs) -> Computed:
  """Computes V over the discriminator family for each generator."""
  del inputs
  means = np.array(list(MEANS.values()))
  with jax.enable_x64(True):
    values, held = (
      np.asarray(_values(jnp.asarray(t), jnp.asarray(means)))
      for t in (T, np.array([MEANS[HELD]]))
    )
  highest = values.max(axis=1)
  checks = [
    close(
      "the best generator",
      1 + np.argmin(highest),
      3,
      0.25,
      "the text: G_3; here it is the nearest to the data",
    ),
    close(
      f"the best under the D of {HELD}",
      1 + np.argmin(held),
      1 + np.argmin([_held_value(mean) for mean in means]),
      0.25,
      "V under the fixed D, by scipy.integrate.quad",
    ),
  ]
  for (name, mean), row in zip(MEANS.items(), values, strict=True):
    checks += [
      close(
        f"largest V of {name}",
        row.max(),
        -math.log(4) + 2 * expected.jensen_shannon_of_normals(mean),
        1e-7,
        "-log 4 + 2 JSD, by scipy.integrate.quad",
      ),
      close(
        f"the D of largest V, {name}",
        T[row.argmax()],
        mean,
        1e-9,
        "closed form: D* has the logit log p / q = m^2 / 2 - m x",
      ),
    ]
  return Computed(checks, {"values": values})


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the three generators above their values over D."""
  figure, panels = curves.grid(6, 3, (11, 6.2))
  pictures.headline(
    figure,
    "of three generators the best is the one whose highest V(G, D) is lowest",
  )
  highest = drawn["values"].max(axis=1)
  for index, (name, mean) in enumerate(MEANS.items()):
    above, below = panels[index], panels[3 + index]
    for center, label, color in (
      (0, "data p", curves.DATA),
      (mean, "generated q", curves.GENERATED),
    ):
      pictures.density(above, X, stats.norm.pdf(X, center), color, label)
    above.set(xlabel="x", xlim=(X[0], X[-1]), ylim=(0, 0.45))
    best = ", the best" if index == np.argmin(highest) else ""
    above.set_title(f"{name}: N({mean:g}, 1){best}", fontsize=10)
    below.plot(
      T, drawn["values"][index], color=curves.DISCRIMINATOR, label="V(G, D_t)"
    )
    top, color = highest[index], curves.GENERATED
    below.plot([mean], [top], "o", color=color, label="max over D")
    below.vlines(mean, -4, top, color=color, **curves.REFERENCE)
    below.axhline(
      -math.log(4), color=curves.DATA, label="-log 4: q = p", **curves.REFERENCE
    )
    below.set(xlabel="t, the discriminator D_t", ylim=(-4, 0.2))
    below.set_title(f"max V = {top:.3f} nats", fontsize=10)
  panels[0].set_ylabel("density")
  panels[3].set_ylabel("V(G, D_t) (nats)")
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="best_of_three",
  source="The mathematics of GANs 2020, the figure of three generators",
  summary="the best of three generators has the least max_D V",
  compute=compute,
  draw=draw,
)
