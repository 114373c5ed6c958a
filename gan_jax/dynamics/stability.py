"""Jacobians and Hessians of a game at a point, which show if it is stable.

With w = (g, d), both players' params in one vector, the field of the game is

  v(w) = (d J_G / d g, d J_D / d d),

and training descends it. Params are flattened by
`jax.flatten_util.ravel_pytree`, the generator's first. Functions use reverse
mode only, so layers with a custom VJP work. Matrices have n rows for n params,
so these functions are for small games. `stop_gradient` in a game's costs
applies here too.
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
  """The quantities that decide whether a point is a local Nash equilibrium.

  Attributes:
    gradient_norms: [] each, |d J_G / d g| and |d J_D / d d|; zero at an
      equilibrium.
    hessians: [n_g, n_g] d^2 J_G / d g^2 and [n_d, n_d] d^2 J_D / d d^2; without
      negative eigenvalues at an equilibrium.
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

  A stationary point attracts the flow dw/dt = -v(w) if all eigenvalues of J
  have a positive real part, and does not if one has a negative real part.

  Args:
    game: the game; twice differentiable.
    params: the point w, n numbers in all.
    variables: both players' other Flax collections.
    batch: one minibatch.
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
  """Computes the Jacobian of an update rule as a map of the params.

  d w' / d w,  w' the params after the step.

  Near a fixed point, steps of a rule without memory (no momentum, no past
  gradient) converge if the spectral radius, the largest |eigenvalue|, is below
  1; it is the factor by which a step reduces the distance. For
  `steps.simultaneous` with SGD of rate h the Jacobian is I - h J, with J of
  `field_jacobian`.

  Args:
    step: the update rule's step; differentiable.
    state: its params, n numbers in all, are w. Everything else in it, such as
      the optimizer states, is constant.
    batch: one batch of the step.
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
  """Computes both players' gradient norms and Hessians at a point.

  At a local Nash equilibrium neither player can lower its cost by a small
  change of its params: both gradients are zero and both Hessians, the diagonal
  blocks of `field_jacobian`, positive semidefinite. Zero gradients and positive
  definite Hessians are sufficient. Equilibrium and stability do not imply each
  other: training may converge to a point that is no equilibrium, and may leave
  one.

  The arguments are those of `field_jacobian`.

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
