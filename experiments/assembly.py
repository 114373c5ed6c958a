"""From settings to the library's objects: what all experiments share."""

from collections.abc import Callable

import jax
from flax import linen as nn

from experiments.choices import (
  ACTIVATIONS,
  INITIALIZERS,
  LATENT_PRIORS,
  LEARNING_RATE_DECAYS,
  LOSSES,
  OPTIMIZERS,
)
from experiments.settings import MLPGeneratorSettings, Settings
from gan_jax import games, steps
from gan_jax.data.densities import Density
from gan_jax.networks.mlp import MLP
from gan_jax.training import Problem
from gan_jax.types import Array, Metrics, Players, PRNGKey, TrainState


def _mlp(
  settings: Settings,
  depth: int,
  width: int,
  activation: str,
  features: int,
  dropout: float = 0,
) -> MLP:
  """Makes an MLP with the settings' initialisers."""
  return MLP(
    hidden=(width,) * depth,
    features=features,
    activation=ACTIVATIONS[activation],
    dropout=dropout,
    kernel_init=INITIALIZERS[settings.initializer](settings.initial_scale),
    bias_init=nn.initializers.constant(settings.initial_bias),
  )


def mlp_generator(settings: MLPGeneratorSettings, features: int) -> MLP:
  """Makes the generator of samples [n, features] that the settings describe."""
  return _mlp(
    settings,
    settings.generator_depth,
    settings.generator_width,
    settings.generator_activation,
    features,
  )


def mlp_discriminator(settings: Settings) -> MLP:
  """Makes the discriminator that the settings describe."""
  return _mlp(
    settings,
    settings.discriminator_depth,
    settings.discriminator_width,
    settings.discriminator_activation,
    features=1,
    dropout=settings.discriminator_dropout,
  )


def game(
  settings: Settings,
  generator: nn.Module,
  discriminator: nn.Module,
  latent_dim: int,
) -> games.Game:
  """Makes the game of two networks under the settings' loss and prior."""
  return games.adversarial(
    generator,
    discriminator,
    LOSSES[settings.loss](),
    LATENT_PRIORS[settings.latent_prior](latent_dim),
    discriminator_l2=settings.discriminator_l2 or None,
  )


def discriminator_output(
  settings: Settings, game: games.Game, state: TrainState, x: Array
) -> Array:
  """Evaluates D(x) [n] at x [n, ...]: a probability, or a critic's value."""
  assert game.discriminate is not None
  logits = game.discriminate(state.params, state.variables, x)
  return (
    jax.nn.sigmoid(logits) if LOSSES[settings.loss]().probability else logits
  )


def optimizers(settings: Settings) -> steps.Optimizers:
  """Makes the optimizer of each player."""
  make = OPTIMIZERS[settings.optimizer].make
  decay = LEARNING_RATE_DECAYS[settings.learning_rate_decay]
  return Players(
    generator=make(
      decay(
        settings.generator_learning_rate,
        settings.steps * settings.generator_steps,
      ),
      settings.generator_beta1,
      settings.generator_beta2,
    ),
    discriminator=make(
      decay(
        settings.discriminator_learning_rate,
        settings.steps * settings.discriminator_steps,
      ),
      settings.discriminator_beta1,
      settings.discriminator_beta2,
    ),
  )


def problem(
  settings: Settings,
  game: games.Game,
  density: Density,
  measure: Callable[[TrainState, PRNGKey], Metrics],
  snapshot: Callable[[TrainState, PRNGKey], dict[str, Array]],
  reference: dict[str, Array],
) -> Problem:
  """Makes the problem of a game against data from a density.

  Args:
    settings: of the experiment.
    game: the game.
    density: of the data.
    measure: (state, key) -> metrics of the generator's samples; taken of the
      generator, and of its average where there is one.
    snapshot: (state, key) -> arrays to draw.
    reference: arrays to draw beside them, whatever the state.

  Returns:
    The problem. Its evaluation draws `evaluation_samples` real samples for the
    costs and the discriminator's means, which include regularisers and dropout
    as training does, and adds what `measure` says; the average's metrics are
    prefixed with `average_`. The same key at every step makes a run's
    evaluations comparable with each other.
  """
  players_optimizers = optimizers(settings)
  average = settings.generator_average > 0
  if settings.update == "alternating":
    step = steps.alternating(
      game,
      players_optimizers,
      settings.discriminator_steps,
      settings.generator_steps,
    )
  else:
    step = steps.simultaneous(game, players_optimizers)
  if average:
    step = steps.averaged(step, settings.generator_average)

  def sample_batch(key):
    return density.sample(
      key, settings.batch_size * settings.discriminator_steps
    )

  def evaluate(state, key):
    batch_key, costs_key, measure_key = jax.random.split(key, 3)
    costs, (_, metrics) = game.costs(
      state.params,
      state.variables,
      density.sample(batch_key, settings.evaluation_samples),
      costs_key,
    )
    metrics = {
      "generator_cost": costs.generator,
      "discriminator_cost": costs.discriminator,
      **metrics,
      **measure(state, measure_key),
    }
    if average:
      params = state.params._replace(generator=state.averages)
      averaged = measure(state.replace(params=params), measure_key)
      metrics |= {f"average_{name}": value for name, value in averaged.items()}
    return metrics

  return Problem(
    init=lambda key: steps.init_state(game, players_optimizers, key, average),
    sample_batch=sample_batch,
    step=step,
    evaluate=evaluate,
    snapshot=snapshot,
    reference=reference,
  )
