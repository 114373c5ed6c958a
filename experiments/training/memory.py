"""How many members' states fit into the memory of the devices."""

import math
from collections.abc import Sequence

import jax

from experiments.devices import environment, multihost
from experiments.errors import SettingError
from gan_jax import sharding
from gan_jax.training import Problem
from gan_jax.types import Device

STATES_IN_MEMORY = 2
"""Copies of a state in memory: a step reads one and writes another."""


def _memories(devices: Sequence[Device]) -> tuple[Device, int, int]:
  """Returns a local device, the number of memories, and devices per memory.

  The CPU cores of a process share its memory.
  """
  index = multihost.index()
  local = [device for device in devices if device.process_index == index]
  sharing = len(local) if local[0].platform == "cpu" else 1
  return local[0], len(devices) // sharing, sharing


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
  """Returns how many members' states fit into a share of the memory.

  `devices` are those of all processes. They divide `axis`, as in
  `training.population`.
  """
  device, num_memories, sharing = _memories(devices)
  available = int(share * environment.memory(device))
  per_memory = available // _member_bytes(problem)
  if axis == sharding.DATA:
    return per_memory // sharing
  return per_memory * num_memories


def check_memory(
  problem: Problem, num_seeds: int, devices: Sequence[Device], axis: str
) -> None:
  """Raises SettingError if the states of the seeds do not fit into memory."""
  if num_seeds <= fitting_members(problem, devices, axis=axis):
    return
  device, num_memories, sharing = _memories(devices)
  members = num_seeds * sharing
  if axis == sharding.MEMBERS:
    members = -(-num_seeds // num_memories)
  where = "are" if device.platform == "cpu" else "are, on each device,"
  raise SettingError(
    f"{num_seeds} {'seed takes' if num_seeds == 1 else 'seeds take'} "
    f"{_member_bytes(problem) * members / 2**30:,.1f} GiB of memory, and "
    f"there {where} {environment.memory(device) / 2**30:,.1f}; give fewer "
    "seeds, smaller networks or a smaller --replay_size"
  )
