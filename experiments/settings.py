"""Settings: typed, ranged and documented fields that become absl flags."""

import dataclasses
import difflib
import math
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Self

from experiments import choices


class SettingError(ValueError):
  """A setting that cannot be used; the message is one line for the user."""


def setting(
  default: Any,
  help: str,
  *,
  choices: Iterable[str] = (),
  minimum: float | None = None,
  maximum: float | None = None,
  above: float | None = None,
  below: float | None = None,
) -> Any:
  """Declares a field of a settings class.

  Args:
    default: its default value, of the field's annotated type: bool, int,
      float, str or tuple[float, ...].
    help: one line for `--help`.
    choices: the allowed words, for a str.
    minimum: least allowed number.
    maximum: greatest allowed number.
    above: a number that values must exceed.
    below: a number that values must stay under.

  Returns:
    The dataclass field.
  """
  return dataclasses.field(
    default=default,
    metadata={
      "help": help,
      "choices": tuple(choices),
      "minimum": minimum,
      "maximum": maximum,
      "above": above,
      "below": below,
    },
  )


_KINDS = {
  bool: "true or false",
  int: "a whole number",
  float: "a number",
  str: "a word",
  tuple[float, ...]: "numbers separated by commas",
}


def unknown(kind: str, given: str, allowed: Iterable[str]) -> str:
  """Says in one line that a name is unknown and what is allowed instead."""
  allowed = tuple(allowed)
  near = difflib.get_close_matches(given, allowed, n=1)
  hint = f"did you mean {near[0]!r}? " if near else ""
  return f"unknown {kind} {given!r}; {hint}allowed: {', '.join(allowed)}"


class Field(typing.NamedTuple):
  """One setting, read off a settings class.

  Attributes:
    name: its name and its flag's.
    type: its type.
    default: its default.
    metadata: what `setting` was told.
  """

  name: str
  type: Any
  default: Any
  metadata: Mapping[str, Any]

  def allowed(self) -> str:
    """Says what values are allowed."""
    if self.metadata["choices"]:
      return "one of " + ", ".join(self.metadata["choices"])
    words = {
      "minimum": "at least",
      "above": "above",
      "maximum": "at most",
      "below": "below",
    }
    bounds = [
      f"{word} {self.metadata[bound]:g}"
      for bound, word in words.items()
      if self.metadata[bound] is not None
    ]
    return " ".join([_KINDS[self.type], " and ".join(bounds)]).strip()

  def check(self, value: Any) -> None:
    """Raises SettingError unless the value is allowed."""
    values = value if isinstance(value, tuple) else (value,)
    bounds = {
      "minimum": lambda x, bound: x >= bound,
      "above": lambda x, bound: x > bound,
      "maximum": lambda x, bound: x <= bound,
      "below": lambda x, bound: x < bound,
    }
    good = bool(values) and all(
      x in (self.metadata["choices"] or (x,))
      if self.type is str
      else math.isfinite(x)
      and all(
        holds(x, self.metadata[bound])
        for bound, holds in bounds.items()
        if self.metadata[bound] is not None
      )
      for x in values
    )
    if not good:
      raise SettingError(
        f"--{self.name}={self.format(value)} is not allowed; it must be "
        f"{self.allowed()}"
      )

  def parse(self, text: str) -> Any:
    """Reads a value; raises SettingError if it is no value of the field."""
    try:
      if self.type is bool:
        value = {"true": True, "false": False}[text.strip().lower()]
      elif self.type == tuple[float, ...]:
        value = tuple(float(part) for part in text.split(","))
      else:
        value = self.type(text)
    except (ValueError, KeyError):
      raise SettingError(
        f"--{self.name}={text} is not allowed; it must be {self.allowed()}"
      ) from None
    self.check(value)
    return value

  def format(self, value: Any) -> str:
    """Writes a value as its flag takes it."""
    if isinstance(value, bool):
      return str(value).lower()
    if isinstance(value, float):
      return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, tuple):
      return ",".join(
        f"{x:g}" if float(f"{x:g}") == x else repr(x) for x in value
      )
    return str(value)


def fields_of(cls: type) -> tuple[Field, ...]:
  """Lists the fields of a dataclass that `setting` declared, in order."""
  hints = typing.get_type_hints(cls)
  return tuple(
    Field(field.name, hints[field.name], field.default, field.metadata)
    for field in dataclasses.fields(cls)
  )


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
  optimizer: str = setting(
    "adam", "optimizer of both players", choices=choices.OPTIMIZERS
  )
  generator_learning_rate: float = setting(
    1e-3, "learning rate of the generator", above=0
  )
  discriminator_learning_rate: float = setting(
    1e-3, "learning rate of the discriminator", above=0
  )
  learning_rate_decay: str = setting(
    "none",
    "how both learning rates fall to 0 over the run",
    choices=choices.LEARNING_RATE_DECAYS,
  )
  generator_beta1: float = setting(
    0.9, "decay of the generator's mean gradient (adam)", minimum=0, below=1
  )
  generator_beta2: float = setting(
    0.999,
    "decay of the generator's mean squared gradient (adam, rmsprop)",
    minimum=0,
    below=1,
  )
  discriminator_beta1: float = setting(
    0.9, "as generator_beta1, for the discriminator", minimum=0, below=1
  )
  discriminator_beta2: float = setting(
    0.999, "as generator_beta2, for the discriminator", minimum=0, below=1
  )
  steps: int = setting(2000, "training steps", minimum=1, maximum=10**9)
  batch_size: int = setting(
    64, "real samples, and latents, in a minibatch", minimum=1, maximum=10**6
  )
  latent_prior: str = setting(
    "normal",
    "latents are N(0, 1) or U(-1, 1)",
    choices=choices.LATENT_PRIORS,
  )
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
  discriminator_l2: float = setting(
    0.0, "w in w/2 sum(kernel^2), added to the discriminator's cost", minimum=0
  )
  discriminator_dropout: float = setting(
    0.0,
    "probability of dropping a hidden unit of the discriminator",
    minimum=0,
    below=1,
  )
  initializer: str = setting(
    "he_normal", "how kernels are drawn", choices=choices.INITIALIZERS
  )
  initial_scale: float = setting(
    1.0,
    "standard deviation of (truncated) normal kernels; else a factor",
    above=0,
  )
  initial_bias: float = setting(0.0, "what biases start at")
  generator_average: float = setting(
    0.0,
    "decay of an average of the generator, evaluated beside it; 0 is none",
    minimum=0,
    below=1,
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
      given: names the user set, which must have an effect.

    Raises:
      SettingError: with one line that says what is wrong and what is allowed.
    """
    for field in fields_of(type(self)):
      field.check(getattr(self, field.name))
    if self.update == "simultaneous":
      for name in ("discriminator_steps", "generator_steps"):
        if getattr(self, name) != 1:
          raise SettingError(
            f"--{name}={getattr(self, name)} needs --update=alternating; in a "
            "simultaneous update each player takes one step"
          )
    betas = choices.OPTIMIZERS[self.optimizer].betas
    for name in given:
      _, _, beta = name.rpartition("_")
      if beta.startswith("beta") and beta not in betas:
        raise SettingError(
          f"--{name} has no effect with --optimizer={self.optimizer}, which "
          f"reads {' and '.join(betas) or 'no betas'}"
        )

  def log_interval(self) -> int:
    """Returns the steps between two rows of metrics."""
    return self.log_every or max(1, self.steps // 100)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MLPGeneratorSettings(Settings):
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
  settings = settings.replace(**parsed)
  settings.check(given=values)
  return settings
