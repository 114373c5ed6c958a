"""Sharding of a program over devices, by population members or by batch.

A mesh has one axis. Along `MEMBERS` each device holds different members of the
population, and devices exchange nothing. Along `DATA` every device holds all
members and works on a part of each batch: games constrain the sharding of their
batches, XLA partitions the rest of the program, and sums over the batch, as in
gradients and batch statistics, become all-reduces. Random numbers do not depend
on the sharding (`jax_threefry_partitionable`).

A traced program uses the mesh of `jax.set_mesh`, so games and steps take no
mesh argument. With several processes, all must call the same functions in the
same order.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding

from gan_jax.types import Array, Device

MEMBERS, DATA = "members", "data"


def mesh(devices: Sequence[Device], axis: str) -> Mesh:
  """Arranges devices along an axis, MEMBERS or DATA."""
  if axis not in (MEMBERS, DATA):
    raise ValueError(f"{axis!r} is no axis; there are {MEMBERS} and {DATA}")
  return Mesh(np.asarray(devices), (axis,))


def _num_parts() -> int:
  """Returns the number of parts of a batch in the program being traced."""
  return dict(jax.sharding.get_abstract_mesh().shape).get(DATA, 1)


def split(batch: Any) -> Any:
  """Constrains arrays [n, ...] to be split along n over the DATA axis.

  Each of k devices holds n / k consecutive rows. Nothing changes if the mesh
  has no DATA axis or k does not divide n.
  """
  parts = _num_parts()

  def place(x):
    if parts == 1 or len(x) % parts:
      return x
    return jax.lax.with_sharding_constraint(x, PartitionSpec(DATA))

  return jax.tree.map(place, batch)


def whole(tree: Any) -> Any:
  """Constrains a tree, such as params, to be replicated over the DATA axis."""
  if _num_parts() == 1:
    return tree
  return jax.tree.map(
    lambda x: jax.lax.with_sharding_constraint(x, PartitionSpec()), tree
  )


def by_parts(
  function: Callable[..., Array], are_split: Sequence[bool], sums: bool
) -> Callable[..., Array]:
  """Makes a function run on each device's part of a split batch.

  This is for functions that XLA does not partition by itself.

  Args:
    function: maps arrays, the first of which is [n, ...], either row by row to
      [n, ...] or to a sum over rows.
    are_split: for each array, whether its first axis is the batch.
    sums: whether the function sums over the batch.
  """

  def applied(*arrays):
    parts = _num_parts()
    if parts == 1 or len(arrays[0]) % parts:
      return function(*arrays)

    def on_part(*shards):
      out = function(*shards)
      return jax.lax.psum(out, DATA) if sums else out

    split, whole = PartitionSpec(DATA), PartitionSpec()
    return jax.shard_map(
      on_part,
      in_specs=tuple(split if is_split else whole for is_split in are_split),
      out_specs=whole if sums else split,
      check_vma=False,
    )(*arrays)

  return applied


def placed(tree: Any, shardings: Any) -> Any:
  """Puts a tree that is equal in all processes on the devices of a sharding.

  Args:
    tree: a pytree of arrays or numbers.
    shardings: one sharding for all leaves, or a pytree with one for each.
  """

  def place(x, sharding):
    if sharding.is_fully_addressable:
      return jax.device_put(x, sharding)
    # `device_put` would compare the values of all processes.
    x = np.asarray(x)
    return jax.make_array_from_callback(x.shape, sharding, lambda at: x[at])

  if isinstance(shardings, Sharding):
    shardings = jax.tree.map(lambda _: shardings, tree)
  return jax.tree.map(place, tree, shardings)


def on_host(tree: Any) -> Any:
  """Copies a whole tree, also one sharded over processes, to NumPy arrays."""

  def is_local(x):
    return x.is_fully_addressable or x.is_fully_replicated

  leaves, structure = jax.tree.flatten(tree)
  scattered = [leaf for leaf in leaves if not is_local(leaf)]
  if scattered:
    replicated = NamedSharding(scattered[0].sharding.mesh, PartitionSpec())
    gather = jax.jit(lambda tree: tree, out_shardings=replicated)
    gathered = iter(gather(scattered))
    leaves = [leaf if is_local(leaf) else next(gathered) for leaf in leaves]
  return structure.unflatten([np.array(leaf) for leaf in leaves])
