"""Checkpoints of a run: Orbax writes them in the background and reads them.

The folder `checkpoints/STEP` of a run holds the progress of every seed after
so many steps, what the checkpoint belongs to (experiment, settings, seeds), and
`files.json` with the SHA-256 of each of these files. `files.json` is written
last and removed first: a folder without it does not count as a checkpoint. If
the files do not match it, the checkpoint is damaged and an earlier one is used.
"""

import concurrent.futures
import errno
import hashlib
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import jax

from experiments.cli import console
from experiments.errors import RunFolderError
from experiments.run_folder import results
from gan_jax.training import Checkpoint, Progress

MANIFEST = "files.json"


class Keeping(NamedTuple):
  """Which checkpoints are kept.

  Attributes:
    newest: number of newest checkpoints to keep.
    every: also keep those whose step is a multiple of this; 0 for none.
  """

  newest: int = 3
  every: int = 0


def _steps_to_keep(
  keeping: Keeping, num_warned: Mapping[int, float]
) -> set[int]:
  """Applies `keeping`; also keeps the newest with the fewest warned seeds."""
  newest_first = sorted(num_warned, reverse=True)
  every = keeping.every
  return {
    min(newest_first, key=lambda step: num_warned[step]),
    *newest_first[: keeping.newest],
    *(step for step in num_warned if every > 0 and step % every == 0),
  }


class Writer:
  """Writes the checkpoints of a run in a background thread.

  `save` waits only while the checkpoint before it is still being written. An
  error while writing is raised by the next `save`, by `wait`, or at the end.
  """

  def __init__(
    self,
    workdir: Path,
    keeping: Keeping,
    description: Mapping[str, Any],
    on_first: Callable[[int], None] = lambda step: None,
  ):
    """Prepares to write checkpoints.

    Args:
      workdir: the folder of the run.
      keeping: which checkpoints are kept.
      description: JSON that is saved in every checkpoint.
      on_first: called with the step when the first checkpoint is whole.
    """
    self._folder = workdir / results.CHECKPOINTS
    self._keeping = keeping
    self._description = description
    self._on_first = on_first
    self._thread = concurrent.futures.ThreadPoolExecutor(1)
    self._pending: concurrent.futures.Future | None = None
    self._num_warned: dict[int, float] | None = None

  def __enter__(self) -> Self:
    return self

  def __exit__(self, *_: Any) -> None:
    try:
      self.wait()
    finally:
      self._thread.shutdown()

  def save(
    self,
    checkpoint: Checkpoint,
    num_warned: int,
    wall_seconds: float,
    checksums: Mapping[str, str] = MappingProxyType({}),
  ) -> None:
    """Starts to write a checkpoint once the one before is written.

    Args:
      checkpoint: to write.
      num_warned: seeds that have failed or caused a warning.
      wall_seconds: how long the run has taken so far.
      checksums: of the rows of metrics, by the index of their run.
    """
    self.wait()
    self._pending = self._thread.submit(
      self._write, checkpoint, num_warned, wall_seconds, dict(checksums)
    )

  def wait(self) -> None:
    """Waits until everything is written; raises RunFolderError if it fails."""
    pending, self._pending = self._pending, None
    if pending is None:
      return
    try:
      pending.result()
    except Exception as error:
      # Orbax raises different types, depending on what fails.
      newest = max(steps(self._folder.parent), default=0)
      raise RunFolderError(
        f"a checkpoint cannot be written to {self._folder} ({_reason(error)}); "
        f"--resume continues from step {newest:,}"
      ) from error

  def _write(
    self,
    checkpoint: Checkpoint,
    num_warned: int,
    wall_seconds: float,
    checksums: dict[str, str],
  ) -> None:
    import orbax.checkpoint as ocp

    progress = checkpoint.progress
    num_bytes = sum(array.nbytes for array in jax.tree.leaves(progress))
    # Orbax would write a part, and report the error in several threads.
    if shutil.disk_usage(self._folder.parent).free < num_bytes:
      raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if self._num_warned is None:
      self._num_warned = self._read_num_warned()
    path = self._folder / str(checkpoint.step)
    facts = checkpoint._asdict()
    del facts["progress"]
    _checkpointer().save(
      path.resolve(),
      args=ocp.args.PyTreeSave(progress),
      custom_metadata={
        "checkpoint": facts,
        "description": {
          **self._description,
          "wall_seconds": wall_seconds,
          "metrics_sha256": checksums,
        },
        "num_warned": num_warned,
      },
    )
    for file in path.rglob("*"):
      results.sync(file)
    results.write_json(path / MANIFEST, _hash_files(path))
    if not self._num_warned:
      self._on_first(checkpoint.step)
    self._num_warned[checkpoint.step] = num_warned
    kept = _steps_to_keep(self._keeping, self._num_warned)
    for step in set(self._num_warned) - kept:
      _remove(self._folder / str(step))
      del self._num_warned[step]

  def _read_num_warned(self) -> dict[int, float]:
    """Reads the warned seeds of every step; removes unfinished checkpoints."""
    self._folder.mkdir(exist_ok=True)
    found = steps(self._folder.parent)
    for path in self._folder.iterdir():
      if path.name not in map(str, found):
        _remove(path)
    return {
      step: _metadata(self._folder / str(step)).get("num_warned", math.inf)
      for step in found
    }


def _checkpointer() -> Any:
  """Makes an Orbax checkpointer that waits for no other process."""
  # Imported late, here and below: it takes longer than the start of a command.
  import orbax.checkpoint as ocp

  # Orbax also logs the errors that it raises.
  for name in ("absl", "asyncio"):
    logging.getLogger(name).setLevel(logging.CRITICAL)
  process = jax.process_index()
  options = ocp.options.MultiprocessingOptions(
    primary_host=process, active_processes={process}
  )
  return ocp.Checkpointer(
    ocp.PyTreeCheckpointHandler(multiprocessing_options=options),
    multiprocessing_options=options,
  )


def _metadata(path: Path) -> dict[str, Any]:
  """Reads what was saved beside the progress."""
  return _checkpointer().metadata(path.resolve()).custom_metadata or {}


def _remove(path: Path) -> None:
  """Removes a checkpoint; its manifest goes first, so no half is loaded."""
  (path / MANIFEST).unlink(missing_ok=True)
  shutil.rmtree(path)


def _hash_files(path: Path) -> dict[str, str]:
  """Computes the SHA-256 of every file of a checkpoint, by relative path."""
  return {
    str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
    for file in sorted(path.rglob("*"))
    if file.is_file() and file.name != MANIFEST
  }


def _is_intact(path: Path) -> bool:
  """Tells whether the files of a checkpoint match its manifest."""
  try:
    return results.read_json(path / MANIFEST) == _hash_files(path)
  except RunFolderError:
    return False


def steps(workdir: Path) -> list[int]:
  """Lists the steps of a run's checkpoints, newest first."""
  manifests = (workdir / results.CHECKPOINTS).glob(f"*/{MANIFEST}")
  names = [path.parent.name for path in manifests]
  return sorted((int(name) for name in names if name.isdecimal()), reverse=True)


def _reason(error: Exception) -> str:
  """Shortens an error of Orbax to a few words."""
  text = " ".join(str(error).split()) or type(error).__name__
  no_space = os.strerror(errno.ENOSPC)
  return no_space if no_space in text else text[:200]


class Loaded(NamedTuple):
  """A checkpoint, and the description and checksums saved with it."""

  checkpoint: Checkpoint
  description: dict[str, Any]


def load_newest(workdir: Path, structure: Progress) -> Loaded:
  """Loads the newest intact checkpoint, and warns of those that are damaged.

  Raises RunFolderError if none is intact, or if the progress in it does not
  have the structure, a pytree of `jax.ShapeDtypeStruct`.
  """
  if not steps(workdir):
    raise RunFolderError(f"{workdir} has no checkpoint")
  for loaded in load_intact(workdir, structure):
    return loaded
  raise RunFolderError(
    f"no checkpoint of {workdir} can be read: all are damaged; train the run "
    "anew with --overwrite"
  )


def load_intact(workdir: Path, structure: Progress) -> Iterator[Loaded]:
  """Loads the intact checkpoints, newest first; as in `load_newest`."""
  found = steps(workdir)
  for step, before in zip(found, [*found[1:], None], strict=True):
    path = workdir / results.CHECKPOINTS / str(step)
    if _is_intact(path):
      yield _load(path, structure)
    elif before is not None:
      console.say(
        f"the checkpoint of step {step:,} is damaged; going back to the one of "
        f"step {before:,}"
      )


def _load(path: Path, structure: Progress) -> Loaded:
  """Loads an intact checkpoint."""
  import orbax.checkpoint as ocp

  metadata = _metadata(path)
  if "description" not in metadata:
    raise _older_version_error(path, "cannot be read")
  restored = _checkpointer().restore(
    path.resolve(), args=ocp.args.PyTreeRestore()
  )
  # Orbax restores the progress as nested dictionaries of NumPy arrays.
  arrays = ocp.tree.to_flat_dict(restored, sep=".")
  expected = ocp.tree.to_flat_dict(structure, sep=".")
  old, new = (
    {name: f"{x.dtype}{list(x.shape)}" for name, x in named.items()}
    for named in (arrays, expected)
  )
  for name in sorted({*old, *new}):
    if name not in old and name.startswith("state.average_statistics."):
      raise _older_version_error(
        path, "lacks the batch statistics of the generator's average"
      )
    if old.get(name) != new.get(name):
      raise RunFolderError(
        f"the checkpoint {path} is of other networks: its {name} is "
        f"{old.get(name, 'absent')}, not {new.get(name, 'absent')}"
      )
  progress = jax.tree.unflatten(
    jax.tree.structure(structure), [arrays[name] for name in expected]
  )
  return Loaded(
    Checkpoint(progress=progress, **metadata["checkpoint"]),
    metadata["description"],
  )


def _older_version_error(path: Path, problem: str) -> RunFolderError:
  """Makes the error that names the version which wrote a checkpoint."""
  settings = results.read_json(path.parents[1] / results.SETTINGS)
  version = settings.get("versions", {}).get("gan_jax", "of unknown version")
  commit = settings.get("git_commit") or "unknown"
  return RunFolderError(
    f"the checkpoint {path} was written by an older gan_jax {version} "
    f"(commit {commit[:10]}) and {problem}; use that version to resume or "
    "sample"
  )


def discard_after(workdir: Path, step: int) -> None:
  """Removes checkpoints of later steps, and all that are not intact."""
  earlier = {str(found) for found in steps(workdir) if found <= step}
  for path in (workdir / results.CHECKPOINTS).glob("*"):
    if path.name not in earlier or not _is_intact(path):
      _remove(path)
