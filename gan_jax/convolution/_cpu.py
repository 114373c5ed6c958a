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
_MANY_CHANNELS = 96
"""Input channels from which the transforms of Winograd's form pay forward."""
_ROWS = 512
"""Rows of a transformed product at once: more do not fit the caches with their
transforms."""


def _evened(image, by):
  """Pads an image after its end to whole numbers of `by` in both directions."""
  rows, columns = (-length % by for length in image.shape[1:3])
  return jnp.pad(image, ((0, 0), (0, rows), (0, columns), (0, 0)))


def _num_parts(y) -> int:
  """Returns into how many parts of equal size a minibatch of outputs falls."""
  n, h, w, _ = y.shape
  return math.gcd(n, max(1, n * h * w // 4 // _ROWS))


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
  if c < _MANY_CHANNELS:
    return _xla.convolution(x, kernel, stride=stride, padding=padding)
  grid = winograd.to_grid(_evened(x, 4))
  products = [
    x_factor.reshape(*x_factor.shape[:3], 4 * c) @ w_factor
    for x_factor, w_factor in zip(
      winograd.image_factors(winograd.TWO_TAPS.image, grid),
      winograd.kernel_factors(
        winograd.TWO_TAPS.kernel, winograd.to_taps(kernel)
      ),
      strict=True,
    )
  ]
  return winograd.from_output_factors(winograd.TWO_TAPS.outputs, products)[
    :, :h, :w
  ]


def _three_tap_convolution(x, kernel_factors):
  """Convolves images with a transformed kernel, a part of them at a time."""
  h, w = x.shape[1:3]
  evened = _evened(x, 2)

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

  parts = _num_parts(evened)
  out = lax.map(convolve, evened.reshape(parts, -1, *evened.shape[1:]))
  return out.reshape(*evened.shape[:3], -1)[:, :h, :w]


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
  products = [
    (y_factor @ w_factor.T).reshape(*y_factor.shape[:3], 2, 2, c)
    for y_factor, w_factor in zip(
      winograd.output_factors(winograd.TWO_TAPS.outputs, _evened(y, 2)),
      winograd.kernel_factors(winograd.TWO_TAPS.kernel, taps),
      strict=True,
    )
  ]
  return winograd.from_grid(winograd.from_grid_factors(products))[
    :, : size[0], : size[1]
  ]


def kernel_gradient(x, y, *, stride, padding, kernel_size):
  c, o = x.shape[3], y.shape[3]
  is_deep = c > _FEW_CHANNELS
  if is_deep and winograd.is_halving(
    kernel_size, stride, padding, x.shape[1:3]
  ):
    products = _summed_products(
      _evened(x, 4),
      _evened(y, 2),
      lambda x: winograd.image_factors(
        winograd.TWO_TAPS.image, winograd.to_grid(x)
      ),
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
  parts = _num_parts(y)
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
