"""How many trials of a program train at a time: as many as fit into memory."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.configs.fields import SettingError
from experiments.run_folder import results
from experiments.sweeps.plan import Trial
from experiments.training import memory
from gan_jax.training import Problem
from gan_jax.types import Device

ROUNDS = "rounds.json"
_SHARE = 0.5
"""Of the memory that states may take; data and what a step computes has the
rest."""


def sizes(
  scratch: Path,
  trials: Sequence[Trial],
  build: Callable[[Any], Problem],
  devices: Sequence[Device],
) -> list[int]:
  """Divides the trials of a program into rounds, once and for all.

  Args:
    scratch: the program's folder, where the division is kept.
    trials: of the program.
    build: settings -> the problem.
    devices: where they train.

  Returns:
    The number of trials in each round.

  Raises:
    SettingError: if one trial alone does not fit.
  """
  path = scratch / ROUNDS
  if path.exists():
    return results.read_json(path)["trials"]
  run = trials[0].run
  fitting = memory.fitting_members(build(run.settings), devices, _SHARE)
  at_once = fitting // len(run.seeds)
  if not at_once:
    raise SettingError(
      f"{len(run.seeds)} seeds of one trial do not fit into memory, "
      f"{fitting} do; give fewer, or smaller networks"
    )
  num_rounds = -(-len(trials) // at_once)
  # Nearly equal, so that one compiled program serves most of them.
  size = -(-len(trials) // num_rounds)
  divided = [
    min(size, len(trials) - start) for start in range(0, len(trials), size)
  ]
  results.write_json(path, {"trials": divided})
  return divided
