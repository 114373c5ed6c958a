"""The three operations in the forms that a CPU runs fastest, by shape."""

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
"""Input channels up to which a patch is one row of a matrix."""
_ROWS = 1024
"""Rows of transformed products at once: more do not fit the caches with their
transforms."""
_SUMMED_ROWS = 256
"""The same where products are sums over rows, and are kept with them."""
_LARGE_SUM = 2**17
"""Kernel entries per tap from which such sums do not fit the caches themselves,
so that parts of them only add to the traffic."""
_FEW_PATCH_ENTRIES = 2**21
"""Entries of all patches up to which adding them up where they belong is faster
than a convolution to the pixels."""
_LARGEST_TRANSFORMED = 8
"""Side of the outputs up to which tiles of four pay where the images are
transformed, which have twice the side."""


def _evened(image, by):
  """Pads an image after its end to whole numbers of `by` in both directions."""
  rows, columns = (-length % by for length in image.shape[1:3])
  return jnp.pad(image, ((0, 0), (0, rows), (0, columns), (0, 0)))


def _two_taps(images, h, w, largest: float = math.inf) -> winograd.Winograd:
  """Returns the form of two taps for outputs of a size.

  Tiles of four need more of the transforms, which is too much for a single
  tile, and fractions, which are too coarse in 16 bits.

  Args:
    images: an array of the type that the form is for.
    h: height of the outputs.
    w: width of the outputs.
    largest: side up to which the transforms of tiles of four pay.
  """

  def num_products(form):
    tiles = math.ceil(h / form.tile) * math.ceil(w / form.tile)
    return len(form.image) ** 2 * tiles

  small, large = winograd.TWO_TAPS, winograd.TWO_TAPS_OF_FOUR
  # Tiles that the outputs do not fill may take back what they save.
  saves = num_products(large) <= 0.75 * num_products(small)
  is_fine = (
    jnp.issubdtype(images.dtype, jnp.inexact)
    and jnp.finfo(images.dtype).bits > 16
  )
  return large if saves and is_fine and 4 < max(h, w) <= largest else small


def _num_parts(images, side, most) -> int:
  """Returns into how many parts of equal size a minibatch falls.

  Args:
    images: [n, h, w, c].
    side: of the square of places that a row of a product stands for.
    most: rows that a part should have.
  """
  n, h, w, _ = images.shape
  return math.gcd(n, max(1, n * h * w // side**2 // most))


def _in_parts(function, images, side):
  """Maps images [n, h, w, c], a part of them after another."""
  parts = _num_parts(images, side, _ROWS)
  if parts == 1:
    return function(images)
  mapped = lax.map(function, images.reshape(parts, -1, *images.shape[1:]))
  return mapped.reshape(len(images), *mapped.shape[2:])


def _patches(x):
  """Lays what each output of a halving sees in a row, [n h w, 16 c]."""
  n, height, width, c = x.shape
  h, w = height // 2, width // 2
  grid = winograd.to_grid(x)
  places = [
    grid[:, a : a + h, b : b + w].reshape(n * h * w, 4 * c)
    for a in range(2)
    for b in range(2)
  ]
  return jnp.concatenate(places, axis=-1)


def _from_patches(patches, n, h, w):
  """Applies the adjoint of `_patches`."""
  c = patches.shape[1] // 16
  places = patches.reshape(n, h, w, 2, 2, 4 * c)
  padded = [
    jnp.pad(places[:, :, :, a, b], ((0, 0), (a, 1 - a), (b, 1 - b), (0, 0)))
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

  def convolve(own):
    products = [
      x_factor @ kernel_factor
      for x_factor, kernel_factor in zip(
        winograd.grid_factors(form, own), kernel_factors, strict=True
      )
    ]
    return winograd.from_output_factors(form, products)

  side = 2 * form.tile
  return _in_parts(convolve, _evened(x, side), side)[:, :h, :w]


def _three_tap_convolution(x, kernel_factors):
  """Convolves images with a transformed kernel, a part of them at a time."""
  h, w = x.shape[1:3]

  def convolve(own):
    products = [
      x_factor @ kernel_factor
      for x_factor, kernel_factor in zip(
        winograd.image_factors(winograd.THREE_TAPS, winograd.padded(own, 1)),
        kernel_factors,
        strict=True,
      )
    ]
    return winograd.from_output_factors(winograd.THREE_TAPS, products)

  return _in_parts(convolve, _evened(x, 2), 2)[:, :h, :w]


def transposed_convolution(y, kernel, *, stride, padding, size):
  if winograd.is_same(kernel.shape[:2], stride, padding):
    # A convolution with the kernel turned about: XLA's own form of it is up to
    # ten times slower within a loop.
    turned = kernel[::-1, ::-1]
    if kernel.shape[3] > _FEW_CHANNELS:
      factors = winograd.kernel_factors(winograd.THREE_TAPS, turned)
      return _three_tap_convolution(y, [factor.T for factor in factors])
    return _xla.convolution(
      y, turned.swapaxes(2, 3), stride=stride, padding=padding
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
    # Two by two convolutions to the four pixels of a place at once.
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

  # All images at once: these transforms are of fewer channels and many outputs,
  # and parts were slower.
  products = [
    (y_factor @ kernel_factor.T).reshape(*y_factor.shape[:3], 2, 2, c)
    for y_factor, kernel_factor in zip(
      winograd.output_factors(form, _evened(y, form.tile)),
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
    outputs = _evened(y, form.tile)
    products = _summed_products(
      _evened(x, 2 * form.tile),
      outputs,
      functools.partial(winograd.grid_factors, form),
      functools.partial(winograd.output_factors, form),
      _num_summed_parts(outputs, form.tile),
    )
    return winograd.from_taps(winograd.from_kernel_factors(form, products))
  if not is_few and winograd.is_same(kernel_size, stride, padding):
    form = winograd.THREE_TAPS
    outputs = _evened(y, form.tile)
    products = _summed_products(
      _evened(x, form.tile),
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
  """Returns into how many parts a minibatch falls whose products are summed.

  Args:
    y: [n, h, w, o], the outputs.
    tile: side of the square of outputs that a row of a product stands for.
  """
  # A convolution that takes its images whole has made the same factors of
  # them, and XLA makes them once.
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
  """Sums x_factor^T y_factor over a part of the images after another.

  Args:
    x: [n, ...].
    y: [n, h, w, o].
    x_factors: of images of x, a list of m arrays of as many rows as y's has.
    y_factors: of images of y, a list of m arrays [..., o].
    parts: of equal size into which the images fall, where the sums are not so
      large that they fall into none.

  Returns:
    A list of m products [any, o].
  """
  if x.shape[3] * y.shape[3] >= _LARGE_SUM:
    parts = 1
  size = len(y) // parts

  def products(index):
    own_x, own_y = (
      lax.dynamic_slice_in_dim(v, index * size, size) for v in (x, y)
    )
    # The outputs' factor stands first, because that one is packed and beside a
    # grid it is the narrower.
    return [
      y_factor.reshape(-1, y.shape[3]).T
      @ x_factor.reshape(y_factor.size // y.shape[3], -1)
      for x_factor, y_factor in zip(
        x_factors(own_x), y_factors(own_y), strict=True
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
