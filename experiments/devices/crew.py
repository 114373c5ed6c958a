"""Brings the processes of a run together, and lets them end together."""

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import IO, NamedTuple

import jax
from jax.errors import JaxRuntimeError

from experiments.devices import lifeline, multihost, spokesman
from experiments.devices.multihost import HostsError

SECONDS_TO_JOIN = 300
FAILED_EXIT_CODE = 1
MISTAKE_EXIT_CODE = 2
"""Of an error that is one line."""


class Joining(NamedTuple):
  """How processes find each other.

  Attributes:
    coordinator_address: HOST:PORT of process 0; empty where JAX finds it, and
      the rest, in the environment.
    num_processes: how many they are.
    process_id: the place of this one.
  """

  coordinator_address: str = ""
  num_processes: int = 0
  process_id: int = 0


class Crew:
  """The processes of a run, as one of them sees them.

  Attributes:
    exit_code: that the command ends with; the first process's in all.
  """

  def __init__(
    self,
    line: lifeline.First | lifeline.Other | None = None,
    speaker: IO[bytes] | None = None,
  ):
    self.exit_code = 0
    self._line = line
    self._speaker = speaker

  def advise(self, advice: str) -> None:
    """Notes what to say of how to go on, should a process be lost."""
    if self._line is not None:
      self._line.advice = advice
    if self._speaker is not None:
      text = f"process 0 has died; {advice}\n"
      self._speaker.write(spokesman.MARK + text.encode())
      self._speaker.flush()


@contextlib.contextmanager
def joined(how: Joining | None) -> Iterator[Crew]:
  """Joins the other processes of a run while the context lasts.

  Args:
    how: to find them; None, for a run of one process.

  Yields:
    All of them.

  Raises:
    HostsError: if they do not come together.
  """
  if how is None:
    yield Crew()
    return
  _initialize(how)
  with contextlib.ExitStack() as stack:
    speaker = None
    if multihost.is_first():
      stack.enter_context(_quiet_runtime())
    else:
      speaker = stack.enter_context(_silent())
    line = _connected(how)
    crew = Crew(line, speaker)
    crew.advise("go on with --resume, in all processes")
    all_end = False
    try:
      yield crew
    except BaseException as error:
      if isinstance(error, JaxRuntimeError):
        # Of a sum that lacks a part, most likely: the lifeline knows, and ends
        # this process with what it knows.
        time.sleep(lifeline.SECONDS_OF_SILENCE)
      all_end = _part(line, error)
      if not all_end:
        # JAX would wait for those that are no more, and then abort.
        known = isinstance(error, (*multihost.MISTAKES, HostsError))
        atexit.register(
          _leave, MISTAKE_EXIT_CODE if known else FAILED_EXIT_CODE
        )
      raise
    else:
      if isinstance(line, lifeline.First):
        all_end = line.end(lifeline.End(crew.exit_code))
      else:
        crew.exit_code = line.wait().exit_code
        all_end = True
    finally:
      if all_end:
        jax.distributed.shutdown()


def _leave(exit_code: int) -> None:
  """Ends the process without waiting for anything."""
  sys.stdout.flush()
  sys.stderr.flush()
  os._exit(exit_code)


def _part(line: lifeline.Lifeline, error: BaseException) -> bool:
  """Tells the others of an error; returns whether all end by themselves."""
  if isinstance(line, lifeline.First):
    return line.end(lifeline.End(FAILED_EXIT_CODE, multihost.one_line(error)))
  if isinstance(error, HostsError):
    line.wait()
    return True
  line.fail(multihost.one_line(error))
  return False


def _initialize(how: Joining) -> None:
  """Begins JAX's own service."""
  try:
    jax.distributed.initialize(
      how.coordinator_address or None,
      how.num_processes or None,
      how.process_id if how.num_processes else None,
      initialization_timeout=SECONDS_TO_JOIN,
    )
  except (JaxRuntimeError, RuntimeError, ValueError) as error:
    raise HostsError(
      "the processes do not come together: " + multihost.one_line(error)[:300]
    ) from error


def _connected(how: Joining) -> lifeline.Lifeline:
  """Connects every process with the first."""
  host, _, _ = how.coordinator_address.rpartition(":")
  try:
    if multihost.is_first():
      line = lifeline.First(host or socket.gethostname(), multihost.count())
      multihost.from_first(lambda: line.address)
    else:
      address = multihost.from_first(lambda: lifeline.Address("", 0, ""))
      line = lifeline.Other(address, multihost.index())
    line.watch()
  except lifeline.LifelineError as error:
    raise HostsError(str(error)) from error
  return line


@contextlib.contextmanager
def _quiet_runtime() -> Iterator[None]:
  """Keeps what libraries print, and Python does not, off the standard output
  stream."""
  own, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
  before = sys.stdout
  before.flush()
  os.dup2(nowhere, 1)
  sys.stdout = os.fdopen(own, "w", buffering=1, closefd=False)
  try:
    yield
  finally:
    sys.stdout.flush()
    os.dup2(own, 1)
    sys.stdout = before
    os.close(own)
    os.close(nowhere)


@contextlib.contextmanager
def _silent() -> Iterator[IO[bytes]]:
  """Prints nothing but errors, and those by a spokesman.

  Yields:
    Where the spokesman hears what to announce.
  """
  own, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
  speaker = subprocess.Popen(
    [sys.executable, spokesman.__file__],
    stdin=subprocess.PIPE,
    # It is to outlive Ctrl-C.
    start_new_session=True,
  )
  assert speaker.stdin is not None
  sys.stdout.flush()
  sys.stderr.flush()
  os.dup2(nowhere, 1)
  os.dup2(speaker.stdin.fileno(), 2)
  try:
    yield speaker.stdin
  finally:
    sys.stderr.flush()
    os.dup2(own, 2)
    speaker.stdin.close()
    speaker.wait()
    os.close(own)
    os.close(nowhere)
