"""The folder of a sweep.

plan.json       what is trained; written first, and never changed
trials/NAME/    the run folder of each trial, named by its settings
programs/NNN/   progress, checkpoints and log of each program while it trains
results.csv     a row for each trial and seed
summary.json    trials in the order of their scores, with intervals
figures/*.png, report.html
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from experiments.errors import RunFolderError
from experiments.run_folder import results, workdirs
from experiments.sweeps import plan as plans

CSV = "results.csv"


@contextlib.contextmanager
def claimed(
  workdir: str, experiment: str, resumes: bool, overwrite: bool
) -> Iterator[Path]:
  """Makes or takes the folder of a sweep, and locks it while the context lasts.

  Args:
    workdir: value of `--workdir`; "" for the next free one.
    experiment: name of the experiment.
    resumes: whether the folder has the sweep, which continues.
    overwrite: whether to remove another sweep that is there.

  Yields:
    The folder.

  Raises:
    RunFolderError: if something is there that may not be overwritten, the
      folder cannot be made, or another process has locked it.
  """
  exists = resumes or bool(workdir and not workdirs.is_empty(Path(workdir)))
  if exists and not (Path(workdir) / plans.PLAN).exists():
    raise RunFolderError(
      f"workdir {workdir} exists and is no folder of a sweep; choose another"
    )
  if exists and not (resumes or overwrite):
    raise RunFolderError(
      f"workdir {workdir} has a sweep; choose another, or pass --overwrite"
    )
  with workdirs.claim_or_create(
    workdir, f"sweep-{experiment}", exists, overwrite=False
  ) as folder:
    if exists and not resumes:
      _clear(folder)
    yield folder


def _clear(folder: Path) -> None:
  """Removes a sweep, its plan last: without one it is no sweep."""
  for name in (plans.TRIALS, plans.PROGRAMS, results.FIGURES):
    if (folder / name).is_dir():
      shutil.rmtree(folder / name)
  for name in (results.REPORT, results.SUMMARY, CSV, plans.PLAN):
    (folder / name).unlink(missing_ok=True)
