"""Running averages of the parameters over training, for evaluation."""

from collections.abc import Callable
from typing import Any

import optax

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

STATISTICS = "batch_stats"
"""Name of the Flax collection of batch normalisation."""


def uniform_decay(num_steps: Array) -> Array:
  """Returns the decay with which `averaged` computes a plain mean.

  decay = t / (t + 1) after t = `num_steps` >= 1 steps, which gives the t + 1
  iterates equal weights, the initial one included.

  References:
    Gidel et al., A Variational Inequality Perspective on Generative Adversarial
      Networks, arXiv 1802.10551, section 3.1.
  """
  return num_steps / (num_steps + 1.0)


def averaged(
  step: Step, decay: float | Array | Callable[[Array], Array]
) -> Step:
  """Adds an average of the generator's or both players' parameters to a step.

    average <- decay * average + (1 - decay) * params,  after each step.

  The batch statistics of a network are averaged in the same way, because those
  of other parameters do not normalise its units. The average does not affect
  training.

  Args:
    step: any step. Its state must come from `init_state(..., average=True)`, or
      `average_both=True` for both players.
    decay: in [0, 1). A constant makes an exponential average, and 0 a copy of
      the parameters. A function, such as `uniform_decay`, takes the number of
      steps after this one.

  References:
    Yazici et al., "The Unusual Effectiveness of Averaging in GAN Training",
    arXiv:1806.04498, equation 5.
  """

  def averaged_step(state: TrainState, batch: Batch, key: PRNGKey):
    state, metrics = step(state, batch, key)
    updated: Any = optax.incremental_update(
      averaged_parts(
        state.params, state.variables, isinstance(state.averages, Players)
      ),
      (state.averages, state.average_statistics),
      1.0 - (decay(state.step) if callable(decay) else decay),
    )
    averages, statistics = updated
    return (
      state.replace(averages=averages, average_statistics=statistics),
      metrics,
    )

  return averaged_step


def averaged_parts(
  params: Players[Params], variables: Players[Variables], both: bool
) -> tuple[Params, Any]:
  """Returns the parameters and batch statistics that are averaged.

  They are those of the generator, or of both players as a `Players`.
  """
  statistics = Players(
    *(
      {name: value for name, value in each.items() if name == STATISTICS}
      for each in variables
    )
  )
  if both:
    return params, statistics
  return params.generator, statistics.generator


def with_average(state: TrainState) -> TrainState:
  """Returns the state with the averages in place of what they are averages of.

  Other variables are those of the state.
  """
  if isinstance(state.averages, Players):
    params, statistics = state.averages, state.average_statistics
  else:
    params = state.params._replace(generator=state.averages)
    statistics = Players(state.average_statistics, {})
  variables = Players(
    *(
      {**current, **average}
      for current, average in zip(state.variables, statistics, strict=True)
    )
  )
  return state.replace(params=params, variables=variables)
