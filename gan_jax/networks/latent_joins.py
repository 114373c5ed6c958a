"""Joins of latents with the hidden layers of a generator.

With joins, the latents of a generator are z = (z_0, z_1, ..., z_k): z_0 is the
input of the first layer and z_i joins hidden layer i. Noise in hidden layers is
then a part of the latents, drawn by the same key, and a sample is a function of
them.

References:
  Goodfellow, NIPS 2016 Tutorial, arXiv 1701.00160, section 3.1.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax.numpy as jnp
import numpy as np

from gan_jax.types import Array

Shape = tuple[int, ...]
"""Shape of one sample's hidden units, (width,), or maps, (h, w, c)."""


class Join(NamedTuple):
  """A way to combine latents with the units of a hidden layer.

  Attributes:
    dim: shape of the layer -> number of latents that it takes.
    apply: (units [n, *shape], latents [n, dim]) -> units [n, ..., any].
    repeats: whether `apply` gets the latents of the first layer again. `dim` is
      then 0.
  """

  dim: Callable[[Shape], int]
  apply: Callable[[Array, Array], Array]
  repeats: bool = False


def added(scale: float | Array) -> Join:
  """Returns the join h + scale z, with a latent for each unit.

  In maps this is noise at each pixel of each channel.
  """
  return Join(math.prod, _elementwise(lambda h, z: h + scale * z))


def multiplied(scale: float | Array) -> Join:
  """Returns the join h (1 + scale z), with a latent for each unit."""
  return Join(math.prod, _elementwise(lambda h, z: h * (1.0 + scale * z)))


def concatenated(dim: int) -> Join:
  """Returns the join (h, z), which appends `dim` latents to the units.

  To maps it appends one constant map for each latent. A convolution of such
  maps adds a linear projection of the latents to each of its output channels,
  which only depends on the position near the border.
  """
  return Join(lambda shape: dim, append)


def repeated() -> Join:
  """Returns the join (h, z_0), which appends the first layer's latents."""
  return Join(lambda shape: 0, append, repeats=True)


def _elementwise(
  combine: Callable[[Array, Array], Array],
) -> Callable[[Array, Array], Array]:
  """Combines each unit with its latent; the result has the type of units."""
  return lambda units, latents: combine(
    units, latents.reshape(units.shape)
  ).astype(units.dtype)


def append(units: Array, vectors: Array) -> Array:
  """Appends vectors [n, k] to the last axis of units [n, ..., c]."""
  chex.assert_shape(vectors, (len(units), None))
  inner = (1,) * (units.ndim - 2)
  vectors = vectors.reshape(len(units), *inner, vectors.shape[1])
  spread = jnp.broadcast_to(vectors, (*units.shape[:-1], vectors.shape[-1]))
  return jnp.concatenate([units, spread.astype(units.dtype)], axis=-1)


def num_joined(
  joins: Sequence[Join | None], shapes: Sequence[Shape]
) -> tuple[int, ...]:
  """Returns the number of latents that each hidden layer takes.

  Args:
    joins: the join of each hidden layer, or None for no join; () for no joins.
    shapes: the shape of each hidden layer.

  Raises:
    ValueError: if there are not as many joins as hidden layers.
  """
  joins = joins or (None,) * len(shapes)
  return tuple(
    join.dim(shape) if join else 0
    for join, shape in zip(joins, shapes, strict=True)
  )


def split(
  joins: Sequence[Join | None], shapes: Sequence[Shape], latents: Array
) -> tuple[Array, list[Callable[[Array], Array]]]:
  """Splits latents among the first layer and the hidden layers.

  Args:
    joins: as in `num_joined`.
    shapes: as in `num_joined`.
    latents: [n, k], (z_0, z_1, ...) side by side.

  Returns:
    The latents z_0 [n, k_0] of the first layer, and for each hidden layer the
    function that joins its latents to its units [n, *shape].

  Raises:
    ValueError: if the joins leave no latents to the first layer, or their
      number is not that of the hidden layers.
  """
  counts = num_joined(joins, shapes)
  num_first = latents.shape[1] - sum(counts)
  if num_first < 1:
    raise ValueError(
      f"{latents.shape[1]} latents are too few: hidden layers take {counts}"
    )
  bounds = np.cumsum([num_first, *counts])[:-1]
  first, *parts = jnp.split(latents, bounds, axis=1)

  def make(join: Join | None, part: Array) -> Callable[[Array], Array]:
    if join is None:
      return lambda units: units
    return lambda units: join.apply(units, first if join.repeats else part)

  joins = joins or (None,) * len(shapes)
  return first, [
    make(join, part) for join, part in zip(joins, parts, strict=True)
  ]
