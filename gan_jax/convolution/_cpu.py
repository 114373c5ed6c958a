"""Fast CPU forms of the convolution and its two adjoints, chosen by shape."""

import functools
import math
import operator
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.convolution import _winograd as winograd
from gan_jax.convolution import _xla
from gan_jax.types import Array

_FEW_CHANNELS = 16
"""Up to this number of input channels, patches of the image are matrix rows."""
_ROWS = 1024
"""Rows of a matrix product that are computed together; more rows and their
transforms do not fit into the caches."""
_SUMMED_ROWS = 256
"""The same for products that sum over rows, which are in the caches too."""
_LARGE_SUM = 2**17
"""From this number of kernel entries per tap, such sums exceed the caches, and
computing them in parts would only add memory traffic."""
_FEW_PATCH_ENTRIES = 2**21
"""Up to this number of entries in all patches, adding patches into the image is
faster than a convolution."""
_LARGEST_TRANSFORMED = 8
"""Up to this side of the outputs, tiles of four outputs are faster if images,
which have twice the side, are transformed."""


def _padded_to_multiple(image, by):
  """Pads an image at its end to multiples of `by` in both directions."""
  rows, columns = (-length % by for length in image.shape[1:3])
  return jnp.pad(image, ((0, 0), (0, rows), (0, columns), (0, 0)))


def _two_taps(images, h, w, largest: float = math.inf) -> winograd.Winograd:
  """Chooses tiles of two or four outputs for two taps, by the outputs' size.

  Tiles of four have larger transforms, which are too slow for a single tile and
  for outputs with a side above `largest`, and whose fractions need floats.
  """

  def num_products(form):
    tiles = math.ceil(h / form.tile) * math.ceil(w / form.tile)
    return len(form.image) ** 2 * tiles

  small, large = winograd.TWO_TAPS, winograd.TWO_TAPS_OF_FOUR
  # If the outputs fill the last tiles only in part, fewer products are saved.
  saves = num_products(large) <= 0.75 * num_products(small)
  is_float = jnp.issubdtype(images.dtype, jnp.inexact)
  return large if saves and is_float and 4 < max(h, w) <= largest else small


def _num_parts(images, side, most) -> int:
  """Returns the number of equal parts in which to process images [n, h, w, c].

  A row of a product is a square of `side` x `side` positions, and a part should
  have at most `most` rows.
  """
  n, h, w, _ = images.shape
  return math.gcd(n, max(1, n * h * w // side**2 // most))


def _in_parts(function, images, side):
  """Applies a function to images [n, h, w, c], one part after another."""
  parts = _num_parts(images, side, _ROWS)
  if parts == 1:
    return function(images)
  mapped = lax.map(function, images.reshape(parts, -1, *images.shape[1:]))
  return mapped.reshape(len(images), *mapped.shape[2:])


def _patches(x):
  """Returns the patch of each output of a halving as a row, [n h w, 16 c]."""
  n, height, width, c = x.shape
  h, w = height // 2, width // 2
  grid = winograd.to_grid(x)
  quarters = [
    grid[:, a : a + h, b : b + w].reshape(n * h * w, 4 * c)
    for a in range(2)
    for b in range(2)
  ]
  return jnp.concatenate(quarters, axis=-1)


def _from_patches(patches, n, h, w):
  """Applies the adjoint of `_patches`."""
  c = patches.shape[1] // 16
  quarters = patches.reshape(n, h, w, 2, 2, 4 * c)
  padded = [
    jnp.pad(quarters[:, :, :, a, b], ((0, 0), (a, 1 - a), (b, 1 - b), (0, 0)))
    for a in range(2)
    for b in range(2)
  ]
  grid = functools.reduce(operator.add, padded)
  return winograd.from_grid(grid.reshape(n, h + 1, w + 1, 2, 2, c))


def convolution(x, kernel, *, stride, padding):
  size, c, o = x.shape[1:3], *kernel.shape[2:]
  if winograd.is_same(kernel.shape[:2], stride, padding) and c > _FEW_CHANNELS:
    return _three_tap_convolution(
      x, winograd.kernel_factors(winograd.THREE_TAPS, kernel)
    )
  if not winograd.is_halving(kernel.shape[:2], stride, padding, size):
    return _xla.convolution(x, kernel, stride=stride, padding=padding)
  h, w = size[0] // 2, size[1] // 2
  taps = winograd.to_taps(kernel)
  if c <= _FEW_CHANNELS:
    return (_patches(x) @ taps.reshape(16 * c, o)).reshape(len(x), h, w, o)
  form = _two_taps(x, h, w, _LARGEST_TRANSFORMED)
  kernel_factors = winograd.kernel_factors(form, taps)

  def convolve(images):
    products = [
      x_factor @ kernel_factor
      for x_factor, kernel_factor in zip(
        winograd.grid_factors(form, images), kernel_factors, strict=True
      )
    ]
    return winograd.from_output_factors(form, products)

  side = 2 * form.tile
  return _in_parts(convolve, _padded_to_multiple(x, side), side)[:, :h, :w]


def _three_tap_convolution(x, kernel_factors):
  """Convolves images with a transformed kernel, one part after another."""
  h, w = x.shape[1:3]

  def convolve(images):
    products = [
      x_factor @ kernel_factor
      for x_factor, kernel_factor in zip(
        winograd.image_factors(winograd.THREE_TAPS, winograd.padded(images, 1)),
        kernel_factors,
        strict=True,
      )
    ]
    return winograd.from_output_factors(winograd.THREE_TAPS, products)

  return _in_parts(convolve, _padded_to_multiple(x, 2), 2)[:, :h, :w]


def transposed_convolution(y, kernel, *, stride, padding, size):
  if winograd.is_same(kernel.shape[:2], stride, padding):
    # A convolution with the reversed kernel. XLA's transposed convolution is up
    # to ten times slower within a loop.
    reversed_kernel = kernel[::-1, ::-1]
    if kernel.shape[3] > _FEW_CHANNELS:
      factors = winograd.kernel_factors(winograd.THREE_TAPS, reversed_kernel)
      return _three_tap_convolution(y, [factor.T for factor in factors])
    return _xla.convolution(
      y, reversed_kernel.swapaxes(2, 3), stride=stride, padding=padding
    )
  if not winograd.is_halving(kernel.shape[:2], stride, padding, size):
    return _xla.transposed_convolution(
      y, kernel, stride=stride, padding=padding, size=size
    )
  c, o = kernel.shape[2:]
  h, w = y.shape[1:3]
  taps = winograd.to_taps(kernel)
  if c <= _FEW_CHANNELS:
    if len(y) * h * w * 16 * c <= _FEW_PATCH_ENTRIES:
      patches = y.reshape(-1, o) @ taps.reshape(16 * c, o).T
      return _from_patches(patches, len(y), h, w)
    # A 2 x 2 convolution to the four pixels of each grid position.
    grid = lax.conv_general_dilated(
      y,
      taps[::-1, ::-1].swapaxes(2, 3),
      (1, 1),
      [(1, 1)] * 2,
      dimension_numbers=_xla.LAYOUT,
    )
    return winograd.from_grid(grid.reshape(*grid.shape[:3], 2, 2, c))
  form = _two_taps(y, h, w)
  kernel_factors = winograd.kernel_factors(form, taps)

  # All images together: these transforms have few channels and many outputs,
  # and processing them in parts was slower.
  products = [
    (y_factor @ kernel_factor.T).reshape(*y_factor.shape[:3], 2, 2, c)
    for y_factor, kernel_factor in zip(
      winograd.output_factors(form, _padded_to_multiple(y, form.tile)),
      kernel_factors,
      strict=True,
    )
  ]
  spread = winograd.from_grid(winograd.from_grid_factors(form, products))
  return spread[:, : size[0], : size[1]]


def kernel_gradient(x, y, *, stride, padding, kernel_size):
  c, o = x.shape[3], y.shape[3]
  h, w = y.shape[1:3]
  is_few = c <= _FEW_CHANNELS
  is_halving = winograd.is_halving(kernel_size, stride, padding, x.shape[1:3])
  if is_few and is_halving:
    product = y.reshape(-1, o).T @ _patches(x)
    return winograd.from_taps(product.T.reshape(2, 2, 4 * c, o))
  if is_halving:
    form = _two_taps(x, h, w, _LARGEST_TRANSFORMED)
    outputs = _padded_to_multiple(y, form.tile)
    products = _summed_products(
      _padded_to_multiple(x, 2 * form.tile),
      outputs,
      functools.partial(winograd.grid_factors, form),
      functools.partial(winograd.output_factors, form),
      _num_summed_parts(outputs, form.tile),
    )
    return winograd.from_taps(winograd.from_kernel_factors(form, products))
  if not is_few and winograd.is_same(kernel_size, stride, padding):
    form = winograd.THREE_TAPS
    outputs = _padded_to_multiple(y, form.tile)
    products = _summed_products(
      _padded_to_multiple(x, form.tile),
      outputs,
      lambda x: winograd.image_factors(form, winograd.padded(x, 1)),
      functools.partial(winograd.output_factors, form),
      _num_summed_parts(outputs, form.tile),
    )
    return winograd.from_kernel_factors(form, products)

  def patches(x):
    padded = winograd.padded(x, padding)
    shifted = [
      padded[:, a : a + stride * h : stride, b : b + stride * w : stride]
      for a in range(kernel_size[0])
      for b in range(kernel_size[1])
    ]
    return [jnp.concatenate(shifted, axis=-1)]

  (product,) = _summed_products(
    x, y, patches, lambda y: [y], _num_parts(y, 1, _ROWS)
  )
  return product.reshape(*kernel_size, c, o)


def _num_summed_parts(y, tile) -> int:
  """Returns the number of parts for products summed over y [n, h, w, o]."""
  # If the forward convolution takes all images together, it computes the same
  # factors, and XLA computes them only once.
  if _num_parts(y, tile, _ROWS) == 1:
    return 1
  return _num_parts(y, tile, _SUMMED_ROWS)


def _summed_products(
  x: Array,
  y: Array,
  x_factors: Callable[[Array], list[Array]],
  y_factors: Callable[[Array], list[Array]],
  parts: int,
) -> list[Array]:
  """Sums x_factor^T y_factor over the images, one part after another.

  Args:
    x: [n, ...].
    y: [n, h, w, o].
    x_factors: maps images of x to a list of m arrays with as many rows as y's.
    y_factors: maps images of y to a list of m arrays [..., o].
    parts: number of equal parts; ignored if the sums are large.

  Returns:
    A list of m products [any, o].
  """
  if x.shape[3] * y.shape[3] >= _LARGE_SUM:
    parts = 1
  size = len(y) // parts

  def products(index):
    part_x, part_y = (
      lax.dynamic_slice_in_dim(v, index * size, size) for v in (x, y)
    )
    # A matrix product packs its left operand, and the outputs' factor is the
    # narrower one.
    return [
      y_factor.reshape(-1, y.shape[3]).T
      @ x_factor.reshape(y_factor.size // y.shape[3], -1)
      for x_factor, y_factor in zip(
        x_factors(part_x), y_factors(part_y), strict=True
      )
    ]

  summed = products(0)
  if parts > 1:
    summed = lax.fori_loop(
      1,
      parts,
      lambda index, summed: jax.tree.map(jnp.add, summed, products(index)),
      summed,
    )
  return [product.T for product in summed]
