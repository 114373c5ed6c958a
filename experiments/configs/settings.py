"""Settings: typed, ranged and documented fields that become absl flags."""

import dataclasses
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Self

from experiments.configs import choices
from experiments.configs.fields import SettingError, fields_of, setting, unknown


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
  """What every experiment with two networks can be told."""

  loss: str = setting(
    "non_saturating", "what each player pays", choices=choices.LOSSES
  )
  update: str = setting(
    "simultaneous", "who moves when", choices=choices.UPDATES
  )
  discriminator_steps: int = setting(
    1, "discriminator steps in one step (alternating)", minimum=1, maximum=1000
  )
  generator_steps: int = setting(
    1, "generator steps in one step (alternating)", minimum=1, maximum=1000
  )
  consensus_weight: float = setting(
    10.0,
    "weight of the squared gradient norm (consensus)",
    minimum=0,
    varies=True,
  )
  adjustment_weight: float = setting(
    1.0,
    "weight of the symplectic gradient adjustment",
    minimum=0,
    varies=True,
  )
  runge_kutta_step_size: float = setting(
    0.01,
    "how far runge_kutta_4 looks ahead, in time of the flow",
    above=0,
    varies=True,
  )
  unrolled_steps: int = setting(
    5,
    "discriminator steps that the generator foresees (unrolled)",
    minimum=0,
    maximum=1000,
  )
  optimizer: str = setting(
    "adam", "optimizer of both players", choices=choices.OPTIMIZERS
  )
  generator_learning_rate: float = setting(
    1e-3,
    "learning rate of the generator",
    above=0,
    varies=True,
  )
  discriminator_learning_rate: float = setting(
    1e-3,
    "learning rate of the discriminator",
    above=0,
    varies=True,
  )
  learning_rate_decay: str = setting(
    "none",
    "how both learning rates fall to 0 over the run",
    choices=choices.DECAYS,
  )
  generator_beta1: float = setting(
    0.9,
    "decay of the generator's mean gradient (adam)",
    minimum=0,
    below=1,
    varies=True,
  )
  generator_beta2: float = setting(
    0.999,
    "decay of the generator's mean squared gradient (adam, rmsprop)",
    minimum=0,
    below=1,
    varies=True,
  )
  discriminator_beta1: float = setting(
    0.9,
    "as generator_beta1, for the discriminator",
    minimum=0,
    below=1,
    varies=True,
  )
  discriminator_beta2: float = setting(
    0.999,
    "as generator_beta2, for the discriminator",
    minimum=0,
    below=1,
    varies=True,
  )
  steps: int = setting(2000, "training steps", minimum=1, maximum=10**9)
  batch_size: int = setting(
    64,
    "real samples, and latents, in a minibatch; packs of them with packing",
    minimum=1,
    maximum=10**6,
  )
  latent_prior: str = setting(
    "normal",
    "latents are N(0, 1) or U(-1, 1)",
    choices=choices.LATENT_PRIORS,
  )
  discriminator_normalization: str = setting(
    "none",
    "of the discriminator's hidden units, or of its kernels (spectral)",
    choices=(*choices.NORMALIZATIONS, choices.SPECTRAL),
  )
  discriminator_l2: float = setting(
    0.0,
    "w in w/2 sum(kernel^2), added to the discriminator's cost",
    minimum=0,
    varies=True,
    zero_is_off=True,
  )
  penalty: tuple[str, ...] = setting(
    (),
    "what the discriminator pays for its slope, or several that add",
    choices=choices.PENALTIES,
  )
  penalty_weight: tuple[float, ...] = setting(
    (1.0,),
    "weight of each penalty, or one for all",
    minimum=0,
    varies=True,
  )
  penalty_target: float = setting(
    1.0,
    "slope that costs nothing (the gradient penalties, dragan)",
    minimum=0,
    varies=True,
  )
  penalty_every: int = setting(
    1,
    "steps between charges of the penalties, each then so many times as large",
    minimum=1,
    maximum=10**6,
  )
  consistency_noise: float = setting(
    0.1,
    "standard deviation of the noise that should not matter (consistency)",
    above=0,
    varies=True,
  )
  weight_clipping: float = setting(
    0.0,
    "size that no parameter of the discriminator exceeds after an update; 0 is "
    "no limit",
    minimum=0,
    varies=True,
    zero_is_off=True,
  )
  instance_noise: float = setting(
    0.0,
    "standard deviation of noise on all that the discriminator sees",
    minimum=0,
    varies=True,
    zero_is_off=True,
  )
  instance_noise_decay: str = setting(
    "linear",
    "how the instance noise falls to 0 over the run",
    choices=choices.DECAYS,
  )
  label_smoothing: float = setting(
    0.0,
    "how far below 1 data is labelled, one-sided",
    minimum=0,
    below=1,
    varies=True,
    zero_is_off=True,
  )
  packing: int = setting(
    1, "samples that the discriminator judges at once", minimum=1, maximum=64
  )
  replay_size: int = setting(
    0,
    "old samples that are remembered and shown to the discriminator; packs of "
    "them with packing",
    minimum=0,
    maximum=10**9,
  )
  replay_share: float = setting(
    0.5,
    "share of old samples among the fake ones of the discriminator",
    above=0,
    maximum=1,
  )
  discriminator_dropout: float = setting(
    0.0,
    "probability of dropping a hidden unit of the discriminator",
    minimum=0,
    below=1,
  )
  averaging: str = setting(
    "exponential",
    "average of the generator that is evaluated beside it: by "
    "generator_average, or over all steps",
    choices=choices.AVERAGINGS,
  )
  generator_average: float = setting(
    0.0,
    "decay of the exponential average; 0 is no average",
    minimum=0,
    below=1,
    varies=True,
    zero_is_off=True,
  )
  evaluation_samples: int = setting(
    2500, "samples in an evaluation", minimum=2, maximum=10**6
  )
  log_every: int = setting(
    0, "steps between rows of metrics; 0 is a hundredth of the run", minimum=0
  )

  def replace(self, **values: Any) -> Self:
    """Copies the settings with some values changed."""
    return dataclasses.replace(self, **values)

  def check(self, given: Iterable[str] = ()) -> None:
    """Refuses settings that make no sense, alone or together.

    Args:
      given: names the user changed, which must have an effect.

    Raises:
      SettingError: with one line that says what is wrong and what is allowed.
    """
    for field in fields_of(type(self)):
      field.check(getattr(self, field.name))
    for name in ("discriminator_steps", "generator_steps"):
      if self.update != "alternating" and getattr(self, name) != 1:
        raise SettingError(
          f"--{name}={getattr(self, name)} needs --update=alternating; with "
          f"--update={self.update} each player takes one step"
        )
    if len(self.penalty_weight) not in (1, len(self.penalty)):
      raise SettingError(
        f"--penalty_weight has {len(self.penalty_weight)} numbers for the "
        f"{len(self.penalty)} of --penalty; give one for each, or one for all"
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
        f"--packing={self.packing} makes no sense with --loss={self.loss}, "
        "which pairs single real and generated samples; choose another loss, "
        "relativistic_average for one"
      )
    if self.label_smoothing and self.loss not in choices.LABELLED_LOSSES:
      raise SettingError(
        f"--label_smoothing={self.label_smoothing:g} needs a loss with labels, "
        f"not --loss={self.loss}; allowed: "
        + ", ".join(choices.LABELLED_LOSSES)
      )
    if self.batch_size == 1 and self.mixes_samples():
      raise SettingError(
        "--batch_size=1 leaves nothing to compare to a discriminator that "
        "judges a sample by its minibatch"
      )
    if self.replay_size and round(self.replay_share * self.batch_size) == 0:
      raise SettingError(
        f"--replay_share={self.replay_share:g} of --batch_size="
        f"{self.batch_size} is no sample"
      )
    for name in given:
      reason = self._idle(name)
      if reason:
        raise SettingError(f"--{name} has no effect {reason}")

  def _idle(self, name: str) -> str | None:
    """Says why a setting has no effect beside the others, if it has none."""
    for update, rule in choices.UPDATES.items():
      if name in rule.reads and update != self.update:
        return f"with --update={self.update}; --update={update} reads it"
    betas = choices.OPTIMIZERS[self.optimizer].betas
    beta = name.rpartition("_")[2]
    if beta.startswith("beta") and beta not in betas:
      return (
        f"with --optimizer={self.optimizer}, which reads "
        f"{' and '.join(betas) or 'no betas'}"
      )
    readers: Mapping[str, tuple[bool, str]] = {
      "penalty_weight": (bool(self.penalty), "a --penalty"),
      "penalty_every": (bool(self.penalty), "a --penalty"),
      "penalty_target": (
        not set(self.penalty).isdisjoint(choices.TARGETED_PENALTIES),
        f"one of --penalty={','.join(choices.TARGETED_PENALTIES)}",
      ),
      "consistency_noise": (
        "consistency" in self.penalty,
        "--penalty=consistency",
      ),
      "instance_noise_decay": (
        self.instance_noise > 0,
        "an --instance_noise above 0",
      ),
      "replay_share": (self.replay_size > 0, "a --replay_size above 0"),
      "generator_average": (
        self.averaging == "exponential",
        "--averaging=exponential",
      ),
    }
    has_effect, reader = readers.get(name, (True, ""))
    return None if has_effect else f"without {reader}"

  def log_interval(self) -> int:
    """Returns the steps between two rows of metrics."""
    return self.log_every or max(1, self.steps // 100)

  def evaluation_interval(self) -> int:
    """Returns the steps between two measurements of dear metrics."""
    return self.log_interval()

  def mixes_samples(self) -> bool:
    """Tells whether the discriminator judges a sample by its minibatch."""
    return self.discriminator_normalization == "batch"

  def judges_lone_samples(self) -> bool:
    """Tells whether the trained discriminator has a logit for one sample."""
    return True


@dataclasses.dataclass(frozen=True, kw_only=True)
class MLPDiscriminatorSettings(Settings):
  """Adds the settings of an MLP discriminator, and how kernels are drawn."""

  discriminator_width: int = setting(
    128, "units in a hidden layer of the discriminator", minimum=1, maximum=8192
  )
  discriminator_depth: int = setting(
    2, "hidden layers of the discriminator", minimum=0, maximum=64
  )
  discriminator_activation: str = setting(
    "relu",
    "after each hidden layer of the discriminator",
    choices=choices.ACTIVATIONS,
  )
  discriminator_pieces: int = setting(
    1,
    "linear maps whose maximum is a hidden unit of the discriminator (maxout)",
    minimum=1,
    maximum=64,
  )
  discriminator_minibatch: str = setting(
    "none",
    "layer that shows the discriminator how samples of a minibatch differ",
    choices=choices.MINIBATCH_LAYERS,
  )
  initializer: str = setting(
    "he_normal", "how kernels are drawn", choices=choices.INITIALIZERS
  )
  initial_scale: float = setting(
    1.0,
    "standard deviation of (truncated) normal kernels; else a factor",
    above=0,
    varies=True,
  )
  initial_bias: float = setting(0.0, "what biases start at", varies=True)

  def mixes_samples(self) -> bool:
    return super().mixes_samples() or not self.judges_lone_samples()

  def _idle(self, name: str) -> str | None:
    of_hidden_layers = (
      "discriminator_width",
      "discriminator_activation",
      "discriminator_pieces",
      "discriminator_dropout",
    )
    if name in of_hidden_layers and self.discriminator_depth == 0:
      return "with --discriminator_depth=0, which leaves no hidden layers"
    return super()._idle(name)

  def judges_lone_samples(self) -> bool:
    # A layer that compares samples asks what minibatch one is in, always.
    return self.discriminator_minibatch == "none"


@dataclasses.dataclass(frozen=True, kw_only=True)
class MLPGeneratorSettings(MLPDiscriminatorSettings):
  """Adds the settings of an MLP generator."""

  latent_dim: int = setting(
    2, "latents of the generator", minimum=1, maximum=4096
  )
  generator_width: int = setting(
    128, "units in a hidden layer of the generator", minimum=1, maximum=8192
  )
  generator_depth: int = setting(
    2, "hidden layers of the generator", minimum=0, maximum=64
  )
  generator_activation: str = setting(
    "relu",
    "after each hidden layer of the generator",
    choices=choices.ACTIVATIONS,
  )
  generator_normalization: str = setting(
    "none",
    "of the generator's hidden units",
    choices=choices.NORMALIZATIONS,
  )
  latent_join: str = setting(
    "none",
    "latents of hidden layers: the latents split among all layers, or noise "
    "added, multiplied or concatenated",
    choices=choices.LATENT_JOINS,
  )
  latent_join_scale: float = setting(
    0.1,
    "of the noise that is added or multiplied",
    above=0,
    varies=True,
  )

  def check(self, given: Iterable[str] = ()) -> None:
    super().check(given)
    if self.latent_join != "none" and self.generator_depth == 0:
      raise SettingError(
        f"--latent_join={self.latent_join} needs hidden layers, and "
        "--generator_depth=0 leaves none"
      )
    if self.latent_join == "split" and self.latent_dim <= self.generator_depth:
      raise SettingError(
        f"--latent_join=split needs a latent for each layer, and "
        f"--latent_dim={self.latent_dim} leaves none for some of the "
        f"{self.generator_depth + 1}"
      )

  def _idle(self, name: str) -> str | None:
    of_hidden_layers = (
      "generator_width",
      "generator_activation",
      "generator_normalization",
    )
    if name in of_hidden_layers and self.generator_depth == 0:
      return "with --generator_depth=0, which leaves no hidden layers"
    scaled = ("added", "multiplied")
    if name == "latent_join_scale" and self.latent_join not in scaled:
      return f"without --latent_join={' or '.join(scaled)}"
    return super()._idle(name)


S = typing.TypeVar("S", bound=Settings)


def with_values(settings: S, values: Mapping[str, Any]) -> S:
  """Applies typed or textual values by name and checks the whole.

  Args:
    settings: the defaults.
    values: text as a flag takes it, or values of the right type.

  Returns:
    The checked settings.

  Raises:
    SettingError: for an unknown name, a wrong value or a wrong combination.
  """
  fields = {field.name: field for field in fields_of(type(settings))}
  parsed = {}
  for name, value in values.items():
    if name not in fields:
      raise SettingError(unknown("setting", name, fields))
    parsed[name] = (
      fields[name].parse(value) if isinstance(value, str) else value
    )
  changed = [
    name for name, value in parsed.items() if value != getattr(settings, name)
  ]
  settings = settings.replace(**parsed)
  settings.check(given=changed)
  return settings
