"""What a setting is: declares, checks, parses and formats one value.

The flags of commands and the settings of experiments are fields of dataclasses,
declared by `setting`. `cli.flags` defines an absl flag for each of them.
"""

import dataclasses
import difflib
import functools
import operator
import os
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from experiments.errors import SettingError

NOTHING = "none"
"""The flag value of an empty tuple of words."""
_LARGEST = (2.0 - 2.0**-23) * 2.0**127
"""The largest finite float32."""
_KINDS = {
  bool: "true or false",
  int: "a whole number",
  float: "a finite number",
  str: "a word",
  tuple[float, ...]: "finite numbers separated by commas",
  tuple[str, ...]: "words separated by commas",
}
_BOUNDS = {
  "minimum": ("at least", operator.ge),
  "above": ("above", operator.gt),
  "maximum": ("at most", operator.le),
  "below": ("below", operator.lt),
}


def setting(
  default: Any,
  help: str,
  *,
  choices: Iterable[str] = (),
  minimum: float | None = None,
  maximum: float | None = None,
  above: float | None = None,
  below: float | None = None,
  requires: str = "",
  strict: bool = False,
  varies: bool = True,
  zero_is_off: bool = False,
  is_path: bool = False,
  sets_protocol: bool = False,
) -> Any:
  """Declares a field of a settings class.

  Args:
    default: its default value, of the field's annotated type: bool, int,
      float, str, tuple[float, ...] or tuple[str, ...].
    help: one line for `--help`.
    choices: the allowed words, for a str or a tuple of them.
    minimum: least allowed number.
    maximum: greatest allowed number.
    above: a number that values must exceed.
    below: a number that values must stay under.
    requires: another setting without which this one has no effect, written
      like its flag: "update=consensus,unrolled" needs one of these words, and
      "penalty" any value that switches the penalty on. It is checked when a
      user changes this setting.
    strict: whether `requires` is checked even if only the experiment's defaults
      set this field to another value than `default`.
    varies: whether a compiled program takes a float, or a tuple of them, as an
      argument, so that runs which differ in it can train together.
    zero_is_off: whether 0 leaves a term out of the program, which makes it
      another program.
    is_path: whether it names a file or folder, so that `~` is the home folder.
    sets_protocol: whether it changes the data, or how samples are measured, so
      that results with other values of it are not comparable.

  Returns:
    The dataclass field.
  """
  first = default[0] if isinstance(default, tuple) and default else default
  return dataclasses.field(
    default=default,
    metadata={
      "help": help,
      "choices": tuple(choices),
      "minimum": minimum,
      "maximum": maximum,
      "above": above,
      "below": below,
      "requires": requires,
      "strict": strict,
      "varies": varies and isinstance(first, float),
      "zero_is_off": zero_is_off,
      "is_path": is_path,
      "sets_protocol": sets_protocol,
    },
  )


def is_on(value: Any) -> bool:
  """Returns whether a value differs from 0, () and "none".

  Traced numbers count as on: where 0 switches a term off, a program with a
  traced number has the term.
  """
  # Only code that has imported JAX already has anything traced.
  if not isinstance(value, bool | int | float | str | tuple):
    from jax.core import Tracer

    return isinstance(value, Tracer) or value != 0
  return value not in (0, (), "", NOTHING)


def unknown(kind: str, given: str, allowed: Iterable[str]) -> str:
  """Writes that a name is unknown and which names are allowed."""
  allowed = tuple(allowed)
  return (
    f"unknown {kind} {given!r}; {suggestion(given, allowed)}"
    f"allowed: {', '.join(allowed)}"
  )


def suggestion(given: str, allowed: Iterable[str]) -> str:
  """Writes "did you mean 'NAME'? " if an allowed name is similar."""
  near = difflib.get_close_matches(given, tuple(allowed), n=1)
  return f"did you mean {near[0]!r}? " if near else ""


class Field(typing.NamedTuple):
  """A setting as `setting` declared it, with its name and type.

  Attributes:
    name: name of the setting and of its flag.
    type: its annotated type.
    default: its default.
    metadata: the other arguments of `setting`, by name.
  """

  name: str
  type: Any
  default: Any
  metadata: Mapping[str, Any]

  def allowed(self) -> str:
    """Writes which values are allowed."""
    words = ", ".join(self.metadata["choices"])
    if self.type == tuple[str, ...]:
      return f"{NOTHING}, or some of {words}, separated by commas"
    if words:
      return f"one of {words}"
    return f"{_KINDS[self.type]} {self.bounds()}".strip()

  def bounds(self, names: Iterable[str] = tuple(_BOUNDS)) -> str:
    """Writes the bounds of a number, such as "at least 0 and below 1"."""
    bounds = [(_BOUNDS[name][0], self.metadata[name]) for name in names]
    return " and ".join(
      f"{word} {bound:{',' if isinstance(bound, int) else 'g'}}"
      for word, bound in bounds
      if bound is not None
    )

  def check(self, value: Any) -> None:
    """Raises SettingError unless the value is allowed."""
    values = value if isinstance(value, tuple) else (value,)
    if self.type is str or self.type == tuple[str, ...]:
      known = self.metadata["choices"] or values
      good = len(set(values)) == len(values) and set(values) <= set(known)
    else:
      good = bool(values) and all(map(self._is_number_allowed, values))
    if not good:
      raise self._refusal(self.format(value))

  def _is_number_allowed(self, number: float) -> bool:
    # A number beyond the range of float32 would become infinite.
    return abs(number) <= _LARGEST and all(
      holds(number, self.metadata[name])
      for name, (_, holds) in _BOUNDS.items()
      if self.metadata[name] is not None
    )

  def parse(self, text: str) -> Any:
    """Reads a value; raises SettingError if it is not allowed."""
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
      raise self._refusal(text) from None
    self.check(value)
    return self.expand(value, absolute=True)

  def expand(self, value: Any, absolute: bool) -> Any:
    """Replaces `~` in a path, and makes it absolute if `absolute`.

    The paths in settings are absolute: a run may resume in another folder.
    """
    if not self.metadata["is_path"] or not value:
      return value
    try:
      path = str(Path(value).expanduser())
    except RuntimeError:
      raise SettingError(
        f"--{self.name}={value}: there is no such user"
      ) from None
    return os.path.abspath(path) if absolute else path

  def _refusal(self, text: str) -> SettingError:
    return SettingError(
      f"--{self.name}={text} is not allowed; it must be {self.allowed()}"
    )

  def format(self, value: Any) -> str:
    """Writes a value as its flag reads it."""
    if isinstance(value, bool):
      return str(value).lower()
    if isinstance(value, float):
      return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, tuple):
      return ",".join(map(self.format, value)) or NOTHING
    return str(value)


@functools.cache
def fields_of(cls: type) -> tuple[Field, ...]:
  """Lists the fields of a dataclass that `setting` declared, in order."""
  hints = typing.get_type_hints(cls)
  return tuple(
    Field(field.name, hints[field.name], field.default, field.metadata)
    for field in dataclasses.fields(cls)
  )


def check_requirement(field: Field, settings: Any) -> None:
  """Raises SettingError if a setting lacks the one that it requires.

  A required setting that the experiment does not have counts as present.
  """
  name, _, words = field.metadata["requires"].partition("=")
  required = getattr(settings, name, None)
  if not name or required is None:
    return
  values = required if isinstance(required, tuple) else (required,)
  if words:
    holds = not set(words.split(",")).isdisjoint(values)
    needed = f"--{name}={' or '.join(words.split(','))}"
  else:
    holds = is_on(required)
    is_number = isinstance(required, int | float)
    needed = f"--{name} above 0" if is_number else f"a --{name}"
  if not holds:
    value = field.format(getattr(settings, field.name))
    raise SettingError(
      f"--{field.name}={value} has no effect without {needed}; "
      f"--{name} is {field.format(required)}"
    )
