"""Convolutions for images, fast on a CPU too, with all their derivatives.

Three operations are one trilinear form read in three ways,

  T(x, w, y) = sum y * convolution(x, w)
             = sum x * transposed_convolution(y, w)
             = sum w * kernel_gradient(x, y),

so each is the adjoint of another, and the derivatives of any order, forward and
reverse, are made of the same three. XLA differentiates a convolution into forms
of its own, which a CPU runs up to two hundred times slower than the convolution
itself. On a GPU or TPU the three are XLA's.

On a CPU a 4 x 4 kernel of stride 2 and padding 1, that of DCGAN, is by space to
depth a 2 x 2 kernel of stride 1 over four times the channels. Two neighbouring
outputs of two taps,

  y0 = x0 w0 + x1 w1,  y1 = x1 w0 + x2 w1,

need three products instead of four (Winograd's F(2, 2)),

  T = (x0 - x1) w0 y0 + x1 (w0 + w1) (y0 + y1) + (x2 - x1) w1 y1,

and in two dimensions nine matrix products instead of sixteen. Where there are
few channels, the transforms cost more than the products that they save.

References:
  Radford et al., "Unsupervised Representation Learning with Deep Convolutional
  Generative Adversarial Networks", arXiv 1511.06434. Winograd, "Arithmetic
  Complexity of Computations" (1980). Lavin and Gray, "Fast Algorithms for
  Convolutional Neural Networks", arXiv 1509.09308.
"""

import functools
import math
from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from gan_jax.types import Array

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_FEW_CHANNELS = 16
"""Input channels up to which a patch is one row of a matrix."""
_MANY_CHANNELS = 96
"""Input channels from which the transforms of Winograd's form pay forward."""
_ROWS = 512
"""Rows of a product over which a kernel's gradient is summed at once: more do
not fit the caches with their transforms."""


def convolution(
  x: Array, kernel: Array, stride: int = 1, padding: int = 0
) -> Array:
  """Slides a kernel over images, without flipping it.

    out[n, i, j, o] =
      sum_{a, b, c} x[n, s i + a - p, s j + b - p, c] kernel[a, b, c, o]

  Args:
    x: [n, height, width, c].
    kernel: [k, l, c, o].
    stride: s, between outputs in both directions.
    padding: p, zeros around the image.

  Returns:
    [n, (height + 2 p - k) // s + 1, (width + 2 p - l) // s + 1, o].

  Raises:
    ValueError: if the kernel does not fit into the padded image.
  """
  chex.assert_rank([x, kernel], 4)
  chex.assert_equal(x.shape[3], kernel.shape[2])
  return _convolution.bind(x, kernel, stride=stride, padding=padding)


def transposed_convolution(
  y: Array,
  kernel: Array,
  stride: int = 1,
  padding: int = 0,
  size: tuple[int, int] | None = None,
) -> Array:
  """Applies the adjoint of a convolution in its image: spreads the kernel.

    out[n, s i + a - p, s j + b - p, c] += y[n, i, j, o] kernel[a, b, c, o]

  Args:
    y: [n, h, w, o].
    kernel: [k, l, c, o], as the convolution has it: `o` are its outputs, which
      come in here.
    stride: s of the convolution.
    padding: p of the convolution.
    size: height and width of the result; None, for the least that the
      convolution brings to h and w, s (h - 1) + k - 2 p.

  Returns:
    [n, *size, c].

  Raises:
    ValueError: if the convolution does not bring the size to [h, w].
  """
  chex.assert_rank([y, kernel], 4)
  chex.assert_equal(y.shape[3], kernel.shape[3])
  if size is None:
    size = (
      stride * (y.shape[1] - 1) + kernel.shape[0] - 2 * padding,
      stride * (y.shape[2] - 1) + kernel.shape[1] - 2 * padding,
    )
  return _transposed_convolution.bind(
    y, kernel, stride=stride, padding=padding, size=tuple(size)
  )


def kernel_gradient(
  x: Array,
  y: Array,
  kernel_size: tuple[int, int],
  stride: int = 1,
  padding: int = 0,
) -> Array:
  """Applies the adjoint of a convolution in its kernel.

    out[a, b, c, o] =
      sum_{n, i, j} x[n, s i + a - p, s j + b - p, c] y[n, i, j, o]

  Args:
    x: [n, height, width, c], the images of the convolution.
    y: [n, h, w, o], a cotangent of its outputs.
    kernel_size: k, l.
    stride: s of the convolution.
    padding: p of the convolution.

  Returns:
    [k, l, c, o].

  Raises:
    ValueError: if the convolution does not bring x to [h, w].
  """
  chex.assert_rank([x, y], 4)
  return _kernel_gradient.bind(
    x, y, stride=stride, padding=padding, kernel_size=tuple(kernel_size)
  )


def _output_size(
  size: Sequence[int], kernel_size: Sequence[int], stride: int, padding: int
) -> tuple[int, ...]:
  """Returns the height and width of a convolution's outputs."""
  outputs = tuple(
    (length + 2 * padding - taps) // stride + 1
    for length, taps in zip(size, kernel_size, strict=True)
  )
  if min(outputs) < 1:
    raise ValueError(
      f"a kernel of {tuple(kernel_size)} does not fit into images of "
      f"{tuple(size)} with padding {padding}"
    )
  return outputs


def _check_outputs(size, kernel_size, stride, padding, outputs):
  """Raises ValueError unless the convolution brings `size` to `outputs`."""
  expected = _output_size(size, kernel_size, stride, padding)
  if expected != tuple(outputs):
    raise ValueError(
      f"a kernel of {tuple(kernel_size)} with stride {stride} and padding "
      f"{padding} brings images of {tuple(size)} to {expected}, not "
      f"{tuple(outputs)}"
    )


# XLA's forms, for a GPU or TPU and for what has no better one.


def _xla_convolution(x, kernel, *, stride, padding):
  return lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    [(padding, padding)] * 2,
    dimension_numbers=_LAYOUT,
  )


def _xla_transposed_convolution(y, kernel, *, stride, padding, size):
  x = jax.ShapeDtypeStruct((len(y), *size, kernel.shape[2]), y.dtype)
  (out,) = jax.linear_transpose(
    lambda x: _xla_convolution(x, kernel, stride=stride, padding=padding), x
  )(y)
  return out


def _xla_kernel_gradient(x, y, *, stride, padding, kernel_size):
  kernel = jax.ShapeDtypeStruct((*kernel_size, x.shape[3], y.shape[3]), x.dtype)
  (out,) = jax.linear_transpose(
    lambda kernel: _xla_convolution(x, kernel, stride=stride, padding=padding),
    kernel,
  )(y)
  return out


# Space to depth: in what follows `grid` is [n, h + 1, w + 1, 2, 2, c], the four
# pixels of a padded image that share a place of the output grid, and `taps` is
# [2, 2, 4 c, o], the kernel over them.


def _is_halving(kernel_size, stride, padding, size) -> bool:
  """Tells whether a convolution is DCGAN's: 4 x 4, halving the image."""
  return (
    tuple(kernel_size) == (4, 4)
    and (stride, padding) == (2, 1)
    and size[0] % 2 == 0
    and size[1] % 2 == 0
  )


def _to_grid(x):
  n, height, width, c = x.shape
  padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  pairs = padded.reshape(n, height // 2 + 1, 2, width // 2 + 1, 2, c)
  return pairs.transpose(0, 1, 3, 2, 4, 5)


def _from_grid(grid):
  """Applies the adjoint of `_to_grid`."""
  n, rows, columns, _, _, c = grid.shape
  pairs = grid.transpose(0, 1, 3, 2, 4, 5)
  return pairs.reshape(n, 2 * rows, 2 * columns, c)[:, 1:-1, 1:-1]


def _to_taps(kernel):
  c, o = kernel.shape[2:]
  pairs = kernel.reshape(2, 2, 2, 2, c, o).transpose(0, 2, 1, 3, 4, 5)
  return pairs.reshape(2, 2, 4 * c, o)


def _from_taps(taps):
  """Applies the adjoint of `_to_taps`, which is its inverse."""
  c, o = taps.shape[2] // 4, taps.shape[3]
  pairs = taps.reshape(2, 2, 2, 2, c, o).transpose(0, 2, 1, 3, 4, 5)
  return pairs.reshape(4, 4, c, o)


# Winograd's transforms, along one axis after another: of three neighbours of
# the grid, of two taps and of two outputs to three factors each, and their
# adjoints. The nine of both axes are lists.


def _along(x, axis, start, stop):
  """Takes every second element of an axis."""
  return lax.slice_in_dim(x, start, stop, stride=2, axis=axis)


def _grid_factors(grid):
  """Transforms a grid with even h and w to nine [n, h/2, w/2, 2, 2, c]."""

  def transform(x, axis):
    last = x.shape[axis] - 1
    x0, x1, x2 = (_along(x, axis, i, last - 1 + i) for i in range(3))
    return x0 - x1, x1, x2 - x1

  return [q for rows in transform(grid, 1) for q in transform(rows, 2)]


def _from_grid_factors(factors):
  """Applies the adjoint of `_grid_factors`."""

  def merge(factors, axis):
    x0, x1, x2 = factors
    # Places 2 i begin one pair of outputs and end another, 2 i + 1 are between.
    after, before = [(0, 0)] * x0.ndim, [(0, 0)] * x0.ndim
    after[axis], before[axis] = (0, 1), (1, 0)
    even = jnp.pad(x0, after) + jnp.pad(x2, before)
    odd = jnp.pad(x1 - x0 - x2, after)
    shape = list(even.shape)
    shape[axis] *= 2
    both = jnp.stack([even, odd], axis + 1).reshape(shape)
    return lax.slice_in_dim(both, 0, shape[axis] - 1, axis=axis)

  return merge([merge(factors[i : i + 3], 2) for i in (0, 3, 6)], 1)


def _tap_factors(taps):
  """Transforms taps to nine [4 c, o]."""

  def transform(w):
    return w[0], w[0] + w[1], w[1]

  return [q for rows in transform(taps) for q in transform(rows)]


def _from_tap_factors(factors):
  """Applies the adjoint of `_tap_factors`."""

  def merge(factors):
    w0, w1, w2 = factors
    return jnp.stack([w0 + w1, w1 + w2])

  return merge([merge(factors[i : i + 3]) for i in (0, 3, 6)])


def _output_factors(y):
  """Transforms outputs with even h and w to nine [n, h/2, w/2, o]."""

  def transform(y, axis):
    y0, y1 = (_along(y, axis, i, y.shape[axis]) for i in range(2))
    return y0, y0 + y1, y1

  return [q for rows in transform(y, 1) for q in transform(rows, 2)]


def _from_output_factors(factors):
  """Applies the adjoint of `_output_factors`."""

  def merge(factors, axis):
    y0, y1, y2 = factors
    both = jnp.stack([y0 + y1, y1 + y2], axis + 1)
    shape = list(y0.shape)
    shape[axis] *= 2
    return both.reshape(shape)

  return merge([merge(factors[i : i + 3], 2) for i in (0, 3, 6)], 1)


def _evened(image, by):
  """Pads an image after its end to whole numbers of `by` in both directions."""
  rows, columns = (-length % by for length in image.shape[1:3])
  return jnp.pad(image, ((0, 0), (0, rows), (0, columns), (0, 0)))


# The forms of a CPU.


def _cpu_convolution(x, kernel, *, stride, padding):
  size, c, o = x.shape[1:3], *kernel.shape[2:]
  if not _is_halving(kernel.shape[:2], stride, padding, size):
    return _xla_convolution(x, kernel, stride=stride, padding=padding)
  h, w = size[0] // 2, size[1] // 2
  if c <= _FEW_CHANNELS:
    grid, taps = _to_grid(x), _to_taps(kernel)
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
    return _xla_convolution(x, kernel, stride=stride, padding=padding)
  grid = _to_grid(_evened(x, 4))
  products = [
    x_factor.reshape(*x_factor.shape[:3], 4 * c) @ w_factor
    for x_factor, w_factor in zip(
      _grid_factors(grid), _tap_factors(_to_taps(kernel)), strict=True
    )
  ]
  return _from_output_factors(products)[:, :h, :w]


def _cpu_transposed_convolution(y, kernel, *, stride, padding, size):
  if not _is_halving(kernel.shape[:2], stride, padding, size):
    return _xla_transposed_convolution(
      y, kernel, stride=stride, padding=padding, size=size
    )
  c = kernel.shape[2]
  taps = _to_taps(kernel)
  if c <= _FEW_CHANNELS:
    # Two by two convolutions to the four pixels of a place at once.
    grid = lax.conv_general_dilated(
      y,
      taps[::-1, ::-1].swapaxes(2, 3),
      (1, 1),
      [(1, 1)] * 2,
      dimension_numbers=_LAYOUT,
    )
    return _from_grid(grid.reshape(*grid.shape[:3], 2, 2, c))
  products = [
    (y_factor @ w_factor.T).reshape(*y_factor.shape[:3], 2, 2, c)
    for y_factor, w_factor in zip(
      _output_factors(_evened(y, 2)), _tap_factors(taps), strict=True
    )
  ]
  return _from_grid(_from_grid_factors(products))[:, : size[0], : size[1]]


def _cpu_kernel_gradient(x, y, *, stride, padding, kernel_size):
  c, o = x.shape[3], y.shape[3]
  if _is_halving(kernel_size, stride, padding, x.shape[1:3]) and (
    c > _FEW_CHANNELS
  ):
    return _winograd_kernel_gradient(_evened(x, 4), _evened(y, 2))
  h, w = y.shape[1:3]
  padded = jnp.pad(x, ((0, 0), *[(padding, padding)] * 2, (0, 0)))
  rows = y.reshape(-1, o)

  def of_tap(a, b):
    shifted = padded[
      :, a : a + stride * h : stride, b : b + stride * w : stride
    ]
    return shifted.reshape(-1, c).T @ rows

  return jnp.stack(
    [
      jnp.stack([of_tap(a, b) for b in range(kernel_size[1])])
      for a in range(kernel_size[0])
    ]
  )


def _winograd_kernel_gradient(x, y):
  """Sums the nine products over a part of the images after another."""
  n, h, w, o = y.shape
  parts = math.gcd(n, max(1, n * h * w // 4 // _ROWS))

  def products(index):
    own_x, own_y = (
      lax.dynamic_slice_in_dim(v, index * (n // parts), n // parts)
      for v in (x, y)
    )
    # The narrower factor stands first, because that one is packed.
    return [
      y_factor.reshape(-1, o).T @ x_factor.reshape(-1, 4 * x.shape[3])
      for x_factor, y_factor in zip(
        _grid_factors(_to_grid(own_x)), _output_factors(own_y), strict=True
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
  return _from_taps(_from_tap_factors([product.T for product in summed]))


# As primitives of JAX, bilinear, so that it differentiates and transposes them
# as often as it is asked to.


def _define(name, outputs, xla_form, cpu_form, lhs_adjoint, rhs_adjoint):
  """Makes one of the three a primitive.

  Args:
    name: of the primitive.
    outputs: (lhs shape, rhs shape, **params) -> the shape of the result.
    xla_form: what any platform runs.
    cpu_form: what a CPU runs.
    lhs_adjoint: (cotangent, lhs, rhs, **params) -> cotangent of lhs, which is
      known by its shape alone.
    rhs_adjoint: the same of rhs.

  Returns:
    The primitive.
  """
  primitive = Primitive(name)

  def abstract(lhs, rhs, **params):
    if lhs.dtype != rhs.dtype:
      raise TypeError(
        f"{name} takes two arrays of one type, not {lhs.dtype} and {rhs.dtype}"
      )
    return ShapedArray(outputs(lhs.shape, rhs.shape, **params), lhs.dtype)

  def batched(arrays, axes, **params):
    # Members of a batch have kernels of their own: one after another is what a
    # CPU does best, and the primitive stays one, for derivatives to come.
    size = next(
      array.shape[axis]
      for array, axis in zip(arrays, axes, strict=True)
      if axis is not None
    )
    arrays = [
      jnp.broadcast_to(array, (size, *array.shape))
      if axis is None
      else jnp.moveaxis(array, axis, 0)
      for array, axis in zip(arrays, axes, strict=True)
    ]
    return lax.map(lambda both: primitive.bind(*both, **params), arrays), 0

  @functools.cache
  def compiled(params):
    return jax.jit(functools.partial(primitive.bind, **dict(params)))

  primitive.def_impl(
    lambda *arrays, **params: compiled(tuple(params.items()))(*arrays)
  )
  primitive.def_abstract_eval(abstract)
  ad.defbilinear(primitive, lhs_adjoint, rhs_adjoint)
  batching.primitive_batchers[primitive] = batched
  for form, platform in ((xla_form, None), (cpu_form, "cpu")):
    mlir.register_lowering(
      primitive, mlir.lower_fun(form, multiple_results=False), platform
    )
  return primitive


def _shape(value):
  return getattr(value, "aval", value).shape


def _convolution_shape(x, kernel, *, stride, padding):
  return (
    x[0],
    *_output_size(x[1:3], kernel[:2], stride, padding),
    kernel[3],
  )


def _transposed_convolution_shape(y, kernel, *, stride, padding, size):
  _check_outputs(size, kernel[:2], stride, padding, y[1:3])
  return (y[0], *size, kernel[2])


def _kernel_gradient_shape(x, y, *, stride, padding, kernel_size):
  _check_outputs(x[1:3], kernel_size, stride, padding, y[1:3])
  return (*kernel_size, x[3], y[3])


_convolution = _define(
  "convolution",
  _convolution_shape,
  _xla_convolution,
  _cpu_convolution,
  lambda ct, x, kernel, **kw: transposed_convolution(
    ct, kernel, size=_shape(x)[1:3], **kw
  ),
  lambda ct, x, kernel, **kw: kernel_gradient(
    x, ct, kernel_size=_shape(kernel)[:2], **kw
  ),
)
_transposed_convolution = _define(
  "transposed_convolution",
  _transposed_convolution_shape,
  _xla_transposed_convolution,
  _cpu_transposed_convolution,
  lambda ct, y, kernel, size, **kw: convolution(ct, kernel, **kw),
  lambda ct, y, kernel, size, **kw: kernel_gradient(
    ct, y, kernel_size=_shape(kernel)[:2], **kw
  ),
)
_kernel_gradient = _define(
  "kernel_gradient",
  _kernel_gradient_shape,
  _xla_kernel_gradient,
  _cpu_kernel_gradient,
  lambda ct, x, y, kernel_size, **kw: transposed_convolution(
    y, ct, size=_shape(x)[1:3], **kw
  ),
  lambda ct, x, y, kernel_size, **kw: convolution(x, ct, **kw),
)
