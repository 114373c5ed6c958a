"""Elementary functions whose derivatives stay accurate where they saturate.

JAX computes 1 - sigmoid(x), 1 - tanh(x)^2 and 1 + expm1(x), and the second
derivative of softplus, as differences of nearly equal numbers. In float32 they
are 0 from |x| = 9 to 17 on, where the exact derivatives are still 1e-8, and
have lost half of their digits before. Here derivatives of any order have no
such differences and underflow only with the exact ones. Values are JAX's.
"""

import jax
import jax.numpy as jnp

from gan_jax.types import Array


@jax.custom_jvp
def sigmoid(x: Array) -> Array:
  """Computes s(x) = 1 / (1 + exp(-x)), with the slope s(x) s(-x)."""
  return jax.nn.sigmoid(x)


@sigmoid.defjvp
def _sigmoid_jvp(primals, tangents):
  (x,), (tangent,) = primals, tangents
  value = sigmoid(x)
  return value, value * sigmoid(-x) * tangent


@jax.custom_jvp
def tanh(x: Array) -> Array:
  """Computes tanh(x), with the slope 4 s(2 x) s(-2 x), s the sigmoid."""
  return jnp.tanh(x)


@tanh.defjvp
def _tanh_jvp(primals, tangents):
  (x,), (tangent,) = primals, tangents
  return tanh(x), 4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x) * tangent


@jax.custom_jvp
def expm1(x: Array) -> Array:
  """Computes exp(x) - 1, with the slope exp(x)."""
  return jnp.expm1(x)


@expm1.defjvp
def _expm1_jvp(primals, tangents):
  (x,), (tangent,) = primals, tangents
  return expm1(x), jnp.exp(x) * tangent


@jax.custom_jvp
def softplus(x: Array) -> Array:
  """Computes log(1 + exp(x)), whose slope is the sigmoid."""
  return jax.nn.softplus(x)


@softplus.defjvp
def _softplus_jvp(primals, tangents):
  (x,), (tangent,) = primals, tangents
  return softplus(x), _softplus_slope(x) * tangent


@jax.custom_jvp
def _softplus_slope(x: Array) -> Array:
  # JAX's slope, exp(x - softplus(x)), is accurate. Its derivative is not.
  _, slope = jax.jvp(jax.nn.softplus, (x,), (jnp.ones_like(x),))
  return slope


@_softplus_slope.defjvp
def _softplus_slope_jvp(primals, tangents):
  (x,), (tangent,) = primals, tangents
  return _softplus_slope(x), sigmoid(x) * sigmoid(-x) * tangent
