"""What a sweep has come to: a table, a ranking, figures and a page."""

from pathlib import Path

from experiments.cli import console
from experiments.reports import run_report
from experiments.run_folder import results
from experiments.sweeps import (
  display,
  folders,
  ranking,
  report,
  seed_table,
  summary,
)
from experiments.sweeps.plan import Plan
from experiments.sweeps.plots import overview

FAILED_EXIT_CODE = 1


def conclude(plan: Plan, folder: Path) -> int:
  """Writes what a sweep has come to, and prints its best trials.

  All of it is made again from the folders of the trials each time.

  Args:
    plan: of the sweep.
    folder: of the sweep, in which all trials have finished.

  Returns:
    The exit code: not 0 if every seed of every trial failed.

  Raises:
    RunFolderError: if a trial's folder is damaged.
    OSError: if something cannot be written.
  """
  for index in range(len(plan.trials)):
    workdir = plan.workdir(folder, index)
    # Its process may have ended just before.
    if not (workdir / results.REPORT).exists():
      run_report.write([workdir], workdir / results.REPORT)
  measured = ranking.read(plan, folder)
  places = ranking.ranked(measured)
  seconds = summary.program_seconds(plan, folder, measured)
  seed_table.write(plan, measured, folder / folders.CSV)
  figures = overview.figures(plan, places)
  results.write_figures(
    folder, {name: draw() for name, draw in figures.items()}
  )
  report.write(plan, places, folder, seconds)
  results.write_json(
    folder / results.SUMMARY, summary.content(plan, places, seconds)
  )
  display.print_ranking(plan, places)
  print(f"written to {folder}")
  if ranking.all_failed(places):
    console.say("error: every seed of every trial failed")
    return FAILED_EXIT_CODE
  return 0
