"""Creates run folders, and lets one process at a time write to each."""

import contextlib
import difflib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from experiments.errors import RunFolderError
from experiments.run_folder import results

DEFAULT_PARENT = Path("runs")
"""Parent of the run folders of runs without --workdir."""
LOCK = ".lock"
"""File locked by the process that writes to a run folder. The lock ends with
the process."""


def _is_run_folder(workdir: Path) -> bool:
  """Tells whether a folder has the settings file that a run writes."""
  try:
    content = results.read_json(workdir / results.SETTINGS)
  except RunFolderError:
    return False
  return {"experiment", "seeds"} <= set(content)


def is_empty(workdir: Path) -> bool:
  """Tells whether a folder does not exist, or has nothing in it.

  Files of a process that was killed before its run started do not count.
  """
  try:
    return not workdir.is_dir() or all(
      path.name == LOCK or path.name.startswith(results.PARTIAL)
      for path in workdir.iterdir()
    )
  except OSError as error:
    raise _cannot_be_made(workdir, error) from error


def missing(workdir: Path) -> str:
  """Writes that there is no such folder, and which one may be meant."""
  if workdir.exists():
    return f"{workdir} is not a folder"
  parent = workdir.parent
  others = parent.iterdir() if parent.is_dir() else ()
  names = sorted(path.name for path in others if path.is_dir())
  near = difflib.get_close_matches(workdir.name, names, n=1)
  hint = f"; did you mean {parent / near[0]}?" if near else ""
  return f"there is no folder {workdir}{hint}"


def _cannot_be_made(workdir: Path, error: OSError) -> RunFolderError:
  return RunFolderError(
    f"workdir {workdir} cannot be made: {error.strerror or error}"
  )


def refuse(workdir: Path, overwrite: bool) -> None:
  """Raises RunFolderError if a new run may not be written to a folder.

  Args:
    workdir: the folder, which need not exist.
    overwrite: whether an existing run may be replaced.
  """
  try:
    os.path.abspath(workdir).encode()
  except UnicodeEncodeError:
    # Orbax cannot write checkpoints there.
    raise RunFolderError(
      f"workdir {workdir} has a name that is not UTF-8; choose another"
    ) from None
  if is_empty(workdir):
    return
  if not overwrite and not _is_run_folder(workdir):
    raise RunFolderError(
      f"workdir {workdir} exists and is not a run folder; choose another"
    )
  if not overwrite:
    raise RunFolderError(
      f"workdir {workdir} exists; choose another, or pass --resume to continue "
      "its run or --overwrite to replace it"
    )
  if not _is_run_folder(workdir):
    raise RunFolderError(
      f"workdir {workdir} is not a run folder (no run's {results.SETTINGS} is "
      "in it), so --overwrite leaves it alone; choose another"
    )


@contextlib.contextmanager
def create(workdir: Path, overwrite: bool) -> Iterator[None]:
  """Creates an empty run folder and claims it while the context lasts.

  Args:
    workdir: the folder; its parents are created too.
    overwrite: whether an existing run is removed.

  Raises:
    RunFolderError: if something may not be overwritten, the folder cannot be
      created, or another process writes to it.
  """
  refuse(workdir, overwrite)
  try:
    workdir.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise _cannot_be_made(workdir, error) from error
  with claim(workdir):
    # Another process may have written a whole run since.
    refuse(workdir, overwrite)
    try:
      clear(workdir)
    except OSError as error:
      raise _cannot_be_made(workdir, error) from error
    yield


@contextlib.contextmanager
def claim_or_create(
  workdir: str, name: str, resumes: bool, overwrite: bool
) -> Iterator[Path]:
  """Claims the folder of a run while the context lasts.

  Args:
    workdir: the run folder; "" makes the next free one under DEFAULT_PARENT.
    name: of the experiment.
    resumes: whether the run is there already.
    overwrite: whether another run may be removed.
  """
  if not workdir:
    with create_numbered(DEFAULT_PARENT, name) as folder:
      yield folder
    return
  folder = Path(workdir)
  with claim(folder) if resumes else create(folder, overwrite):
    yield folder


@contextlib.contextmanager
def create_numbered(parent: Path, name: str) -> Iterator[Path]:
  """Creates and claims the first free folder parent/name-001, name-002, ..."""
  workdir = _next_free(parent, name)
  with create(workdir, overwrite=False):
    yield workdir


def _next_free(parent: Path, name: str) -> Path:
  """Creates the first folder of this name and a number that does not exist."""
  for number in range(1, 10**6):
    workdir = parent / f"{name}-{number:03d}"
    if workdir.exists():
      continue
    try:
      parent.mkdir(parents=True, exist_ok=True)
      # Fails if another process has just taken this number.
      workdir.mkdir()
    except FileExistsError:
      if not workdir.exists():
        raise RunFolderError(f"{parent} is not a folder") from None
      continue
    except OSError as error:
      raise _cannot_be_made(workdir, error) from error
    return workdir
  raise RunFolderError(f"{parent} has a million runs of {name}; clear some")


@contextlib.contextmanager
def claim(workdir: Path) -> Iterator[None]:
  """Keeps other processes from writing to a run folder while it lasts.

  Raises:
    RunFolderError: if another process writes to it, or nobody may.
  """
  try:
    file = os.open(workdir / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
  except OSError as error:
    raise RunFolderError(
      f"workdir {workdir} cannot be written to: {error.strerror}"
    ) from error
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except OSError as error:
    holder = os.read(file, 100).decode(errors="replace").strip()
    os.close(file)
    if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
      raise RunFolderError(
        f"workdir {workdir} cannot be locked: {error.strerror}"
      ) from error
    raise RunFolderError(
      f"workdir {workdir} is being written to by {holder or 'another process'}"
    ) from error
  try:
    os.ftruncate(file, 0)
    os.write(file, f"process {os.getpid()} on {os.uname().nodename}".encode())
    yield
  finally:
    os.close(file)


def clear(workdir: Path) -> None:
  """Removes the files of a run, and leaves all other files."""
  for path in workdir.glob(f"{results.PARTIAL}*"):
    path.unlink()
  for name in results.FILES:
    (workdir / name).unlink(missing_ok=True)
  for name in results.FOLDERS:
    if (workdir / name).is_dir():
      shutil.rmtree(workdir / name)
