"""Finds runs, and loads what one of their generators has learnt."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.cli import console
from experiments.configs.experiment import Experiment, Generator
from experiments.configs.settings import Settings
from experiments.errors import RunFolderError
from experiments.run_folder import results
from experiments.run_folder.results import Results
from experiments.training import checkpoints, run_config
from experiments.training.run_config import RunSettings
from gan_jax import training
from gan_jax.types import Device, TrainState


class LoadedRun(NamedTuple):
  """One seed of a finished run, with the state that it ended in.

  `healthy` are the seeds of the run that have not failed and whose numbers are
  finite.
  """

  experiment: Experiment
  settings: Settings
  generator: Generator
  seed: int
  state: TrainState
  healthy: tuple[int, ...]


def load_run(workdir: Path, seed: int | None, device: Device) -> LoadedRun:
  """Loads one seed of a finished run.

  Args:
    workdir: the run folder.
    seed: None for the first.
    device: where to place the state.

  Raises:
    RunFolderError: if the folder has no such seed that this version can read.
    SettingError: if the folder does not describe its data and that is missing.
  """
  experiment, settings, seeds = run_config.read_settings(workdir)
  seed = int(seeds[0] if seed is None else seed)
  if seed not in seeds:
    raise RunFolderError(
      f"{workdir} has no seed {seed}; it has {', '.join(map(str, seeds))}"
    )
  generator = _generator(workdir, experiment, settings)
  structure = training.structure(generator.init, len(seeds))
  loaded = checkpoints.load_newest(workdir, structure)
  progress = loaded.checkpoint.progress
  index = seeds.index(seed)
  state = jax.tree.map(
    lambda leaf: jax.device_put(leaf[index], device), progress.state
  )
  return LoadedRun(
    experiment, settings, generator, seed, state, _healthy(progress, seeds)
  )


def _healthy(
  progress: training.Progress, seeds: Sequence[int]
) -> tuple[int, ...]:
  """Lists the seeds that have not failed and whose numbers are finite."""
  failed = [
    each.seed for each in training.list_failures(progress.failed_at, seeds)
  ]
  state = progress.state
  # A generator can overflow although both costs are finite.
  numbers = [
    leaf.reshape(len(seeds), -1)
    for leaf in jax.tree.leaves(
      (state.params, state.variables, state.averages, state.average_statistics)
    )
    if jnp.issubdtype(leaf.dtype, jnp.floating)
  ]
  return tuple(
    seed
    for index, seed in enumerate(seeds)
    if seed not in failed and all(np.isfinite(x[index]).all() for x in numbers)
  )


def _generator(
  workdir: Path, experiment: Experiment, settings: Settings
) -> Generator:
  """Makes the generator of a run from the description of its data."""
  record = results.read_json(workdir / results.SETTINGS).get("data")
  if experiment.generator and record:
    with results.reading(workdir):
      return experiment.generator(settings, record)
  problem = experiment.build(settings)
  if problem.sample is None:
    raise RunFolderError(f"{workdir} has nothing to sample from")
  return Generator(problem.init, problem.sample, problem.class_names)


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
      content = results.read_json(settings)
      if any(content.get(name) != value for name, value in wanted.items()):
        continue
      if results.is_finished(workdir):
        found = results.read_results(workdir)
        if found.faults:
          raise RunFolderError(found.faults[0])
        return workdir, found
      unfinished = unfinished or (workdir, None)
    except RunFolderError as error:
      console.say(f"skipping {error}")
  return unfinished
