"""One program on many devices: members apart, or each batch divided.

A mesh has one axis. Along `MEMBERS` devices hold members of their own and
exchange nothing. Along `DATA` they hold the same members, and each works on
its part of every batch: the program says what one device would do, and where
the batch lies; XLA divides the rest, and adds up over devices what a sum over
the batch is, such as a gradient or a batch's statistics. Random numbers do not
depend on where they are drawn (`jax_threefry_partitionable`).

The mesh of a program is the one that JAX was told of when it was traced, by
`jax.set_mesh`; games and steps, which constrain their batches, need not be
given it. The devices may be of several processes, all of which then call the
same functions in the same order.
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
  """Counts the devices that a batch is divided among, in a traced program."""
  return dict(jax.sharding.get_abstract_mesh().shape).get(DATA, 1)


def split(batch: Any) -> Any:
  """Divides a batch among the devices of the program.

  Args:
    batch: a pytree of arrays [n, ...].

  Returns:
    The same, of which each of k devices holds n / k in a row. As it was, where
    the program does not divide batches, or k does not divide n.
  """
  parts = _num_parts()

  def place(x):
    if parts == 1 or len(x) % parts:
      return x
    return jax.lax.with_sharding_constraint(x, PartitionSpec(DATA))

  return jax.tree.map(place, batch)


def whole(tree: Any) -> Any:
  """Gives every device of a program that divides batches all of a tree.

  Args:
    tree: a pytree of arrays, such as parameters.

  Returns:
    The same.
  """
  if _num_parts() == 1:
    return tree
  return jax.tree.map(
    lambda x: jax.lax.with_sharding_constraint(x, PartitionSpec()), tree
  )


def by_parts(
  function: Callable[..., Array], are_split: Sequence[bool], sums: bool
) -> Callable[..., Array]:
  """Applies a function to each device's part of a batch, if that is divided.

  That is for functions which XLA does not divide by itself.

  Args:
    function: of arrays, the first of which is [n, ...], to [n, ...], row by
      row, or to a sum over rows.
    are_split: for each array, whether its first axis is the batch's.
    sums: whether the function sums over the batch.

  Returns:
    The same function.
  """

  def applied(*arrays):
    parts = _num_parts()
    if parts == 1 or len(arrays[0]) % parts:
      return function(*arrays)

    def of_part(*own):
      out = function(*own)
      return jax.lax.psum(out, DATA) if sums else out

    split, whole = PartitionSpec(DATA), PartitionSpec()
    return jax.shard_map(
      of_part,
      in_specs=tuple(split if own else whole for own in are_split),
      out_specs=whole if sums else split,
      check_vma=False,
    )(*arrays)

  return applied


def placed(tree: Any, shardings: Any) -> Any:
  """Brings what every process has to the devices of all of them.

  Args:
    tree: a pytree of arrays or numbers, equal in all processes.
    shardings: one for all of it, or a pytree of one for each array.

  Returns:
    The same as arrays of these shardings.
  """

  def place(x, sharding):
    if sharding.is_fully_addressable:
      return jax.device_put(x, sharding)
    # `device_put` would compare all of it between processes.
    x = np.asarray(x)
    return jax.make_array_from_callback(x.shape, sharding, lambda at: x[at])

  if isinstance(shardings, Sharding):
    shardings = jax.tree.map(lambda _: shardings, tree)
  return jax.tree.map(place, tree, shardings)


def on_host(tree: Any) -> Any:
  """Copies a tree to the host, in every process the whole of it.

  Args:
    tree: a pytree of arrays, of which this process may have a part only.

  Returns:
    The same as NumPy arrays.
  """

  def there(x):
    return x.is_fully_addressable or x.is_fully_replicated

  leaves, structure = jax.tree.flatten(tree)
  scattered = [leaf for leaf in leaves if not there(leaf)]
  if scattered:
    everywhere = NamedSharding(scattered[0].sharding.mesh, PartitionSpec())
    gathered = iter(_same(everywhere)(scattered))
    leaves = [leaf if there(leaf) else next(gathered) for leaf in leaves]
  return structure.unflatten([np.array(leaf) for leaf in leaves])


def _same(sharding: Sharding) -> Any:
  """Returns the program that places arrays as it is told."""
  return jax.jit(lambda tree: tree, out_shardings=sharding)
