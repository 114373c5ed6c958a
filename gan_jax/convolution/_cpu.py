"""The three operations in the forms that a CPU runs fastest, by shape."""

import math
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


def _evened(image, by):
  """Pads an image after its end to whole numbers of `by` in both directions."""
  rows, columns = (-length % by for length in image.shape[1:3])
  return jnp.pad(image, ((0, 0), (0, rows), (0, columns), (0, 0)))


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


def convolution(x, kernel, *, stride, padding):
  size, c, o = x.shape[1:3], *kernel.shape[2:]
  if winograd.is_same(kernel.shape[:2], stride, padding) and c > _FEW_CHANNELS:
    return _three_tap_convolution(
      x, winograd.kernel_factors(winograd.THREE_TAPS.kernel, kernel)
    )
  if not winograd.is_halving(kernel.shape[:2], stride, padding, size):
    return _xla.convolution(x, kernel, stride=stride, padding=padding)
  h, w = size[0] // 2, size[1] // 2
  if c <= _FEW_CHANNELS:
    grid, taps = winograd.to_grid(x), winograd.to_taps(kernel)
    patches = jnp.concatenate(
      [
        grid[:, a : a + h, b : b + w].reshape(len(x), h, w, 4 * c)
        for a in range(2)
        for b in range(2)
      ],
      axis=-1,
    )
    return patches @ taps.reshape(16 * c, o)
  kernel_factors = winograd.kernel_factors(
    winograd.TWO_TAPS.kernel, winograd.to_taps(kernel)
  )

  def convolve(own):
    products = [
      x_factor @ kernel_factor
      for x_factor, kernel_factor in zip(
        winograd.grid_factors(own), kernel_factors, strict=True
      )
    ]
    return winograd.from_output_factors(winograd.TWO_TAPS.outputs, products)

  return _in_parts(convolve, _evened(x, 4), 4)[:, :h, :w]


def _three_tap_convolution(x, kernel_factors):
  """Convolves images with a transformed kernel, a part of them at a time."""
  h, w = x.shape[1:3]

  def convolve(own):
    products = [
      x_factor @ kernel_factor
      for x_factor, kernel_factor in zip(
        winograd.image_factors(
          winograd.THREE_TAPS.image, winograd.padded(own, 1)
        ),
        kernel_factors,
        strict=True,
      )
    ]
    return winograd.from_output_factors(winograd.THREE_TAPS.outputs, products)

  return _in_parts(convolve, _evened(x, 2), 2)[:, :h, :w]


def transposed_convolution(y, kernel, *, stride, padding, size):
  if winograd.is_same(kernel.shape[:2], stride, padding):
    # A convolution with the kernel turned about: XLA's own form of it is up to
    # ten times slower within a loop.
    turned = kernel[::-1, ::-1]
    if kernel.shape[3] > _FEW_CHANNELS:
      factors = winograd.kernel_factors(winograd.THREE_TAPS.kernel, turned)
      return _three_tap_convolution(y, [factor.T for factor in factors])
    return _xla.convolution(
      y, turned.swapaxes(2, 3), stride=stride, padding=padding
    )
  if not winograd.is_halving(kernel.shape[:2], stride, padding, size):
    return _xla.transposed_convolution(
      y, kernel, stride=stride, padding=padding, size=size
    )
  c = kernel.shape[2]
  taps = winograd.to_taps(kernel)
  if c <= _FEW_CHANNELS:
    # Two by two convolutions to the four pixels of a place at once.
    grid = lax.conv_general_dilated(
      y,
      taps[::-1, ::-1].swapaxes(2, 3),
      (1, 1),
      [(1, 1)] * 2,
      dimension_numbers=_xla.LAYOUT,
    )
    return winograd.from_grid(grid.reshape(*grid.shape[:3], 2, 2, c))
  kernel_factors = winograd.kernel_factors(winograd.TWO_TAPS.kernel, taps)

  def spread(own):
    products = [
      (y_factor @ kernel_factor.T).reshape(*y_factor.shape[:3], 2, 2, c)
      for y_factor, kernel_factor in zip(
        winograd.output_factors(winograd.TWO_TAPS.outputs, own),
        kernel_factors,
        strict=True,
      )
    ]
    return winograd.from_grid(winograd.from_grid_factors(products))

  return _in_parts(spread, _evened(y, 2), 2)[:, : size[0], : size[1]]


def kernel_gradient(x, y, *, stride, padding, kernel_size):
  c, o = x.shape[3], y.shape[3]
  is_deep = c > _FEW_CHANNELS
  if is_deep and winograd.is_halving(
    kernel_size, stride, padding, x.shape[1:3]
  ):
    products = _summed_products(
      _evened(x, 4),
      _evened(y, 2),
      winograd.grid_factors,
      lambda y: winograd.output_factors(winograd.TWO_TAPS.outputs, y),
    )
    return winograd.from_taps(
      winograd.from_kernel_factors(winograd.TWO_TAPS.kernel, products)
    )
  if is_deep and winograd.is_same(kernel_size, stride, padding):
    products = _summed_products(
      _evened(x, 2),
      _evened(y, 2),
      lambda x: winograd.image_factors(
        winograd.THREE_TAPS.image, winograd.padded(x, 1)
      ),
      lambda y: winograd.output_factors(winograd.THREE_TAPS.outputs, y),
    )
    return winograd.from_kernel_factors(winograd.THREE_TAPS.kernel, products)
  h, w = y.shape[1:3]

  def patches(x):
    padded = winograd.padded(x, padding)
    shifted = [
      padded[:, a : a + stride * h : stride, b : b + stride * w : stride]
      for a in range(kernel_size[0])
      for b in range(kernel_size[1])
    ]
    return [jnp.concatenate(shifted, axis=-1)]

  (product,) = _summed_products(x, y, patches, lambda y: [y])
  return product.reshape(*kernel_size, c, o)


def _summed_products(
  x: Array,
  y: Array,
  x_factors: Callable[[Array], list[Array]],
  y_factors: Callable[[Array], list[Array]],
) -> list[Array]:
  """Sums x_factor^T y_factor over a part of the images after another.

  Args:
    x: [n, ...].
    y: [n, h, w, o].
    x_factors: of images of x, a list of m arrays of as many rows as y's has.
    y_factors: of images of y, a list of m arrays [..., o].

  Returns:
    A list of m products [any, o].
  """
  is_large = x.shape[3] * y.shape[3] >= _LARGE_SUM
  parts = 1 if is_large else _num_parts(y, 2, _SUMMED_ROWS)
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
