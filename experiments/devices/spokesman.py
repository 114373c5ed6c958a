"""Speaks for a process that JAX may end at any moment, in many lines.

Where the first process dies, JAX ends the others on the spot and prints a trace
of its own code; nothing in them can prevent that. This program, which has their
standard error stream on its standard input, passes on what they say, but for
that: instead it prints one line, which it was told before.
"""

import re
import sys
from typing import BinaryIO

MARK = b"\0announce "
"""Begins the line to be printed when JAX ends the process."""

_LOGGED = re.compile(rb"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ \S+:\d+\] ")
_CONTINUED = (b" ", b"\t", b"***", b"\n")
_FATAL = b"Terminating process because the JAX distributed service detected"
_ERROR = b"error: "


def speak(source: BinaryIO, target: BinaryIO) -> None:
  """Passes on lines until there are no more.

  What the runtime logs is held back until the end: by then it is known whether
  one line says it better.

  Args:
    source: lines of a process, and of its runtime.
    target: where they go.
  """
  announcement, held = b"", []
  is_logging = is_fatal = has_said = False
  for line in source:
    if line.startswith(MARK):
      announcement = line.removeprefix(MARK)
      continue
    is_logged = _LOGGED.match(line) is not None
    is_logging = is_logged or (is_logging and line.startswith(_CONTINUED))
    is_fatal |= _FATAL in line
    if is_logging or is_fatal:
      held.append(line)
      continue
    has_said |= line.startswith(_ERROR)
    target.write(line)
    target.flush()
  if is_fatal and not has_said:
    target.write(_ERROR + announcement)
  elif not has_said:
    target.writelines(held)
  target.flush()


if __name__ == "__main__":
  speak(sys.stdin.buffer, sys.stderr.buffer)
