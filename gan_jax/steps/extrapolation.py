"""Rules that look ahead: they move by the gradient of a point further on."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.games import Game
from gan_jax.steps._moves import (
  Optimizers,
  descend_both,
  own_gradients,
  with_costs,
)
from gan_jax.types import Batch, Params, PRNGKey, Step, TrainState


def extragradient(game: Game, optimizers: Optimizers) -> Step:
  """Makes the step by the gradients that both players would meet after one.

  With w = (g, d) and v(w) = (d J_G / d g, d J_D / d d),

    ahead = w - opt(v(w)),  w <- w - opt(v(ahead)),

  both from the old w. A projection that ends an optimizer, such as
  `penalties.weight_clipping`, therefore holds at both points.

  An optimizer's state is updated by both gradients in turn, as in the paper's
  Adam: the moments of the second half of a step contain those of the first. A
  learning-rate schedule counts two updates a step.

  Both gradients are of the same minibatch, latents and dropout masks, so that a
  step is exactly the deterministic rule on that sample of the game. With
  independent samples it can diverge even on a bilinear game.

  Args:
    game: the game to play.
    optimizers: one for each player.

  Returns:
    A step whose batch is one minibatch. Its metrics are measured at the old
    parameters, where the variables are updated too.

  References:
    Korpelevich, The extragradient method for finding saddle points and other
      problems, Matecon 12, 1976.
    Gidel et al., A Variational Inequality Perspective on Generative Adversarial
      Networks, arXiv 1802.10551, algorithms 2 and 4.
    Mishchenko et al., Revisiting Stochastic Extragradient, arXiv 1905.11373, on
      the same sample.
  """
  gradients_of = own_gradients(game)

  def step(state: TrainState, batch: Batch, key: PRNGKey):
    gradients, costs, (variables, metrics) = gradients_of(
      state.params, state.variables, batch, key
    )
    ahead, optimizer_states = descend_both(
      optimizers, gradients, state.optimizer_states, state.params
    )
    gradients, _, _ = gradients_of(ahead, state.variables, batch, key)
    params, optimizer_states = descend_both(
      optimizers, gradients, optimizer_states, state.params
    )
    state = state.replace(
      step=state.step + 1,
      params=params,
      variables=variables,
      optimizer_states=optimizer_states,
    )
    return state, with_costs(metrics, costs)

  return step


class PastExtragradientState(NamedTuple):
  """The state of `past_extragradient`.

  Attributes:
    optimizer_state: of the optimizer within.
    lead: how far the parameters are ahead of the iterate; of their shapes.
  """

  optimizer_state: optax.OptState
  lead: Params


def past_extragradient(
  optimizer: optax.GradientTransformation,
) -> optax.GradientTransformation:
  """Makes the optimizer that looks ahead by the last gradient it was given.

  It takes one gradient v a step, at a point ahead of its iterate w:

    w <- w - opt(v(ahead)),  ahead <- w - opt(v(ahead)), the same gradient,

  so `simultaneous` with both optimizers wrapped is extragradient at half the
  cost. The parameters that a state holds are `ahead`; they start at w. For SGD
  this is `optax.optimistic_gradient_descent`, but for the first step, where
  that takes v once and this twice. A projection that ends the optimizer holds
  at both points, and its state is updated twice a step, so that a learning-rate
  schedule counts two.

  Args:
    optimizer: what takes each of the two steps.

  Returns:
    The optimizer, to be given to `init_state` and to the rule. Its `update`
    raises ValueError without the parameters.

  References:
    Popov, A modification of the Arrow-Hurwicz method for search of saddle
      points, Mathematical Notes 28, 1980.
    Gidel et al., A Variational Inequality Perspective on Generative Adversarial
      Networks, arXiv 1802.10551, algorithm 4, option 2.
  """

  def init(params: Params) -> PastExtragradientState:
    return PastExtragradientState(
      optimizer.init(params), jax.tree.map(jnp.zeros_like, params)
    )

  def update(updates, state, params=None):
    if params is None:
      raise ValueError(
        "past_extragradient needs params: update(_, state, params)"
      )
    iterate = jax.tree.map(jnp.subtract, params, state.lead)
    move, optimizer_state = optimizer.update(
      updates, state.optimizer_state, iterate
    )
    iterate = optax.apply_updates(iterate, move)
    lead, optimizer_state = optimizer.update(updates, optimizer_state, iterate)
    updates = jax.tree.map(
      lambda iterate, lead, params: iterate + lead - params,
      iterate,
      lead,
      params,
    )
    return updates, PastExtragradientState(optimizer_state, lead)

  return optax.GradientTransformation(init, update)
