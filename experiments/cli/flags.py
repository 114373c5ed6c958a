"""Defines a command's absl flags, answers `--help` and reports mistakes.

The options of a command and the settings of experiments become typed absl
flags. `--help` shows the defaults of the experiment that is named.
"""

import dataclasses
import errno
import io
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any, Generic, NamedTuple, TypeVar

from absl import app, flags, logging
from etils import epy

from experiments.cli import help_text, signals
from experiments.configs.experiment import Experiment
from experiments.configs.fields import Field, fields_of, setting
from experiments.configs.hints import near_names, unknown_flag
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
MAX_THREADS = 1024

COMMANDS = {
  "run": "trains one experiment for one seed or several, or resumes a run",
  "sweep": "trains every combination of some settings, and ranks them",
  "sample": "draws samples from the generator of a finished run",
  "report": "writes a page about a run, or about several to compare",
  "figures": "redraws figures of the literature, and checks their numbers",
  "prepare_data": "prepares a dataset of images to train on",
}
"""The modules of `experiments` that are commands, and what each does."""

_SEVERAL = {
  "grid": "separate settings by semicolons",
  "random": "separate settings by semicolons",
  "figure": "separate ids by commas",
}
"""How to write several values of flags that are often given twice."""

Options = TypeVar("Options")


class CommandLine(NamedTuple, Generic[Options]):
  """A command line that has been read.

  Attributes:
    options: the command's options.
    settings: the settings of experiments that were given, by name, and those
      of the preset that was given.
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
    False,
    "print the flags, with --experiment also its settings, and exit; also -h",
    heading="Help",
  )
  helpshort: bool = setting(False, "print the flags of the command and exit")
  helpfull: bool = setting(
    False, "print the flags, and the settings of all experiments, and exit"
  )
  version: bool = setting(False, "print the version of gan_jax and exit")


class _TupleParser(flags.ArgumentParser):
  """Reads numbers or words separated by commas."""

  def __init__(self, field: Field):
    self._field = field
    self.syntactic_help = field.allowed()

  def parse(self, argument: str) -> tuple[Any, ...]:
    return self._field.parse(argument)


def _define(field: Field, default: Any, values: flags.FlagValues) -> None:
  """Defines the flag of a field."""
  name, text = field.name, field.metadata["help"]
  choices = field.metadata["choices"]
  bounds = field.metadata["minimum"], field.metadata["maximum"]
  if field.type is bool:
    flags.DEFINE_bool(name, default, text, flag_values=values)
  elif field.type is int:
    flags.DEFINE_integer(name, default, text, *bounds, flag_values=values)
  elif field.type is float:
    # absl has no open bounds; `Field.check` refuses the other values.
    flags.DEFINE_float(name, default, text, *bounds, flag_values=values)
  elif field.type is str and choices:
    flags.DEFINE_enum(name, default or None, choices, text, flag_values=values)
  elif field.type is str:
    flags.DEFINE_string(name, default, text, flag_values=values)
  else:
    parser, default_text = _TupleParser(field), field.format(default)
    flags.DEFINE(parser, name, default_text, text, flag_values=values)


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
  argv = ["--help" if each == "-h" else each for each in argv]
  values = flags.FlagValues()
  fields: dict[str, Field] = {}

  def define(cls: type, defaults: Any) -> None:
    for field in fields_of(cls):
      if field.name not in fields:
        fields[field.name] = field
        _define(field, getattr(defaults, field.name), values)

  define(_HelpOptions, _HelpOptions)
  define(options_class, options_class)
  options = set(fields)
  named: tuple[Experiment, ...] = ()
  try:
    named = _named_experiments(argv, experiments)
    for experiment in (*named, *experiments):
      define(type(experiment.settings), experiment.settings)
    _check_given_once(argv[1:], fields, values)
    arguments = tuple(values(argv)[1:])
  except flags.Error as error:
    raise _usage_error(error, fields, options, named) from None
  if values.help or values.helpshort or values.helpfull:
    print(help_text.usage_text(usage), end="\n\n")
    print(help_text.flags_text([options_class, _HelpOptions]), end="\n\n")
    shown = experiments if values.helpfull else named or experiments
    if shown and not values.helpshort:
      print(help_text.settings_text(shown), end="\n\n")
    print(help_text.wrapped(help_text.ENDING))
    sys.exit(0)
  if values.version:
    print(f"gan_jax {metadata.version('gan_jax')}")
    sys.exit(0)
  if arguments and not takes_arguments:
    raise UsageError(_stray_argument(arguments[0], fields, experiments))
  given = {name: values[name].value for name in fields if values[name].present}
  names = {field.name for field in fields_of(options_class)} & set(given)
  for name, value in given.items():
    fields[name].check(value)
    given[name] = fields[name].expand(value, absolute=name not in names)
  chosen = options_class(**{name: given.pop(name) for name in names})
  preset = getattr(chosen, "preset", "")
  if preset:
    given = {**_preset(preset, named), **given}
  return CommandLine(
    chosen,
    given,
    frozenset(names),
    arguments,
  )


def _preset(name: str, named: Collection[Experiment]) -> Mapping[str, Any]:
  """Returns the settings of a preset; raises UsageError if there is none."""
  presets = {key: of for each in named for key, of in each.presets.items()}
  if name not in presets:
    raise UsageError(
      f"--preset={name} is not a preset of the experiment, which has "
      f"{', '.join(presets) or 'none'}"
    )
  return presets[name]


def _written_flags(
  arguments: Iterable[str], fields: Mapping[str, Field]
) -> Iterator[tuple[str, str]]:
  """Yields the flags of a command line with their values, as they are written.

  Raises UsageError for a value after --noFLAG.
  """
  rest = iter(arguments)
  for argument in rest:
    if argument == "--":
      return
    if not argument.startswith("-"):
      continue
    name, equals, value = argument.lstrip("-").partition("=")
    field, negated = fields.get(name), fields.get(name.removeprefix("no"))
    if field is None and name.startswith("no") and negated:
      if negated.type is not bool:
        raise UsageError(
          f"there is no --{name}, as --{negated.name} is not true or false; "
          f"it must be {negated.allowed()}"
        )
      if equals:
        raise UsageError(
          f"--{name} takes no value; write --{name} or --{negated.name}=false"
        )
      name, value = negated.name, "false"
    elif field is not None and field.type is bool:
      value = value.lower() if equals else "true"
    elif not equals:
      value = next(rest, "")
    yield name, value


def _check_given_once(
  arguments: list[str], fields: Mapping[str, Field], values: flags.FlagValues
) -> None:
  """Raises UsageError if the command line gives a flag two different values.

  A flag may change what a file of flags before it says.
  """
  seen: dict[str, str] = {}
  written = _written_flags(arguments, fields)
  for name, value in written:
    here = [(name, value)]
    if name == "flagfile":
      lines = values.read_flags_from_files([f"--flagfile={value}"])
      here = list(_written_flags(lines, fields))
    for each, text in here:
      if seen.get(each, text) != text:
        raise UsageError(_given_twice(each, seen[each], text, fields))
    if name != "flagfile":
      seen[name] = value


def _given_twice(
  name: str, first: str, second: str, fields: Mapping[str, Field]
) -> str:
  """Writes that a flag has two values, and what to do."""
  advice = _SEVERAL.get(name, "")
  if name in fields and fields[name].type == tuple[str, ...]:
    advice = "separate words by commas"
  return (
    f"--{name} is given twice, as {first!r} and {second!r}; "
    f"{advice or 'choose one'}"
  )


def _stray_argument(
  argument: str,
  fields: Mapping[str, Field],
  experiments: Iterable[Experiment],
) -> str:
  """Writes that an argument is not a flag, and which flag may be meant."""
  names = [each.name for each in experiments]
  name, equals, _ = argument.partition("=")
  near = near_names(argument, [*names, *COMMANDS])[:1]
  words = [f for f in fields.values() if argument in f.metadata["choices"]]
  hint = "flags start with --"
  if argument in fields or (equals and name in fields):
    hint = f"did you mean --{argument}?"
  elif words:
    hint = f"did you mean --{words[0].name}={argument}?"
  elif near and near[0] in names:
    hint = f"did you mean --experiment={near[0]}?"
  elif near:
    hint = f"did you mean python -m experiments.{near[0]}?"
  elif "workdir" in fields and os.path.isdir(argument):
    hint = f"did you mean --workdir={argument}?"
  return f"unexpected argument {argument!r}; {hint}"


def _usage_error(
  error: flags.Error,
  fields: Mapping[str, Field],
  options: Collection[str],
  named: Iterable[Experiment],
) -> UsageError:
  """Rewrites an error of absl as one line that says what is allowed."""
  if isinstance(error, flags.UnrecognizedFlagError):
    return UsageError(unknown_flag(error.flagname, fields))
  message = str(error).splitlines()[0].removeprefix("ERROR:: ")
  # Such as "flag --steps=many: invalid literal for int() with base 10".
  given = message.removeprefix("flag ").partition(": ")[0]
  name, _, text = given.removeprefix("--").partition("=")
  field = fields.get(name)
  if isinstance(error, flags.IllegalFlagValueError) and field:
    # Fields whose values absl does not know say what is wrong with this one.
    cause = error.__context__
    message = (
      str(cause) if isinstance(cause, SettingError) else field.refusal(text)
    )
    if name == "seed" and field.is_list(text):
      parts = text.split(",")
      message = (
        f"{given} is not allowed; --seed is the first seed, and --num_seeds "
        f"says how many follow: --seed={parts[0]} --num_seeds={len(parts)}"
      )
    elif name not in options and field.is_list(text):
      words = ["python -m experiments.sweep"]
      words += [f"--experiment={each.name}" for each in named]
      message = (
        f"{given} is not allowed; to try each, run {' '.join(words)} "
        f"--grid={name}={text}"
      )
  return UsageError(message)


def main(command: Callable[[list[str]], int]) -> None:
  """Runs a command, argv -> exit code, as the main function of absl.

  A mistake of the user's ends it with one line on the standard error stream.
  """

  def leave_flags(argv):
    # The command reads its flags itself.
    flags.FLAGS(argv[:1])
    return argv

  signals.keep_interrupts()
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
