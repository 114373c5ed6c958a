"""The update rule that integrates the gradient flow by Runge-Kutta."""

import jax

from gan_jax.games import Game
from gan_jax.steps._descent import Optimizers, player_gradients
from gan_jax.steps.simultaneous import simultaneous
from gan_jax.types import Array, Step


def runge_kutta_4(
  game: Game, optimizers: Optimizers, step_size: float | Array
) -> Step:
  """Makes the step of the classical fourth-order Runge-Kutta method.

  With w = (g, d), v(w) = (d J_G / d g, d J_D / d d) and h the step size,

    k1 = v(w),  k2 = v(w - h/2 k1),  k3 = v(w - h/2 k2),  k4 = v(w - h k3),

  and the optimizers get (k1 + 2 k2 + 2 k3 + k4) / 6 as the gradients. With
  `optax.sgd(h)` for both players this is a Runge-Kutta step of the flow
  dw/dt = -v(w). Other optimizers treat it as a gradient, and h only sets how
  far k2, k3 and k4 look ahead. Projections apply to the new point only.

  All four gradients use the same minibatch, latents and dropout masks, since
  the method's order holds for one fixed field. Metrics and new variables are
  those at the old parameters.

  References:
    Qin et al., Training Generative Adversarial Networks by Solving Ordinary
      Differential Equations, arXiv 2010.15040, section 3.
  """
  gradients_of = player_gradients(game)

  def gradients(params, variables, batch, key):
    def field(k, time):
      ahead = jax.tree.map(lambda w, k: w - time * k, params, k)
      return gradients_of(ahead, variables, batch, key)[0]

    k1, *measured = gradients_of(params, variables, batch, key)
    k2 = field(k1, 0.5 * step_size)
    k3 = field(k2, 0.5 * step_size)
    k4 = field(k3, step_size)
    combined = jax.tree.map(
      lambda k1, k2, k3, k4: (k1 + 2.0 * (k2 + k3) + k4) / 6.0, k1, k2, k3, k4
    )
    return combined, *measured

  return simultaneous(game._replace(gradients=gradients), optimizers)
