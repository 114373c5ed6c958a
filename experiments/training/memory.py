"""How many members' states fit into the memory of the devices."""

import math
from collections.abc import Sequence

import jax

from experiments.configs.fields import SettingError
from experiments.devices import environment, multihost
from gan_jax import sharding
from gan_jax.training import Problem
from gan_jax.types import Device

STATES_IN_MEMORY = 2
"""A step reads one state and writes another."""


def _devices_of_process(devices: Sequence[Device]) -> list[Device]:
  index = multihost.index()
  return [device for device in devices if device.process_index == index]


def _member_bytes(problem: Problem) -> int:
  """Returns the bytes that one member's states take."""
  state = jax.eval_shape(problem.init, jax.random.key(0))
  return STATES_IN_MEMORY * sum(
    math.prod(leaf.shape) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(state)
  )


def fitting_members(
  problem: Problem,
  devices: Sequence[Device],
  share: float = 1.0,
  axis: str = sharding.MEMBERS,
) -> int:
  """Returns how many members' states fit into memory.

  Args:
    problem: the problem of every member.
    devices: of all processes; the CPU cores of a process share its memory.
    share: the share of the memory that the states may take.
    axis: what the devices divide, as in `training.population`.
  """
  local = _devices_of_process(devices)
  on_cores = local[0].platform == "cpu"
  per_memory = int(share * environment.memory(local[0])) // _member_bytes(
    problem
  )
  if axis == sharding.DATA:
    return per_memory // len(local) if on_cores else per_memory
  return per_memory * (len(devices) // len(local) if on_cores else len(devices))


def check_memory(
  problem: Problem, num_seeds: int, devices: Sequence[Device], axis: str
) -> None:
  """Raises SettingError if the states of the seeds do not fit into memory."""
  if num_seeds <= fitting_members(problem, devices, axis=axis):
    return
  local = _devices_of_process(devices)
  on_cores = local[0].platform == "cpu"
  if axis == sharding.MEMBERS:
    members = -(
      -num_seeds // (len(devices) // len(local) if on_cores else len(devices))
    )
  else:
    members = num_seeds * (len(local) if on_cores else 1)
  raise SettingError(
    f"{num_seeds} {'seed takes' if num_seeds == 1 else 'seeds take'} "
    f"{_member_bytes(problem) * members / 2**30:,.1f} GiB of memory, and "
    f"there {'are' if on_cores else 'are, on each device,'} "
    f"{environment.memory(local[0]) / 2**30:,.1f}; give fewer seeds, "
    "smaller networks or a smaller --replay_size"
  )
