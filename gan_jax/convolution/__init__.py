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

and in two dimensions nine matrix products instead of sixteen. Four neighbouring
outputs need five instead of eight, in two dimensions 25 instead of 64, but more
of the transforms (F(4, 2)): with w(t) = w0 + w1 t and y(t) = y0 + ... + y3 t^3,
T is linear in the coefficients of w(t) y(t), which its values at four points
and its leading coefficient determine.

A 3 x 3 kernel of stride 1 and padding 1, that of residual networks, has three
taps,

  y0 = x0 w0 + x1 w1 + x2 w2,  y1 = x1 w0 + x2 w1 + x3 w2,

which need four products instead of six (F(2, 3)),

  T = (x0 - x2) w0 y0 + (x1 + x2) (w0 + w1 + w2) / 2 (y0 + y1)
    + (x2 - x1) (w0 - w1 + w2) / 2 (y0 - y1) + (x3 - x1) w2 y1,

and in two dimensions sixteen instead of thirty-six. Where there are few
channels, the transforms cost more than the products that they save.

References:
  Radford et al., "Unsupervised Representation Learning with Deep Convolutional
  Generative Adversarial Networks", arXiv 1511.06434. Winograd, "Arithmetic
  Complexity of Computations" (1980). Lavin and Gray, "Fast Algorithms for
  Convolutional Neural Networks", arXiv 1509.09308.
"""

from gan_jax.convolution._operations import (
  convolution,
  kernel_gradient,
  transposed_convolution,
)

__all__ = ["convolution", "kernel_gradient", "transposed_convolution"]
