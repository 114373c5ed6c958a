"""What a training needs to know: a game, its data, and how to measure it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax

from gan_jax import steps
from gan_jax.games import Game
from gan_jax.training import health
from gan_jax.types import (
  Array,
  Batch,
  Metrics,
  PRNGKey,
  Step,
  TrainState,
)

NUM_DRAWN_SAMPLES = 1000


class Problem(NamedTuple):
  """A game with all that is needed to train and to measure one member.

  Attributes:
    init: key -> the initial state.
    sample_batch: (key, data) -> the real batch of one step.
    step: the update rule.
    evaluate: (state, key, data) -> scalars by name, measured at the state.
    snapshot: (state, key) -> arrays by name, to draw the state.
    reference: arrays by name to draw beside a snapshot, whatever the state:
      the data.
    data: a pytree of arrays on the device that batches are made of, one for all
      members: () for a density. They are arguments of the compiled programs,
      which would hold them as constants otherwise.
    measure: (state, key, data) -> further scalars, too dear to evaluate as
      often; None for none.
    protocol: how metrics are measured, by name: what must be equal where two
      results are compared.
    sample: (state, key, n) -> [n, ...] generated samples, of the generator's
      average where the state has one; with classes, it takes their labels [n]
      too. None for a game that has no samples.
    class_names: by label, of a class-conditional game.
  """

  init: Callable[[PRNGKey], TrainState]
  sample_batch: Callable[[PRNGKey, Any], Batch]
  step: Step
  evaluate: Callable[[TrainState, PRNGKey, Any], Metrics]
  snapshot: Callable[[TrainState, PRNGKey], dict[str, Array]]
  reference: dict[str, Array]
  data: Any = ()
  measure: Callable[[TrainState, PRNGKey, Any], Metrics] | None = None
  protocol: Mapping[str, str | int | float] = MappingProxyType({})
  sample: Callable[..., Array] | None = None
  class_names: tuple[str, ...] = ()


def problem(
  game: Game,
  optimizers: steps.Optimizers,
  sample_data: Callable[[PRNGKey, int], Batch],
  batch_size: int = 64,
  metrics: Callable[[Array], Metrics] = lambda samples: {},
  evaluation_samples: int = 2500,
  update: Callable[[Game, steps.Optimizers], Step] = steps.simultaneous,
) -> Problem:
  """Makes the problem of a game against real samples.

  Its evaluation has the costs on `evaluation_samples` real samples, the norms
  of both players' parameters, and `metrics` of as many generated samples.

  Args:
    game: the game of the two networks.
    optimizers: of the two players.
    sample_data: (key, n) -> a batch of n real samples.
    batch_size: real samples in a step.
    metrics: generated samples [n, ...] -> scalars by name.
    evaluation_samples: n of an evaluation.
    update: update rule.
  """

  def evaluate(state, key, data):
    del data
    batch_key, costs_key, latents_key = jax.random.split(key, 3)
    costs, (_, game_metrics) = game.costs(
      state.params,
      state.variables,
      sample_data(batch_key, evaluation_samples),
      costs_key,
    )
    samples = game.sample(
      state.params, state.variables, latents_key, evaluation_samples
    )
    return {
      "generator_cost": costs.generator,
      "discriminator_cost": costs.discriminator,
      **game_metrics,
      **health.norms(state),
      **metrics(samples),
    }

  def sample(state, key, n):
    return game.sample(state.params, state.variables, key, n)

  return Problem(
    init=lambda key: steps.init_state(game, optimizers, key),
    sample_batch=lambda key, data: sample_data(key, batch_size),
    step=update(game, optimizers),
    evaluate=evaluate,
    snapshot=lambda state, key: {
      "samples": sample(state, key, NUM_DRAWN_SAMPLES)
    },
    reference={},
    sample=sample,
  )
