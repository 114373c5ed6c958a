"""The state that steps update, and their compilation."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gan_jax.games import Game
from gan_jax.steps._moves import Optimizers
from gan_jax.types import Array, Batch, Players, PRNGKey, Step, TrainState


def init_state(
  game: Game,
  optimizers: Optimizers,
  key: PRNGKey,
  average: bool = False,
  average_both: bool = False,
) -> TrainState:
  """Draws the initial parameters and prepares the optimizers.

  Args:
    game: the game to play.
    optimizers: one for each player.
    key: draws the parameters.
    average: whether the state carries an average of the generator, as
      `averaged` steps need; it starts at the initial parameters.
    average_both: whether it carries an average of each player instead, as a
      `Players`.

  Returns:
    The state at step 0.
  """
  params, variables = game.init(key)
  averages = None
  if average_both:
    averages = params
  elif average:
    averages = params.generator
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    variables=variables,
    optimizer_states=Players(
      *(
        optimizer.init(own)
        for optimizer, own in zip(optimizers, params, strict=True)
      )
    ),
    # Copies, as a step may be given both to keep.
    averages=jax.tree.map(jnp.copy, averages),
  )


def scheduled(make_step: Callable[[Array], Step]) -> Step:
  """Makes the step of a game that changes with the number of steps taken.

  Args:
    make_step: [] int32, the number of steps taken -> the step to take next; the
      game that it plays may have a noise that decays, or a penalty charged at
      times.

  Returns:
    The step.
  """

  def step(state: TrainState, batch: Batch, key: PRNGKey):
    return make_step(state.step)(state, batch, key)

  return step


def compiled(step: Step) -> Step:
  """Compiles a step; the state passed in is donated and must not be reused."""
  return jax.jit(step, donate_argnums=0)
