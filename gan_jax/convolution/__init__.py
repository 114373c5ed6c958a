"""Convolutions that are fast on a CPU too, with derivatives of any order.

The three operations are the partial derivatives of one trilinear form,

  T(x, w, y) = sum y * convolution(x, w)
             = sum x * transposed_convolution(y, w)
             = sum w * kernel_gradient(x, y),

so the adjoint of each is another one, and derivatives of any order, forward and
reverse, consist of these three. The derivatives that XLA forms of a convolution
run up to 200 times slower on a CPU than the convolution. On a GPU or TPU the
three operations are XLA's.

On a CPU, space to depth turns the 4 x 4 kernel of stride 2 and padding 1 of
DCGAN into a 2 x 2 kernel of stride 1 over four times the channels. Along one
axis, two neighbouring outputs of two taps,

  y0 = x0 w0 + x1 w1,  y1 = x1 w0 + x2 w1,

need three products instead of four (Winograd's F(2, 2)),

  T = (x0 - x1) w0 y0 + x1 (w0 + w1) (y0 + y1) + (x2 - x1) w1 y1.

In two dimensions this is nine matrix products instead of sixteen. Four
neighbouring outputs need five products instead of eight, in two dimensions 25
instead of 64, but larger transforms (F(4, 2)): with w(t) = w0 + w1 t and
y(t) = y0 + ... + y3 t^3, T is linear in the coefficients of w(t) y(t), which
are determined by its values at four points and its leading coefficient.

The 3 x 3 kernel of stride 1 and padding 1 of residual networks has three taps,

  y0 = x0 w0 + x1 w1 + x2 w2,  y1 = x1 w0 + x2 w1 + x3 w2,

which need four products instead of six (F(2, 3)),

  T = (x0 - x2) w0 y0 + (x1 + x2) (w0 + w1 + w2) / 2 (y0 + y1)
    + (x2 - x1) (w0 - w1 + w2) / 2 (y0 - y1) + (x3 - x1) w2 y1,

and in two dimensions 16 instead of 36. With few channels the transforms cost
more than the products that they save, and other forms are used.

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
