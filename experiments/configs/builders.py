"""From settings to the library's objects: what all experiments share."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from experiments.configs.choices import (
  ACTIVATIONS,
  DECAYS,
  EPS_ROOT,
  INITIALIZERS,
  LABELLED_LOSSES,
  LATENT_JOINS,
  LATENT_PRIORS,
  LOSSES,
  MINIBATCH_LAYERS,
  NORMALIZATIONS,
  OPTIMIZERS,
  PENALTIES,
  SPECTRAL,
  UPDATES,
)
from experiments.configs.fields import is_on
from experiments.configs.settings import (
  MLPDiscriminatorSettings,
  MLPGeneratorSettings,
  Settings,
)
from gan_jax import games, penalties, steps
from gan_jax.augmentations import instance_noise
from gan_jax.data.densities import Density
from gan_jax.games.packing import packed
from gan_jax.games.replay import Replay
from gan_jax.losses import AdversarialLoss
from gan_jax.networks.mlp import MLP, Join
from gan_jax.penalties import Penalty
from gan_jax.training import Problem, health
from gan_jax.types import (
  Array,
  Batch,
  Labelled,
  Metrics,
  Players,
  PRNGKey,
  TrainState,
)

SPREAD_SAMPLES = 64
"""Generated ones, and real ones, that show whether the generator collapsed."""


def _latents_join(settings: MLPGeneratorSettings) -> Join | None:
  """Returns what latents do at each hidden layer of the generator."""
  make = LATENT_JOINS[settings.latent_join]
  return make(settings) if make else None


def mlp_generator(settings: MLPGeneratorSettings, features: int) -> MLP:
  """Makes the generator of samples [n, features] that the settings describe."""
  join = _latents_join(settings)
  return MLP(
    hidden=(settings.generator_width,) * settings.generator_depth,
    features=features,
    activation=ACTIVATIONS[settings.generator_activation],
    normalize=NORMALIZATIONS[settings.generator_normalization],
    kernel_init=INITIALIZERS[settings.initializer](settings.initial_scale),
    bias_init=nn.initializers.constant(settings.initial_bias),
    joins=(join,) * settings.generator_depth if join else (),
  )


def mlp_latents(settings: MLPGeneratorSettings) -> int:
  """Counts the latents of the generator, those of hidden layers included."""
  join = _latents_join(settings)
  if join is None or settings.latent_join == "split":
    return settings.latent_dim
  of_hidden_layers = join.dim(settings.generator_width)
  return settings.latent_dim + settings.generator_depth * of_hidden_layers


def mlp_discriminator(settings: MLPDiscriminatorSettings) -> MLP:
  """Makes the discriminator that the settings describe."""
  spectral = settings.discriminator_normalization == SPECTRAL
  before_output = MINIBATCH_LAYERS[settings.discriminator_minibatch]
  return MLP(
    hidden=(settings.discriminator_width,) * settings.discriminator_depth,
    features=1,
    activation=ACTIVATIONS[settings.discriminator_activation],
    pieces=settings.discriminator_pieces,
    normalize=(
      None if spectral else NORMALIZATIONS[settings.discriminator_normalization]
    ),
    dropout=settings.discriminator_dropout,
    kernel_init=INITIALIZERS[settings.initializer](settings.initial_scale),
    bias_init=nn.initializers.constant(settings.initial_bias),
    spectral_norm=spectral,
    before_output=before_output() if before_output else None,
  )


def loss(settings: Settings) -> AdversarialLoss:
  """Makes the settings' loss."""
  if is_on(settings.label_smoothing):
    return LABELLED_LOSSES[settings.loss](1.0 - settings.label_smoothing)
  return LOSSES[settings.loss]()


def _penalty(settings: Settings, step: Array) -> Penalty | None:
  """Makes the sum of the settings' penalties, None where there are none."""
  if not settings.penalty:
    return None
  weights = settings.penalty_weight
  if len(weights) == 1:
    weights *= len(settings.penalty)
  penalty = penalties.combined(
    *(
      PENALTIES[name](weight, settings)
      for name, weight in zip(settings.penalty, weights, strict=True)
    )
  )
  if settings.penalty_every == 1:
    return penalty
  return penalties.lazy(penalty, settings.penalty_every, step)


def game(
  settings: Settings,
  generator: nn.Module,
  discriminator: nn.Module,
  latent_dim: int,
  step: Array,
  own_loss: AdversarialLoss | None = None,
  num_classes: int = 0,
) -> games.Game:
  """Makes the game of two networks as the settings have it.

  Args:
    settings: of the experiment.
    generator: of samples.
    discriminator: of samples, or of packs of them.
    latent_dim: of the generator's latents.
    step: [] int32, the number of steps taken, which the noise decays with and
      lazy penalties are charged by.
    own_loss: what to play for; None, for the settings' loss.
    num_classes: of a class-conditional game; 0 for none.

  Returns:
    The game.
  """
  augment = None
  if is_on(settings.instance_noise):
    decay = DECAYS[settings.instance_noise_decay]
    stddev = decay(settings.instance_noise, settings.steps)(step)
    augment = instance_noise(jnp.asarray(stddev))
  replay = None
  if settings.replay_size:
    replay = Replay(settings.replay_size, settings.replay_share)
  make = games.adversarial
  if settings.packing > 1:
    make = functools.partial(packed, size=settings.packing)
  made = make(
    generator,
    discriminator,
    own_loss or loss(settings),
    LATENT_PRIORS[settings.latent_prior](latent_dim),
    discriminator_l2=(
      settings.discriminator_l2 if is_on(settings.discriminator_l2) else None
    ),
    penalty=_penalty(settings, step),
    augment=augment,
    replay=replay,
    mixes_samples=settings.mixes_samples(),
    num_classes=num_classes,
  )
  if not settings.judges_lone_samples():
    made = made._replace(discriminate=None)
  return made


def discriminator_output(
  settings: Settings, game: games.Game, state: TrainState, x: Array
) -> Array:
  """Evaluates D(x) [n] at x [n, ...]: a probability, or a critic's value.

  It is NaN where the discriminator judges no lone sample.
  """
  if game.discriminate is None:
    return jnp.full(len(x), jnp.nan)
  logits = game.discriminate(state.params, state.variables, x)
  return (
    jax.nn.sigmoid(logits) if LOSSES[settings.loss]().probability else logits
  )


def optimizers(settings: Settings) -> steps.Optimizers:
  """Makes the optimizer of each player, as the update rule wants it."""
  optimizer = OPTIMIZERS[settings.optimizer]
  rule = UPDATES[settings.update]

  def make(rate, num_steps, beta1, beta2):
    decay = DECAYS[settings.learning_rate_decay]
    schedule = decay(rate, settings.steps * num_steps * rule.updates)
    return optimizer.make(
      schedule, beta1, beta2, EPS_ROOT if rule.differentiates_optimizer else 0.0
    )

  discriminator = make(
    settings.discriminator_learning_rate,
    settings.discriminator_steps,
    settings.discriminator_beta1,
    settings.discriminator_beta2,
  )
  if is_on(settings.weight_clipping):
    discriminator = optax.chain(
      discriminator, penalties.weight_clipping(settings.weight_clipping)
    )
  return Players(
    generator=rule.wrap(
      make(
        settings.generator_learning_rate,
        settings.generator_steps,
        settings.generator_beta1,
        settings.generator_beta2,
      )
    ),
    discriminator=rule.wrap(discriminator),
  )


class Source(NamedTuple):
  """Where real samples come from.

  Attributes:
    sample: (data, key, n) -> a batch of n.
    data: what it draws from, and what samples are measured against, arrays on
      the device; () for a density.
  """

  sample: Callable[[Any, PRNGKey, int], Batch]
  data: Any = ()


def from_density(density: Density) -> Source:
  """Makes the source of a density's samples."""
  return Source(lambda data, key, n: density.sample(key, n))


def problem(
  settings: Settings,
  make_game: Callable[[Settings, Array], games.Game],
  source: Source,
  measure: Callable[[TrainState, PRNGKey, Any], Metrics],
  snapshot: Callable[[TrainState, PRNGKey], dict[str, Array]],
  reference: dict[str, Array],
  measures_rarely: bool = False,
  protocol: Mapping[str, str | int | float] | None = None,
  class_names: tuple[str, ...] = (),
) -> Problem:
  """Makes the problem of a game against real samples.

  Args:
    settings: of the experiment.
    make_game: (settings, [] number of steps taken) -> the game to play then.
    source: of the real samples.
    measure: (state, key, data) -> metrics of the generator's samples; taken of
      the generator, and of its average where there is one.
    snapshot: (state, key) -> arrays to draw.
    reference: arrays to draw beside them, whatever the state.
    measures_rarely: whether `measure` is too dear for every row of metrics. The
      costs are then evaluated on one minibatch.
    protocol: how `measure` measures.
    class_names: by label, of a class-conditional game.

  Returns:
    The problem. Its evaluation draws `evaluation_samples` real samples for the
    costs and the discriminator's means, in minibatches as training has them
    where the discriminator mixes samples. They include regularisers and dropout
    as training does, with a lazy penalty charged as if it were not. It adds
    what `measure` says; the average's metrics are prefixed with `average_`. The
    same key at every step makes a run's evaluations comparable with each other.
    The norms of both players' parameters and `generated_spread` are for a guard
    to watch.
  """
  own_optimizers = optimizers(settings)
  step = steps.scheduled(
    lambda num_steps: UPDATES[settings.update].make(
      make_game(settings, num_steps), own_optimizers, settings
    )
  )
  uniform = settings.averaging == "uniform"
  average = uniform or is_on(settings.generator_average)
  if average:
    step = steps.averaged(
      step, steps.uniform_decay if uniform else settings.generator_average
    )
  first_game = make_game(settings, jnp.int32(0))
  minibatch = settings.batch_size * settings.packing
  # Whole packs, and at least one.
  evaluated = max(1, settings.evaluation_samples // settings.packing)
  evaluated *= settings.packing
  if measures_rarely:
    evaluated = minibatch
  at_once = min(minibatch, evaluated) if settings.mixes_samples() else evaluated

  def sample_batch(key, data):
    return source.sample(data, key, minibatch * settings.discriminator_steps)

  def measure_costs(state, keys, data):
    batch_key, costs_key = keys
    game = make_game(settings.replace(penalty_every=1), state.step)
    num_minibatches = evaluated // at_once
    batches = jax.tree.map(
      lambda x: x.reshape(num_minibatches, at_once, *x.shape[1:]),
      source.sample(data, batch_key, num_minibatches * at_once),
    )

    def of_minibatch(inputs):
      costs, (_, metrics) = game.costs(state.params, state.variables, *inputs)
      return {
        "generator_cost": costs.generator,
        "discriminator_cost": costs.discriminator,
        **metrics,
      }

    return jax.tree.map(
      lambda values: jnp.mean(values, axis=0),
      jax.lax.map(
        of_minibatch, (batches, jax.random.split(costs_key, num_minibatches))
      ),
    )

  def measure_health(state, key, data):
    real_key, latents_key = jax.random.split(key)
    real = source.sample(data, real_key, SPREAD_SAMPLES)
    samples, labels = real, ()
    if isinstance(real, Labelled):
      samples, labels = real.samples, (real.labels,)
    fake = first_game.sample(
      state.params, state.variables, latents_key, SPREAD_SAMPLES, *labels
    )
    return health.norms(state) | {
      "generated_spread": health.spread(samples, fake)
    }

  def averaged(state):
    params = state.params._replace(generator=state.averages)
    return state.replace(params=params)

  def measure_samples(state, key, data):
    metrics = measure(state, key, data)
    if average:
      of_average = measure(averaged(state), key, data)
      metrics |= {f"average_{k}": value for k, value in of_average.items()}
    return metrics

  def sample(state, key, n, *labels):
    state = averaged(state) if average else state
    return first_game.sample(state.params, state.variables, key, n, *labels)

  def evaluate(state, key, data):
    *cost_keys, samples_key = jax.random.split(key, 3)
    metrics = measure_costs(state, cost_keys, data)
    metrics |= measure_health(state, jax.random.fold_in(samples_key, 1), data)
    if measures_rarely:
      return metrics
    return metrics | measure_samples(state, samples_key, data)

  return Problem(
    init=lambda key: steps.init_state(first_game, own_optimizers, key, average),
    sample_batch=sample_batch,
    step=step,
    evaluate=evaluate,
    snapshot=snapshot,
    reference=reference,
    data=source.data,
    measure=measure_samples if measures_rarely else None,
    protocol=protocol or {},
    sample=sample,
    class_names=class_names,
  )
