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
# place, of taps and of a tile of outputs, to factors, and their adjoints. The
# factors of two axes are one list.


class Winograd(NamedTuple):
  """A form T = sum_f (image x)_f (kernel w)_f (outputs y)_f by its matrices.

  Attributes:
    image: a row for each factor, a column for each of the neighbours x.
    kernel: the same for each of the taps w.
    outputs: the same for each of the outputs y of a tile.
  """

  image: Sequence[Sequence[float]]
  kernel: Sequence[Sequence[float]]
  outputs: Sequence[Sequence[float]]

  @property
  def tile(self) -> int:
    """Outputs along one axis that the form has at once."""
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
# -1 and 2 would have simpler numbers and round twice as coarsely.
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
  """Transforms the neighbours of each tile, which begin `tile` places apart."""
  last = x.shape[axis] - len(matrix[0])
  places = [
    lax.slice_in_dim(x, i, last + i + 1, stride=tile, axis=axis)
    for i in range(len(matrix[0]))
  ]
  return product(matrix, places)


def _in_both_axes(matrix, tile, x):
  """Transforms rows of places, and then those in each row."""
  return [
    factor
    for rows in transformed(matrix, tile, x, 1)
    for factor in transformed(matrix, tile, rows, 2)
  ]


def image_factors(form, x):
  """Transforms h + l - m by w + l - m places to h/m by w/m tiles.

  Args:
    form: of m outputs and l neighbours.
    x: [n, h + l - m, w + l - m, c].

  Returns:
    Factors [n, h/m, w/m, c].
  """
  return _in_both_axes(form.image, form.tile, x)


def grid_factors(form, x):
  """Transforms the grid of images for two taps.

  Args:
    form: of m outputs and two taps.
    x: [n, 2 h, 2 w, c] with h and w multiples of m.

  Returns:
    Factors [n, h/m, w/m, 4 c].
  """
  n, height, width, c = x.shape
  h, w = (length // 2 // form.tile for length in (height, width))
  # As pixels and not as a grid: a factor is then made of whole rows of pixels,
  # which are neighbours in memory.
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
    places = [jnp.pad(first, after) + jnp.pad(last, before)]
    places += [jnp.pad(place, after) for place in others]
    return _interleaved(places, axis, form.tile * first.shape[axis] + 1)

  m = len(form.image)
  return merge([merge(factors[i : i + m], 2) for i in range(0, m * m, m)], 1)


def _interleaved(arrays, axis, length):
  """Takes a place of each array in turn, `length` places in all."""
  shape = list(arrays[0].shape)
  shape[axis] *= len(arrays)
  places = jnp.stack(arrays, axis + 1).reshape(shape)
  return lax.slice_in_dim(places, 0, length, axis=axis)


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
    places = product(adjoint(form.outputs), factors)
    length = form.tile * factors[0].shape[axis]
    return _interleaved(places, axis, length)

  m = len(form.outputs)
  return merge([merge(factors[i : i + m], 2) for i in range(0, m * m, m)], 1)
