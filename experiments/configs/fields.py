"""Fields: what a setting, or a flag of a command, is as a value and as text."""

import dataclasses
import difflib
import typing
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from jax.core import Tracer


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
  varies: bool = False,
  zero_is_off: bool = False,
) -> Any:
  """Declares a field of a settings class.

  Args:
    default: its default value, of the field's annotated type: bool, int,
      float, str, tuple[float, ...] or tuple[str, ...].
    help: one line for `--help`.
    choices: the allowed words, for a str or several.
    minimum: least allowed number.
    maximum: greatest allowed number.
    above: a number that values must exceed.
    below: a number that values must stay under.
    varies: whether it is a number that a compiled program takes as an argument,
      so that members of one population may differ in it.
    zero_is_off: whether 0 leaves something out of the program, which is then
      another one.

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
      "varies": varies,
      "zero_is_off": zero_is_off,
    },
  )


def is_on(value: Any) -> bool:
  """Tells whether a number that 0 turns off is on.

  Args:
    value: a number; one that is traced stands for numbers that are not 0.
  """
  return isinstance(value, Tracer) or value != 0


_KINDS = {
  bool: "true or false",
  int: "a whole number",
  float: "a finite number",
  str: "a word",
  tuple[float, ...]: "finite numbers separated by commas",
  tuple[str, ...]: "words separated by commas",
}

_LARGEST = float(np.finfo(np.float32).max)

NOTHING = "none"
"""How a flag writes no words at all."""


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
    words = ", ".join(self.metadata["choices"])
    if self.type == tuple[str, ...]:
      return f"{NOTHING}, or some of {words}, separated by commas"
    if self.metadata["choices"]:
      return f"one of {words}"
    relations = {
      "minimum": "at least",
      "above": "above",
      "maximum": "at most",
      "below": "below",
    }
    bounds = [
      f"{word} {self._bound(bound)}"
      for bound, word in relations.items()
      if self.metadata[bound] is not None
    ]
    return " ".join([_KINDS[self.type], " and ".join(bounds)]).strip()

  def _bound(self, name: str) -> str:
    bound = self.metadata[name]
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"

  def check(self, value: Any) -> None:
    """Raises SettingError unless the value is allowed."""
    if self.type is str or self.type == tuple[str, ...]:
      good = self._are_words(value)
    else:
      good = self._are_numbers(value)
    if not good:
      raise SettingError(
        f"--{self.name}={self.format(value)} is not allowed; it must be "
        f"{self.allowed()}"
      )

  def _are_words(self, value: Any) -> bool:
    """Tells whether words are known, and several are each given once."""
    words = (value,) if self.type is str else value
    known = self.metadata["choices"] or words
    return len(set(words)) == len(words) and set(words) <= set(known)

  def _are_numbers(self, value: Any) -> bool:
    """Tells whether numbers are finite and within the bounds, and there."""
    numbers = value if isinstance(value, tuple) else (value,)
    bounds = {
      "minimum": lambda x, bound: x >= bound,
      "above": lambda x, bound: x > bound,
      "maximum": lambda x, bound: x <= bound,
      "below": lambda x, bound: x < bound,
    }
    return bool(numbers) and all(
      # What float32 cannot hold would be infinite there.
      abs(x) <= _LARGEST
      and all(
        holds(x, self.metadata[bound])
        for bound, holds in bounds.items()
        if self.metadata[bound] is not None
      )
      for x in numbers
    )

  def parse(self, text: str) -> Any:
    """Reads a value; raises SettingError if it is no value of the field."""
    try:
      if self.type is bool:
        value = {"true": True, "false": False}[text.strip().lower()]
      elif self.type == tuple[float, ...]:
        value = tuple(float(part) for part in text.split(","))
      elif self.type == tuple[str, ...]:
        words = () if text == NOTHING else text.split(",")
        value = tuple(word.strip() for word in words)
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
      return ",".join(map(self.format, value)) or NOTHING
    return str(value)


def fields_of(cls: type) -> tuple[Field, ...]:
  """Lists the fields of a dataclass that `setting` declared, in order."""
  hints = typing.get_type_hints(cls)
  return tuple(
    Field(field.name, hints[field.name], field.default, field.metadata)
    for field in dataclasses.fields(cls)
  )
