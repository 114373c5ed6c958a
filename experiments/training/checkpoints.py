"""Checkpoints of a run: written while it trains, and read back, by Orbax.

A checkpoint holds the progress of every member, and in its metadata what it
belongs to: experiment, settings, seeds, step. One that is not whole, or whose
numbers are not those that were written, is passed over for the one before.
"""

import concurrent.futures
import contextlib
import errno
import hashlib
import json
import logging
import math
import os
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import jax
import numpy as np

from experiments.cli import console
from experiments.run_folder import results
from experiments.run_folder.results import RunFolderError
from experiments.training import byte_arrays
from gan_jax.training import Checkpoint, Progress

MANIFEST = "files.json"
"""The hash of every file of a checkpoint, written when they all are."""
PROGRESS = "progress"
"""The array that Orbax keeps: all numbers, as `byte_arrays` packs them."""
NICENESS = 10


class Keeping(NamedTuple):
  """Which checkpoints stay.

  Attributes:
    newest: how many of the newest ones.
    every: those of each so many steps too; 0 for none.
  """

  newest: int = 3
  every: int = 0


def _kept(keeping: Keeping, troubled: Mapping[int, float]) -> set[int]:
  """Chooses which stay: `Keeping`, and the newest with the fewest in trouble.

  Args:
    keeping: which.
    troubled: members in trouble, by step.

  Returns:
    The steps.
  """
  fewest = min(troubled.values())
  healthy = max(step for step, num in troubled.items() if num == fewest)
  every = keeping.every
  return {
    healthy,
    *sorted(troubled)[-keeping.newest :],
    *(step for step in troubled if every > 0 and step % every == 0),
  }


class Writer:
  """Writes a run's checkpoints in a thread of its own.

  The training waits for a checkpoint only where the one before is not written
  yet, and hears then, or at the end, if that could not be.
  """

  def __init__(
    self, workdir: Path, keeping: Keeping, description: Mapping[str, Any]
  ):
    """Prepares to write.

    Args:
      workdir: the run folder.
      keeping: which checkpoints stay.
      description: what they belong to; JSON.
    """
    self._folder = workdir / results.CHECKPOINTS
    self._keeping = keeping
    self._description = description
    self._thread = concurrent.futures.ThreadPoolExecutor(
      1, initializer=_give_way
    )
    self._troubled: dict[int, float] | None = None
    self._pending: concurrent.futures.Future | None = None

  def __enter__(self) -> Self:
    return self

  def __exit__(self, *_: Any) -> None:
    try:
      self.wait()
    finally:
      self._thread.shutdown()

  def save(
    self, checkpoint: Checkpoint, num_troubled: int, wall_seconds: float
  ) -> None:
    """Begins to write a checkpoint, when the one before is written.

    Args:
      checkpoint: what to write.
      num_troubled: members that have failed or are in trouble.
      wall_seconds: that the run has taken until there.
    """
    self.wait()
    self._pending = self._thread.submit(
      self._write, checkpoint, num_troubled, wall_seconds
    )

  def wait(self) -> None:
    """Returns when everything is written; raises what prevented it."""
    pending, self._pending = self._pending, None
    if pending is None:
      return
    try:
      pending.result()
    except Exception as error:
      # Orbax has an error of its own for each way of writing.
      raise RunFolderError(
        f"a checkpoint cannot be written to {self._folder} ({_cause(error)}); "
        + _newest(self._folder.parent)
      ) from error

  def _write(
    self, checkpoint: Checkpoint, num_troubled: int, wall_seconds: float
  ) -> None:
    v1 = _orbax()
    packed = byte_arrays.pack(checkpoint.progress)
    layout = byte_arrays.layout(checkpoint.progress)
    # Before Orbax writes a part of it, and complains in many threads.
    if shutil.disk_usage(self._folder.parent).free < packed.nbytes:
      raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if self._troubled is None:
      self._troubled = self._found()
    path = self._folder / str(checkpoint.step)
    with _alone(_economical(v1)):
      v1.save(
        str(path.resolve()),
        {PROGRESS: packed},
        custom_metadata={
          **self._description,
          **checkpoint._replace(progress=None)._asdict(),
          "wall_seconds": wall_seconds,
          "num_troubled": num_troubled,
          "layout": layout,
          "sha256": _digest(packed, layout),
        },
      )
    results.write_json(path / MANIFEST, _hashes(path))
    self._troubled[checkpoint.step] = num_troubled
    for step in set(self._troubled) - _kept(self._keeping, self._troubled):
      _remove(self._folder / str(step))
      del self._troubled[step]

  def _found(self) -> dict[int, float]:
    """Finds what is there already, without what was not finished.

    Returns:
      The number of members in trouble, by step.
    """
    self._folder.mkdir(exist_ok=True)
    found = steps(self._folder.parent)
    for path in self._folder.iterdir():
      if path.name not in map(str, found):
        _remove(path)
    return {
      step: _metadata(self._folder / str(step)).get("num_troubled", math.inf)
      for step in found
    }


def _give_way() -> None:
  """Lets the training have the cores first.

  Threads that this one starts give way too.
  """
  # Elsewhere this would be the whole process.
  if sys.platform == "linux":
    thread = threading.get_native_id()
    niceness = os.getpriority(os.PRIO_PROCESS, thread) + NICENESS
    os.setpriority(os.PRIO_PROCESS, thread, min(niceness, 19))


def _orbax() -> Any:
  """Returns Orbax, which says nothing that it does not also raise."""
  # Imported late: it takes longer than a command's start.
  from orbax.checkpoint.experimental import v1

  logging.getLogger("absl").setLevel(logging.CRITICAL)
  logging.getLogger("asyncio").setLevel(logging.CRITICAL)
  return v1


def _options(v1: Any) -> Any:
  """Returns the options of Orbax where other processes take no part."""
  context = v1.Context()
  own = jax.process_index()
  context.multiprocessing.primary_host = own
  context.multiprocessing.active_processes = {own}
  context.multiprocessing.barrier_sync_key_prefix = "alone"
  return context


@contextlib.contextmanager
def _alone(options: Any) -> Iterator[None]:
  """Applies options, and keeps Orbax from asking processes with no part."""
  from orbax.checkpoint.experimental.v1._src.synchronization import multihost

  count = multihost.process_count
  # Before it looks at who takes part, it compares paths with all of them, and
  # would wait for ever.
  multihost.process_count = lambda: 1
  try:
    with options:
      yield
  finally:
    multihost.process_count = count


def _economical(v1: Any) -> Any:
  """Returns the options of Orbax that take the least time for one array."""
  context = _options(v1)
  # Its database is for many arrays, of many processes.
  context.array.saving.use_ocdbt = False
  # What is learnt, and the moments of its gradients, are next to random.
  context.array.saving.use_compression = False
  # Nobody else has the array.
  context.memory.deepcopy_host_arrays = False
  return context


def _metadata(path: Path) -> dict[str, Any]:
  """Reads what a checkpoint says of itself."""
  v1 = _orbax()
  with _alone(_options(v1)):
    metadata: Any = v1.metadata(str(path.resolve())).custom_metadata
  return dict(metadata)


def _remove(path: Path) -> None:
  """Removes a checkpoint; where that is interrupted, none is left."""
  (path / MANIFEST).unlink(missing_ok=True)
  shutil.rmtree(path)


def _digest(packed: np.ndarray, layout: byte_arrays.Layout) -> str:
  """Hashes numbers, shapes and types."""
  digest = hashlib.sha256(json.dumps(layout).encode())
  digest.update(packed.data)
  return digest.hexdigest()


def _hashes(path: Path) -> dict[str, str]:
  """Hashes every file of a checkpoint, by path."""
  return {
    str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
    for file in sorted(path.rglob("*"))
    if file.is_file() and file.name != MANIFEST
  }


def _is_whole(path: Path) -> bool:
  """Tells whether the files of a checkpoint are those that were written."""
  try:
    return results.read_json(path / MANIFEST) == _hashes(path)
  except RunFolderError:
    return False


def steps(workdir: Path) -> list[int]:
  """Lists the steps of a run folder's checkpoints, the newest first."""
  folder = workdir / results.CHECKPOINTS
  # What was being written when the run was killed has none.
  names = [path.parent.name for path in folder.glob(f"*/{MANIFEST}")]
  return sorted((int(name) for name in names if name.isdecimal()), reverse=True)


def _cause(error: Exception) -> str:
  """Says in a few words what Orbax says in many."""
  text = " ".join(str(error).split()) or type(error).__name__
  no_space = os.strerror(errno.ENOSPC)
  return no_space if no_space in text else text[:200]


def _newest(workdir: Path) -> str:
  """Says what is left to go on from."""
  for step in steps(workdir)[:1]:
    return f"--resume goes on from the one of step {step:,}"
  return "there is none to go on from"


class Loaded(NamedTuple):
  """A checkpoint that was read, and what it says it belongs to."""

  checkpoint: Checkpoint
  description: dict[str, Any]


def load_newest(workdir: Path, structure: Progress) -> Loaded:
  """Reads the newest whole checkpoint; says which ones are not.

  Args:
    workdir: the run folder.
    structure: of the progress of all members, of `jax.ShapeDtypeStruct`.

  Returns:
    The checkpoint.

  Raises:
    RunFolderError: if there is none.
  """
  found = steps(workdir)
  reasons = []
  for index, step in enumerate(found):
    try:
      return _load(workdir / results.CHECKPOINTS / str(step), structure)
    except DamagedError as error:
      reasons.append(f"step {step:,}: {error}")
      if index + 1 < len(found):
        console.say(
          f"the checkpoint of step {step:,} is damaged ({error}); going back "
          f"to the one of step {found[index + 1]:,}"
        )
  if not found:
    raise RunFolderError(f"{workdir} has no checkpoint")
  raise RunFolderError(
    f"no checkpoint of {workdir} can be read ({'; '.join(reasons)})"
  )


class DamagedError(Exception):
  """A checkpoint that is not what was written; the message is one line."""


def _load(path: Path, structure: Progress) -> Loaded:
  """Reads a checkpoint; raises DamagedError if it is not what was written."""
  if not _is_whole(path):
    raise DamagedError("its files are not those that were written")
  description = _metadata(path)
  if "layout" not in description:
    raise DamagedError("another version wrote it")
  v1 = _orbax()
  with _alone(_options(v1)):
    packed = v1.load(str(path.resolve()))[PROGRESS]
  try:
    progress = byte_arrays.unpack(packed, description["layout"], structure)
  except byte_arrays.LayoutError as error:
    # Whole, but of other networks.
    raise DamagedError(str(error)) from error
  facts = {name: description[name] for name in Checkpoint._fields}
  own = {*facts, "num_troubled", "layout", "sha256"}
  return Loaded(
    Checkpoint(**facts)._replace(progress=progress),
    {name: value for name, value in description.items() if name not in own},
  )


def discard_after(workdir: Path, step: int) -> None:
  """Removes checkpoints of later steps, and all that are not whole."""
  earlier = {str(own) for own in steps(workdir) if own <= step}
  for path in (workdir / results.CHECKPOINTS).glob("*"):
    if path.name not in earlier or not _is_whole(path):
      _remove(path)
