"""Functions that make the initial training state and compile steps."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gan_jax.games import Game
from gan_jax.steps._descent import Optimizers
from gan_jax.steps.averages import averaged_parts
from gan_jax.types import Array, Batch, Players, PRNGKey, Step, TrainState


def init_state(
  game: Game,
  optimizers: Optimizers,
  key: PRNGKey,
  average: bool = False,
  average_both: bool = False,
) -> TrainState:
  """Draws the initial parameters and returns the state at step 0.

  Args:
    game: the game to train.
    optimizers: one for each player.
    key: draws the parameters.
    average: whether the state holds an average of the generator's parameters
      and batch statistics, as `averaged` steps need; it starts at the initial
      ones.
    average_both: whether it holds averages of both players instead, each as a
      `Players`.
  """
  params, variables = game.init(key)
  averages = statistics = None
  if average or average_both:
    averages, statistics = averaged_parts(params, variables, average_both)
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    variables=variables,
    optimizer_states=Players(
      *(
        optimizer.init(player_params)
        for optimizer, player_params in zip(optimizers, params, strict=True)
      )
    ),
    # Copies, because one buffer cannot be donated twice.
    averages=jax.tree.map(jnp.copy, averages),
    average_statistics=jax.tree.map(jnp.copy, statistics),
  )


def scheduled(make_step: Callable[[Array], Step]) -> Step:
  """Makes a step whose settings depend on the number of steps taken.

  Args:
    make_step: maps the number of steps taken, [] int32, to the step to take
      now. Its game may have noise that decays, or a penalty at some steps only.
  """

  def step(state: TrainState, batch: Batch, key: PRNGKey):
    return make_step(state.step)(state, batch, key)

  return step


def compiled(step: Step) -> Step:
  """Jits a step with donation: the state passed in must not be used again."""
  return jax.jit(step, donate_argnums=0)
