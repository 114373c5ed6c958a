"""A logarithm for densities that may be zero or subnormal."""

import math

import jax
import jax.numpy as jnp
from jax import Array


def _bits(x: Array) -> Array:
  """Returns the bits of floats x >= 0 as integers, in the same order."""
  x = jnp.asarray(x)  # NumPy's float64 becomes what JAX is set to.
  return jax.lax.bitcast_convert_type(
    x, jnp.dtype(f"int{jnp.finfo(x.dtype).bits}")
  )


def is_positive(x: Array) -> Array:
  """Returns whether x > 0, also for subnormal x.

  CPUs flush subnormal numbers to 0 in arithmetic and comparisons and other
  devices do not, so the bits are compared.
  """
  return _bits(x) > 0


# The number that replaces 0, in units of the smallest normal number. It leaves
# room for rounding and for q up to 1024 in exp(log 0 - log q), and is
# negligible in a density.
_ZERO = 2.0**10


@jax.custom_jvp
def log(x: Array) -> Array:
  """Computes log x for x >= 0, accurate for subnormal x and finite at 0.

  At 0 the value and the slope are those at a very small number, 1e-35 in
  float32. So 0 * log 0 is 0 and has a finite slope, and the slope of
  exp(log p - log q) in p is 1 / q even at p = 0. Callers handle the points
  where the exact result is infinite.
  """
  x = jnp.asarray(x)
  info = jnp.finfo(x.dtype)
  bits = _bits(x)
  # The bits of a subnormal number count multiples of the smallest one.
  subnormal = jnp.log(jnp.maximum(bits, 1).astype(x.dtype)) + math.log(2) * (
    int(info.minexp) - info.nmant
  )
  return jnp.where(
    (bits > 0) & (bits < 1 << info.nmant),
    subnormal,
    jnp.log(jnp.where(bits > 0, x, _ZERO * info.tiny)),
  )


@log.defjvp
def _log_jvp(primals, tangents):
  (x,), (tangent,) = primals, tangents
  tiny = jnp.finfo(x.dtype).tiny
  # 1 / x could overflow for a subnormal x.
  bounded = jnp.where(is_positive(x), jnp.maximum(x, tiny), _ZERO * tiny)
  return log(x), tangent / bounded
