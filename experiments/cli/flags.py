"""Defines a command's absl flags, answers `--help` and reports mistakes.

The options of a command and the settings of experiments become typed absl
flags. `--help` shows the defaults of the experiment that is named.
"""

import dataclasses
import errno
import io
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from absl import app, flags, logging
from etils import epy

from experiments.configs.experiment import Experiment
from experiments.configs.fields import Field, fields_of, setting, suggestion
from experiments.errors import (
  LostProcessError,
  RunFolderError,
  SettingError,
  UsageError,
)

with epy.lazy_imports():
  import jax


USAGE_EXIT_CODE = 2
INTERRUPTED_EXIT_CODE = 130
BROKEN_PIPE_EXIT_CODE = 141
"""The exit code that shells give for the signal SIGPIPE."""
LOST_EXIT_CODE = 75
"""EX_TEMPFAIL of sysexits.h: the same command may succeed later."""

PLATFORMS = ("auto", "cpu", "gpu", "tpu")

_COMMAND = "flags of the command"

Options = TypeVar("Options")


class CommandLine(NamedTuple, Generic[Options]):
  """A command line that has been read.

  Attributes:
    options: the command's options.
    settings: the settings of experiments that were given, by name.
    named: names of the options that were given.
    arguments: the arguments that are not flags.
  """

  options: Options
  settings: dict[str, Any]
  named: frozenset[str]
  arguments: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _HelpOptions:
  """The flags that every command has."""

  help: bool = setting(
    False, "print the flags, and the settings of the experiment, and exit"
  )
  helpshort: bool = setting(False, "print the flags of the command and exit")
  helpfull: bool = setting(
    False, "print the flags, and the settings of all experiments, and exit"
  )


class _TupleParser(flags.ArgumentParser):
  """Reads numbers or words separated by commas."""

  def __init__(self, field: Field):
    self._field = field
    self.syntactic_help = field.allowed()

  def parse(self, argument: str) -> tuple[Any, ...]:
    return self._field.parse(argument)


def _define(
  field: Field, default: Any, group: str, values: flags.FlagValues
) -> None:
  """Defines the flag of a field, in a group of the help."""
  name, text = field.name, field.metadata["help"]
  choices = field.metadata["choices"]
  bounds = field.metadata["minimum"], field.metadata["maximum"]
  if field.type is bool:
    flags.DEFINE_bool(name, default, text, flag_values=values)
  elif field.type is int:
    flags.DEFINE_integer(name, default, text, *bounds, flag_values=values)
  elif field.type is float:
    # absl has no open bounds; `Field.check` refuses the other values.
    if open_bounds := field.bounds(("above", "below")):
      text = f"{text} ({open_bounds})"
    flags.DEFINE_float(name, default, text, *bounds, flag_values=values)
  elif field.type is str and choices:
    flags.DEFINE_enum(name, default or None, choices, text, flag_values=values)
  elif field.type is str:
    flags.DEFINE_string(name, default, text, flag_values=values)
  else:
    parser, default_text = _TupleParser(field), field.format(default)
    flags.DEFINE(parser, name, default_text, text, flag_values=values)
  flag = values[name]
  flag.default_as_str = field.format(default) or "''"
  values.register_key_flag_for_module(group, flag)


def _named_experiments(
  argv: list[str], experiments: tuple[Experiment, ...]
) -> tuple[Experiment, ...]:
  """Returns the experiment that `--experiment` names, or none."""
  values = flags.FlagValues()
  flags.DEFINE_string("experiment", "", "name", flag_values=values)
  values(argv, known_only=True)
  return tuple(e for e in experiments if e.name == values.experiment)


def read_command_line(
  argv: list[str],
  options_class: type[Options],
  experiments: Iterable[Experiment],
  usage: str,
  takes_arguments: bool = False,
) -> CommandLine[Options]:
  """Reads a command line.

  Args:
    argv: the program's name and its arguments.
    options_class: dataclass of the command's options.
    experiments: experiments whose settings are flags as well.
    usage: the first lines of the help.
    takes_arguments: whether arguments that are not flags are allowed.

  Raises:
    UsageError: for an unknown flag, a wrong value or a stray argument.
    SettingError: for a number that is out of bounds.
    SystemExit: after printing the help, if it was asked for.
  """
  experiments = tuple(experiments)
  values = flags.FlagValues()
  fields: dict[str, Field] = {}

  def define(cls: type, defaults: Any, group: str) -> None:
    for field in fields_of(cls):
      if field.name not in fields:
        fields[field.name] = field
        _define(field, getattr(defaults, field.name), group, values)

  groups = [_COMMAND]
  define(_HelpOptions, _HelpOptions, _COMMAND)
  define(options_class, options_class, _COMMAND)
  try:
    named = _named_experiments(argv, experiments)
    for experiment in (*named, *experiments):
      groups.append(f"settings of {experiment.name}")
      define(type(experiment.settings), experiment.settings, groups[-1])
    arguments = tuple(values(argv)[1:])
  except flags.Error as error:
    raise _usage_error(error, fields) from None
  if values.help or values.helpshort or values.helpfull:
    num_groups = 1 if values.helpshort else 2 if named else len(groups)
    shown = groups if values.helpfull else groups[:num_groups]
    print(usage, *map(values.module_help, dict.fromkeys(shown)), sep="\n")
    print("\nFlags can also be in a file, one a line: --flagfile=FILE")
    sys.exit(0)
  if arguments and not takes_arguments:
    raise UsageError(
      f"unexpected argument {arguments[0]!r}; flags start with --"
    )
  given = {name: values[name].value for name in fields if values[name].present}
  names = {field.name for field in fields_of(options_class)} & set(given)
  for name, value in given.items():
    fields[name].check(value)
    given[name] = fields[name].expand(value, absolute=name not in names)
  return CommandLine(
    options_class(**{name: given.pop(name) for name in names}),
    given,
    frozenset(names),
    arguments,
  )


def _usage_error(error: flags.Error, fields: Mapping[str, Field]) -> UsageError:
  """Rewrites an error of absl as one line that says what is allowed."""
  if isinstance(error, flags.UnrecognizedFlagError):
    name = error.flagname
    return UsageError(
      f"unknown flag {name!r}; {suggestion(name, fields)}--help lists all flags"
    )
  message = str(error).splitlines()[0].removeprefix("ERROR:: ")
  # Such as "flag --steps=many: invalid literal for int() with base 10".
  given = message.removeprefix("flag ").partition(": ")[0]
  field = fields.get(given.removeprefix("--").partition("=")[0])
  if isinstance(error, flags.IllegalFlagValueError) and field:
    message = f"{given} is not allowed; it must be {field.allowed()}"
  return UsageError(message)


def main(command: Callable[[list[str]], int]) -> None:
  """Runs a command, argv -> exit code, as the main function of absl.

  A mistake of the user's ends it with one line on the standard error stream.
  """

  def leave_flags(argv):
    # The command reads its flags itself.
    flags.FLAGS(argv[:1])
    return argv

  app.run(
    lambda argv: _leave(_exit_code(command, argv)), flags_parser=leave_flags
  )


def _leave(exit_code: int) -> int:
  """Ends a process that is connected to others; returns in any other.

  When Python deletes JAX's connections, it sometimes waits for ever for a
  process that has ended already.
  """
  if "jax" in sys.modules and jax.distributed.is_initialized():
    if exit_code != LOST_EXIT_CODE:
      # Waits for the other processes, which would take this one for lost.
      jax.distributed.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
  return exit_code


def _exit_code(command: Callable[[list[str]], int], argv: list[str]) -> int:
  """Runs a command and returns its exit code."""
  # absl.app has lowered it to INFO.
  logging.set_verbosity(logging.WARNING)
  for stream in (sys.stdout, sys.stderr):
    # Names of files need not be UTF-8.
    if isinstance(stream, io.TextIOWrapper):
      stream.reconfigure(errors="backslashreplace")
  try:
    exit_code = command(argv)
    sys.stdout.flush()
    return exit_code
  except KeyboardInterrupt:
    print("interrupted", file=sys.stderr)
    return INTERRUPTED_EXIT_CODE
  except BrokenPipeError:
    # Python would complain again when it closes stdout.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE_EXIT_CODE
  except Exception as error:
    message = _message(error)
    if message is None:
      raise
    print("error:", " ".join(message.splitlines()), file=sys.stderr)
    is_lost = isinstance(error, LostProcessError)
    return LOST_EXIT_CODE if is_lost else USAGE_EXIT_CODE


def _message(error: Exception) -> str | None:
  """Returns the message of an error that the user can fix; None for a bug."""
  if isinstance(
    error, LostProcessError | RunFolderError | SettingError | UsageError
  ):
    return str(error)
  if isinstance(error, OSError):
    message = f"{error.filename or 'writing'}: {error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
      message += "; make space, then continue a run with --resume"
    return message
  # This name imports JAX, which the errors above do not need.
  if (
    isinstance(error, jax.errors.JaxRuntimeError)
    and "out of memory" in str(error).lower()
  ):
    return "out of memory; use fewer seeds or smaller batches or networks"
  return None
