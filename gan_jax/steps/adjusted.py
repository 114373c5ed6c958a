"""Rules that turn both players' gradients by the field's own Jacobian.

With w = (g, d), the field is v(w) = (d J_G / d g, d J_D / d d) and its Jacobian
J = dv / dw. It is never formed: J^T v and J v are pullbacks of pullbacks, which
need no forward mode, and so any layer that has a gradient rule of its own will
do.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from gan_jax.games import Game
from gan_jax.steps._moves import Optimizers, own_gradients
from gan_jax.steps.simultaneous import simultaneous
from gan_jax.types import Array, Params, Players, Step

ALIGNMENT_BIAS = 0.1
"""The paper's epsilon, which lets a weak alignment count as positive."""

Vector = Players[Params]
Adjust = Callable[[Vector, Callable[[Vector], tuple[Vector]]], Vector]
"""(v, pullback u -> (J^T u,)) -> the gradients to descend."""


def _adjusted(game: Game, optimizers: Optimizers, adjust: Adjust) -> Step:
  """Makes the simultaneous step by adjusted gradients."""
  gradients_of = own_gradients(game)

  def gradients(params, variables, batch, key):
    def field(params):
      own, *measured = gradients_of(params, variables, batch, key)
      return own, measured

    own, pull, measured = jax.vjp(field, params, has_aux=True)
    return adjust(own, pull), *measured

  return simultaneous(game._replace(gradients=gradients), optimizers)


def consensus(
  game: Game, optimizers: Optimizers, weight: float | Array
) -> Step:
  """Makes the step that also seeks the point where no player would move.

  Both players descend v + weight * grad (1/2 |v|^2) = v + weight * J^T v at the
  old state.

  Args:
    game: the game to play; twice differentiable.
    optimizers: one for each player.
    weight: the paper's gamma, 10 there.

  Returns:
    A step whose batch is one minibatch.

  References:
    Mescheder, Nowozin and Geiger, The Numerics of GANs, arXiv 1705.10461,
      algorithm 2.
  """

  def adjust(own, pull):
    (slope,) = pull(own)
    return jax.tree.map(lambda v, s: v + weight * s, own, slope)

  return _adjusted(game, optimizers, adjust)


def symplectic_gradient_adjustment(
  game: Game,
  optimizers: Optimizers,
  weight: float | Array = 1.0,
  align: bool = False,
) -> Step:
  """Makes the step that bends both players' gradients against their rotation.

  Both players descend v + lambda A^T v at the old state, where A = (J - J^T)/2
  is the antisymmetric part of the field's Jacobian. lambda is the weight;
  aligned, it has the sign of

    <v, h> <A^T v, h> / n + 1/10,  h = grad (1/2 |v|^2) = J^T v,

  n being the number of parameters: the adjustment is then drawn to stable fixed
  points and pushed from unstable ones.

  Args:
    game: the game to play; twice differentiable.
    optimizers: one for each player.
    weight: the paper's lambda.
    align: whether lambda is given a sign; the paper's second algorithm.

  Returns:
    A step whose batch is one minibatch.

  References:
    Balduzzi et al., The Mechanics of n-Player Differentiable Games, arXiv
      1802.05642, section 3 and algorithm 1.
  """

  def adjust(own, pull):
    # The pullback is linear, and its own pullback is J: v goes in as the point
    # and again as the cotangent.
    slope, push = jax.vjp(lambda u: pull(u)[0], own)
    (forward,) = push(own)
    adjustment = jax.tree.map(lambda s, f: 0.5 * (s - f), slope, forward)
    scale = weight
    if align:
      size = sum(leaf.size for leaf in jax.tree.leaves(own))
      alignment = optax.tree.vdot(own, slope) * optax.tree.vdot(
        adjustment, slope
      )
      scale = weight * jnp.sign(alignment / size + ALIGNMENT_BIAS)
    return jax.tree.map(lambda v, a: v + scale * a, own, adjustment)

  return _adjusted(game, optimizers, adjust)
