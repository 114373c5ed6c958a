"""Ends a command when it is told to: once all has been saved, or at once."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SECONDS_OF_ONE = 0.25
"""Signals so near to the first are the same wish: `timeout`, for one, sends a
signal to the process and to its group."""


def _end(number: int, frame: FrameType | None) -> None:
  del frame
  os.write(2, b"interrupted\n")
  os._exit(128 + number)


def end_at_once() -> None:
  """Lets Ctrl-C end the process, with one line, as nothing is written yet.

  Imports are most of a command's start; a KeyboardInterrupt would appear with
  all that import each other, or as another error of one that catches it.
  """
  # A shell may have told the process to ignore it.
  if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end)


def end_in_order() -> None:
  """Lets Ctrl-C raise KeyboardInterrupt again."""
  if signal.getsignal(signal.SIGINT) is _end:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Interruption:
  """Whether, and by which signal, the process was told to stop.

  Attributes:
    signal: the first one; 0 while there is none.
  """

  def __init__(self):
    self.signal = 0

  def requested(self) -> bool:
    """Tells whether the process was told to stop."""
    return self.signal != 0

  def exit_code(self) -> int:
    """Returns what a shell gives for a process that the signal ended."""
    return 128 + self.signal


@contextlib.contextmanager
def caught(notice: str) -> Iterator[Interruption]:
  """Catches the first signal to stop; a second one ends the process at once.

  Signals reach Python only between its own instructions, which may be a minute
  apart while a program is compiled. A thread hears them as they come.

  Args:
    notice: what to print when the first one comes.

  Yields:
    What has been heard; to be asked by who can stop.
  """
  interruption = Interruption()
  reader, writer = os.pipe()
  os.set_blocking(writer, False)
  previous = {
    number: signal.signal(number, lambda *_: None) for number in SIGNALS
  }
  previous_writer = signal.set_wakeup_fd(writer)

  def listen():
    first = 0.0
    while numbers := os.read(reader, 1):
      (number,) = numbers
      if number not in SIGNALS:
        continue
      if interruption.requested():
        if time.monotonic() - first < SECONDS_OF_ONE:
          continue
        # Not an exit of Python's, which would wait for the main thread.
        os.write(2, b"stopped at once\n")
        os._exit(128 + number)
      interruption.signal = number
      first = time.monotonic()
      os.write(2, f"{notice}\n".encode())

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
