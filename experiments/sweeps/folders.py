"""The folder of a sweep.

plan.json       what is trained; written first, and never changed
trials/NAME/    the run folder of each trial, named by its settings
programs/NNN/   progress, checkpoints and log of each program, while it trains
array.sh        what Slurm is given, if it trains
results.csv     a row for each trial and seed
summary.json    trials in the order of their scores, with intervals
figures/*.png, report.html
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from experiments.run_folder import results, workdirs
from experiments.run_folder.results import RunFolderError
from experiments.sweeps import plan as plans

CSV, SLURM_SCRIPT = "results.csv", "array.sh"
_FILES = (plans.PLAN, SLURM_SCRIPT, CSV, results.SUMMARY, results.REPORT)
_FOLDERS = (plans.TRIALS, plans.PROGRAMS, results.FIGURES)


@contextlib.contextmanager
def claimed(
  workdir: str, experiment: str, resumes: bool, overwrite: bool
) -> Iterator[Path]:
  """Makes or takes the folder of a sweep; no other process may sweep into it.

  Args:
    workdir: as `--workdir` has it; "" for the next free one.
    experiment: its name.
    resumes: whether it has the sweep that is to go on.
    overwrite: whether a sweep that is there may be removed.

  Yields:
    The folder.

  Raises:
    RunFolderError: if something is there that may not be overwritten, the
      folder cannot be made, or another process has it.
  """
  folder = Path(workdir)
  if not workdir:
    with workdirs.create_numbered(
      workdirs.DEFAULT_PARENT, f"sweep-{experiment}"
    ) as made:
      yield made
  elif resumes:
    with workdirs.claim(folder):
      yield folder
  elif workdirs.is_empty(folder):
    with workdirs.create(folder, overwrite=False):
      yield folder
  elif not (folder / plans.PLAN).exists():
    raise RunFolderError(
      f"workdir {folder} exists and is no folder of a sweep; choose another"
    )
  elif not overwrite:
    raise RunFolderError(
      f"workdir {folder} has a sweep; choose another, or pass --overwrite"
    )
  else:
    with workdirs.claim(folder):
      _clear(folder)
      yield folder


def _clear(folder: Path) -> None:
  """Removes what a sweep writes, its plan last: without one it is none."""
  for name in _FOLDERS:
    if (folder / name).is_dir():
      shutil.rmtree(folder / name)
  for name in reversed(_FILES):
    (folder / name).unlink(missing_ok=True)
