"""Update rules that adjust both gradients with the Jacobian of the game.

With w = (g, d), the field is v(w) = (d J_G / d g, d J_D / d d) and its Jacobian
J = dv / dw. J is never formed: J^T v and J v are pullbacks of pullbacks. They
need no forward mode, so layers with a custom VJP work.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from gan_jax.games import Game
from gan_jax.steps._descent import Optimizers, player_gradients
from gan_jax.steps.simultaneous import simultaneous
from gan_jax.types import Array, Params, Players, Step

ALIGNMENT_BIAS = 0.1
"""The paper's epsilon: alignments above minus this count as positive."""

Vector = Players[Params]
Adjust = Callable[[Vector, Callable[[Vector], tuple[Vector]]], Vector]
"""(v, pullback u -> (J^T u,)) -> the adjusted gradients."""


def _adjusted(game: Game, optimizers: Optimizers, adjust: Adjust) -> Step:
  """Makes the simultaneous step along adjusted gradients."""
  gradients_of = player_gradients(game)

  def gradients(params, variables, batch, key):
    def field(params):
      v, *measured = gradients_of(params, variables, batch, key)
      return v, measured

    v, pull, measured = jax.vjp(field, params, has_aux=True)
    return adjust(v, pull), *measured

  return simultaneous(game._replace(gradients=gradients), optimizers)


def consensus(
  game: Game, optimizers: Optimizers, weight: float | Array
) -> Step:
  """Makes the step that also minimises the norm of both gradients.

  Both players descend v + weight * grad (1/2 |v|^2) = v + weight * J^T v at the
  old state. The game must be twice differentiable. The weight is the paper's
  gamma, 10 there.

  References:
    Mescheder, Nowozin and Geiger, The Numerics of GANs, arXiv 1705.10461,
      algorithm 2.
  """

  def adjust(v, pull):
    (slope,) = pull(v)
    return optax.tree.add_scale(v, weight, slope)

  return _adjusted(game, optimizers, adjust)


def symplectic_gradient_adjustment(
  game: Game,
  optimizers: Optimizers,
  weight: float | Array = 1.0,
  align: bool = False,
) -> Step:
  """Makes the step of symplectic gradient adjustment.

  Both players descend v + lambda A^T v at the old state, where A = (J - J^T)/2
  is the antisymmetric part of the field's Jacobian. lambda is the weight; with
  `align`, the paper's second algorithm, lambda is multiplied by the sign of

    <v, h> <A^T v, h> / n + 1/10,  h = grad (1/2 |v|^2) = J^T v,

  with n the number of parameters. The adjustment then attracts to stable fixed
  points and repels from unstable ones. The game must be twice differentiable.

  References:
    Balduzzi et al., The Mechanics of n-Player Differentiable Games, arXiv
      1802.05642, section 3 and algorithm 1.
  """

  def adjust(v, pull):
    # u -> J^T u is linear, and its pullback is u -> J u: v is passed as the
    # point and again as the cotangent.
    slope, push = jax.vjp(lambda u: pull(u)[0], v)
    (forward,) = push(v)
    adjustment = jax.tree.map(lambda s, f: 0.5 * (s - f), slope, forward)
    scale = weight
    if align:
      alignment = optax.tree.vdot(v, slope) * optax.tree.vdot(adjustment, slope)
      size = optax.tree.size(v)
      scale = weight * jnp.sign(alignment / size + ALIGNMENT_BIAS)
    return optax.tree.add_scale(v, scale, adjustment)

  return _adjusted(game, optimizers, adjust)
