"""The Dirac-GAN: which training methods for GANs converge.

The data is a point at 0, the generator a point at theta, and the discriminator
D(x) = psi x. The equilibrium is (0, 0). In the paper's sign of psi, which is
minus the library's, the generator minimises f(psi theta) and the discriminator
maximises it, with f(t) = -log(1 + exp(-t)), or f(t) = t for the WGAN. So the
players descend

  v = (f'(t) psi, -f'(t) theta),  t = psi theta,

and a non-saturating generator has f'(-t) psi as its first component.

Eight methods start from (1, 1) and take 500 steps of rate 0.2, with both
players at once or with the generator first. Unregularised GANs and WGANs orbit,
diverge or converge slowly; a penalty on the slope at the data, or consensus,
makes them converge. Each last radius is checked against the same recursion in
plain Python. Alternating play gives
each player a rate of 0 at every other step, which works with any update rule.

All expected radii are computed. The authors' notebook has these settings and
fields, and draws the paths. The radii in parentheses are those of its paths;
they are unconfirmed, as we found them printed nowhere. Its consensus step has a
mistake. At radius r the regulariser 1/2 |v|^2 has the gradient

  f'^2 (theta, psi) + f' f'' r^2 (psi, theta),

but the notebook halves the second term. The result is no gradient: its two
cross derivatives differ by f' f'' (theta^2 - psi^2). Consensus reaches 2.6e-10
and 1.7e-11 instead of 2.1e-10 and 1.3e-11, to which the halved term leads.

Source: Mescheder, Geiger and Nowozin, Which Training Methods for GANs do
actually Converge?, arXiv 1801.04406, sections 2 to 4, and the notebook DiracGAN
of its code, github.com/LMescheder/GAN_stability.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.plots import curves
from experiments.reproduce.common import pictures, trajectories
from experiments.reproduce.common.checks import close, compare
from experiments.reproduce.common.figure import Computed, Inputs, Reproduction
from gan_jax import losses, penalties, steps
from gan_jax.games import closed_form
from gan_jax.losses import AdversarialLoss
from gan_jax.penalties import Penalty
from gan_jax.types import Players

RATE = 0.2
NUM_STEPS = 500
ORDERS = {
  # Which players move, generator and discriminator, in each part of a step.
  "simultaneous": ((1, 1),),
  "alternating": ((1, 0), (0, 1)),
}

Field = Callable[[float, float], tuple[float, float]]
"""Maps (theta, psi) to the components of v, written out by hand."""


def _slope(t: float) -> float:
  """Returns f'(t) of f(t) = -log(1 + exp(-t))."""
  return 1 / (1 + math.exp(t))


def _gan(theta: float, psi: float) -> tuple[float, float]:
  slope = _slope(psi * theta)
  return slope * psi, -slope * theta


def _non_saturating(theta: float, psi: float) -> tuple[float, float]:
  return _slope(-psi * theta) * psi, -_slope(psi * theta) * theta


def _wgan(theta: float, psi: float) -> tuple[float, float]:
  return psi, -theta


def _wgan_gp(theta: float, psi: float) -> tuple[float, float]:
  return psi, -theta + 0.7 * (psi - math.copysign(1, psi))


def _with_r1(field: Field, gamma: float) -> Field:
  def regularised(theta: float, psi: float) -> tuple[float, float]:
    generator, discriminator = field(theta, psi)
    return generator, discriminator + gamma * psi

  return regularised


def _consensus(
  theta: float, psi: float, share: float = 1.0
) -> tuple[float, float]:
  """Returns the consensus field with a share of its second term."""
  generator, discriminator = _gan(theta, psi)
  slope = _slope(psi * theta)
  # f'' = -f' (1 - f').
  bend = -share * slope**2 * (1 - slope) * (theta**2 + psi**2)
  return (
    generator + slope**2 * theta + bend * psi,
    discriminator + slope**2 * psi + bend * theta,
  )


class Method(NamedTuple):
  """A row of the table.

  Attributes:
    loss: the loss of the players.
    field: the field v that they descend, written out by hand.
    published: the last radius of simultaneous and of alternating steps, with
      the fields of the authors' notebook; unconfirmed.
    penalty: the penalty on the discriminator, if any.
    limit: bound on |psi|.
    consensus: the weight of 1/2 |v|^2 in both costs.
  """

  loss: AdversarialLoss
  field: Field
  published: tuple[str, str]
  penalty: Penalty | None = None
  limit: float = math.inf
  consensus: float = 0.0


METHODS = {
  "GAN": Method(losses.minimax(), _gan, ("3.10", "1.42")),
  "non-saturating": Method(
    losses.non_saturating(), _non_saturating, ("0.640", "0.284")
  ),
  "WGAN, clipped at 1": Method(
    losses.wasserstein(), _wgan, ("1.00", "1.02"), limit=1.0
  ),
  "WGAN-GP": Method(
    losses.wasserstein(),
    _wgan_gp,
    ("1.80", "1.22"),
    # The paper's weight is twice the library's.
    penalties.gradient_penalty(0.7 / 2, target=1.0),
  ),
  "R1, gamma = 0.3": Method(
    losses.minimax(),
    _with_r1(_gan, 0.3),
    ("2.6e-06", "2.3e-07"),
    penalties.r1(0.3),
  ),
  "R1, gamma = 1": Method(
    losses.minimax(),
    _with_r1(_gan, 1.0),
    ("9.5e-22", "7.5e-17"),
    penalties.r1(1.0),
  ),
  "consensus": Method(
    losses.minimax(), _consensus, ("2.1e-10", "1.3e-11"), consensus=1.0
  ),
  "non-saturating, R1, gamma = 0.3": Method(
    losses.non_saturating(),
    _with_r1(_non_saturating, 0.3),
    ("2.2e-06", "1.5e-07"),
    penalties.r1(0.3),
  ),
}


def _radius(field: Field, limit: float, order: str) -> float:
  """Descends a field in plain Python and returns the last radius."""
  theta = psi = 1.0
  for _ in range(NUM_STEPS):
    for moves in ORDERS[order]:
      generator, discriminator = field(theta, psi)
      theta -= RATE * moves[0] * generator
      psi = min(max(psi - RATE * moves[1] * discriminator, -limit), limit)
  return math.hypot(theta, psi)


def _every_other(turn: int) -> optax.GradientTransformation:
  """Returns SGD that moves at even steps (turn 0) or at odd ones (turn 1)."""
  return optax.sgd(lambda count: RATE * (jnp.asarray(count) % 2 == turn))


def _play(method: Method, order: str) -> Players[np.ndarray]:
  """Returns a path in the paper's sign of psi."""
  start = Players(jnp.array(1.0), jnp.array(-1.0))
  optimizers = Players(
    _every_other(0),
    optax.chain(
      # The discriminator moves with the generator or in the next half step.
      _every_other(len(ORDERS[order]) - 1),
      penalties.weight_clipping(method.limit),
    ),
  )
  rule = steps.simultaneous
  if method.consensus:
    rule = functools.partial(steps.consensus, weight=method.consensus)
  theta, psi = trajectories.play(
    rule,
    closed_form.dirac_gan(start, method.loss, method.penalty),
    optimizers,
    2 * NUM_STEPS,
  )
  return Players(theta[::2], -psi[::2])


def compute(inputs: Inputs) -> Computed:
  """Plays the game with every method and order of steps."""
  del inputs
  with jax.enable_x64(True):
    paths = {
      name: {order: _play(method, order) for order in ORDERS}
      for name, method in METHODS.items()
    }
  checks = []
  for name, method in METHODS.items():
    for order, published in zip(ORDERS, method.published, strict=True):
      number = float(published)
      checks.append(
        close(
          f"last radius, {name}, {order}",
          trajectories.distances(paths[name][order])[-1],
          _radius(method.field, method.limit, order),
          1e-6 * number,
          "the recursion in plain Python, its gradients by hand",
          number,
        )
      )
      if method.consensus:
        notebook = functools.partial(_consensus, share=0.5)
        checks.append(
          compare(
            f"last radius, the notebook's consensus, {order}",
            _radius(notebook, method.limit, order),
            number,
          )
        )
  return Computed(checks, paths)


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws both paths of each method in the plane of the players."""
  figure, panels = curves.grid(len(METHODS), 4, (12, 7.8))
  pictures.headline(
    figure,
    "Dirac-GAN from (1, 1), 500 steps of rate 0.2: the upper row does not "
    "converge, the lower does\nin each panel: last radius (that of the "
    "authors' code, unconfirmed)",
  )
  for index, (axes, (name, method)) in enumerate(
    zip(panels, METHODS.items(), strict=True)
  ):
    limit, heights = (3.6, (0.94, 0.86)) if index < 4 else (1.7, (0.12, 0.04))
    for height, (order, path), published in zip(
      heights, drawn[name].items(), method.published, strict=True
    ):
      axes.text(
        0.03,
        height,
        f"{trajectories.distances(path)[-1]:#.3g} ({published})",
        color=trajectories.COLORS[order],
        fontsize=9,
        transform=axes.transAxes,
      )
    trajectories.draw_plane(
      axes,
      drawn[name],
      trajectories.COLORS,
      name,
      xlabel="theta (generator)",
      ylabel="psi (discriminator)" if index % 4 == 0 else "",
      xlim=(-limit, limit),
      ylim=(-limit, limit),
    )
    axes.locator_params(nbins=5)
  return curves.legend(figure)


REPRODUCTION = Reproduction(
  id="dirac_gan",
  source="Mescheder et al. 2018, arXiv 1801.04406, sections 2 to 4",
  summary="which training methods reach the equilibrium of two numbers",
  compute=compute,
  draw=draw,
)
