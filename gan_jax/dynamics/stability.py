"""What a point of a game is: where training stays, and whether it returns.

With w = (g, d), both players' params in one vector, the field of the game is

  v(w) = (d J_G / d g, d J_D / d d),  each player's gradient in its own params,

and training descends it. Params are flattened by
`jax.flatten_util.ravel_pytree`: the generator's come first. Only pullbacks are
taken, no forward mode, so any layer that has a gradient rule of its own will
do. A matrix has a row for each of n params, so these are for small games.

What a game's costs stop the gradient of is a constant here too.
"""

from typing import NamedTuple

import chex
import jax
import optax
from jax.flatten_util import ravel_pytree

from gan_jax import games
from gan_jax.games import Game
from gan_jax.types import (
  Array,
  Batch,
  Params,
  Players,
  PRNGKey,
  Step,
  TrainState,
  Variables,
)


class LocalNash(NamedTuple):
  """What decides whether a point is a local Nash equilibrium.

  Attributes:
    gradient_norms: [] each, |d J_G / d g| and |d J_D / d d|; zero at one.
    hessians: [n_g, n_g] d^2 J_G / d g^2 and [n_d, n_d] d^2 J_D / d d^2; without
      a negative eigenvalue at one.
  """

  gradient_norms: Players[Array]
  hessians: Players[Array]


def field_jacobian(
  game: Game,
  params: Players[Params],
  variables: Players[Variables],
  batch: Batch,
  key: PRNGKey,
) -> Array:
  """Computes the Jacobian of the field.

    J = dv / dw = [d^2 J_G / dg dg  d^2 J_G / dg dd]
                  [d^2 J_D / dd dg  d^2 J_D / dd dd].

  A stationary point draws the flow dw/dt = -v(w) in from all around if all
  eigenvalues of J have a positive real part, and does not if one's is negative.

  Args:
    game: the game; twice differentiable.
    params: the point w, n numbers in all.
    variables: of each player.
    batch: one minibatch, which the costs are means over.
    key: draws the latents and the dropout masks.

  Returns:
    [n, n], row i the gradient of v_i.

  References:
    Mescheder, Nowozin and Geiger, The Numerics of GANs, arXiv 1705.10461,
      section 3.
  """
  gradients_of = games.pullbacks(game.costs)
  point, unravel = ravel_pytree(params)

  def field(point: Array) -> Array:
    gradients, _, _ = gradients_of(unravel(point), variables, batch, key)
    return ravel_pytree(gradients)[0]

  jacobian = jax.jacrev(field)(point)
  chex.assert_shape(jacobian, (point.size, point.size))
  return jacobian


def step_jacobian(
  step: Step, state: TrainState, batch: Batch, key: PRNGKey
) -> Array:
  """Computes the Jacobian of an update rule, as a map of the params.

  d w' / d w,  w' the params after the step.

  Near a fixed point, steps of a rule without memory (no momentum, no past
  gradient) converge if the spectral radius, the largest |eigenvalue|, is below
  1, and by that factor a step. That of `steps.simultaneous` with SGD of rate h
  is I - h J, with J of `field_jacobian`.

  Args:
    step: the rule; differentiable.
    state: whose params, n numbers in all, are w. All else in it, the optimizer
      states above all, is a constant.
    batch: one batch of the rule.
    key: draws the latents and the dropout masks.

  Returns:
    [n, n], row i the gradient of w'_i.

  References:
    Mescheder, Geiger and Nowozin, Which Training Methods for GANs do actually
      Converge?, arXiv 1801.04406, section 2.
  """
  point, unravel = ravel_pytree(state.params)

  def update(point: Array) -> Array:
    after, _ = step(state.replace(params=unravel(point)), batch, key)
    return ravel_pytree(after.params)[0]

  jacobian = jax.jacrev(update)(point)
  chex.assert_shape(jacobian, (point.size, point.size))
  return jacobian


def local_nash(
  game: Game,
  params: Players[Params],
  variables: Players[Variables],
  batch: Batch,
  key: PRNGKey,
) -> LocalNash:
  """Computes what decides whether a point is a local Nash equilibrium.

  At one, neither player can lower its own cost by a small move of its own: both
  gradients are zero and both Hessians, the diagonal blocks of
  `field_jacobian`, positive semidefinite. Definite, they suffice. Neither
  implies the other: training may be drawn to a point that is no equilibrium,
  and driven from one.

  Args:
    game: the game; twice differentiable.
    params: the point.
    variables: of each player.
    batch: one minibatch, which the costs are means over.
    key: draws the latents and the dropout masks.

  Returns:
    The norms of the own gradients and the own Hessians.

  References:
    Goodfellow, NIPS 2016 Tutorial, arXiv 1701.00160, section 3.1.
    Berard et al., A Closer Look at the Optimization Landscapes of Generative
      Adversarial Networks, arXiv 1906.04848, section 2.
  """
  gradients, _, _ = games.pullbacks(game.costs)(params, variables, batch, key)
  jacobian = field_jacobian(game, params, variables, batch, key)
  split = ravel_pytree(params.generator)[0].size
  return LocalNash(
    gradient_norms=Players(*map(optax.tree.norm, gradients)),
    hessians=Players(jacobian[:split, :split], jacobian[split:, split:]),
  )
