"""A finished run, to use what it learnt."""

from pathlib import Path
from typing import NamedTuple

import jax

from experiments.configs.experiment import Experiment
from experiments.configs.settings import Settings
from experiments.run_folder.results import RunFolderError
from experiments.training import checkpoints, run_config
from gan_jax import training
from gan_jax.training import Problem
from gan_jax.types import Device, TrainState


class Finished(NamedTuple):
  """One member of a finished run.

  Attributes:
    experiment: that it ran.
    settings: of the run.
    problem: that they make.
    seed: of the member.
    state: that the member ended in.
  """

  experiment: Experiment
  settings: Settings
  problem: Problem
  seed: int
  state: TrainState


def load(workdir: Path, seed: int | None, device: Device) -> Finished:
  """Reads what a member of a finished run learnt.

  Args:
    workdir: the run folder.
    seed: of the member; None for the first.
    device: where its state goes.

  Returns:
    The member.

  Raises:
    RunFolderError: if the folder has no such member that this version can
      read.
    SettingError: if the problem cannot be built, as its data is gone.
  """
  experiment, settings, seeds = run_config.read(workdir)
  seed = int(seeds[0] if seed is None else seed)
  if seed not in seeds:
    raise RunFolderError(
      f"{workdir} has no seed {seed}; it has "
      + ", ".join(str(own) for own in seeds)
    )
  problem = experiment.build(settings)
  structure = training.structure(problem, len(seeds))
  loaded = checkpoints.load_newest(workdir, structure)
  index = seeds.index(seed)
  state = jax.tree.map(
    lambda leaf: jax.device_put(leaf[index], device),
    loaded.checkpoint.progress.state,
  )
  return Finished(experiment, settings, problem, seed, state)
