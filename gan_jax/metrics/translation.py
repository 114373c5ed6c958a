"""Metrics of maps between rings of modes in the plane."""

import chex
import jax.numpy as jnp

from gan_jax.types import Array


def rotated(points: Array, angle: float | Array) -> Array:
  """Turns points [n, 2] of the plane about the origin, anticlockwise."""
  chex.assert_shape(points, (None, 2))
  cosine, sine = jnp.cos(angle), jnp.sin(angle)
  x, y = points.T
  return jnp.stack([cosine * x - sine * y, sine * x + cosine * y], axis=1)


def ring_map_error(mapped: Array, true: Array, num_modes: int) -> Array:
  """Computes the error of a map onto a ring, up to the ring's symmetries.

  min_S sqrt(mean |G(a) - S(T(a))|^2) / sqrt(mean |T(a)|^2),

  over the rotations S by multiples of 2 pi / num_modes and the reflections. The
  distributions of both sets are the same for each T' = S T, so nothing in
  unpaired samples tells T from T'. Reflections keep a mode at the angle pi /
  num_modes, or at 0.

  Args:
    mapped: G(a) [n, 2].
    true: T(a) [n, 2].
    num_modes: modes of the ring, evenly spaced.

  Returns:
    [].
  """
  chex.assert_equal_shape([mapped, true])
  errors = []
  for reflected in (true, true * jnp.array([[1.0, -1.0]])):
    for turn in range(num_modes):
      image = rotated(reflected, 2 * jnp.pi * turn / num_modes)
      errors.append(jnp.mean(jnp.sum(jnp.square(mapped - image), axis=1)))
  scale = jnp.mean(jnp.sum(jnp.square(true), axis=1))
  return jnp.sqrt(jnp.min(jnp.stack(errors)) / scale)


def distinct_modes(mapped: Array, modes: Array) -> Array:
  """Counts the modes [m, 2] that are the nearest of a mapped one [k, 2].

  Returns:
    [] float, at most k: fewer if two modes are mapped to one.
  """
  distances = jnp.linalg.norm(mapped[:, None] - modes[None], axis=-1)
  nearest = jnp.argmin(distances, axis=1)
  return jnp.sum(
    jnp.any(nearest[:, None] == jnp.arange(len(modes))[None], axis=0),
    dtype=float,
  )
