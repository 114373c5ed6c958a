"""What a run ended with, on disk, written and read by Orbax."""

from pathlib import Path
from typing import Any, TypeVar

import jax

from experiments import results
from experiments.results import RunFolderError
from gan_jax.types import Device

Tree = TypeVar("Tree")


def save(workdir: Path, step: int, tree: Any) -> None:
  """Writes a checkpoint, whole or not at all.

  Args:
    workdir: the run folder.
    step: the number of steps taken.
    tree: a pytree of arrays.
  """
  # Imported late: it takes longer than a command's start.
  from orbax.checkpoint.experimental import v1

  path = (workdir / results.CHECKPOINTS / str(step)).resolve()
  v1.save(str(path), tree)


def load(workdir: Path, structure: Tree, device: Device) -> Tree:
  """Reads the checkpoint of the most steps.

  Args:
    workdir: the run folder.
    structure: the pytree of `jax.ShapeDtypeStruct` that it has.
    device: where its arrays go.

  Returns:
    The pytree of arrays.

  Raises:
    RunFolderError: if there is no such checkpoint.
  """
  from orbax.checkpoint.experimental import v1

  found = {
    int(path.name): path
    for path in (workdir / results.CHECKPOINTS).glob("*")
    if path.name.isdecimal()
  }
  if not found:
    raise RunFolderError(f"{workdir} has no checkpoint")
  placed = jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(
      leaf.shape,
      leaf.dtype,
      sharding=jax.sharding.SingleDeviceSharding(device),
    ),
    structure,
  )
  path = found[max(found)].resolve()
  try:
    return v1.load(str(path), placed)
  except (OSError, ValueError) as error:
    raise RunFolderError(f"{path} cannot be read: {error}") from error
