"""The convolution and its two adjoints by XLA, for any kernel and platform."""

import jax
from jax import lax

LAYOUT = ("NHWC", "HWIO", "NHWC")


def convolution(x, kernel, *, stride, padding):
  return lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    [(padding, padding)] * 2,
    dimension_numbers=LAYOUT,
  )


def transposed_convolution(y, kernel, *, stride, padding, size):
  x = jax.ShapeDtypeStruct((len(y), *size, kernel.shape[2]), y.dtype)
  (out,) = jax.linear_transpose(
    lambda x: convolution(x, kernel, stride=stride, padding=padding), x
  )(y)
  return out


def kernel_gradient(x, y, *, stride, padding, kernel_size):
  kernel = jax.ShapeDtypeStruct((*kernel_size, x.shape[3], y.shape[3]), x.dtype)
  (out,) = jax.linear_transpose(
    lambda kernel: convolution(x, kernel, stride=stride, padding=padding),
    kernel,
  )(y)
  return out
