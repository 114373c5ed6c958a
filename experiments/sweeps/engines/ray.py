"""Trains the programs of a sweep as tasks of a Ray cluster.

Machines of the cluster need not see the sweep's folder: a task is sent what its
program has come to, and sends back what that becomes, which this process alone
writes down. A program whose machine dies goes on elsewhere from there.
"""

import contextlib
import importlib.util
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.cli import signals
from experiments.cli.flags import UsageError
from experiments.run_folder.results import RunFolderError
from experiments.sweeps import plan as plans
from experiments.sweeps import time_estimate, worker_process
from experiments.sweeps.engines import parcels, ray_task
from experiments.sweeps.engines.engine import Engine, EngineOptions, Lost
from experiments.sweeps.plan import Plan

MAX_STARTS = 3
"""Of one program, in a sweep that goes on."""
_SECONDS = 0.1
"""Between two looks at the tasks."""
PATIENCE_TO_CONNECT = 20.0
_PATIENCE_TO_CANCEL = 5.0
_PATIENCE_TO_REMOVE = 3.0

_PROBE = """\
import logging, sys, ray
logging.getLogger("ray").setLevel(logging.CRITICAL)
try:
  ray.init(sys.argv[1], log_to_driver=False, configure_logging=False)
except Exception as error:
  sys.exit(" ".join(str(error).split())[:200] or type(error).__name__)
"""
"""Connects and leaves. Ray tries for two minutes, then ends its process."""


class Share(NamedTuple):
  """How a cluster is divided.

  Attributes:
    num_parallel: programs at a time.
    num_cpus: of each.
    num_gpus: of each.
  """

  num_parallel: int
  num_cpus: int
  num_gpus: int


def share(
  nodes: Sequence[tuple[int, int]],
  platform: str,
  max_parallel: int,
  num_programs: int,
) -> Share:
  """Divides a cluster.

  Args:
    nodes: cores and GPUs of each machine.
    platform: as `--platform` has it.
    max_parallel: programs at a time; 0 for one on each GPU, or core.
    num_programs: that are left to train.

  Returns:
    Each program's share: a GPU where there are any, else as many cores as all
    that train at a time can have, each on one machine.

  Raises:
    UsageError: if the cluster has not what the platform needs.
  """
  num_gpus = sum(gpus for _, gpus in nodes)
  if platform == "gpu" and not num_gpus:
    raise UsageError("--platform=gpu: the Ray cluster has no GPU")
  if platform in ("auto", "gpu") and num_gpus:
    return Share(min(max_parallel or num_gpus, num_programs), 1, 1)
  num_cores = sum(cores for cores, _ in nodes)
  if not num_cores:
    raise UsageError("the Ray cluster has no CPU to train on")
  num_parallel = min(max_parallel or num_cores, num_programs, num_cores)
  most = max(
    count
    for count in range(1, num_cores + 1)
    if sum(cores // count for cores, _ in nodes) >= num_parallel
  )
  return Share(num_parallel, most, 0)


@contextlib.contextmanager
def _connected(address: str) -> Iterator[str | None]:
  """Connects to a cluster, or starts one on this machine, and ends that.

  Args:
    address: as `--address` has it.

  Yields:
    A folder that goes with the cluster; None if the cluster is not ours.

  Raises:
    UsageError: if that cannot be.
  """
  import ray

  handlers = {own: signal.getsignal(own) for own in signals.SIGNALS}
  with contextlib.ExitStack() as stack:
    # What goes wrong with a task is said by the sweep.
    logging.getLogger("ray").setLevel(logging.ERROR)
    stack.enter_context(contextlib.redirect_stdout(sys.stderr))
    folder = None
    own_cluster = {}
    if not address:
      # Ray's sockets are in there, whose paths have to be short.
      folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
      stack.callback(_remove, folder)
      own_cluster = {
        "num_cpus": len(os.sched_getaffinity(0)),
        "include_dashboard": False,
        "_temp_dir": folder,
      }
    stack.callback(ray.shutdown)
    try:
      ray.init(
        address or "local",
        log_to_driver=False,
        configure_logging=False,
        **own_cluster,
      )
    except (ConnectionError, RuntimeError, ValueError) as error:
      raise UsageError(f"Ray cannot be used: {_line(error)}") from error
    # Ray's own would end this process at the first signal.
    for number, handler in handlers.items():
      signal.signal(number, handler)
    yield folder


def _remove(folder: str) -> None:
  """Removes a folder that processes which are about to end still write to."""
  deadline = time.monotonic() + _PATIENCE_TO_REMOVE
  while os.path.exists(folder) and time.monotonic() < deadline:
    shutil.rmtree(folder, ignore_errors=True)
    time.sleep(_SECONDS)


class _Running(NamedTuple):
  """A program that trains.

  Attributes:
    program: its index.
    stream: of the parcels that come.
    claim: to its folder here.
  """

  program: int
  stream: Any
  claim: contextlib.ExitStack


class _Tasks:
  """The programs of a sweep, on a cluster."""

  def __init__(
    self,
    plan: Plan,
    folder: Path,
    options: EngineOptions,
    own_share: Share,
    parent: str | None,
    should_stop: Callable[[], bool],
  ):
    import ray

    self._plan = plan
    self._folder = folder
    self._flags = options.flags()
    self._num_cores = 0 if own_share.num_gpus else own_share.num_cpus
    self._parent = parent
    self._should_stop = should_stop
    # A program that is tried again is to have what has come meanwhile, so it is
    # not Ray that does that.
    self._train: Any = ray.remote(
      num_cpus=own_share.num_cpus,
      num_gpus=own_share.num_gpus,
      max_retries=0,
      num_returns="streaming",
    )(ray_task.train)
    self._content = ray.put(plans.plan_json(plan))
    self._running: list[_Running] = []
    self._starts: dict[int, int] = {}
    self.lost: list[Lost] = []
    self.again: list[int] = []

  def __len__(self) -> int:
    return len(self._running)

  def start(self, program: int) -> None:
    """Begins to train a program, or says why that cannot be."""
    self._starts[program] = self._starts.get(program, 0) + 1
    scratch = worker_process.scratch(self._folder, program)
    scratch.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
      try:
        stack.enter_context(worker_process.claimed(scratch, self._should_stop))
      except RunFolderError as error:
        self.lost.append(Lost(program, str(error)))
        return
      stream = self._train.remote(
        self._content,
        program,
        parcels.outward(self._plan, program, self._folder),
        self._flags,
        self._num_cores,
        self._parent,
      )
      self._running.append(_Running(program, stream, stack.pop_all()))

  def poll(self) -> None:
    """Waits a little for what comes, and writes it down."""
    import ray

    streams = {own.stream: own for own in self._running}
    ready, _ = ray.wait(
      list(streams), num_returns=len(streams), timeout=_SECONDS
    )
    for stream in ready:
      self._receive(streams[stream])

  def _receive(self, own: _Running) -> None:
    """Takes what has come of one program."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
      parcel: Any = ray.get(next(own.stream))
    except StopIteration:
      self._end(own)
      return
    except RayTaskError as error:
      self._end(own)
      self.lost.append(Lost(own.program, _line(error.cause or error)))
      return
    except RayError as error:
      self._end(own)
      self._retry(own.program, _line(error))
      return
    parcels.unpack(parcel, self._folder)
    if parcel.code is None:
      return
    self._end(own)
    if parcel.code == 0:
      return
    reason = worker_process.last_line(self._folder, own.program, parcel.code)
    if parcel.code < 0:
      self._retry(own.program, reason)
    else:
      self.lost.append(Lost(own.program, reason))

  def _end(self, own: _Running) -> None:
    if own in self._running:
      self._running.remove(own)
      own.claim.close()

  def _retry(self, program: int, reason: str) -> None:
    if self._starts[program] < MAX_STARTS:
      self.again.append(program)
    else:
      self.lost.append(Lost(program, reason))

  def cancel(self) -> None:
    """Ends what trains; what has come until here stays."""
    import ray

    for own in self._running:
      ray.cancel(own.stream)
    deadline = time.monotonic() + _PATIENCE_TO_CANCEL
    while self._running and time.monotonic() < deadline:
      self.poll()
    self.close()

  def close(self) -> None:
    """Gives the programs' folders back."""
    for own in list(self._running):
      self._end(own)


def _line(error: BaseException) -> str:
  """Says an error in a line, without Ray's colours."""
  lines = [line.strip() for line in str(error).splitlines() if line.strip()]
  return lines[0] if lines else type(error).__name__


def train(
  plan: Plan,
  folder: Path,
  programs: Sequence[int],
  options: EngineOptions,
  on_poll: Callable[[], None],
  should_stop: Callable[[], bool],
) -> list[Lost]:
  """Trains programs, each as a task.

  Args:
    plan: of the sweep.
    folder: of the sweep.
    programs: to train.
    options: of the command.
    on_poll: called several times a second.
    should_stop: whether to stop; what has been sent until then is kept.

  Returns:
    The programs that could not be trained.

  Raises:
    UsageError: if the cluster has not what the platform needs.
  """
  waiting = list(programs)
  with _connected(options.address) as parent:
    own_share = share(
      _nodes(), options.platform, options.max_parallel, len(programs)
    )
    tasks = _Tasks(plan, folder, options, own_share, parent, should_stop)
    try:
      while (waiting or len(tasks)) and not should_stop():
        while waiting and len(tasks) < own_share.num_parallel:
          tasks.start(waiting.pop(0))
        if len(tasks):
          tasks.poll()
        on_poll()
        waiting = tasks.again + waiting
        tasks.again = []
      if len(tasks):
        tasks.cancel()
        return []
    finally:
      tasks.close()
  return tasks.lost


def _nodes() -> list[tuple[int, int]]:
  """Lists cores and GPUs of the machines of the cluster."""
  import ray

  return [
    (int(node["Resources"].get("CPU", 0)), int(node["Resources"].get("GPU", 0)))
    for node in ray.nodes()
    if node["Alive"]
  ]


def _check(options: EngineOptions) -> None:
  if importlib.util.find_spec("ray") is None:
    raise UsageError("--engine=ray needs Ray; install it: pip install ray")
  address = options.address
  if "://" in address:
    raise UsageError(
      f"--address={address}: the sweep has to run on a machine of the cluster, "
      "and be given HOST:PORT, or auto"
    )
  if not address:
    return
  if address != "auto":
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) < 2**16):
      raise UsageError(f"--address={address} is not HOST:PORT, nor auto")
    try:
      socket.create_connection((host.strip("[]"), int(port)), 5.0).close()
    except OSError as error:
      raise UsageError(
        f"--address={address} cannot be reached: {error.strerror or error}"
      ) from None
  try:
    probe = subprocess.run(
      [sys.executable, "-c", _PROBE, address],
      capture_output=True,
      text=True,
      timeout=PATIENCE_TO_CONNECT,
    )
  except subprocess.TimeoutExpired:
    raise UsageError(
      f"--address={address}: no Ray cluster answers there within "
      f"{PATIENCE_TO_CONNECT:.0f} s; one that asks for a token needs "
      "RAY_AUTH_MODE=token in the environment"
    ) from None
  if probe.returncode:
    said = probe.stderr.strip().splitlines() or ["no Ray cluster answers there"]
    raise UsageError(f"--address={address}: {said[-1]}")


def _preview(plan: Plan, folder: Path, options: EngineOptions) -> None:
  """Prints about how long the sweep would take."""
  del folder
  if options.address:
    print(f"each program is a task of the Ray cluster at {options.address}")
    return
  cores = len(os.sched_getaffinity(0))
  count = min(options.max_parallel or cores, len(plan.programs), cores)
  time_estimate.print_time(plan, options.platform, count)


ENGINE = Engine(_check, _preview, train)
