"""Lets a command save its work when a signal asks it to stop.

Signals are sent by Ctrl-C (SIGINT), by schedulers (SIGTERM), and when the
terminal of the command is closed (SIGHUP).
"""

import _thread
import contextlib
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SECONDS_OF_ONE = 0.25
"""Signals that follow the first within this time count as the same request:
`timeout`, for one, sends a signal to the process and to its group."""


REPEAT_SECONDS = 0.05
"""When a Ctrl-C that Python has lost comes again."""


class Interruption:
  """A request to stop.

  Attributes:
    signal: the number of the first signal; 0 before there is one.
  """

  def __init__(self):
    self.signal = 0

  def requested(self) -> bool:
    """Returns whether the process has been asked to stop."""
    return self.signal != 0

  def exit_code(self) -> int:
    """Returns the exit code that shells give for the signal."""
    return 128 + self.signal


def _leave_terminal() -> None:
  """Discards what is printed from now on, since the terminal is closed."""
  nowhere = os.open(os.devnull, os.O_WRONLY)
  for stream in (1, 2):
    if stat.S_ISCHR(os.fstat(stream).st_mode):
      os.dup2(nowhere, stream)


def keep_interrupts() -> None:
  """Repeats a Ctrl-C that Python has lost.

  In a callback of Python's garbage collection, of which JAX has one,
  KeyboardInterrupt ends the callback only.
  """
  show = sys.unraisablehook

  def repeat(unraisable: "sys.UnraisableHookArgs") -> None:
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
      # Once the callback has ended.
      threading.Timer(REPEAT_SECONDS, _thread.interrupt_main).start()
    else:
      show(unraisable)

  sys.unraisablehook = repeat


@contextlib.contextmanager
def caught(notice: str) -> Iterator[Interruption]:
  """Turns the first signal into a request; a second ends the process at once.

  Python calls signal handlers only between its instructions, and one of them
  may compile a program for a minute. A thread therefore reads the signals.

  Args:
    notice: the line to print when the first signal arrives.
  """
  interruption = Interruption()
  reader, writer = os.pipe()
  os.set_blocking(writer, False)
  # What nohup ignores stays ignored.
  previous = {
    number: signal.signal(number, lambda *_: None)
    for number in SIGNALS
    if (number, signal.getsignal(number)) != (signal.SIGHUP, signal.SIG_IGN)
  }
  previous_writer = signal.set_wakeup_fd(writer)

  def listen():
    first = 0.0
    while numbers := os.read(reader, 1):
      (number,) = numbers
      if number not in SIGNALS:
        continue
      if not interruption.requested():
        if number == signal.SIGHUP:
          # Before the request is seen: what follows it prints.
          _leave_terminal()
        interruption.signal = number
        first = time.monotonic()
        # Below the bar of a terminal.
        start = "\n" if os.isatty(2) else ""
        os.write(2, f"{start}{notice}\n".encode())
      elif time.monotonic() - first >= SECONDS_OF_ONE:
        # sys.exit would wait for the main thread.
        os.write(2, b"stopped at once\n")
        os._exit(128 + number)

  thread = threading.Thread(target=listen, daemon=True)
  thread.start()
  try:
    yield interruption
  finally:
    signal.set_wakeup_fd(previous_writer)
    for number, handler in previous.items():
      signal.signal(number, handler)
    os.close(writer)
    thread.join()
    os.close(reader)
