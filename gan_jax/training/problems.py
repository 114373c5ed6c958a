"""Defines training problems: a game, its data, and how to measure it."""

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
  """The functions that train and measure one member.

  Attributes:
    init: key -> the initial state.
    sample_batch: (key, data) -> the real batch of one step.
    step: the update rule.
    evaluate: (state, key, data) -> scalars by name, measured at the state.
    snapshot: (state, key) -> arrays by name, to draw the state.
    reference: arrays by name to draw beside every snapshot, such as the data.
    data: a pytree of arrays that batches are drawn from, shared by all members;
      () for a density. It is an argument of the compiled programs, which would
      otherwise hold it as a constant.
    measure: (state, key, data) -> more scalars, too expensive to evaluate as
      often; None if there are none.
    protocol: how metrics are measured, by name; results are comparable only if
      their protocols are equal.
    sample: (state, key, n) -> [n, ...] samples of the generator, or of its
      average if the state has one. In a game with conditions it also takes
      the condition of the samples. None for a game without samples.
    class_names: names of the labels, if they are the condition.
    data_record: a description of the data, as JSON has it, that tells it from
      other data; empty for a density.
    statistics: arrays by name that generated samples are compared with; empty
      if they can be computed without the data.
    member_data: (key, data) -> what the functions above take for the data of a
      member, such as its training set. It is computed again wherever it is
      needed, with the same key, so it is neither shared nor saved. None if all
      members draw from `data` itself.
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
  data_record: Mapping[str, Any] = MappingProxyType({})
  statistics: Mapping[str, Array] = MappingProxyType({})
  member_data: Callable[[PRNGKey, Any], Any] | None = None


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

  def sample(state, key, n, *condition):
    return game.sample(state.params, state.variables, key, n, *condition)

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
