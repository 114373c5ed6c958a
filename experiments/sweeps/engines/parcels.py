"""What a program has come to, as files that travel between machines."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from experiments.run_folder import results, workdirs
from experiments.sweeps import progress, worker_process
from experiments.sweeps.plan import Plan
from experiments.training import checkpoints

_OF_FINISHED = (results.METRICS, results.SUMMARY)
"""What trials that train together need of one that has finished."""


class Parcel(NamedTuple):
  """Files of a program, in the order in which they are to be written.

  Attributes:
    files: contents by path in the folder of the sweep.
    folders: paths of those of which nothing else is to stay.
    code: exit code of the process, once it has ended.
  """

  files: Mapping[str, bytes]
  folders: tuple[str, ...] = ()
  code: int | None = None


def outward(plan: Plan, index: int, folder: Path) -> Parcel:
  """Packs what a machine needs to go on with a program.

  Args:
    plan: of the sweep.
    index: of the program.
    folder: of the sweep.
  """
  files = _read(worker_process.scratch(folder, index), folder)
  for trial in plan.programs[index]:
    workdir = plan.workdir(folder, trial)
    if plan.is_done(folder, trial):
      for name in _OF_FINISHED:
        path = workdir / name
        files[str(path.relative_to(folder))] = path.read_bytes()
    else:
      files.update(_read(workdir, folder))
  return Parcel(files)


def steps(index: int, folder: Path) -> Parcel:
  """Packs how far a program is.

  Args:
    index: of the program.
    folder: of the sweep.
  """
  path = worker_process.scratch(folder, index) / progress.PROGRESS
  if not path.exists():
    return Parcel({})
  return Parcel({str(path.relative_to(folder)): path.read_bytes()})


def landmarks(plan: Plan, index: int, folder: Path) -> frozenset[Path]:
  """Lists what is worth to be sent: whole checkpoints, and finished trials.

  Args:
    plan: of the sweep.
    index: of the program.
    folder: of the sweep.
  """
  scratch = worker_process.scratch(folder, index)
  return frozenset(
    [
      *(
        round_ / str(step)
        for round_ in scratch.glob("*/")
        for step in checkpoints.steps(round_)
      ),
      *(
        plan.workdir(folder, trial)
        for trial in plan.programs[index]
        if plan.is_done(folder, trial)
      ),
    ]
  )


def homeward(
  plan: Plan, index: int, folder: Path, trials: Collection[int]
) -> Parcel | None:
  """Packs what a program has come to, while it trains or after.

  A training goes on from any checkpoint whose rows have been written; so the
  checkpoints are read first, and rows that come later do no harm.

  Args:
    plan: of the sweep.
    index: of the program.
    folder: of the sweep.
    trials: of the program, those to pack.

  Returns:
    The parcel; None if a file went away meanwhile, as it does where a
    checkpoint takes the place of another.
  """
  scratch = worker_process.scratch(folder, index)
  try:
    of_program = _read(scratch, folder)
    rows: dict[str, bytes] = {}
    summaries: dict[str, bytes] = {}
    for trial in trials:
      is_done = plan.is_done(folder, trial)
      rows.update(_read(plan.workdir(folder, trial), folder))
      path = str(plan.workdir(Path(), trial) / results.SUMMARY)
      summary = rows.pop(path, b"")
      # One that came meanwhile is of files that were read too early.
      if is_done:
        summaries[path] = summary
  except FileNotFoundError:
    return None
  folders = [scratch]
  for trial in trials:
    for name in (results.CHECKPOINTS, results.FRAMES):
      folders.append(plan.workdir(folder, trial) / name)
  return Parcel(
    {**rows, **of_program, **summaries},
    tuple(str(own.relative_to(folder)) for own in folders),
  )


def has_finished(plan: Plan, trial: int, parcel: Parcel) -> bool:
  """Tells whether a parcel has all of a trial."""
  path = plan.workdir(Path(), trial) / results.SUMMARY
  return str(path) in parcel.files


def _read(folder: Path, root: Path) -> dict[str, bytes]:
  """Reads all files of a folder, manifests of checkpoints last.

  Raises:
    FileNotFoundError: if one goes away meanwhile.
  """
  whole = {path.parent for path in folder.rglob(checkpoints.MANIFEST)}
  found = [
    path
    for path in folder.rglob("*")
    if path.name != workdirs.LOCK
    and not path.name.startswith(results.PARTIAL)
    and _belongs(path.relative_to(folder), folder, whole)
    and path.is_file()
  ]
  found.sort(key=lambda path: (path.name == checkpoints.MANIFEST, path))
  return {str(path.relative_to(root)): path.read_bytes() for path in found}


def _belongs(path: Path, folder: Path, whole: Collection[Path]) -> bool:
  """Tells whether a path in a folder is in no checkpoint, or a whole one."""
  return all(
    folder / parent in whole
    for parent in path.parents
    if parent.parent.name == results.CHECKPOINTS
  )


def unpack(parcel: Parcel, folder: Path) -> None:
  """Writes the files of a parcel, each of them whole or not at all.

  A summary comes last, and only then goes what is there no more: whatever ends
  this leaves a trial finished, or one to go on with.

  Args:
    parcel: that has come.
    folder: of the sweep.

  Raises:
    OSError: if something cannot be written.
  """
  for name, content in parcel.files.items():
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with results.replacing(path) as partial:
      partial.write_bytes(content)
  for name in parcel.folders:
    own = folder / name
    for path in sorted([own, *own.rglob("*")], reverse=True):
      if path.is_dir():
        if not any(path.iterdir()):
          path.rmdir()
      elif (
        str(path.relative_to(folder)) not in parcel.files
        and path.name != workdirs.LOCK
      ):
        path.unlink(missing_ok=True)
