"""Lists the commands: `python -m experiments`."""

from experiments.cli import flags, help_text
from experiments.configs.hints import near_names
from experiments.errors import UsageError


def run(argv: list[str]) -> int:
  """Prints what each command does, and returns the exit code."""
  arguments = argv[1:]
  if arguments and arguments[0] not in ("-h", "--help"):
    near = near_names(arguments[0], flags.COMMANDS)[:1]
    hint = f"did you mean python -m experiments.{near[0]}? " if near else ""
    raise UsageError(
      f"unexpected argument {arguments[0]!r}; {hint}"
      "python -m experiments lists the commands"
    )
  rows = [
    (f"python -m experiments.{name}", summary)
    for name, summary in flags.COMMANDS.items()
  ]
  print(help_text.table(rows), end="\n\n")
  print(help_text.wrapped("--help lists the flags of a command."))
  return 0


if __name__ == "__main__":
  flags.main(run)
