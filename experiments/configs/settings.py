"""The settings that experiments share; each of them becomes an absl flag."""

import dataclasses
import typing
from collections.abc import Collection, Mapping
from typing import Any, Self

from experiments.configs import choices
from experiments.configs.fields import (
  check_requirement,
  fields_of,
  setting,
)
from experiments.configs.hints import unknown_flag
from experiments.errors import SettingError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
  """Settings of every game of a generator and a discriminator."""

  loss: str = setting(
    "non_saturating",
    "loss of both players",
    choices=choices.LOSSES,
    heading="Loss and update rule",
  )
  generator_objective: str = setting(
    choices.STANDARD,
    "what the generator minimises: the cost of the loss, or -E g(V), f-GAN's "
    "practical cost (losses f_...)",
    choices=choices.GENERATOR_OBJECTIVES,
  )
  update: str = setting(
    "simultaneous",
    "update rule: how the players take their steps",
    choices=choices.UPDATES,
  )
  discriminator_steps: int = setting(
    1,
    "discriminator steps in each training step (alternating)",
    minimum=1,
    maximum=1000,
    requires="update=alternating",
    strict=True,
  )
  generator_steps: int = setting(
    1,
    "generator steps in each training step (alternating)",
    minimum=1,
    maximum=1000,
    requires="update=alternating",
    strict=True,
  )
  consensus_weight: float = setting(
    10.0,
    "weight of the squared gradient norm (consensus)",
    minimum=0,
    requires="update=consensus",
  )
  adjustment_weight: float = setting(
    1.0,
    "weight of the adjustment (symplectic_gradient_adjustment)",
    minimum=0,
    requires="update=symplectic_gradient_adjustment",
  )
  runge_kutta_step_size: float = setting(
    0.01,
    "step size in the time of the gradient flow (runge_kutta_4)",
    above=0,
    requires="update=runge_kutta_4",
  )
  unrolled_steps: int = setting(
    5,
    "discriminator steps that the generator looks ahead (unrolled)",
    minimum=0,
    maximum=1000,
    requires="update=unrolled",
  )
  optimizer: str = setting(
    "adam",
    "optimizer of both players",
    choices=choices.OPTIMIZERS,
    heading="Optimizers",
  )
  generator_learning_rate: float = setting(
    1e-3, "learning rate of the generator", above=0
  )
  discriminator_learning_rate: float = setting(
    1e-3, "learning rate of the discriminator", above=0
  )
  learning_rate_decay: str = setting(
    "none",
    "decay of both learning rates to 0 over the run",
    choices=choices.DECAYS,
  )
  generator_beta1: float = setting(
    0.9,
    "decay of the generator's mean gradient (adam, optimistic_adam)",
    minimum=0,
    below=1,
    requires="optimizer=adam,optimistic_adam",
  )
  generator_beta2: float = setting(
    0.999,
    "decay of the generator's mean squared gradient (all but sgd)",
    minimum=0,
    below=1,
    requires="optimizer=adam,optimistic_adam,rmsprop",
  )
  discriminator_beta1: float = setting(
    0.9,
    "decay of the discriminator's mean gradient (adam, optimistic_adam)",
    minimum=0,
    below=1,
    requires="optimizer=adam,optimistic_adam",
  )
  discriminator_beta2: float = setting(
    0.999,
    "decay of the discriminator's mean squared gradient (all but sgd)",
    minimum=0,
    below=1,
    requires="optimizer=adam,optimistic_adam,rmsprop",
  )
  steps: int = setting(
    2000,
    "number of training steps",
    minimum=1,
    maximum=10**9,
    heading="Steps, minibatches and latents",
  )
  batch_size: int = setting(
    64,
    "real samples in a minibatch, and as many generated ones; with packing, "
    "packs of samples",
    minimum=1,
    maximum=10**6,
  )
  latent_prior: str = setting(
    "normal",
    "distribution of the latents: N(0, 1) or U(-1, 1)",
    choices=choices.LATENT_PRIORS,
  )
  discriminator_normalization: str = setting(
    "none",
    "normalisation of the discriminator's hidden units (or of its kernels: "
    "spectral)",
    choices=(*choices.NORMALIZATIONS, choices.SPECTRAL),
    heading="Regularisation of the discriminator",
  )
  discriminator_l2: float = setting(
    0.0,
    "weight w of w/2 sum(kernel^2), added to the discriminator's cost",
    minimum=0,
    zero_is_off=True,
  )
  penalty: tuple[str, ...] = setting(
    (),
    "gradient penalty on the discriminator; several are added",
    choices=choices.PENALTIES,
  )
  penalty_weight: tuple[float, ...] = setting(
    (1.0,),
    "weight of each penalty, or one for all",
    minimum=0,
    requires="penalty",
  )
  penalty_target: float = setting(
    1.0,
    "gradient norm at which the penalty is 0 (gradient penalties, dragan)",
    minimum=0,
    requires="penalty=gradient_penalty,one_sided_gradient_penalty,dragan",
  )
  penalty_every: int = setting(
    1,
    "apply the penalties every N steps with N times the weight (lazy "
    "regularisation)",
    minimum=1,
    maximum=10**6,
    requires="penalty",
  )
  consistency_noise: float = setting(
    0.1,
    "standard deviation of the noise on samples (consistency)",
    above=0,
    requires="penalty=consistency",
  )
  weight_clipping: float = setting(
    0.0,
    "largest absolute value of the discriminator's parameters after an update; "
    "0 is no limit",
    minimum=0,
    zero_is_off=True,
  )
  instance_noise: float = setting(
    0.0,
    "standard deviation of noise on all inputs of the discriminator",
    minimum=0,
    zero_is_off=True,
    heading="Samples that the discriminator sees",
  )
  instance_noise_decay: str = setting(
    "linear",
    "decay of the instance noise to 0 over the run",
    choices=choices.DECAYS,
    requires="instance_noise",
  )
  label_smoothing: float = setting(
    0.0,
    "amount by which the label of real samples is below 1 (one-sided)",
    minimum=0,
    below=1,
    zero_is_off=True,
    requires=f"loss={','.join(choices.LABELLED_LOSSES)}",
    strict=True,
  )
  packing: int = setting(
    1,
    "samples that the discriminator judges together as one pack",
    minimum=1,
    maximum=64,
  )
  replay_size: int = setting(
    0,
    "number of old generated samples to keep and show to the discriminator "
    "again; with packing, packs of samples",
    minimum=0,
    maximum=10**9,
  )
  replay_share: float = setting(
    0.5,
    "share of old samples among the discriminator's generated ones",
    above=0,
    maximum=1,
    varies=False,
    requires="replay_size",
  )
  discriminator_dropout: float = setting(
    0.0,
    "probability of dropping a hidden unit of the discriminator",
    minimum=0,
    below=1,
    varies=False,
    requires="discriminator_depth",
  )
  averaging: str = setting(
    "exponential",
    "average of the generator's parameters to evaluate as well: exponential "
    "with generator_average, or uniform over all steps",
    choices=choices.AVERAGINGS,
    heading="Average of the generator",
  )
  generator_average: float = setting(
    0.0,
    "decay of the exponential average of the generator; 0 is no average",
    minimum=0,
    below=1,
    zero_is_off=True,
    requires="averaging=exponential",
  )
  evaluate: bool = setting(
    True,
    "measure generated samples and score the run; otherwise only the costs, "
    "and what warnings need, are logged",
    heading="Evaluation",
  )
  evaluation_samples: int = setting(
    2500,
    "samples in an evaluation",
    minimum=2,
    maximum=10**6,
    sets_protocol=True,
  )
  log_every: int = setting(
    0, "steps between rows of metrics; 0 is a hundredth of the run", minimum=0
  )

  def replace(self, **values: Any) -> Self:
    """Copies the settings with some values changed."""
    return dataclasses.replace(self, **values)

  def check(self, given: Collection[str] = ()) -> None:
    """Refuses values that are not allowed, alone or together.

    Args:
      given: names of settings that the user changed, which must have an effect.

    Raises:
      SettingError: with one line that says what is wrong and what is allowed.
    """
    fields = fields_of(type(self))
    for field in fields:
      field.check(getattr(self, field.name))
    for field in fields:
      is_changed = getattr(self, field.name) != field.default
      if field.name in given or (field.metadata["strict"] and is_changed):
        check_requirement(field, self)
    self.check_contradictions()

  def check_unavailable(self, names: Collection[str], reason: str) -> None:
    """Raises SettingError if one of the settings `names` is changed.

    Args:
      names: settings that these experiments share and do not have.
      reason: what they are not available for, and why.
    """
    for field in fields_of(type(self)):
      if field.name in names and getattr(self, field.name) != field.default:
        raise SettingError(f"--{field.name} is not available for {reason}")

  def check_contradictions(self) -> None:
    """Raises SettingError for settings that cannot be combined."""
    if len(self.penalty_weight) not in (1, len(self.penalty)):
      raise SettingError(
        f"--penalty_weight has {len(self.penalty_weight)} numbers for the "
        f"{len(self.penalty)} of --penalty; give one for each, or one for all"
      )
    losses = choices.losses_of(self.generator_objective)
    if self.loss not in losses:
      reason = choices.NOT_PRACTICAL.get(self.loss, "it is not zero-sum")
      raise SettingError(
        f"--generator_objective={self.generator_objective} cannot be combined "
        f"with --loss={self.loss}: {reason}; it is for {', '.join(losses)}"
      )
    spectral = self.discriminator_normalization == choices.SPECTRAL
    if self.weight_clipping and spectral:
      raise SettingError(
        f"--weight_clipping={self.weight_clipping:g} has no effect with "
        "--discriminator_normalization=spectral, which divides every kernel by "
        "its norm; choose one"
      )
    if self.packing > 1 and self.loss in choices.PAIRING_LOSSES:
      raise SettingError(
        f"--packing={self.packing} cannot be combined with --loss={self.loss}, "
        "which pairs single real and generated samples; choose another loss, "
        "such as relativistic_average"
      )
    if self.batch_size == 1 and self.mixes_samples():
      raise SettingError(
        "--batch_size=1 leaves nothing to compare: the discriminator judges a "
        "sample by its minibatch"
      )
    if self.replay_size and round(self.replay_share * self.batch_size) == 0:
      raise SettingError(
        f"--replay_share={self.replay_share:g} of --batch_size="
        f"{self.batch_size} is less than one sample"
      )

  def log_interval(self) -> int:
    """Returns the steps between two rows of metrics."""
    return self.log_every or max(1, self.steps // 100)

  def evaluation_interval(self) -> int:
    """Returns the steps between two measurements of expensive metrics."""
    return self.log_interval()

  def mixes_samples(self) -> bool:
    """Returns whether the discriminator judges a sample by its minibatch."""
    return self.discriminator_normalization == "batch"

  def judges_single_samples(self) -> bool:
    """Returns whether the trained discriminator has a logit for one sample."""
    return True


@dataclasses.dataclass(frozen=True, kw_only=True)
class MLPDiscriminatorSettings(Settings):
  """Adds the settings of an MLP discriminator, and of initial parameters."""

  discriminator_width: int = setting(
    128,
    "units in a hidden layer of the discriminator",
    minimum=1,
    maximum=8192,
    requires="discriminator_depth",
    heading="Perceptron of the discriminator",
  )
  discriminator_depth: int = setting(
    2, "hidden layers of the discriminator", minimum=0, maximum=64
  )
  discriminator_activation: str = setting(
    "relu",
    "activation of the discriminator's hidden layers",
    choices=choices.ACTIVATIONS,
    requires="discriminator_depth",
  )
  discriminator_pieces: int = setting(
    1,
    "linear maps whose maximum is a hidden unit of the discriminator (maxout)",
    minimum=1,
    maximum=64,
    requires="discriminator_depth",
  )
  discriminator_minibatch: str = setting(
    "none",
    "layer by which the discriminator compares the samples of a minibatch",
    choices=choices.MINIBATCH_LAYERS,
  )
  initializer: str = setting(
    "he_normal",
    "distribution of the initial kernels",
    choices=choices.INITIALIZERS,
    heading="Initial parameters of perceptrons",
  )
  initial_scale: float = setting(
    1.0,
    "standard deviation of normal and truncated_normal kernels; a factor on "
    "the others",
    above=0,
  )
  initial_bias: float = setting(0.0, "initial value of biases")

  def mixes_samples(self) -> bool:
    return super().mixes_samples() or not self.judges_single_samples()

  def judges_single_samples(self) -> bool:
    # A layer that compares samples needs a minibatch, after training too.
    return self.discriminator_minibatch == "none"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatentSettings(Settings):
  """Adds latents, which may join hidden layers of the generator."""

  latent_dim: int = setting(
    2,
    "number of latents of the generator",
    minimum=1,
    maximum=4096,
    heading="Latents of the generator",
  )
  latent_join: str = setting(
    "none",
    "latents for hidden layers: split all latents among the layers, repeat "
    "them in each, or add, multiply or concatenate noise",
    choices=choices.LATENT_JOINS,
    requires="generator_depth",
    strict=True,
  )
  latent_join_scale: float = setting(
    0.1,
    "scale of the noise that hidden layers add or multiply",
    above=0,
    requires="latent_join=added,multiplied",
  )

  def joined_layers(self) -> int:
    """Returns the number of hidden layers that latents can join."""
    raise NotImplementedError

  def check_contradictions(self) -> None:
    super().check_contradictions()
    num_layers = self.joined_layers() + 1
    if self.latent_join == "split" and self.latent_dim < num_layers:
      raise SettingError(
        f"--latent_join=split needs at least one latent for each of the "
        f"{num_layers} layers; --latent_dim is {self.latent_dim}"
      )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MLPGeneratorSettings(LatentSettings, MLPDiscriminatorSettings):
  """Adds the settings of an MLP generator."""

  generator_width: int = setting(
    128,
    "units in a hidden layer of the generator",
    minimum=1,
    maximum=8192,
    requires="generator_depth",
    heading="Perceptron of the generator",
  )
  generator_depth: int = setting(
    2, "hidden layers of the generator", minimum=0, maximum=64
  )
  generator_activation: str = setting(
    "relu",
    "activation of the generator's hidden layers",
    choices=choices.ACTIVATIONS,
    requires="generator_depth",
  )
  generator_normalization: str = setting(
    "none",
    "normalisation of the generator's hidden units",
    choices=choices.NORMALIZATIONS,
    requires="generator_depth",
  )

  def joined_layers(self) -> int:
    return self.generator_depth


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingSetSettings(MLPDiscriminatorSettings):
  """Adds the size of a training set that is drawn from a density."""

  training_samples: int = setting(
    0,
    "number of samples of the data that a seed trains on, drawn once; 0 draws "
    "new ones in every step",
    minimum=0,
    maximum=10**6,
    heading="Training set",
  )


S = typing.TypeVar("S", bound=Settings)


def with_values(settings: S, values: Mapping[str, Any]) -> S:
  """Changes settings by name and checks the result.

  Args:
    settings: the defaults.
    values: text as a flag reads it, or values of the right type.

  Returns:
    The checked settings.

  Raises:
    SettingError: for an unknown name, a wrong value or a wrong combination.
  """
  fields = {field.name: field for field in fields_of(type(settings))}
  parsed = {}
  for name, value in values.items():
    if name not in fields:
      raise SettingError(unknown_flag(name, fields))
    parsed[name] = (
      fields[name].parse(value) if isinstance(value, str) else value
    )
  changed = [
    name for name, value in parsed.items() if value != getattr(settings, name)
  ]
  settings = settings.replace(**parsed)
  settings.check(given=changed)
  return settings
