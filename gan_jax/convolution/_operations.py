"""The three operations as JAX primitives, and their derivatives."""

import functools
from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from gan_jax import sharding
from gan_jax.convolution import _cpu, _xla
from gan_jax.types import Array


def convolution(
  x: Array, kernel: Array, stride: int = 1, padding: int = 0
) -> Array:
  """Computes the cross-correlation of images with a kernel.

    out[n, i, j, o] =
      sum_{a, b, c} x[n, s i + a - p, s j + b - p, c] kernel[a, b, c, o]

  Args:
    x: [n, height, width, c].
    kernel: [k, l, c, o].
    stride: s, in both directions.
    padding: p, the number of zeros around the image.

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
  """Applies the adjoint of `convolution` as a linear map of the image.

    out[n, s i + a - p, s j + b - p, c] += y[n, i, j, o] kernel[a, b, c, o]

  Args:
    y: [n, h, w, o].
    kernel: [k, l, c, o], the convolution's kernel: `o` are the inputs here.
    stride: s of the convolution.
    padding: p of the convolution.
    size: height and width of the result. None means the smallest that the
      convolution maps to h and w, which is s (h - 1) + k - 2 p.

  Returns:
    [n, *size, c].

  Raises:
    ValueError: if the convolution does not map images of this size to [h, w].
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
  """Applies the adjoint of `convolution` as a linear map of the kernel.

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
    ValueError: if the convolution does not map x to [h, w].
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
  """Raises ValueError unless the convolution maps `size` to `outputs`."""
  expected = _output_size(size, kernel_size, stride, padding)
  if expected != tuple(outputs):
    raise ValueError(
      f"a kernel of {tuple(kernel_size)} with stride {stride} and padding "
      f"{padding} brings images of {tuple(size)} to {expected}, not "
      f"{tuple(outputs)}"
    )


# Bilinear JAX primitives can be differentiated and transposed to any order.


def _define(name, outputs, xla_form, cpu_form, lhs_adjoint, rhs_adjoint, sums):
  """Makes the primitive of one of the three operations.

  Args:
    name: the name of the primitive.
    outputs: (lhs shape, rhs shape, **params) -> the shape of the result.
    xla_form: the implementation on all platforms but CPUs.
    cpu_form: the implementation on CPUs.
    lhs_adjoint: (cotangent, lhs, rhs, **params) -> cotangent of lhs, of which
      only the shape is known.
    rhs_adjoint: the same for rhs.
    sums: if True, both lhs and rhs are images and the result is a sum over
      them; if False, rhs is a kernel and the result is images.
  """
  primitive = Primitive(name)

  def abstract(lhs, rhs, **params):
    if lhs.dtype != rhs.dtype:
      raise TypeError(
        f"{name} takes two arrays of one type, not {lhs.dtype} and {rhs.dtype}"
      )
    return ShapedArray(outputs(lhs.shape, rhs.shape, **params), lhs.dtype)

  def batched(arrays, axes, **params):
    # A loop, because kernels may differ along the mapped axis and a grouped
    # convolution is slow on a CPU. Calling the primitive keeps its derivatives.
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

  def sharded_cpu_form(lhs, rhs, **params):
    # The transforms and partial sums of the CPU forms would round 16-bit
    # numbers many times; in float32 only the result is rounded.
    dtype = lhs.dtype
    if jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits < 32:
      lhs, rhs = lhs.astype(jnp.float32), rhs.astype(jnp.float32)
    # XLA cannot partition the loops and reshapes of the CPU forms, and would
    # run the whole batch on every device.
    form = functools.partial(cpu_form, **params)
    out = sharding.by_parts(form, (True, sums), sums)(lhs, rhs)
    return out.astype(dtype)

  for form, platform in ((xla_form, None), (sharded_cpu_form, "cpu")):
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
  _xla.convolution,
  _cpu.convolution,
  lambda ct, x, kernel, **kw: transposed_convolution(
    ct, kernel, size=_shape(x)[1:3], **kw
  ),
  lambda ct, x, kernel, **kw: kernel_gradient(
    x, ct, kernel_size=_shape(kernel)[:2], **kw
  ),
  sums=False,
)
_transposed_convolution = _define(
  "transposed_convolution",
  _transposed_convolution_shape,
  _xla.transposed_convolution,
  _cpu.transposed_convolution,
  lambda ct, y, kernel, size, **kw: convolution(ct, kernel, **kw),
  lambda ct, y, kernel, size, **kw: kernel_gradient(
    ct, y, kernel_size=_shape(kernel)[:2], **kw
  ),
  sums=False,
)
_kernel_gradient = _define(
  "kernel_gradient",
  _kernel_gradient_shape,
  _xla.kernel_gradient,
  _cpu.kernel_gradient,
  lambda ct, x, y, kernel_size, **kw: transposed_convolution(
    y, ct, size=_shape(x)[1:3], **kw
  ),
  lambda ct, x, y, kernel_size, **kw: convolution(x, ct, **kw),
  sums=True,
)
