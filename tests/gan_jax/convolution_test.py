"""Tests convolutions and their derivatives against XLA and explicit sums."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from jax import lax
from jax.test_util import check_grads

from gan_jax import convolution as c
from gan_jax.convolution import _cpu as cpu
from gan_jax.convolution import _winograd as winograd

# (images, kernel, stride, padding): every form, even and odd halves, few and
# many channels, parts of a sum, and shapes that only XLA's form supports.
SHAPES = (
  ("first", (2, 8, 12, 3), (4, 4, 3, 5), 2, 1),
  ("first_of_many", (16, 64, 64, 16), (4, 4, 16, 2), 2, 1),
  ("middle", (2, 8, 8, 20), (4, 4, 20, 8), 2, 1),
  ("deep", (2, 8, 4, 100), (4, 4, 100, 8), 2, 1),
  ("odd_half", (3, 14, 6, 100), (4, 4, 100, 8), 2, 1),
  ("odd_half_middle", (3, 6, 14, 20), (4, 4, 20, 8), 2, 1),
  ("tiles_of_four", (2, 16, 14, 20), (4, 4, 20, 8), 2, 1),
  ("tiles_of_four_in_parts", (512, 16, 16, 17), (4, 4, 17, 2), 2, 1),
  ("unfilled_tiles", (2, 12, 10, 20), (4, 4, 20, 8), 2, 1),
  ("in_parts", (8, 64, 64, 17), (4, 4, 17, 2), 2, 1),
  ("odd_image", (2, 9, 7, 20), (4, 4, 20, 8), 2, 1),
  ("whole", (2, 4, 4, 6), (4, 4, 6, 2), 1, 0),
  ("three_taps", (2, 5, 6, 20), (3, 3, 20, 18), 1, 1),
  ("three_taps_first", (4, 32, 32, 3), (3, 3, 3, 18), 1, 1),
  ("three_taps_in_parts", (8, 32, 32, 18), (3, 3, 18, 3), 1, 1),
  ("three_taps_unpadded", (2, 6, 5, 20), (3, 3, 20, 18), 1, 0),
  ("stride_3", (2, 11, 8, 4), (5, 2, 4, 3), 3, 2),
)


def normal(seed, shape, dtype=jnp.float32):
  values = np.random.default_rng(seed).normal(size=shape)
  return jnp.asarray(values, dtype)


def xla(x, kernel, stride, padding):
  return lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    [(padding, padding)] * 2,
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
    precision="highest",
  )


def by_sums(x, kernel, stride, padding):
  """Sums a convolution in NumPy and float64, tap by tap."""
  x = np.pad(np.asarray(x, float), ((0, 0), *[(padding, padding)] * 2, (0, 0)))
  kernel = np.asarray(kernel, float)
  h = (x.shape[1] - kernel.shape[0]) // stride + 1
  w = (x.shape[2] - kernel.shape[1]) // stride + 1
  out = np.zeros((len(x), h, w, kernel.shape[3]))
  for i in range(h):
    for j in range(w):
      patch = x[:, stride * i :, stride * j :]
      patch = patch[:, : kernel.shape[0], : kernel.shape[1]]
      out[:, i, j] = np.einsum("nabc,abco->no", patch, kernel)
  return out


def assert_close(actual, expected):
  """Compares to float32 rounding, relative to the largest value."""
  scale = np.abs(np.asarray(expected)).max()
  np.testing.assert_allclose(actual, expected, rtol=0, atol=5e-6 * scale)


class ConvolutionTest(parameterized.TestCase):
  @parameterized.named_parameters(*SHAPES)
  def test_the_trio_against_xla_and_sums(self, x, kernel, stride, padding):
    x, kernel = normal(0, x), normal(1, kernel)
    kw = {"stride": stride, "padding": padding}
    expected = by_sums(x, kernel, **kw)
    y = normal(2, expected.shape)

    @jax.jit
    def trio(x, kernel, y):
      return (
        c.convolution(x, kernel, **kw),
        c.transposed_convolution(y, kernel, size=x.shape[1:3], **kw),
        c.kernel_gradient(x, y, kernel.shape[:2], **kw),
      )

    @jax.jit
    def of_xla(x, kernel, y):
      out, pull = jax.vjp(lambda x, k: xla(x, k, **kw), x, kernel)
      return out, *pull(y)

    actual = trio(x, kernel, y)
    jax.tree.map(assert_close, actual, of_xla(x, kernel, y))
    assert_close(actual[0], expected)

  @parameterized.parameters("TWO_TAPS", "TWO_TAPS_OF_FOUR", "THREE_TAPS")
  def test_the_matrices_of_a_form_make_a_convolution(self, name):
    form = getattr(winograd, name)
    image, kernel, outputs = (np.array(matrix, float) for matrix in form)
    actual = np.einsum("fi,fa,fo->iao", image, kernel, outputs)
    # y_o is the sum over taps a of x_{o + a} w_a.
    i, a, o = np.indices(actual.shape)
    np.testing.assert_allclose(actual, i == o + a, atol=1e-15)
    self.assertEqual(form.tile, outputs.shape[1])

  @parameterized.named_parameters(*SHAPES)
  def test_gradients_are_the_other_two(self, x, kernel, stride, padding):
    x, kernel = normal(0, x), normal(1, kernel)
    kw = {"stride": stride, "padding": padding}
    y = jax.eval_shape(lambda x, k: c.convolution(x, k, **kw), x, kernel)
    ct = normal(2, y.shape)

    @jax.jit
    def both(x, kernel, ct):
      _, pull = jax.vjp(lambda x, k: c.convolution(x, k, **kw), x, kernel)
      return pull(ct), (
        c.transposed_convolution(ct, kernel, size=x.shape[1:3], **kw),
        c.kernel_gradient(x, ct, kernel.shape[:2], **kw),
      )

    chex.assert_trees_all_close(*both(x, kernel, ct))

  @parameterized.parameters("first", "middle", "odd_half_middle", "three_taps")
  def test_every_derivative_to_second_order_in_both_modes(self, name):
    (shapes,) = (s[1:] for s in SHAPES if s[0] == name)
    x, kernel, stride, padding = shapes
    kw = {"stride": stride, "padding": padding}
    with jax.enable_x64():
      x = normal(0, x, jnp.float64)
      kernel = normal(1, kernel, jnp.float64)
      y = c.convolution(x, kernel, **kw)
      for function, arguments in (
        (functools.partial(c.convolution, **kw), (x, kernel)),
        (
          functools.partial(c.transposed_convolution, size=x.shape[1:3], **kw),
          (y, kernel),
        ),
        (
          functools.partial(
            c.kernel_gradient, kernel_size=kernel.shape[:2], **kw
          ),
          (x, y),
        ),
      ):
        check_grads(function, arguments, order=2, modes=("fwd", "rev"))

  def test_the_gradient_of_a_slope(self):
    # As a gradient penalty has it: the kernel's gradient of the squared norm of
    # the gradient in the image, through a unit that bends.
    x, kernel = normal(0, (2, 8, 8, 20)), normal(1, (4, 4, 20, 4))
    # Sums of deviation 1, where the unit is not saturated.
    kernel /= 320**0.5

    def cost(convolve):
      def slope(kernel):
        gradient = jax.grad(
          lambda x: jnp.sum(jnp.tanh(convolve(x, kernel, 2, 1)))
        )(x)
        return jnp.sum(gradient**2)

      return jax.grad(slope)(kernel)

    assert_close(cost(c.convolution), cost(xla))

  @parameterized.parameters((0, None), (None, 0), (0, 0), (1, 2))
  def test_batched(self, x_axis, kernel_axis):
    x, kernel = normal(0, (2, 8, 8, 3)), normal(1, (4, 4, 3, 5))
    xs, kernels = (
      array if axis is None else jnp.stack([array, 2 * array], axis)
      for array, axis in ((x, x_axis), (kernel, kernel_axis))
    )
    out = jax.vmap(
      functools.partial(c.convolution, stride=2, padding=1),
      (x_axis, kernel_axis),
    )(xs, kernels)
    once = xla(x, kernel, 2, 1)
    factor = 4.0 if x_axis is not None and kernel_axis is not None else 2.0
    assert_close(out, jnp.stack([once, factor * once]))

  def test_derivatives_under_vmap_keep_the_fast_forms(self):
    xs, kernels = normal(0, (3, 2, 8, 8, 20)), normal(1, (3, 4, 4, 20, 4))

    def cost(x, kernel):
      return jnp.sum(c.convolution(x, kernel, 2, 1) ** 2)

    gradient = jax.vmap(jax.grad(cost, 1))
    assert_close(
      gradient(xs, kernels),
      jax.vmap(jax.grad(lambda x, k: jnp.sum(xla(x, k, 2, 1) ** 2), 1))(
        xs, kernels
      ),
    )
    self.assertIn("kernel_gradient", str(jax.make_jaxpr(gradient)(xs, kernels)))

  @parameterized.product(
    name=(
      *("first", "middle", "tiles_of_four", "in_parts", "odd_image"),
      *("three_taps", "three_taps_first", "three_taps_in_parts", "stride_3"),
    ),
    dtype=(jnp.bfloat16, jnp.float16),
  )
  def test_16_bits_are_as_accurate_as_xla(self, name, dtype):
    (shapes,) = (s[1:] for s in SHAPES if s[0] == name)
    x, kernel, stride, padding = shapes
    kw = {"stride": stride, "padding": padding}
    x, kernel = normal(0, x, dtype), normal(1, kernel, dtype)
    y = jax.eval_shape(lambda x, k: xla(x, k, **kw), x, kernel)
    y = normal(2, y.shape, dtype)

    def with_gradients(convolve):
      def trio(x, kernel, y):
        out, pull = jax.vjp(lambda x, k: convolve(x, k, **kw), x, kernel)
        return out, *pull(y)

      return jax.jit(trio)

    of_xla = with_gradients(xla)(x, kernel, y)
    actual = with_gradients(c.convolution)(x, kernel, y)
    with jax.enable_x64():
      exact = with_gradients(xla)(
        *(jnp.asarray(v, jnp.float64) for v in (x, kernel, y))
      )

    def errors(arrays):
      return [
        np.linalg.norm(np.asarray(array, float) - np.asarray(expected))
        for array, expected in zip(arrays, exact, strict=True)
      ]

    chex.assert_trees_all_equal_dtypes(actual, of_xla)
    for ours, theirs in zip(errors(actual), errors(of_xla), strict=True):
      self.assertLess(ours, 1.02 * theirs)

  def test_whole_numbers_are_exact(self):
    x = jnp.arange(2 * 16 * 16 * 20, dtype=jnp.int32).reshape(2, 16, 16, 20) % 7
    kernel = jnp.arange(16 * 20 * 4, dtype=jnp.int32).reshape(4, 4, 20, 4) % 5
    np.testing.assert_array_equal(
      c.convolution(x, kernel, 2, 1), by_sums(x, kernel, 2, 1)
    )

  @parameterized.parameters(
    ((4, 4), 2), ((6, 5), 2), ((7, 7), 4), ((8, 8), 4), ((7, 3), 4)
  )
  def test_tiles_of_four_where_outputs_fill_them(self, size, tile):
    form = cpu._two_taps(jnp.zeros(1), *size)
    self.assertEqual(form.tile, tile)

  def test_tiles_of_four_by_what_they_cost(self):
    outputs = (jnp.zeros(1), 16, 16)
    self.assertEqual(cpu._two_taps(*outputs).tile, 4)
    self.assertEqual(cpu._two_taps(*outputs, largest=8).tile, 2)
    self.assertEqual(cpu._two_taps(jnp.zeros(1, jnp.int32), 8, 8).tile, 2)

  @parameterized.parameters(
    "tiles_of_four_in_parts", "in_parts", "three_taps_in_parts"
  )
  def test_large_minibatches_fall_into_parts(self, name):
    (shapes,) = (s[1:] for s in SHAPES if s[0] == name)
    x, kernel, stride, padding = shapes
    kw = {"stride": stride, "padding": padding}
    x, kernel = normal(0, x), normal(1, kernel)
    y = jax.eval_shape(lambda x, k: c.convolution(x, k, **kw), x, kernel)
    lowered = jax.jit(
      functools.partial(c.kernel_gradient, kernel_size=kernel.shape[:2], **kw)
    ).lower(x, y)
    self.assertIn("while", lowered.as_text())

  def test_the_least_size_that_fits(self):
    y, kernel = normal(0, (2, 1, 1, 5)), normal(1, (4, 4, 3, 5))
    out = c.transposed_convolution(y, kernel)
    assert_close(out, jnp.einsum("no,abco->nabc", y[:, 0, 0], kernel))

  def test_wrong_shapes(self):
    x, kernel = normal(0, (2, 8, 8, 3)), normal(1, (4, 4, 3, 5))
    with self.assertRaisesRegex(ValueError, "does not fit"):
      c.convolution(x[:, :2], kernel)
    with self.assertRaises(AssertionError):
      c.convolution(x[..., :2], kernel)
    with self.assertRaisesRegex(ValueError, "not"):
      c.transposed_convolution(
        normal(2, (2, 4, 4, 5)), kernel, 2, 1, size=(12, 8)
      )
    with self.assertRaisesRegex(ValueError, "not"):
      c.kernel_gradient(x, normal(2, (2, 3, 4, 5)), (4, 4), 2, 1)
    with self.assertRaisesRegex(TypeError, "one type"):
      c.convolution(x, kernel.astype(jnp.bfloat16), 2, 1)


if __name__ == "__main__":
  absltest.main()
