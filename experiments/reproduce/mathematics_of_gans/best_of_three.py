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
from scipy import integrate, special, stats

from experiments.plots import curves
from experiments.reproduce.common import pictures, quadrature
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.reproduce.mathematics_of_gans.game import normals_jsd
from experiments.run_folder.results import Results
from gan_jax import divergences

MEANS = {"G1": 2.0, "G2": -2.6, "G3": 0.8}
HELD = "G1"
"""The generator whose best discriminator is held fixed."""
T = np.linspace(-3.2, 3.2, 321)
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


def compute(runs: Mapping[str, Results]) -> Computed:
  """Computes V over the discriminator family for each generator."""
  del runs
  means = np.array(list(MEANS.values()))
  x = np.linspace(-6, 5, 221)
  with jax.enable_x64(True):
    values = np.asarray(_values(jnp.asarray(T), jnp.asarray(means)))
    held = _values(jnp.array([MEANS[HELD]]), jnp.asarray(means))
    x_values = jnp.asarray(x)
    drawn = {
      "values": values,
      "x": x,
      "p": quadrature.normal(x_values, 0.0, 1.0),
      "q": [quadrature.normal(x_values, mean, 1.0) for mean in MEANS.values()],
    }
  largest = values.max(axis=1)
  measured = {
    "the best generator": 1.0 + float(np.argmin(largest)),
    f"the best under the D of {HELD}": 1.0 + float(np.argmin(held[:, 0])),
  }
  for name, row in zip(MEANS, values, strict=True):
    measured[f"largest V of {name}"] = float(row.max())
    measured[f"the D of largest V, {name}"] = float(T[row.argmax()])
  return Computed(measured, jax.tree.map(np.asarray, drawn))


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws the three generators above their values over D."""
  figure, panels = curves.grid(6, 3, (11, 6.2))
  pictures.headline(
    figure,
    "of three generators the best is the one whose highest V(G, D) is lowest",
  )
  largest = drawn["values"].max(axis=1)
  best = np.argmin(largest)
  for index, (name, mean) in enumerate(MEANS.items()):
    above, below = panels[index], panels[3 + index]
    x = drawn["x"]
    for density, label, color in (
      (drawn["p"], "data p", curves.DATA),
      (drawn["q"][index], "generated q", curves.GENERATED),
    ):
      above.fill_between(x, density, color=color, alpha=0.15, lw=0)
      above.plot(x, density, color=color, label=label)
    above.set(xlabel="x", xlim=(x[0], x[-1]), ylim=(0, 0.45))
    above.set_title(
      f"{name}: N({mean:g}, 1)" + (", the best" if index == best else ""),
      fontsize=10,
    )
    below.plot(
      T, drawn["values"][index], color=curves.DISCRIMINATOR, label="V(G, D_t)"
    )
    below.plot(
      [mean], [largest[index]], "o", color=curves.GENERATED, label="max over D"
    )
    below.vlines(
      mean, -4, largest[index], color=curves.GENERATED, **curves.REFERENCE
    )
    below.axhline(
      -math.log(4), color=curves.DATA, label="-log 4: q = p", **curves.REFERENCE
    )
    below.set(xlabel="t, the discriminator D_t", ylim=(-4, 0.2))
    below.set_title(f"max V = {largest[index]:.3f} nats", fontsize=10)
  panels[0].set_ylabel("density")
  panels[3].set_ylabel("V(G, D_t) (nats)")
  return curves.legend(figure)


def _held_value(mean: float) -> float:
  """Integrates E_p log D + E_q log(1 - D) under the fixed D with SciPy."""
  t = MEANS[HELD]

  def integrand(x):
    logit = t**2 / 2 - t * x
    real = stats.norm.pdf(x) * special.log_expit(logit)
    return real + stats.norm.pdf(x, mean) * special.log_expit(-logit)

  return integrate.quad(integrand, -20, 20, limit=200)[0]


def _best_under_held() -> float:
  values = [_held_value(mean) for mean in MEANS.values()]
  return 1.0 + float(np.argmin(values))


CHECKS = (
  Check(
    "the best generator",
    3.0,
    0.25,
    "the text: G_3; here it is the nearest to the data",
    wrong={"the first": 1.0, "the farthest": 2.0},
  ),
  Check(
    f"the best under the D of {HELD}",
    _best_under_held,
    0.25,
    "V under the fixed D, by scipy.integrate.quad",
    wrong={"the best": 3.0},
  ),
  *(
    Check(
      f"largest V of {name}",
      lambda mean=mean: -math.log(4) + 2 * normals_jsd(mean),
      1e-7,
      "-log 4 + 2 JSD, by scipy.integrate.quad",
      wrong={"JSD once": lambda mean=mean: -math.log(4) + normals_jsd(mean)},
    )
    for name, mean in MEANS.items()
  ),
  *(
    Check(
      f"the D of largest V, {name}",
      mean,
      1e-9,
      "closed form: D* has the logit log p / q = m^2 / 2 - m x",
      wrong={"D = 1/2": 0.0},
    )
    for name, mean in MEANS.items()
  ),
)

REPRODUCTION = Reproduction(
  id="best_of_three",
  source="The mathematics of GANs 2020, the figure of three generators",
  summary="the best of three generators has the least max_D V",
  compute=compute,
  checks=CHECKS,
  draw=draw,
)
