"""Tests derivatives of elementary functions against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy.special import expit

from gan_jax import numerics

X = np.concatenate([np.linspace(-80, 80, 321), [-1e-3, 1e-3]])
# A factor of a derivative, such as s(2 x) in 16 times it, underflows before it.
SMALLEST = 16 * np.finfo(np.float32).tiny


def sigmoid_derivatives(x):
  # s'' = s' (s(-x) - s(x)), and s(x) - s(-x) = tanh(x / 2). With s' = s(x)
  # s(-x), s''' = s' (1 - 6 s').
  slope = expit(x) * expit(-x)
  return expit(x), slope, -slope * np.tanh(x / 2), slope * (1 - 6 * slope)


def softplus_derivatives(x):
  return np.logaddexp(0, x), *sigmoid_derivatives(x)[:3]


def tanh_derivatives(x):
  # tanh(x) = 2 s(2 x) - 1.
  _, first, second, third = sigmoid_derivatives(2 * x)
  return np.tanh(x), 4 * first, 8 * second, 16 * third


def expm1_derivatives(x):
  return np.expm1(x), np.exp(x), np.exp(x), np.exp(x)


FUNCTIONS = {
  "sigmoid": sigmoid_derivatives,
  "softplus": softplus_derivatives,
  "tanh": tanh_derivatives,
  "expm1": expm1_derivatives,
}


class NumericsTest(parameterized.TestCase):
  @parameterized.product(
    name=list(FUNCTIONS), differentiate=[jax.grad, jax.jacfwd]
  )
  def test_values_and_three_derivatives(self, name, differentiate):
    function = getattr(numerics, name)
    for order, expected in enumerate(FUNCTIONS[name](X)):
      with self.subTest(f"derivative {order}"):
        actual = jax.jit(jax.vmap(function))(jnp.asarray(X, jnp.float32))
        self.assertEqual(actual.dtype, jnp.float32)
        error = np.abs(np.asarray(actual, float) - expected)
        # Where a derivative changes its sign, its error is one of its scale.
        smallest = np.where(np.abs(X) < 2, 1e-6, SMALLEST)
        bound = np.maximum(1e-5 * np.abs(expected), smallest)
        np.testing.assert_array_less(error, bound)
      function = differentiate(function)

  @parameterized.parameters(*FUNCTIONS)
  def test_values_and_slopes_at_infinity(self, name):
    function = getattr(numerics, name)
    if name == "expm1":
      infinities, values, slopes = [-jnp.inf], [-1.0], [0.0]
    else:
      infinities = [-jnp.inf, jnp.inf]
      values = {"sigmoid": [0, 1], "softplus": [0, np.inf], "tanh": [-1, 1]}
      values, slopes = values[name], [0, name == "softplus"]
    x = jnp.asarray(infinities)
    np.testing.assert_array_equal(function(x), values)
    np.testing.assert_array_equal(jax.vmap(jax.grad(function))(x), slopes)


if __name__ == "__main__":
  absltest.main()
