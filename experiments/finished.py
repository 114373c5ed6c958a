"""A finished run, to use what it learnt."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from experiments import checkpoints, results
from experiments.experiment import Experiment
from experiments.registry import BY_NAME
from experiments.results import RunFolderError
from experiments.settings import Settings
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
  if not workdir.is_dir():
    raise RunFolderError(f"there is no run folder {workdir}")
  content = results.read_json(workdir / results.SETTINGS)
  name, seeds = content.get("experiment"), content.get("seeds")
  if name not in BY_NAME or not seeds:
    raise RunFolderError(f"{workdir} is not the run of a known experiment")
  seed = int(seeds[0] if seed is None else seed)
  if seed not in seeds:
    raise RunFolderError(
      f"{workdir} has no seed {seed}; it has "
      + ", ".join(str(own) for own in seeds)
    )
  experiment = BY_NAME[name]
  try:
    # JSON has no tuples.
    values: dict[str, Any] = {
      key: tuple(value) if isinstance(value, list) else value
      for key, value in content["settings"].items()
    }
    settings = type(experiment.settings)(**values)
  except TypeError as error:
    raise RunFolderError(
      f"{workdir} is of another version of {name}: {error}"
    ) from error
  problem = experiment.build(settings)
  keys = jax.vmap(training.member_keys)(jnp.asarray(seeds, jnp.uint32))
  structure = jax.eval_shape(
    jax.vmap(lambda own: training.init(problem, own)), keys
  )
  progress = checkpoints.load(workdir, structure, device)
  index = seeds.index(seed)
  state = jax.tree.map(lambda leaf: leaf[index], progress.state)
  return Finished(experiment, settings, problem, seed, state)
