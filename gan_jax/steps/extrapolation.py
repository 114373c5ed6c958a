"""Update rules that use the gradient at an extrapolated point."""

from typing import NamedTuple

import jax
import optax

from gan_jax.games import Game
from gan_jax.steps._descent import (
  Optimizers,
  descend_both,
  player_gradients,
  with_costs,
)
from gan_jax.types import Batch, Params, PRNGKey, Step, TrainState


def extragradient(game: Game, optimizers: Optimizers) -> Step:
  """Makes the step along the gradients at a point one step ahead.

  With w = (g, d) and v(w) = (d J_G / d g, d J_D / d d),

    ahead = w - opt(v(w)),  w <- w - opt(v(ahead)),

  both from the old w. If the last stage of an optimizer is a projection, such
  as `penalties.weight_clipping`, it applies to both points.

  Each optimizer's state is updated by both gradients in turn, as in the paper's
  Adam, so a learning-rate schedule counts two updates per step.

  Both gradients use the same minibatch, latents and dropout masks: with
  independent samples the rule can diverge even on a bilinear game. Metrics and
  new variables are those at the old parameters.

  References:
    Korpelevich, The extragradient method for finding saddle points and other
      problems, Matecon 12, 1976.
    Gidel et al., A Variational Inequality Perspective on Generative Adversarial
      Networks, arXiv 1802.10551, algorithms 2 and 4.
    Mishchenko et al., Revisiting Stochastic Extragradient, arXiv 1905.11373, on
      the same sample.
  """
  gradients_of = player_gradients(game)

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
    optimizer_state: the state of the wrapped optimizer.
    lead: ahead - w, in the shapes of the parameters.
  """

  optimizer_state: optax.OptState
  lead: Params


def past_extragradient(
  optimizer: optax.GradientTransformation,
) -> optax.GradientTransformation:
  """Wraps an optimizer so that it extrapolates with the previous gradient.

  Each step uses one gradient v, taken at a point ahead of the iterate w:

    w <- w - opt(v(ahead)),  ahead <- w - opt(v(ahead)), the same gradient.

  `simultaneous` with both optimizers wrapped is extragradient at half the cost.
  The parameters in the training state are `ahead`, which starts at w. With SGD
  this is `optax.optimistic_gradient_descent` except for the first step, where
  that applies v once and this twice. A projection at the end of the optimizer
  applies to both points. The optimizer's state is updated twice per step, so a
  learning-rate schedule counts two.

  Returns:
    The wrapped optimizer. Its `update` raises ValueError without the params.

  References:
    Popov, A modification of the Arrow-Hurwicz method for search of saddle
      points, Mathematical Notes 28, 1980.
    Gidel et al., A Variational Inequality Perspective on Generative Adversarial
      Networks, arXiv 1802.10551, algorithm 4, option 2.
  """

  def init(params: Params) -> PastExtragradientState:
    return PastExtragradientState(
      optimizer.init(params), optax.tree.zeros_like(params)
    )

  def update(updates, state, params=None):
    if params is None:
      raise ValueError(
        "past_extragradient needs params: update(_, state, params)"
      )
    iterate = optax.tree.sub(params, state.lead)
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
