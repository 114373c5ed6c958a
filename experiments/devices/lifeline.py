"""Tells each of several processes when another ends, expected or not.

A process that waits for a dead one's part of a sum may wait forever. So every
process but the first holds a connection to the first, over which both say a few
times a minute that they are there. The system closes the connections of a
process that is killed at once, and a host that is cut off falls silent. Who
loses the first process, or is told by it that another was lost, ends with one
line: what happened and how to go on.
"""

import hmac
import json
import os
import secrets
import selectors
import socket
import threading
import time
from typing import Any, NamedTuple, NoReturn

SECONDS_BETWEEN = 5.0
SECONDS_OF_SILENCE = 30.0
"""After which a process counts as dead."""
SECONDS_TO_CONNECT = 60.0
SECONDS_TO_LEAVE = 10.0
"""That others have to end by themselves when the first one does."""
LOST_EXIT_CODE = 75
"""EX_TEMPFAIL of sysexits.h: the same command may succeed later."""


class LifelineError(Exception):
  """A connection that cannot be made; the message is one line."""


class Address(NamedTuple):
  """Where the first process listens, and the word that lets others in."""

  host: str
  port: int
  secret: str


class End(NamedTuple):
  """How the first process ends.

  Attributes:
    exit_code: of it.
    line: why, where something went wrong.
  """

  exit_code: int
  line: str = ""


class _Wire:
  """A connection that carries JSON, a line each."""

  def __init__(self, connection: socket.socket):
    connection.settimeout(SECONDS_OF_SILENCE)
    self.socket = connection
    self.heard_at = time.monotonic()
    self.has_left = False
    self.ends_by_itself = False
    self._rest = b""
    self._lock = threading.Lock()

  def send(self, message: Any) -> bool:
    """Sends a message; tells whether it could."""
    try:
      with self._lock:
        self.socket.sendall(json.dumps(message).encode() + b"\n")
    except OSError:
      return False
    return True

  def receive(self) -> list[Any] | None:
    """Returns the messages that are there, at least a part of one; None if the
    other end has closed the connection."""
    try:
      received = self.socket.recv(4096)
    except OSError:
      return None
    if not received:
      return None
    self.heard_at = time.monotonic()
    *lines, self._rest = (self._rest + received).split(b"\n")
    return [json.loads(line) for line in lines]

  def is_silent(self) -> bool:
    return time.monotonic() - self.heard_at > SECONDS_OF_SILENCE


def _leave(exit_code: int, line: str) -> NoReturn:
  """Ends the process from a thread, whatever the others of it wait for."""
  os.write(2, f"error: {line}\n".encode())
  os._exit(exit_code)


class First:
  """The first process's end of all connections.

  Attributes:
    address: where others connect.
    advice: how to go on; said where a process is lost.
  """

  def __init__(self, host: str, num_processes: int):
    """Listens.

    Args:
      host: name or address by which others reach this one.
      num_processes: this one included.
    """
    self.advice = ""
    self._num_others = num_processes - 1
    self._listener = socket.create_server(
      ("", 0), family=socket.AF_INET, backlog=num_processes
    )
    port = self._listener.getsockname()[1]
    self.address = Address(host, port, secrets.token_hex(16))
    self._wires: dict[int, _Wire] = {}
    self._is_ending = threading.Event()

  def watch(self) -> None:
    """Waits for the others to connect, and watches them from there on."""
    deadline = time.monotonic() + SECONDS_TO_CONNECT
    while len(self._wires) < self._num_others:
      self._listener.settimeout(max(0.01, deadline - time.monotonic()))
      try:
        connection, _ = self._listener.accept()
      except OSError as error:
        raise LifelineError(
          f"{self._num_others - len(self._wires)} of {self._num_others + 1} "
          "processes did not connect to process 0 at "
          f"{self.address.host}:{self.address.port}"
        ) from error
      wire = _Wire(connection)
      messages = wire.receive() or [{}]
      if hmac.compare_digest(
        str(messages[0].get("secret")), self.address.secret
      ):
        self._wires[messages[0]["process"]] = wire
      else:
        connection.close()
    self._listener.close()
    threading.Thread(target=self._watch, daemon=True).start()

  def _watch(self) -> None:
    selector = selectors.DefaultSelector()
    for process, wire in self._wires.items():
      selector.register(wire.socket, selectors.EVENT_READ, process)
    said_at = 0.0
    while True:
      if time.monotonic() - said_at > SECONDS_BETWEEN:
        said_at = time.monotonic()
        for wire in self._wires.values():
          wire.send({})
      for key, _ in selector.select(SECONDS_BETWEEN / 2):
        self._hear(key.data, selector)
      for process, wire in self._wires.items():
        if wire.is_silent() and not wire.has_left:
          self._lose(process, "cannot be reached any more")

  def _hear(self, process: int, selector: selectors.BaseSelector) -> None:
    wire = self._wires[process]
    messages = wire.receive()
    if messages is None:
      selector.unregister(wire.socket)
      if not wire.has_left and not self._is_ending.is_set():
        self._lose(process, "has died")
      wire.has_left = True
      return
    for message in messages:
      if "failed" in message and not self._is_ending.is_set():
        self._lose(process, f"ended: {message['failed']}")
      if "leaves" in message:
        wire.has_left, wire.ends_by_itself = True, message["leaves"]

  def _lose(self, process: int, what: str) -> NoReturn:
    num = self._num_others + 1
    line = f"process {process} of {num} {what}, and so all end"
    for wire in self._wires.values():
      wire.send({"exit_code": LOST_EXIT_CODE, "line": line, "lost": True})
    _leave(LOST_EXIT_CODE, f"{line}; {self.advice}")

  def end(self, end: End) -> bool:
    """Tells the others that the run has ended, and waits until they know.

    Args:
      end: how.

    Returns:
      Whether all others end by themselves.
    """
    self._is_ending.set()
    for wire in self._wires.values():
      wire.send({**end._asdict(), "lost": False})
    deadline = time.monotonic() + SECONDS_TO_LEAVE + 5
    while time.monotonic() < deadline:
      if all(wire.has_left for wire in self._wires.values()):
        break
      time.sleep(0.01)
    return all(wire.ends_by_itself for wire in self._wires.values())


class Other:
  """Another process's connection to the first.

  Attributes:
    advice: how to go on; said where the first process is lost, or another.
  """

  def __init__(self, address: Address, process: int):
    """Connects.

    Args:
      address: of the first process.
      process: the place of this one.
    """
    self.advice = ""
    try:
      connection = socket.create_connection(
        (address.host, address.port), SECONDS_TO_CONNECT
      )
    except OSError as error:
      raise LifelineError(
        f"process 0 cannot be reached at {address.host}:{address.port}: "
        f"{error.strerror or error}"
      ) from error
    self._wire = _Wire(connection)
    self._wire.send({"secret": address.secret, "process": process})
    self._end: End | None = None
    self._has_ended = threading.Event()
    self._waits = threading.Event()
    self._fails = False

  def watch(self) -> None:
    """Watches the first process from here on."""
    threading.Thread(target=self._speak, daemon=True).start()
    threading.Thread(target=self._watch, daemon=True).start()

  def _speak(self) -> None:
    while self._wire.send({}):
      time.sleep(SECONDS_BETWEEN)

  def _watch(self) -> None:
    while (messages := self._wire.receive()) is not None:
      for message in messages:
        if "exit_code" not in message:
          continue
        if self._fails:
          return
        if message["lost"]:
          _leave(message["exit_code"], f"{message['line']}; {self.advice}")
        self._end = End(message["exit_code"], message["line"])
        self._has_ended.set()
        # Unless this process is in a sum that the first will never be part of.
        if not self._waits.wait(SECONDS_TO_LEAVE):
          self._wire.send({"leaves": False})
          _leave(
            self._end.exit_code or LOST_EXIT_CODE,
            f"process 0 ended: {self._end.line}",
          )
        return
    if self._fails:
      return
    what = (
      "cannot be reached any more" if self._wire.is_silent() else "has died"
    )
    _leave(LOST_EXIT_CODE, f"process 0 {what}; {self.advice}")

  def wait(self) -> End:
    """Waits for the first process to end.

    Returns:
      How it does.
    """
    self._waits.set()
    self._has_ended.wait()
    assert self._end is not None
    self._wire.send({"leaves": True})
    return self._end

  def fail(self, line: str) -> None:
    """Tells the first process why this one ends."""
    self._fails = True
    self._wire.send({"failed": line})


Lifeline = First | Other
