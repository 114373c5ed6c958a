"""What a term of a sum over points is made of."""

import math

import jax
import jax.numpy as jnp
from jax import Array


def _bits(x: Array) -> Array:
  """Returns floats [...] as integers in the same order, where x >= 0."""
  x = jnp.asarray(x)  # NumPy's float64 becomes what JAX is set to.
  return jax.lax.bitcast_convert_type(
    x, jnp.dtype(f"int{jnp.finfo(x.dtype).bits}")
  )


def is_positive(x: Array) -> Array:
  """Returns whether x > 0, [...].

  CPUs take subnormal numbers for 0 in arithmetic and comparisons, and other
  devices do not; the bits are the same everywhere.
  """
  return _bits(x) > 0


# What 0 counts as, in smallest normal numbers. It leaves room for rounding, and
# for q up to 1024 in exp(log 0 - log q), and is still nothing beside a density.
_ZERO = 2.0**10


@jax.custom_jvp
def log(x: Array) -> Array:
  """Computes log x, right for subnormal x too, and finite for x = 0.

  At 0, both the value and the slope are those of a very small number, 1e-35 in
  float32. So 0 * log 0 is 0 and has a slope, and the slope of
  exp(log p - log q) in p is 1 / q even at p = 0. Where 0 makes a sum infinite,
  the caller has to say so.

  Args:
    x: [...], x >= 0.

  Returns:
    [...].
  """
  x = jnp.asarray(x)
  info = jnp.finfo(x.dtype)
  bits = _bits(x)
  # A subnormal number is so many of the smallest ones.
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
