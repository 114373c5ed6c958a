"""Writes the help and the lists of commands, as wide as the terminal."""

import shutil
import textwrap
from collections.abc import Iterable, Sequence

from experiments.configs.experiment import Experiment
from experiments.configs.fields import (
  VARIES,
  WORD,
  Field,
  FieldGroup,
  fields_of,
  group_fields,
)

NUM_COLUMNS = 80
"""Width of the output if it is not a terminal."""
_MIN_COLUMNS = 20
_MIN_LAST = 32
"""Least width of the last column of a table."""
ENDING = """\
--FLAG and --noFLAG are short for --FLAG=true and --FLAG=false. Flags can also
be in a file, one a line: --flagfile=FILE"""


def columns() -> int:
  """Returns the width of the terminal, or what COLUMNS says, or NUM_COLUMNS."""
  found = shutil.get_terminal_size((NUM_COLUMNS, 24)).columns
  return max(found, _MIN_COLUMNS)


def wrapped(text: str, indent: str = "", hanging: str | None = None) -> str:
  """Wraps a paragraph to the width of the terminal.

  Args:
    text: its words.
    indent: what the first line begins with.
    hanging: what the other lines begin with; None for `indent`.
  """
  return textwrap.fill(
    " ".join(text.split()),
    columns(),
    initial_indent=indent,
    subsequent_indent=indent if hanging is None else hanging,
    break_long_words=False,
    break_on_hyphens=False,
  )


def table(rows: Iterable[Sequence[str]]) -> str:
  """Writes rows of text in aligned columns, of which the last is wrapped.

  Where little space is left for the last column, it is below the others.
  """
  rows = tuple(rows)
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
  margin = sum(widths) + 2 * len(widths)
  lines = []
  for *cells, last in rows:
    if columns() - margin < _MIN_LAST:
      lines += [wrapped(" ".join(cells)), wrapped(last, " " * 4)]
      continue
    padded = [
      f"{text:{width}}  " for text, width in zip(cells, widths, strict=True)
    ]
    lines.append(wrapped(last, "".join(padded), " " * margin))
  return "\n".join(lines)


def usage_text(usage: str) -> str:
  """Wraps paragraphs; those that begin with `python` are commands."""
  paragraphs = []
  for paragraph in usage.split("\n\n"):
    is_command = paragraph.startswith("python ")
    paragraphs.append(wrapped(paragraph, "", "    " if is_command else ""))
  return "\n\n".join(paragraphs)


def flags_text(options: Iterable[type]) -> str:
  """Writes the flags of a command, by what they are about."""
  return "\n\n".join(_group(each, "", ()) for each in group_fields(options))


def settings_text(experiments: Sequence[Experiment]) -> str:
  """Writes the settings of experiments, by what they are about."""
  title = "SETTINGS of experiments; --experiment=NAME --help shows those of one"
  if len(experiments) == 1:
    title = f"SETTINGS of {experiments[0].name}, each with its default"
  parts = [wrapped(title)]
  if len(experiments) == 1:
    parts += _presets(experiments[0])
  for group in group_fields(type(each.settings) for each in experiments):
    users = [e for e in experiments if isinstance(e.settings, group.cls)]
    names = ""
    if len(users) < len(experiments):
      names = f" ({', '.join(each.name for each in users)})"
    parts.append(_group(group, names, users))
  return "\n\n".join(parts)


def _presets(experiment: Experiment) -> list[str]:
  """Writes which settings each preset of an experiment changes."""
  fields = {each.name: each for each in fields_of(type(experiment.settings))}
  return [
    wrapped(
      f"--preset={preset} is "
      + " ".join(
        f"--{name}={fields[name].format(value)}"
        for name, value in values.items()
      ),
      "  ",
      " " * 6,
    )
    for preset, values in experiment.presets.items()
  ]


def _group(group: FieldGroup, names: str, users: Sequence[Experiment]) -> str:
  """Writes a heading and its flags, with the defaults of experiments."""
  lines = [wrapped(f"{group.heading}{names}:", "", "  ")]
  for field in group.fields:
    default = field.default_text(each.settings for each in users)
    value = f"={default or repr('')}"
    if default == VARIES:
      value = " (the default varies)"
    lines.append(f"  --{field.name}{value}")
    lines.append(wrapped(_meaning(field), " " * 6))
  return "\n".join(lines)


def _meaning(field: Field) -> str:
  """Writes what a flag is for, and which values are allowed."""
  allowed = field.allowed()
  if field.type in (int, float):
    allowed = field.bounds()
  elif field.type is bool or allowed == WORD:
    # The default of one and the text of the other say that.
    allowed = ""
  return field.metadata["help"] + (f" [{allowed}]" if allowed else "")
