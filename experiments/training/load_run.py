"""Finds runs, and loads what one of their generators has learnt."""

import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

import jax

from experiments.cli import console
from experiments.configs.experiment import Experiment
from experiments.configs.settings import Settings
from experiments.errors import RunFolderError
from experiments.run_folder import results
from experiments.run_folder.results import Results
from experiments.training import checkpoints, run_config
from experiments.training.run_config import RunSettings
from gan_jax import training
from gan_jax.training import Problem
from gan_jax.types import Device, TrainState


class LoadedRun(NamedTuple):
  """One seed of a finished run, with the state that it ended in."""

  experiment: Experiment
  settings: Settings
  problem: Problem
  seed: int
  state: TrainState


def load_run(workdir: Path, seed: int | None, device: Device) -> LoadedRun:
  """Loads one seed of a finished run.

  Args:
    workdir: the run folder.
    seed: None for the first.
    device: where to place the state.

  Raises:
    RunFolderError: if the folder has no such seed that this version can read.
    SettingError: if the problem cannot be built because its data is missing.
  """
  experiment, settings, seeds = run_config.read_settings(workdir)
  seed = int(seeds[0] if seed is None else seed)
  if seed not in seeds:
    raise RunFolderError(
      f"{workdir} has no seed {seed}; it has {', '.join(map(str, seeds))}"
    )
  problem = experiment.build(settings)
  structure = training.structure(problem, len(seeds))
  loaded = checkpoints.load_newest(workdir, structure)
  index = seeds.index(seed)
  state = jax.tree.map(
    lambda leaf: jax.device_put(leaf[index], device),
    loaded.checkpoint.progress.state,
  )
  return LoadedRun(experiment, settings, problem, seed, state)


def find_run(
  parent: Path, run: RunSettings
) -> tuple[Path, Results | None] | None:
  """Finds a run with the same experiment, settings and seeds.

  A folder that cannot be read is skipped with a message.

  Args:
    parent: the folder whose run folders are searched.
    run: what to look for.

  Returns:
    The folder of the newest finished run by name, and its results; or of an
    unfinished run, and None; or None if there is no such run.
  """
  wanted = {
    "experiment": run.experiment.name,
    "settings": dataclasses.asdict(run.settings),
    "seeds": list(run.seeds),
  }
  # As JSON reads it back, with lists for tuples.
  wanted = json.loads(json.dumps(wanted))
  unfinished = None
  for settings in sorted(parent.glob(f"*/{results.SETTINGS}"), reverse=True):
    workdir = settings.parent
    try:
      found = results.read_json(settings)
      if any(found.get(name) != value for name, value in wanted.items()):
        continue
      if results.is_finished(workdir):
        return workdir, results.read_results(workdir)
      unfinished = unfinished or (workdir, None)
    except RunFolderError as error:
      console.say(f"skipping {error}")
  return unfinished
