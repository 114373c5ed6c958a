"""Loads the trained runs that a figure needs, and trains what is missing."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.cli import console
from experiments.configs.registry import BY_NAME
from experiments.configs.settings import with_values
from experiments.reports import run_report
from experiments.reproduce.common.figure import Training
from experiments.run_folder import results, workdirs
from experiments.run_folder.results import Results
from experiments.training import load_run, trainer
from experiments.training.run_config import RunSettings
from gan_jax.types import Device


class TrainedRun(NamedTuple):
  """A finished run and its folder."""

  results: Results
  workdir: Path

  def provenance(self) -> dict[str, Any]:
    """Describes the run: folder, seeds, versions, device and git commit."""
    settings = results.read_json(self.workdir / results.SETTINGS)
    names = ("seeds", "versions", "device", "git_commit")
    return {
      "folder": str(self.workdir),
      **{name: settings.get(name) for name in names},
    }


def load_or_train(
  training: Training,
  seed: int,
  parent: Path,
  devices: Sequence[Device],
  should_stop: Callable[[], bool] = lambda: False,
) -> TrainedRun:
  """Loads a finished run, resumes an unfinished one, or trains a new one.

  Args:
    training: what to train.
    seed: the first of its seeds.
    parent: the folder of the run folders.
    devices: the devices to train on.
    should_stop: whether the process was interrupted.

  Raises:
    KeyboardInterrupt: if the process was interrupted; the training is saved.
  """
  experiment = BY_NAME[training.experiment]
  run = RunSettings(
    experiment,
    with_values(experiment.settings, training.settings),
    tuple(range(seed, seed + training.num_seeds)),
  )
  workdir, found = load_run.find_run(parent, run) or (None, None)
  if workdir and found:
    console.say(f"  loads {workdir}")
    return TrainedRun(found, workdir)
  devices = devices[: training.num_seeds]
  problem = trainer.build_problem(run, devices)
  resumes = workdir is not None
  with contextlib.ExitStack() as stack:
    if workdir:
      stack.enter_context(workdirs.claim(workdir))
    else:
      workdir = stack.enter_context(
        workdirs.create_numbered(parent, experiment.name)
      )
    console.say(f"  {'resumes' if resumes else 'trains'} {workdir}")
    trained = trainer.train(
      [run],
      [workdir],
      lambda _: problem,
      devices,
      resumes=resumes,
      should_stop=should_stop,
    )
    if trained is None:
      raise KeyboardInterrupt
    run_report.write([workdir], workdir / results.REPORT)
    return TrainedRun(trained[0].results, workdir)
