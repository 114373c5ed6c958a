"""Winograd's transforms of images, kernels and outputs, and space to depth."""

import functools
import operator
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from gan_jax.types import Array

# Space to depth: a grid [n, h + 1, w + 1, 2, 2, c] holds four pixels of a
# padded image at each grid position, and taps [2, 2, 4 c, o] are the kernel
# over them.


def padded(x, padding):
  """Pads images with zeros on all sides."""
  return jnp.pad(x, ((0, 0), *[(padding, padding)] * 2, (0, 0)))


def is_halving(kernel_size, stride, padding, size) -> bool:
  """Returns whether a convolution is DCGAN's: 4 x 4, halving the image."""
  return (
    tuple(kernel_size) == (4, 4)
    and (stride, padding) == (2, 1)
    and size[0] % 2 == 0
    and size[1] % 2 == 0
  )


def is_same(kernel_size, stride, padding) -> bool:
  """Returns whether a convolution is 3 x 3 and keeps the image's size."""
  return (tuple(kernel_size), stride, padding) == ((3, 3), 1, 1)


def to_grid(x):
  """Pads images [n, 2 h, 2 w, c] and arranges them as a grid."""
  n, height, width, c = x.shape
  pairs = padded(x, 1).reshape(n, height // 2 + 1, 2, width // 2 + 1, 2, c)
  return pairs.transpose(0, 1, 3, 2, 4, 5)


def from_grid(grid):
  """Applies the adjoint of `to_grid`."""
  n, rows, columns, _, _, c = grid.shape
  pairs = grid.transpose(0, 1, 3, 2, 4, 5)
  return pairs.reshape(n, 2 * rows, 2 * columns, c)[:, 1:-1, 1:-1]


def to_taps(kernel):
  """Arranges a kernel [4, 4, c, o] as taps on a grid."""
  c, o = kernel.shape[2:]
  pairs = kernel.reshape(2, 2, 2, 2, c, o).transpose(0, 2, 1, 3, 4, 5)
  return pairs.reshape(2, 2, 4 * c, o)


def from_taps(taps):
  """Applies the adjoint of `to_taps`, which is its inverse."""
  c, o = taps.shape[2] // 4, taps.shape[3]
  pairs = taps.reshape(2, 2, 2, 2, c, o).transpose(0, 2, 1, 3, 4, 5)
  return pairs.reshape(4, 4, c, o)


# Winograd's transforms of neighbouring pixels, taps and tiles of outputs to
# factors, along one axis and then the other, and their adjoints. The factors of
# both axes form one list.


class Winograd(NamedTuple):
  """The matrices of a form T = sum_f (image x)_f (kernel w)_f (outputs y)_f.

  Attributes:
    image: a row for each factor, a column for each of the neighbours x.
    kernel: a row for each factor, a column for each of the taps w.
    outputs: a row for each factor, a column for each output y of a tile.
  """

  image: Sequence[Sequence[float]]
  kernel: Sequence[Sequence[float]]
  outputs: Sequence[Sequence[float]]

  @property
  def tile(self) -> int:
    """Number of outputs of a tile along one axis."""
    return len(self.outputs[0])


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


# The values of w(t) and y(t) at t = 1/2, -1/2, 3/2 and -3/2 and their leading
# coefficients; the image's matrix interpolates the products. The points 0, 1,
# -1 and 2 have simpler numbers but twice the rounding error.
TWO_TAPS_OF_FOUR = Winograd(
  image=(
    (9 / 16, 9 / 8, -1 / 4, -1 / 2, 0),
    (9 / 16, -9 / 8, -1 / 4, 1 / 2, 0),
    (-1 / 16, -1 / 24, 1 / 4, 1 / 6, 0),
    (-1 / 16, 1 / 24, 1 / 4, -1 / 6, 0),
    (9 / 16, 0, -5 / 2, 0, 1),
  ),
  kernel=((1, 1 / 2), (1, -1 / 2), (1, 3 / 2), (1, -3 / 2), (0, 1)),
  outputs=(
    (1, 1 / 2, 1 / 4, 1 / 8),
    (1, -1 / 2, 1 / 4, -1 / 8),
    (1, 3 / 2, 9 / 4, 27 / 8),
    (1, -3 / 2, 9 / 4, -27 / 8),
    (0, 0, 0, 1),
  ),
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


def transformed(matrix, tile, x, axis):
  """Transforms the neighbours of tiles that begin `tile` positions apart."""
  last = x.shape[axis] - len(matrix[0])
  neighbours = [
    lax.slice_in_dim(x, i, last + i + 1, stride=tile, axis=axis)
    for i in range(len(matrix[0]))
  ]
  return product(matrix, neighbours)


def _in_both_axes(matrix, tile, x):
  """Transforms along the rows' axis and then along the columns' axis."""
  return [
    factor
    for rows in transformed(matrix, tile, x, 1)
    for factor in transformed(matrix, tile, rows, 2)
  ]


def image_factors(form, x):
  """Transforms [n, h + l - m, w + l - m, c] to factors [n, h/m, w/m, c].

  The form has m outputs and l neighbours.
  """
  return _in_both_axes(form.image, form.tile, x)


def grid_factors(form, x):
  """Transforms images [n, 2 h, 2 w, c] to factors [n, h/m, w/m, 4 c].

  The factors are those of the grid. The form has two taps and m outputs, and m
  divides h and w.
  """
  n, height, width, c = x.shape
  h, w = (length // 2 // form.tile for length in (height, width))
  # The grid is not formed: this way factors are sums of whole rows of pixels,
  # which are contiguous in memory.
  pairs = padded(x, 1).reshape(n, height // 2 + 1, 2, width + 2, c)
  factors = []
  for rows in transformed(form.image, form.tile, pairs, 1):
    pairs = rows.reshape(n, h, 2, width // 2 + 1, 2 * c)
    factors += [
      factor.transpose(0, 1, 3, 2, 4).reshape(n, h, w, 4 * c)
      for factor in transformed(form.image, form.tile, pairs, 3)
    ]
  return factors


def from_grid_factors(form, factors):
  """Applies the adjoint of `image_factors` with two taps."""

  def merge(factors, axis):
    first, *others, last = product(adjoint(form.image), factors)
    # The last neighbour of a tile is the first of the next one.
    after, before = [(0, 0)] * first.ndim, [(0, 0)] * first.ndim
    after[axis], before[axis] = (0, 1), (1, 0)
    neighbours = [jnp.pad(first, after) + jnp.pad(last, before)]
    neighbours += [jnp.pad(other, after) for other in others]
    return _interleaved(neighbours, axis, form.tile * first.shape[axis] + 1)

  m = len(form.image)
  return merge([merge(factors[i : i + m], 2) for i in range(0, m * m, m)], 1)


def _interleaved(arrays, axis, length):
  """Interleaves arrays along an axis and returns the first `length` entries."""
  shape = list(arrays[0].shape)
  shape[axis] *= len(arrays)
  interleaved = jnp.stack(arrays, axis + 1).reshape(shape)
  return lax.slice_in_dim(interleaved, 0, length, axis=axis)


def kernel_factors(form, kernel):
  """Transforms a kernel [k, k, c, o] to factors [c, o]."""
  return [
    q
    for rows in product(form.kernel, list(kernel))
    for q in product(form.kernel, list(rows))
  ]


def from_kernel_factors(form, factors):
  """Applies the adjoint of `kernel_factors`."""

  def merge(factors):
    return jnp.stack(product(adjoint(form.kernel), factors))

  m = len(form.kernel)
  return merge([merge(factors[i : i + m]) for i in range(0, m * m, m)])


def output_factors(form, y):
  """Transforms outputs [n, h, w, o] to factors [n, h/m, w/m, o]."""
  return _in_both_axes(form.outputs, form.tile, y)


def from_output_factors(form, factors):
  """Applies the adjoint of `output_factors`."""

  def merge(factors, axis):
    outputs = product(adjoint(form.outputs), factors)
    length = form.tile * factors[0].shape[axis]
    return _interleaved(outputs, axis, length)

  m = len(form.outputs)
  return merge([merge(factors[i : i + m], 2) for i in range(0, m * m, m)], 1)
