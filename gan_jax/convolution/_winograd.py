"""Winograd's transforms of images, kernels and outputs, and space to depth."""

import functools
import operator
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from gan_jax.types import Array

# Space to depth: in what follows `grid` is [n, h + 1, w + 1, 2, 2, c], the four
# pixels of a padded image that share a place of the output grid, and `taps` is
# [2, 2, 4 c, o], the kernel over them.


def padded(x, padding):
  """Puts zeros around images."""
  return jnp.pad(x, ((0, 0), *[(padding, padding)] * 2, (0, 0)))


def is_halving(kernel_size, stride, padding, size) -> bool:
  """Tells whether a convolution is DCGAN's: 4 x 4, halving the image."""
  return (
    tuple(kernel_size) == (4, 4)
    and (stride, padding) == (2, 1)
    and size[0] % 2 == 0
    and size[1] % 2 == 0
  )


def is_same(kernel_size, stride, padding) -> bool:
  """Tells whether a convolution is 3 x 3 and keeps the image's size."""
  return (tuple(kernel_size), stride, padding) == ((3, 3), 1, 1)


def to_grid(x):
  """Pads images [n, 2 h, 2 w, c] and cuts them into a grid."""
  n, height, width, c = x.shape
  pairs = padded(x, 1).reshape(n, height // 2 + 1, 2, width // 2 + 1, 2, c)
  return pairs.transpose(0, 1, 3, 2, 4, 5)


def from_grid(grid):
  """Applies the adjoint of `to_grid`."""
  n, rows, columns, _, _, c = grid.shape
  pairs = grid.transpose(0, 1, 3, 2, 4, 5)
  return pairs.reshape(n, 2 * rows, 2 * columns, c)[:, 1:-1, 1:-1]


def to_taps(kernel):
  """Arranges a kernel [4, 4, c, o] as it lies on a grid."""
  c, o = kernel.shape[2:]
  pairs = kernel.reshape(2, 2, 2, 2, c, o).transpose(0, 2, 1, 3, 4, 5)
  return pairs.reshape(2, 2, 4 * c, o)


def from_taps(taps):
  """Applies the adjoint of `to_taps`, which is its inverse."""
  c, o = taps.shape[2] // 4, taps.shape[3]
  pairs = taps.reshape(2, 2, 2, 2, c, o).transpose(0, 2, 1, 3, 4, 5)
  return pairs.reshape(4, 4, c, o)


# Winograd's transforms, along one axis after another: of neighbours of a
# place, of taps and of two outputs, to factors, and their adjoints. The factors
# of two axes are one list.


class Winograd(NamedTuple):
  """A form T = sum_f (image x)_f (kernel w)_f (outputs y)_f by its matrices.

  Attributes:
    image: a row for each factor, a column for each of the neighbours x.
    kernel: the same for each of the taps w.
    outputs: the same for y0 and y1.
  """

  image: Sequence[Sequence[int]]
  kernel: Sequence[Sequence[float]]
  outputs: Sequence[Sequence[int]]


TWO_TAPS = Winograd(
  image=((1, -1, 0), (0, 1, 0), (0, -1, 1)),
  kernel=((1, 0), (1, 1), (0, 1)),
  outputs=((1, 0), (1, 1), (0, 1)),
)
THREE_TAPS = Winograd(
  image=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, -1, 0, 1)),
  kernel=((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
  outputs=((1, 0), (1, 1), (1, -1), (0, 1)),
)


def product(matrix, arrays) -> list[Array]:
  """Multiplies a matrix of numbers with a vector of arrays."""

  def combined(row):
    terms = (
      array if number == 1 else number * array
      for number, array in zip(row, arrays, strict=True)
      if number
    )
    return functools.reduce(operator.add, terms)

  return [combined(row) for row in matrix]


def adjoint(matrix):
  return list(zip(*matrix, strict=True))


def along(x, axis, start, stop):
  """Takes every second element of an axis."""
  return lax.slice_in_dim(x, start, stop, stride=2, axis=axis)


def transformed(matrix, x, axis):
  """Transforms each two places of an axis and those after them, l in all."""
  stop = x.shape[axis] - len(matrix[0]) + 1
  places = [along(x, axis, i, stop + i) for i in range(len(matrix[0]))]
  return product(matrix, places)


def image_factors(matrix, x):
  """Transforms h + l - 2 by w + l - 2 places to h/2 by w/2, of l neighbours."""
  return [
    factor
    for rows in transformed(matrix, x, 1)
    for factor in transformed(matrix, rows, 2)
  ]


def grid_factors(x):
  """Transforms the grid of images [n, 2 h, 2 w, c] for two taps.

  Args:
    x: with even h and w.

  Returns:
    Factors [n, h/2, w/2, 4 c].
  """
  n, height, width, c = x.shape
  # As pixels and not as a grid: a factor is then made of whole rows of pixels,
  # which are neighbours in memory.
  pairs = padded(x, 1).reshape(n, height // 2 + 1, 2, width + 2, c)
  factors = []
  for rows in transformed(TWO_TAPS.image, pairs, 1):
    pairs = rows.reshape(n, height // 4, 2, width // 2 + 1, 2 * c)
    factors += [
      factor.transpose(0, 1, 3, 2, 4).reshape(n, height // 4, width // 4, 4 * c)
      for factor in transformed(TWO_TAPS.image, pairs, 3)
    ]
  return factors


def from_grid_factors(factors):
  """Applies the adjoint of `image_factors` with two taps."""

  def merge(factors, axis):
    x0, x1, x2 = product(adjoint(TWO_TAPS.image), factors)
    # Places 2 i begin one pair of outputs and end another, 2 i + 1 are between.
    after, before = [(0, 0)] * x0.ndim, [(0, 0)] * x0.ndim
    after[axis], before[axis] = (0, 1), (1, 0)
    even = jnp.pad(x0, after) + jnp.pad(x2, before)
    odd = jnp.pad(x1, after)
    shape = list(even.shape)
    shape[axis] *= 2
    both = jnp.stack([even, odd], axis + 1).reshape(shape)
    return lax.slice_in_dim(both, 0, shape[axis] - 1, axis=axis)

  return merge([merge(factors[i : i + 3], 2) for i in (0, 3, 6)], 1)


def kernel_factors(matrix, kernel):
  """Transforms a kernel [k, k, c, o] to factors [c, o]."""
  return [
    q
    for rows in product(matrix, list(kernel))
    for q in product(matrix, list(rows))
  ]


def from_kernel_factors(matrix, factors):
  """Applies the adjoint of `kernel_factors`."""

  def merge(factors):
    return jnp.stack(product(adjoint(matrix), factors))

  m = len(matrix)
  return merge([merge(factors[i : i + m]) for i in range(0, m * m, m)])


def output_factors(matrix, y):
  """Transforms outputs with even h and w to factors [n, h/2, w/2, o]."""

  def transform(y, axis):
    return product(matrix, [along(y, axis, i, y.shape[axis]) for i in range(2)])

  return [q for rows in transform(y, 1) for q in transform(rows, 2)]


def from_output_factors(matrix, factors):
  """Applies the adjoint of `output_factors`."""

  def merge(factors, axis):
    both = jnp.stack(product(adjoint(matrix), factors), axis + 1)
    shape = list(factors[0].shape)
    shape[axis] *= 2
    return both.reshape(shape)

  m = len(matrix)
  return merge([merge(factors[i : i + m], 2) for i in range(0, m * m, m)], 1)
