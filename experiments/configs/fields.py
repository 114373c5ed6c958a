"""What a setting is: declares, checks, parses and formats one value.

The flags of commands and the settings of experiments are fields of dataclasses,
declared by `setting`. `cli.flags` defines an absl flag for each of them.
"""

import dataclasses
import functools
import math
import operator
import os
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from experiments.configs.hints import near_value
from experiments.errors import SettingError

NOTHING = "none"
"""The flag value of an empty tuple of words."""
WORD = "a word"
"""What is allowed where any text is."""
VARIES = "varies"
"""Stands for a default that differs between experiments."""
_LARGEST = (2.0 - 2.0**-23) * 2.0**127
"""The largest finite float32."""
_SMALLEST = 2.0**-126
"""The smallest positive float32 that processors do not round to 0."""
_KINDS = {
  bool: "true or false",
  int: "a whole number",
  float: "a finite number",
  str: WORD,
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
  heading: str = "",
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
    heading: what this field and those after it are about, up to the next
      heading or class. It is a heading in `--help` and in the documentation.

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
      "heading": heading,
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
      good = bool(values) and all(map(self._is_within_bounds, values))
    if not good:
      raise SettingError(self.refusal(self.format(value)))
    for number in values:
      # It would become infinite, or 0.
      if isinstance(number, float) and not _is_float32(number):
        raise SettingError(
          f"--{self.name}={self.format(number)} is not allowed; it is computed "
          f"in float32, which has 0 and numbers of {_SMALLEST:.3g} to "
          f"{_LARGEST:.3g}"
        )

  def _is_within_bounds(self, number: float) -> bool:
    return math.isfinite(number) and all(
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
      raise SettingError(self.refusal(text)) from None
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

  def is_list(self, text: str) -> bool:
    """Tells whether a text has several values of a field that takes one."""
    parts = text.split(",")
    if len(parts) < 2 or self.type not in (int, float, str):
      return False
    try:
      for part in parts:
        self.parse(part)
    except SettingError:
      return False
    return True

  def refusal(self, text: str) -> str:
    """Writes that a value is not allowed, and which values are."""
    near, known = "", self.metadata["choices"]
    wrong = [word for word in text.split(",") if word not in (*known, NOTHING)]
    if known and wrong:
      near = near_value(self.name, wrong[0].strip(), known)
    return (
      f"--{self.name}={text} is not allowed; {near}it must be {self.allowed()}"
    )

  def default_text(self, settings: Iterable[Any]) -> str:
    """Writes the default, or VARIES where settings have different ones.

    Without settings it is the default that `setting` declared.
    """
    texts = {self.format(getattr(each, self.name)) for each in settings}
    texts = texts or {self.format(self.default)}
    return texts.pop() if len(texts) == 1 else VARIES

  def format(self, value: Any) -> str:
    """Writes a value as its flag reads it."""
    if isinstance(value, bool):
      return str(value).lower()
    if isinstance(value, float):
      return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, tuple):
      return ",".join(map(self.format, value)) or NOTHING
    return str(value)


def _is_float32(number: float) -> bool:
  """Tells whether a finite number stays a number other than 0 in float32."""
  return number == 0 or _SMALLEST <= abs(number) <= _LARGEST


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
    if isinstance(required, bool):
      needed = f"--{name}"
  if not holds:
    value = field.format(getattr(settings, field.name))
    raise SettingError(
      f"--{field.name}={value} has no effect without {needed}; "
      f"--{name} is {field.format(required)}"
    )


class FieldGroup(typing.NamedTuple):
  """Fields that are about one thing, under a heading.

  Attributes:
    heading: what they are about.
    cls: the dataclass that declares them.
    fields: in the order in which it declares them.
  """

  heading: str
  cls: type
  fields: tuple[Field, ...]


def group_fields(classes: Iterable[type]) -> list[FieldGroup]:
  """Groups the fields of dataclasses by their headings.

  A class that several have as a base comes once, before those that add to it.
  The fields that a class declares before any heading are under what the first
  line of its docstring says.
  """
  declaring: dict[type, None] = {}
  for cls in classes:
    for each in reversed(cls.__mro__):
      if dataclasses.is_dataclass(each):
        declaring[each] = None
  groups = []
  for cls in declaring:
    heading, fields = _subject(cls), []
    for field in fields_of(cls):
      if field.name not in cls.__annotations__:
        continue
      if field.metadata["heading"] and fields:
        groups.append(FieldGroup(heading, cls, tuple(fields)))
        fields = []
      heading = field.metadata["heading"] or heading
      fields.append(field)
    if fields:
      groups.append(FieldGroup(heading, cls, tuple(fields)))
  return groups


def _subject(cls: type) -> str:
  """Returns a heading from the first line of a docstring."""
  line = (cls.__doc__ or cls.__name__).splitlines()[0].rstrip(".")
  line = line.removeprefix("Adds ").removeprefix("the ")
  return line[0].upper() + line[1:]
