"""Checkpoints of a run: written while it trains, and read back, by Orbax.

A checkpoint holds the progress of every member, and in its metadata what it
belongs to: experiment, settings, seeds, step. One that is not whole, or whose
numbers are not those that were written, is passed over for the one before.
"""

import concurrent.futures
import errno
import hashlib
import logging
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import jax
import numpy as np

from experiments import console, results
from experiments.driver import Checkpoint
from experiments.results import RunFolderError
from gan_jax.training import Progress
from gan_jax.types import Device

MANIFEST = "files.json"
"""The hash of every file of a checkpoint, written when they all are."""


class Keeping(NamedTuple):
  """Which checkpoints stay.

  Attributes:
    newest: how many of the newest ones.
    every: those of each so many steps too; 0 for none.
  """

  newest: int = 3
  every: int = 0


class _Preservation:
  """Orbax's policy: `Keeping`, and the newest with the fewest in trouble."""

  def __init__(self, keeping: Keeping):
    self._keeping = keeping

  def should_preserve(
    self, checkpoints: Sequence[Any], *, context: Any
  ) -> list[bool]:
    steps = [own.step for own in checkpoints]
    # One whose removal was interrupted may have lost its metrics.
    troubled = [
      (own.metrics or {}).get("num_troubled", math.inf) for own in checkpoints
    ]
    healthy = [
      step
      for step, num in zip(steps, troubled, strict=True)
      if num == min(troubled)
    ]
    kept = {*steps[-self._keeping.newest :], *healthy[-1:]}
    every = self._keeping.every
    return [step in kept or (every > 0 and step % every == 0) for step in steps]


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
    self._thread = concurrent.futures.ThreadPoolExecutor(1)
    self._orbax: Any = None
    self._pending: concurrent.futures.Future | None = None

  def __enter__(self) -> Self:
    return self

  def __exit__(self, *_: Any) -> None:
    try:
      self.wait()
    finally:
      if self._orbax is not None:
        self._orbax.close()
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
      # Orbax has an error of its own for each way of writing. It would raise
      # this one again when it is closed.
      self._orbax = None
      raise RunFolderError(
        f"a checkpoint cannot be written to {self._folder} ({_cause(error)}); "
        + _newest(self._folder.parent)
      ) from error

  def _write(
    self, checkpoint: Checkpoint, num_troubled: int, wall_seconds: float
  ) -> None:
    # Imported late: it takes longer than a command's start.
    from orbax.checkpoint.experimental import v1

    # Before Orbax writes a part of it, and complains in many threads.
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(checkpoint.progress))
    if shutil.disk_usage(self._folder.parent).free < size:
      raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    # What they log as errors is also raised, once.
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    if self._orbax is None:
      self._orbax = v1.training.Checkpointer(
        str(self._folder.resolve()),
        preservation_policy=_Preservation(self._keeping),
        cleanup_tmp_directories=True,
      )
    self._orbax.save(
      checkpoint.step,
      checkpoint.progress,
      force=True,
      metrics={"num_troubled": num_troubled},
      custom_metadata={
        **self._description,
        **checkpoint._replace(progress=None)._asdict(),
        "wall_seconds": wall_seconds,
        "sha256": _digest(checkpoint.progress),
      },
    )
    path = self._folder / str(checkpoint.step)
    results.write_json(path / MANIFEST, _hashes(path))


def _digest(progress: Progress) -> str:
  """Hashes numbers, shapes and types."""
  digest = hashlib.sha256()
  for leaf in map(np.ascontiguousarray, jax.tree.leaves(progress)):
    digest.update(f"{leaf.dtype}{leaf.shape}".encode())
    digest.update(leaf.view(np.uint8).data)
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


def load_newest(workdir: Path, structure: Progress, device: Device) -> Loaded:
  """Reads the newest whole checkpoint; says which ones are not.

  Args:
    workdir: the run folder.
    structure: of the progress of all members, of `jax.ShapeDtypeStruct`.
    device: where its arrays are put together.

  Returns:
    The checkpoint.

  Raises:
    RunFolderError: if there is none.
  """
  found = steps(workdir)
  reasons = []
  for index, step in enumerate(found):
    try:
      return _load(workdir / results.CHECKPOINTS / str(step), structure, device)
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


def _load(path: Path, structure: Progress, device: Device) -> Loaded:
  """Reads a checkpoint; raises DamagedError if it is not what was written."""
  from orbax.checkpoint.experimental import v1

  if not _is_whole(path):
    raise DamagedError("its files are not those that were written")
  source = str(path.resolve())
  placed = jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(
      leaf.shape,
      leaf.dtype,
      sharding=jax.sharding.SingleDeviceSharding(device),
    ),
    structure,
  )
  metadata: Any = v1.metadata(source).custom_metadata
  try:
    progress = v1.load(source, placed)
  except ValueError as error:
    # Whole, but of other networks.
    raise DamagedError(_cause(error)) from error
  progress = jax.tree.map(np.asarray, progress)
  description = dict(metadata)
  del description["sha256"]
  facts = {name: description.pop(name) for name in Checkpoint._fields}
  return Loaded(Checkpoint(**facts)._replace(progress=progress), description)


def discard_after(workdir: Path, step: int) -> None:
  """Removes checkpoints of later steps, and all that are not whole.

  Orbax reads something of each one that is there.
  """
  earlier = {str(own) for own in steps(workdir) if own <= step}
  for path in (workdir / results.CHECKPOINTS).glob("*"):
    if path.name not in earlier or not _is_whole(path):
      shutil.rmtree(path)
