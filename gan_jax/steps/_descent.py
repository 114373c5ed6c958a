"""Functions that all update rules share: gradients and optimizer steps."""

import optax

from gan_jax import games
from gan_jax.games import Game, Gradients
from gan_jax.types import Array, Metrics, Params, Players

Optimizers = Players[optax.GradientTransformation]


def player_gradients(game: Game) -> Gradients:
  """Returns the function that computes dJ_G/dg and dJ_D/dd of a game."""
  return game.gradients or games.pullbacks(game.costs)


def descend(
  optimizer: optax.GradientTransformation,
  gradient: Params,
  optimizer_state: optax.OptState,
  params: Params,
) -> tuple[Params, optax.OptState]:
  """Takes one step of one player's optimizer."""
  updates, optimizer_state = optimizer.update(gradient, optimizer_state, params)
  return optax.apply_updates(params, updates), optimizer_state


def descend_both(
  optimizers: Optimizers,
  gradients: Players[Params],
  optimizer_states: Players[optax.OptState],
  params: Players[Params],
) -> tuple[Players[Params], Players[optax.OptState]]:
  """Takes one step of each player's optimizer."""
  generator, discriminator = (
    descend(*player)
    for player in zip(
      optimizers, gradients, optimizer_states, params, strict=True
    )
  )
  return (
    Players(generator[0], discriminator[0]),
    Players(generator[1], discriminator[1]),
  )


def with_costs(metrics: Metrics, costs: Players[Array]) -> Metrics:
  """Adds both costs to a game's metrics."""
  return {
    "generator_cost": costs.generator,
    "discriminator_cost": costs.discriminator,
    **metrics,
  }
