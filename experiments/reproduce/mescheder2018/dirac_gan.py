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

The published radii come from the authors' notebook. Its consensus step has a
mistake. At radius r the regulariser 1/2 |v|^2 has the gradient

  f'^2 (theta, psi) + f' f'' r^2 (psi, theta),

but the notebook halves the second term. The result is no gradient: its two
cross derivatives differ by f' f'' (theta^2 - psi^2). Consensus reaches 2.6e-10
and 1.7e-11 instead of the notebook's 2.1e-10 and 1.3e-11.

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
from experiments.reproduce.common.figure import Check, Computed, Reproduction
from experiments.run_folder.results import Results
from gan_jax import losses, penalties, steps
from gan_jax.games import closed_form
from gan_jax.losses import AdversarialLoss
from gan_jax.penalties import Penalty
from gan_jax.types import Array, Players

RATE = 0.2
NUM_STEPS = 500

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
  return psi, -theta + 0.7 * (abs(psi) - 1) * math.copysign(1, psi)


def _with_r1(field: Field, weight: float) -> Field:
  def regularised(theta: float, psi: float) -> tuple[float, float]:
    generator, discriminator = field(theta, psi)
    return generator, discriminator + weight * psi

  return regularised


def _consensus(share: float) -> Field:
  """Returns the consensus field with a share of its second term."""

  def field(theta: float, psi: float) -> tuple[float, float]:
    generator, discriminator = _gan(theta, psi)
    slope = _slope(psi * theta)
    # f'' = -f' (1 - f').
    bend = -share * slope**2 * (1 - slope) * (theta**2 + psi**2)
    return (
      generator + slope**2 * theta + bend * psi,
      discriminator + slope**2 * psi + bend * theta,
    )

  return field


class Method(NamedTuple):
  """A row of the table.

  Attributes:
    loss: the loss of the players.
    field: the field v that they descend, written out by hand.
    published: the last radius of simultaneous and of alternating steps, as
      printed.
    penalty: the penalty on the discriminator, if any.
    limit: bound on |psi|.
    consensus: the weight of 1/2 |v|^2 in both costs.
    mistaken: fields of typical mistakes, by name.
  """

  loss: AdversarialLoss
  field: Field
  published: tuple[str, str]
  penalty: Penalty | None = None
  limit: float = math.inf
  consensus: float = 0.0
  mistaken: Mapping[str, Field] = {}


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
    penalty=penalties.gradient_penalty(0.7 / 2, target=1.0),
  ),
  "R1, gamma = 0.3": Method(
    losses.minimax(),
    _with_r1(_gan, 0.3),
    ("2.6e-06", "2.3e-07"),
    penalty=penalties.r1(0.3),
  ),
  "R1, gamma = 1": Method(
    losses.minimax(),
    _with_r1(_gan, 1.0),
    ("9.5e-22", "7.5e-17"),
    penalty=penalties.r1(1.0),
  ),
  "consensus": Method(
    losses.minimax(),
    _consensus(1.0),
    ("2.1e-10", "1.3e-11"),
    consensus=1.0,
    mistaken={"half of the second term": _consensus(0.5)},
  ),
  "non-saturating, R1, gamma = 0.3": Method(
    losses.non_saturating(),
    _with_r1(_non_saturating, 0.3),
    ("2.2e-06", "1.5e-07"),
    penalty=penalties.r1(0.3),
  ),
}

ORDERS = {
  # The players that move in each half of a step.
  "simultaneous": ("both",),
  "alternating": ("generator", "discriminator"),
}
_COLORS = {
  "simultaneous": trajectories.SIMULTANEOUS,
  "alternating": trajectories.ALTERNATING,
}


def _radius(field: Field, limit: float, order: tuple[str, ...]) -> float:
  """Plays a field in plain Python and returns the last radius."""
  theta = psi = 1.0
  for _ in range(NUM_STEPS):
    for moving in order:
      generator, discriminator = field(theta, psi)
      if moving != "discriminator":
        theta -= RATE * generator
      if moving != "generator":
        psi = min(max(psi - RATE * discriminator, -limit), limit)
  return math.hypot(theta, psi)


def _every_other(turn: int | Array) -> optax.GradientTransformation:
  """Returns SGD that moves at even steps (turn 0) or at odd ones (turn 1)."""
  return optax.sgd(lambda count: RATE * (jnp.asarray(count) % 2 == turn))


def _play(method: Method) -> Mapping[str, Players[np.ndarray]]:
  """Returns the path of each order, in the paper's sign of psi."""
  start = Players(jnp.array(1.0), jnp.array(-1.0))
  game = closed_form.dirac_gan(start, method.loss, method.penalty)

  def play(turn: Array) -> Players[Array]:
    optimizers = Players(
      _every_other(0),
      optax.chain(_every_other(turn), penalties.weight_clipping(method.limit)),
    )
    if method.consensus:
      step = steps.consensus(game, optimizers, method.consensus)
    else:
      step = steps.simultaneous(game, optimizers)
    state = steps.init_state(game, optimizers, jax.random.key(0))
    points = trajectories.path(step, state, 2 * NUM_STEPS)
    return jax.tree.map(lambda x: x[::2], points)

  # The discriminator moves with the generator or in the next half step.
  theta, psi = jax.jit(functools.partial(jax.lax.map, play))(
    jnp.arange(len(ORDERS))
  )
  return {
    order: Players(np.asarray(theta[turn]), -np.asarray(psi[turn]))
    for turn, order in enumerate(ORDERS)
  }


def _name(method: str, order: str) -> str:
  return f"last radius, {method}, {order}"


def _notebook_name(order: str) -> str:
  return f"last radius, the notebook's consensus, {order}"


def compute(runs: Mapping[str, Results]) -> Computed:
  """Plays every method with simultaneous and with alternating steps."""
  del runs
  with jax.enable_x64(True):
    paths = {
      (name, order): path
      for name, method in METHODS.items()
      for order, path in _play(method).items()
    }
  radii = {
    cell: math.hypot(theta[-1], psi[-1]) for cell, (theta, psi) in paths.items()
  }
  return Computed(
    measured={
      **{_name(*cell): radius for cell, radius in radii.items()},
      **{
        _notebook_name(order): _radius(_consensus(0.5), math.inf, moves)
        for order, moves in ORDERS.items()
      },
    },
    drawn={"paths": paths, "radii": radii},
  )


def draw(drawn: Mapping[str, Any]) -> Figure:
  """Draws both paths of each method in the plane of the players."""
  figure, panels = curves.grid(len(METHODS), 4, (12, 7.8))
  pictures.headline(
    figure,
    "Dirac-GAN from (1, 1), 500 steps of rate 0.2: the upper row does not "
    "converge, the lower does\nin each panel: last radius (published radius)",
  )
  for index, (axes, (name, method)) in enumerate(
    zip(panels, METHODS.items(), strict=True)
  ):
    axes.set_title(name, fontsize=10)
    limit, heights = (3.6, (0.94, 0.86)) if index < 4 else (1.7, (0.12, 0.04))
    for height, order, published in zip(
      heights, ORDERS, method.published, strict=True
    ):
      trajectories.draw_path(
        axes, drawn["paths"][name, order], _COLORS[order], f"{order} steps"
      )
      axes.text(
        0.03,
        height,
        f"{drawn['radii'][name, order]:#.3g} ({published})",
        color=_COLORS[order],
        fontsize=9,
        transform=axes.transAxes,
      )
    trajectories.draw_equilibrium(axes)
    axes.set(aspect="equal", xlim=(-limit, limit), ylim=(-limit, limit))
    axes.locator_params(nbins=5)
    axes.set_xlabel("theta (generator)")
    if index % 4 == 0:
      axes.set_ylabel("psi (discriminator)")
  return curves.legend(figure)


def _last_radius(method: Method, order: tuple[str, ...]) -> Callable[[], float]:
  return lambda: _radius(method.field, method.limit, order)


def _checks() -> list[Check]:
  """Returns the checks of every cell of the table."""
  checks = []
  for name, method in METHODS.items():
    for order, published in zip(ORDERS, method.published, strict=True):
      others = {other: ORDERS[other] for other in ORDERS if other != order}
      others["discriminator first"] = ("discriminator", "generator")
      checks.append(
        Check(
          _name(name, order),
          _last_radius(method, ORDERS[order]),
          1e-6 * float(published),
          "the recursion in plain Python, its gradients by hand",
          published=float(published),
          wrong={
            **{
              wrong: _last_radius(method, moves)
              for wrong, moves in others.items()
            },
            **{
              wrong: _last_radius(method._replace(field=field), ORDERS[order])
              for wrong, field in method.mistaken.items()
            },
          },
        )
      )
  # The notebook prints two digits.
  consensus = METHODS["consensus"]
  for order, published in zip(ORDERS, consensus.published, strict=True):
    number = float(published)
    checks.append(
      Check(
        _notebook_name(order),
        number,
        0.05 * 10 ** math.floor(math.log10(number)),
        "as printed by the notebook, which halves the second term",
        published=number,
        wrong={"whole second term": _last_radius(consensus, ORDERS[order])},
      )
    )
  return checks


REPRODUCTION = Reproduction(
  id="dirac_gan",
  source="Mescheder et al. 2018, arXiv 1801.04406, sections 2 to 4",
  summary="which training methods reach the equilibrium of two numbers",
  compute=compute,
  checks=tuple(_checks()),
  draw=draw,
)
