"""The update rule in which both players move at the same time."""

from gan_jax.games import Game
from gan_jax.steps._descent import (
  Optimizers,
  descend_both,
  player_gradients,
  with_costs,
)
from gan_jax.types import Batch, PRNGKey, Step, TrainState


def simultaneous(game: Game, optimizers: Optimizers) -> Step:
  """Makes the step that updates both players from the same old state.

    g <- g - opt(d J_G / d g (g, d)),  d <- d - opt(d J_D / d d (g, d)).

  The two gradients share one forward pass.

  References:
    Goodfellow, "NIPS 2016 Tutorial: Generative Adversarial Networks",
    arXiv:1701.00160, section 3.1.
  """
  gradients_of = player_gradients(game)

  def step(state: TrainState, batch: Batch, key: PRNGKey):
    gradients, costs, (variables, metrics) = gradients_of(
      state.params, state.variables, batch, key
    )
    params, optimizer_states = descend_both(
      optimizers, gradients, state.optimizer_states, state.params
    )
    state = state.replace(
      step=state.step + 1,
      params=params,
      variables=variables,
      optimizer_states=optimizer_states,
    )
    return state, with_costs(metrics, costs)

  return step
