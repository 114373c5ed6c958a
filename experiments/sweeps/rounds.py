"""Splits a program's trials into rounds whose states fit into memory."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.errors import SettingError
from experiments.run_folder import results
from experiments.sweeps.plan import Trial
from experiments.training import memory
from gan_jax.training import Problem
from gan_jax.types import Device

ROUNDS = "rounds.json"
_MEMORY_SHARE = 0.5
"""Share of the memory for states; the rest is for data and for a step."""


def sizes(
  scratch: Path,
  trials: Sequence[Trial],
  build: Callable[[Any], Problem],
  devices: Sequence[Device],
) -> list[int]:
  """Returns the number of trials of a program in each of its rounds.

  They are written to the program's folder, so that a resumed program keeps
  its rounds.

  Raises:
    SettingError: if one trial alone does not fit.
  """
  path = scratch / ROUNDS
  if path.exists():
    return results.read_json(path)["trials"]
  run = trials[0].run
  problem = build(run.settings)
  fitting = memory.fitting_members(problem, devices, _MEMORY_SHARE)
  at_once = fitting // len(run.seeds)
  if not at_once:
    raise SettingError(
      f"{len(run.seeds)} seeds of one trial do not fit into memory, "
      f"{fitting} do; give fewer, or smaller networks"
    )
  num_rounds = -(-len(trials) // at_once)
  # Nearly equal, so that one compiled program serves most of them.
  size = -(-len(trials) // num_rounds)
  rounds = [
    min(size, len(trials) - start) for start in range(0, len(trials), size)
  ]
  results.write_json(path, {"trials": rounds})
  return rounds
