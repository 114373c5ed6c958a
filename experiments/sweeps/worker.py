"""Trains one program of a sweep: trials that share a compiled program."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.reports import run_report
from experiments.run_folder import results
from experiments.sweeps import rounds, vectorize
from experiments.sweeps.plan import Plan
from experiments.sweeps.progress import ProgressFile
from experiments.training import checkpoints, trainer
from gan_jax import training
from gan_jax.types import Device


def train(
  plan: Plan,
  index: int,
  folder: Path,
  scratch: Path,
  devices: Sequence[Device],
  checkpoint_every: int = 0,
  draws: bool = False,
  should_stop: Callable[[], bool] = lambda: False,
) -> bool:
  """Trains the trials of a program that have not finished.

  They train together, in rounds that fit into memory. A trial that has
  finished is never touched again.

  Args:
    plan: of the sweep.
    index: of the program.
    folder: of the sweep, which holds the trials' run folders.
    scratch: a folder for the program's checkpoints, claimed by this process.
    devices: that the members are divided among.
    checkpoint_every: steps between checkpoints; 0 for one a minute.
    draws: whether to draw the trials' pictures.
    should_stop: whether the process was interrupted.

  Returns:
    Whether all trials have finished; otherwise they were interrupted and saved.

  Raises:
    RunFolderError: if a folder holds something that cannot be resumed.
    SettingError: if the problem cannot be built, or a trial does not fit.
    OSError: if something cannot be written.
  """
  trials = [plan.trials[trial] for trial in plan.programs[index]]
  workdirs = [plan.workdir(folder, trial) for trial in plan.programs[index]]
  build = vectorize.builder(trials[0].run)
  options = trainer.Options(
    checkpoint_every,
    checkpoints.Keeping(newest=1),
    max_frames=training.MAX_FRAMES if draws else 1,
    draw_figures=draws,
    show_progress=False,
  )
  done = 0
  for number, size in enumerate(rounds.sizes(scratch, trials, build, devices)):
    in_round = slice(done, done + size)
    runs = [trial.run for trial in trials[in_round]]
    round_folder = scratch / str(number)
    if not all(map(results.is_finished, workdirs[in_round])):
      for path in (round_folder, *workdirs[in_round]):
        path.mkdir(parents=True, exist_ok=True)
      finished = trainer.train(
        runs,
        workdirs[in_round],
        build,
        devices,
        options,
        resumes=True,
        should_stop=should_stop,
        folder=round_folder,
        variation=vectorize.pack(runs, build),
        callbacks=[ProgressFile(scratch, done, size, runs[0])],
      )
      if finished is None:
        return False
    for workdir in workdirs[in_round]:
      run_report.write([workdir], workdir / results.REPORT)
    # Each trial has its part of the checkpoints by now.
    shutil.rmtree(round_folder, ignore_errors=True)
    done += size
  return True
