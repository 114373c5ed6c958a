"""Builds the library's objects from settings: networks, game and problem."""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from experiments.configs import choices
from experiments.configs.experiment import Generator
from experiments.configs.fields import is_on
from experiments.configs.settings import (
  LatentSettings,
  MLPDiscriminatorSettings,
  MLPGeneratorSettings,
  Settings,
  TrainingSetSettings,
)
from gan_jax import games, penalties, steps
from gan_jax.augmentations import instance_noise
from gan_jax.data.densities import Density
from gan_jax.games.packing import packed
from gan_jax.games.replay import Replay
from gan_jax.losses import AdversarialLoss
from gan_jax.networks.latent_joins import Join, num_joined
from gan_jax.networks.mlp import MLP
from gan_jax.penalties import Penalty
from gan_jax.training import Problem, health
from gan_jax.types import (
  Array,
  Batch,
  Conditional,
  Conditions,
  Metrics,
  Players,
  PRNGKey,
  TrainState,
)

SPREAD_SAMPLES = 64
"""Generated samples, and real ones, that show if the generator collapsed."""


def joins(settings: LatentSettings) -> tuple[Join, ...]:
  """Makes the join of latents to each hidden layer, or () for none."""
  make = choices.LATENT_JOINS[settings.latent_join]
  return (make(settings),) * settings.joined_layers() if make else ()


def num_latents(settings: LatentSettings, generator: Any) -> int:
  """Returns the number of latents, including those of hidden layers."""
  if settings.latent_join in ("none", "split"):
    return settings.latent_dim
  joined = num_joined(generator.joins, generator.hidden_shapes())
  return settings.latent_dim + sum(joined)


def mlp_generator(settings: MLPGeneratorSettings, features: int) -> MLP:
  """Makes the MLP generator of samples [n, features]."""
  kernel_init = choices.INITIALIZERS[settings.initializer]
  return MLP(
    hidden=(settings.generator_width,) * settings.generator_depth,
    features=features,
    activation=choices.ACTIVATIONS[settings.generator_activation],
    normalize=choices.NORMALIZATIONS[settings.generator_normalization],
    kernel_init=kernel_init(settings.initial_scale),
    bias_init=nn.initializers.constant(settings.initial_bias),
    joins=joins(settings),
  )


def mlp_discriminator(settings: MLPDiscriminatorSettings) -> MLP:
  """Makes the MLP discriminator."""
  normalization = settings.discriminator_normalization
  spectral = normalization == choices.SPECTRAL
  kernel_init = choices.INITIALIZERS[settings.initializer]
  before_output = choices.MINIBATCH_LAYERS[settings.discriminator_minibatch]
  return MLP(
    hidden=(settings.discriminator_width,) * settings.discriminator_depth,
    features=1,
    activation=choices.ACTIVATIONS[settings.discriminator_activation],
    pieces=settings.discriminator_pieces,
    normalize=None if spectral else choices.NORMALIZATIONS[normalization],
    dropout=settings.discriminator_dropout,
    kernel_init=kernel_init(settings.initial_scale),
    bias_init=nn.initializers.constant(settings.initial_bias),
    spectral_norm=spectral,
    before_output=before_output() if before_output else None,
  )


def loss(settings: Settings) -> AdversarialLoss:
  """Makes the loss, with label smoothing if it is on."""
  if is_on(settings.label_smoothing):
    real_label = 1.0 - settings.label_smoothing
    return choices.LABELLED_LOSSES[settings.loss](real_label)
  return choices.losses_of(settings.generator_objective)[settings.loss]()


def _penalty(settings: Settings, step: Array) -> Penalty | None:
  """Makes the sum of the penalties, or None if there are none."""
  if not settings.penalty:
    return None
  weights = settings.penalty_weight
  if len(weights) == 1:
    weights *= len(settings.penalty)
  penalty = penalties.combined(
    *(
      choices.PENALTIES[name](weight, settings)
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
  adversarial_loss: AdversarialLoss | None = None,
  conditions: Conditions | None = None,
  make: Callable[..., games.Game] = games.adversarial,
  **paired: Any,
) -> games.Game:
  """Makes the game of two networks.

  The discriminator judges samples, or packs of samples. `step` is [] int32, the
  number of steps taken: instance noise and lazy penalties depend on it.
  `adversarial_loss` replaces the loss in the settings. `conditions`, and
  `paired`, which are `reconstruction` and `distance`, are as in
  `games.adversarial`, whose arguments `make` also takes.
  """
  augment = None
  if is_on(settings.instance_noise):
    decay = choices.DECAYS[settings.instance_noise_decay]
    stddev = decay(settings.instance_noise, settings.steps)(step)
    augment = instance_noise(jnp.asarray(stddev))
  replay = None
  if settings.replay_size:
    replay = Replay(settings.replay_size, settings.replay_share)
  l2 = settings.discriminator_l2
  if settings.packing > 1:
    make = functools.partial(packed, size=settings.packing)
  made = make(
    generator,
    discriminator,
    adversarial_loss or loss(settings),
    choices.LATENT_PRIORS[settings.latent_prior](latent_dim),
    discriminator_l2=l2 if is_on(l2) else None,
    penalty=_penalty(settings, step),
    augment=augment,
    replay=replay,
    mixes_samples=settings.mixes_samples(),
    conditions=conditions,
    **paired,
  )
  if not settings.judges_single_samples():
    made = made._replace(discriminate=None)
  return made


def discriminator_output(
  settings: Settings, game: games.Game, state: TrainState, x: Array
) -> Array:
  """Evaluates D(x) [n] at x [n, ...]: a probability, or a critic's value.

  It is NaN if the discriminator cannot judge single samples.
  """
  if game.discriminate is None:
    return jnp.full(len(x), jnp.nan)
  logits = game.discriminate(state.params, state.variables, x)
  is_probability = choices.LOSSES[settings.loss]().probability
  return jax.nn.sigmoid(logits) if is_probability else logits


def measure_overfitting(
  settings: TrainingSetSettings,
  game: games.Game,
  density: Density,
  state: TrainState,
  key: PRNGKey,
  training_set: Array,
) -> Metrics:
  """Averages the discriminator on a training set and on held-out samples.

    discriminator_train:    mean of D(x) on the training set, of which
                            `evaluation_samples` are used if it has more
    discriminator_held_out: mean of D(x) on `evaluation_samples` new samples

  The metrics of a critic are `critic_train` and `critic_held_out`. There are
  none without a training set, and none if the discriminator cannot judge single
  samples.
  """
  if not settings.training_samples or game.discriminate is None:
    return {}
  count = settings.evaluation_samples
  is_probability = choices.LOSSES[settings.loss]().probability
  prefix = "discriminator" if is_probability else "critic"
  return {
    f"{prefix}_{name}": jnp.mean(discriminator_output(settings, game, state, x))
    for name, x in (
      ("train", training_set[:count]),
      ("held_out", density.sample(key, count)),
    )
  }


def optimizers(settings: Settings) -> steps.Optimizers:
  """Makes the optimizer of each player."""
  optimizer = choices.OPTIMIZERS[settings.optimizer]
  rule = choices.UPDATES[settings.update]
  eps_root = choices.EPS_ROOT if rule.differentiates_optimizer else 0.0

  def make(rate, num_steps, beta1, beta2):
    decay = choices.DECAYS[settings.learning_rate_decay]
    schedule = decay(rate, settings.steps * num_steps * rule.updates)
    return optimizer(schedule, beta1, beta2, eps_root)

  generator = make(
    settings.generator_learning_rate,
    settings.generator_steps,
    settings.generator_beta1,
    settings.generator_beta2,
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
  return Players(rule.wrap(generator), rule.wrap(discriminator))


class Source(NamedTuple):
  """A source of real samples: `sample(data, key, n)` returns a batch of n.

  `data` are arrays on the device that `sample` draws from and that samples are
  compared with. A density needs none. `record` describes the data.
  `member_data` is as in `Problem`.
  """

  sample: Callable[[Any, PRNGKey, int], Batch]
  data: Any = ()
  record: Mapping[str, Any] = MappingProxyType({})
  member_data: Callable[[PRNGKey, Any], Any] | None = None


def from_density(density: Density, training_samples: int = 0) -> Source:
  """Makes a source that samples from a density.

  With `training_samples` above 0, a member has a training set of that size and
  draws its batches from it with replacement.
  """
  if not training_samples:
    return Source(lambda data, key, n: density.sample(key, n))

  def sample(training_set, key, n):
    return training_set[jax.random.randint(key, (n,), 0, training_samples)]

  return Source(
    sample,
    member_data=lambda key, _: density.sample(key, training_samples),
  )


def _keeps_average(settings: Settings) -> bool:
  """Tells whether a run averages the generator's parameters."""
  return settings.averaging == "uniform" or is_on(settings.generator_average)


def generator(
  settings: Settings,
  make_game: Callable[[Any, Array], games.Game],
  class_names: tuple[str, ...] = (),
  averages_both: bool = False,
) -> Generator:
  """Makes what draws samples of a trained state; arguments as in `problem`."""
  game = make_game(settings, jnp.int32(0))
  player_optimizers = optimizers(settings)
  average = _keeps_average(settings)

  def sample(state, key, n, *condition):
    state = steps.with_average(state) if average else state
    return game.sample(state.params, state.variables, key, n, *condition)

  return Generator(
    lambda key: steps.init_state(
      game,
      player_optimizers,
      key,
      average,
      average_both=average and averages_both,
    ),
    sample,
    class_names,
  )


def problem(
  settings: Settings,
  make_game: Callable[[Any, Array], games.Game],
  source: Source,
  measure: Callable[[TrainState, PRNGKey, Any], Metrics],
  snapshot: Callable[[TrainState, PRNGKey], dict[str, Array]],
  reference: dict[str, Array],
  measures_rarely: bool = False,
  protocol: Mapping[str, str | int | float] | None = None,
  class_names: tuple[str, ...] = (),
  statistics: Mapping[str, Array] | None = None,
  measure_discriminator: Callable[
    [TrainState, PRNGKey, Any], Metrics
  ] = lambda state, key, data: {},
  averages_both: bool = False,
) -> Problem:
  """Makes the problem of a game against real samples.

  Its evaluation computes the costs and the means of the discriminator over
  `evaluation_samples` real samples, in minibatches as in training if the
  discriminator mixes samples. They include regularisers and dropout, as in
  training, but a lazy penalty is applied with its weight at every step. The
  same key at every step makes the evaluations of a run comparable. The norms of
  both players' gradients are of these costs on one minibatch. The norms of both
  players' parameters and `generated_spread` are for the monitor.

  Args:
    settings: settings of the experiment.
    make_game: (settings, [] number of steps taken) -> the game at that step.
    source: source of real samples.
    measure: (state, key, data) -> metrics of the generator's samples. It also
      measures the average of the generator, if there is one, with the prefix
      `average_`.
    snapshot: (state, key) -> arrays to draw; of the generator's average, if
      there is one, since that is scored.
    reference: arrays to draw that do not depend on the state.
    measures_rarely: whether `measure` is too expensive for every row of
      metrics. The costs are then evaluated on one minibatch.
    protocol: description of the measurement.
    class_names: names of the classes by label, if labels are the condition.
    statistics: arrays that `measure` compares samples with.
    measure_discriminator: (state, key, data) -> metrics of the discriminator
      that are logged with those of samples; not for the generator's average.
    averages_both: whether an average is one of both players, not only of the
      generator.
  """
  player_optimizers = optimizers(settings)
  step = steps.scheduled(
    lambda num_steps: choices.UPDATES[settings.update].make(
      make_game(settings, num_steps), player_optimizers, settings
    )
  )
  average = _keeps_average(settings)
  if average:
    uniform = settings.averaging == "uniform"
    step = steps.averaged(
      step, steps.uniform_decay if uniform else settings.generator_average
    )
  first_game = make_game(settings, jnp.int32(0))
  minibatch = settings.batch_size * settings.packing
  # A whole number of packs, at least one.
  num_packs = max(1, settings.evaluation_samples // settings.packing)
  evaluated = minibatch if measures_rarely else num_packs * settings.packing
  chunk = min(minibatch, evaluated) if settings.mixes_samples() else evaluated

  def sample_batch(key, data):
    return source.sample(data, key, minibatch * settings.discriminator_steps)

  def measure_costs(state, keys, data):
    batch_key, costs_key = keys
    game = make_game(settings.replace(penalty_every=1), state.step)
    num_minibatches = evaluated // chunk
    batches = jax.tree.map(
      lambda x: x.reshape(num_minibatches, chunk, *x.shape[1:]),
      source.sample(data, batch_key, num_minibatches * chunk),
    )

    def minibatch_costs(inputs):
      costs, (_, metrics) = game.costs(state.params, state.variables, *inputs)
      return metrics | {
        "generator_cost": costs.generator,
        "discriminator_cost": costs.discriminator,
      }

    minibatch_keys = jax.random.split(costs_key, num_minibatches)
    values = jax.lax.map(minibatch_costs, (batches, minibatch_keys))
    metrics = jax.tree.map(lambda value: jnp.mean(value, axis=0), values)
    if "critic_real" in metrics:
      metrics["critic_distance"] = (
        metrics["critic_real"] - metrics["critic_fake"]
      )
    gradients, _, _ = steps.player_gradients(game)(
      state.params,
      state.variables,
      jax.tree.map(lambda x: x[0, :minibatch], batches),
      minibatch_keys[0],
    )
    return metrics | health.gradient_norms(gradients)

  def measure_health(state, key, data):
    real_key, latents_key = jax.random.split(key)
    real = source.sample(data, real_key, SPREAD_SAMPLES)
    samples, condition = real, ()
    if isinstance(real, Conditional):
      samples, condition = real.samples, (real.condition,)
    fake = first_game.sample(
      state.params, state.variables, latents_key, SPREAD_SAMPLES, *condition
    )
    spread = health.spread(samples, fake)
    return health.norms(state) | {"generated_spread": spread}

  def measure_samples(state, key, data):
    metrics = measure(state, key, data)
    if average:
      averages = measure(steps.with_average(state), key, data)
      metrics |= {f"average_{name}": x for name, x in averages.items()}
    return metrics

  def evaluate(state, key, data):
    *cost_keys, samples_key = jax.random.split(key, 3)
    metrics = measure_costs(state, cost_keys, data)
    metrics |= measure_health(state, jax.random.fold_in(samples_key, 1), data)
    if measures_rarely or not settings.evaluate:
      return metrics
    judged_key = jax.random.fold_in(samples_key, 2)
    metrics |= measure_discriminator(state, judged_key, data)
    return metrics | measure_samples(state, samples_key, data)

  def scored_snapshot(state, key):
    return snapshot(steps.with_average(state) if average else state, key)

  trained = generator(settings, make_game, class_names, averages_both)
  return Problem(
    init=trained.init,
    sample_batch=sample_batch,
    step=step,
    evaluate=evaluate,
    snapshot=scored_snapshot,
    reference=reference,
    data=source.data,
    measure=measure_samples if measures_rarely and settings.evaluate else None,
    protocol=protocol or {},
    sample=trained.sample,
    class_names=class_names,
    data_record=source.record,
    statistics=statistics or {},
    member_data=source.member_data,
  )
