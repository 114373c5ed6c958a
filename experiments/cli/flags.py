"""How the commands read their flags, answer `--help` and report mistakes.

Every flag is a field declared by `fields.setting`, of a command's options or
of an experiment's settings, so its type, range and help stand in one place.
absl splits the command line; the fields judge the values, because the same
name may have another default, or none, in another experiment.
"""

import dataclasses
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from absl import flags
from jax.errors import JaxRuntimeError

from experiments.cli import signals
from experiments.configs.experiment import Experiment
from experiments.configs.fields import (
  Field,
  SettingError,
  fields_of,
  setting,
  unknown,
)
from experiments.devices.environment import PlatformError
from experiments.run_folder.results import RunFolderError

USAGE_EXIT_CODE = 2
INTERRUPTED_EXIT_CODE = 130
BROKEN_PIPE_EXIT_CODE = 141
"""As of a process that the signal SIGPIPE ends."""

Options = TypeVar("Options")


class CommandLine(NamedTuple, Generic[Options]):
  """What a command was told.

  Attributes:
    options: its own flags.
    settings: those of experiments that were given: text by name.
    named: which of its own flags were given.
    arguments: what else was given.
  """

  options: Options
  settings: dict[str, str]
  named: frozenset[str]
  arguments: tuple[str, ...]


class UsageError(Exception):
  """A command line that cannot be used; the message is one line."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Help:
  """The flag every command has."""

  help: bool = setting(False, "print this help and exit")


def _define(fields: Iterable[Field], values: flags.FlagValues) -> None:
  """Defines an absl flag for each field that has none yet."""
  for field in fields:
    if field.name in values:
      continue
    text = field.metadata["help"]
    if field.type is bool:
      flags.DEFINE_boolean(field.name, None, text, flag_values=values)
    else:
      flags.DEFINE_string(field.name, None, text, flag_values=values)


def _given(
  argv: list[str], fields: Iterable[Field]
) -> tuple[dict[str, Any], list[str]]:
  """Returns the flags by name, text or bool, and what else was given."""
  values = flags.FlagValues()
  _define(fields, values)
  try:
    rest = values(argv)
  except flags.UnrecognizedFlagError as error:
    names = sorted(name for name in values if len(name) > 1)
    raise UsageError(
      unknown("flag", error.flagname, names).split("allowed: ")[0]
      + "--help lists them all"
    ) from None
  except flags.IllegalFlagValueError as error:
    # Only true-or-false flags are read by absl itself.
    given, _, _ = str(error).partition(": ")
    raise UsageError(
      f"{given.removeprefix('flag ')} is not allowed; it must be true or false"
    ) from None
  except flags.Error as error:
    raise UsageError(str(error).splitlines()[0]) from None
  given = {name: values[name].value for name in values if values[name].present}
  return given, rest[1:]


def read(
  argv: list[str],
  options_class: type[Options],
  experiments: Iterable[Experiment],
  usage: str,
  takes_arguments: bool = False,
) -> CommandLine[Options]:
  """Reads a command line.

  Args:
    argv: the program's name and its arguments.
    options_class: dataclass of the command's own flags.
    experiments: whose settings are flags too.
    usage: the opening lines of the help.
    takes_arguments: whether there may be more than flags.

  Returns:
    What was given.

  Raises:
    UsageError: for an unknown flag or a stray argument.
    SettingError: for a value that an option does not allow.
    SystemExit: after printing the help, if it was asked for.
  """
  experiments = tuple(experiments)
  option_fields = (*fields_of(options_class), *fields_of(_Help))
  families = {
    type(e.settings): fields_of(type(e.settings)) for e in experiments
  }
  given, arguments = _given(
    argv,
    (*option_fields, *(f for fields in families.values() for f in fields)),
  )
  if given.pop("help", False):
    name = given.get("experiment")
    print(_help(usage, option_fields, experiments, name))
    sys.exit(0)
  if arguments and not takes_arguments:
    raise UsageError(
      f"unexpected argument {arguments[0]!r}; flags start with --"
    )
  options = {
    field.name: field.parse(str(given.pop(field.name)))
    for field in option_fields
    if field.name in given
  }
  return CommandLine(
    options_class(**options),
    {name: str(value) for name, value in given.items()},
    frozenset(options),
    tuple(arguments),
  )


def refuse_foreign(given: Mapping[str, Any], experiment: Experiment) -> None:
  """Raises UsageError for a setting that the experiment does not have."""
  names = [field.name for field in fields_of(type(experiment.settings))]
  for name in given:
    if name not in names:
      raise UsageError(
        f"experiment {experiment.name!r} has no --{name}; it has "
        + ", ".join(f"--{own}" for own in names)
      )


def _help(
  usage: str,
  options: Iterable[Field],
  experiments: tuple[Experiment, ...],
  name: str | None,
) -> str:
  """Writes the help: of all experiments, or of the one that is named."""
  chosen = [e for e in experiments if e.name == name] or list(experiments)
  lines = [usage, "", "Flags of the command:"]
  lines += [
    _help_line(field, {field.format(field.default)}) for field in options
  ]
  if not chosen:
    return "\n".join(lines)
  fields = {f.name: f for e in chosen for f in fields_of(type(e.settings))}
  lines += ["", f"Settings of {', '.join(e.name for e in chosen)}:"]
  for field in fields.values():
    defaults = {
      field.format(getattr(e.settings, field.name)): None
      for e in chosen
      if hasattr(e.settings, field.name)
    }
    lines.append(_help_line(field, defaults))
  return "\n".join(lines)


def _help_line(field: Field, defaults: Iterable[str]) -> str:
  shown = " | ".join(default or "''" for default in defaults)
  return (
    f"  --{field.name}={shown}\n"
    f"      {field.metadata['help']} ({field.allowed()})"
  )


def main(command: Callable[[list[str]], int]) -> None:
  """Runs a command; a mistake of the user's ends it with one line.

  Args:
    command: argv -> exit code.
  """
  try:
    signals.end_in_order()
    exit_code = command(sys.argv)
    sys.stdout.flush()
    sys.exit(exit_code)
  except BrokenPipeError:
    # The reader has gone; Python would complain again when it closes stdout.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(BROKEN_PIPE_EXIT_CODE)
  except OSError as error:
    # A full disk, say: the cause and the file, which no code can mend.
    print(
      f"error: {error.filename or 'writing'}: {error.strerror or error}",
      file=sys.stderr,
    )
    sys.exit(USAGE_EXIT_CODE)
  except JaxRuntimeError as error:
    if "out of memory" not in str(error).lower():
      raise
    print(
      "error: out of memory; give fewer seeds, smaller minibatches or networks",
      file=sys.stderr,
    )
    sys.exit(USAGE_EXIT_CODE)
  except (PlatformError, RunFolderError, SettingError, UsageError) as error:
    print("error:", " ".join(str(error).splitlines()), file=sys.stderr)
    sys.exit(USAGE_EXIT_CODE)
  except KeyboardInterrupt:
    print("interrupted", file=sys.stderr)
    sys.exit(INTERRUPTED_EXIT_CODE)
