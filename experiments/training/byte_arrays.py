"""A tree of arrays as one array of bytes, and what says what they mean.

What Orbax takes for a small array is far more than for its numbers.
"""

from typing import Any

import jax
import numpy as np

Layout = list[list[Any]]
"""Name, type and shape of each array, in the order of its bytes; JSON."""


class LayoutError(ValueError):
  """Bytes that mean something else; the message is one line."""


def layout(tree: Any) -> Layout:
  """Says what the bytes of a tree mean.

  Args:
    tree: of arrays, or of `jax.ShapeDtypeStruct`.

  Returns:
    The name, type and shape of each.
  """
  return [
    [jax.tree_util.keystr(path), str(leaf.dtype), list(leaf.shape)]
    for path, leaf in jax.tree.leaves_with_path(tree)
  ]


def pack(tree: Any) -> np.ndarray:
  """Puts the bytes of a tree's arrays behind each other.

  Args:
    tree: of NumPy arrays, one at least.

  Returns:
    Their bytes, uint8 [num_bytes], those of a number as the machine has them.
  """
  return np.concatenate(
    [
      np.ascontiguousarray(leaf).reshape(-1).view(np.uint8)
      for leaf in jax.tree.leaves(tree)
    ]
  )


def unpack(packed: np.ndarray, found: Layout, structure: Any) -> Any:
  """Takes the arrays of a tree out of their bytes.

  Args:
    packed: uint8 [num_bytes].
    found: what they mean.
    structure: what they should mean, a tree of `jax.ShapeDtypeStruct`.

  Returns:
    A tree of NumPy arrays.

  Raises:
    LayoutError: if they mean something else; it names the first difference.
  """
  wanted = layout(structure)
  for old, new in zip(found, wanted, strict=False):
    if old != new:
      raise LayoutError(f"it has {_described(old)}, not {_described(new)}")
  if len(found) != len(wanted):
    raise LayoutError(f"it has {len(found)} arrays, not {len(wanted)}")
  leaves, treedef = jax.tree.flatten(structure)
  sizes = [leaf.size * leaf.dtype.itemsize for leaf in leaves]
  if packed.shape != (sum(sizes),):
    raise LayoutError(f"it has {packed.size:,} bytes, not {sum(sizes):,}")
  parts = np.split(packed, np.cumsum(sizes)[:-1])
  return treedef.unflatten(
    # The copy begins where a number may.
    part.copy().view(leaf.dtype).reshape(leaf.shape)
    for part, leaf in zip(parts, leaves, strict=True)
  )


def _described(array: list[Any]) -> str:
  name, dtype, shape = array
  return f"{name} of {dtype}{shape}"
