"""A memory of old samples, kept on the device and shown to the discriminator.

A discriminator that sees only what the generator makes now can forget what it
made before, and the two go round in circles. The memory is a ring buffer: the
newest samples take the place of the oldest.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from gan_jax.types import Array, PRNGKey


class Replay(NamedTuple):
  """How much is remembered, and how much of it is shown.

  Attributes:
    size: samples that are remembered.
    share: of the generated minibatch of the discriminator, in [0, 1], that old
      samples make up.

  References:
    Shrivastava et al., Learning from Simulated and Unsupervised Images through
      Adversarial Training, arXiv 1612.07828, section 2.3.
  """

  size: int
  share: float = 0.5


class Memory(NamedTuple):
  """A ring buffer of samples.

  Attributes:
    samples: [size, ...]; zeros where nothing has been stored yet.
    position: [] int32, where the next sample goes.
    num_stored: [] int32, at most `size`.
  """

  samples: Array
  position: Array
  num_stored: Array


def empty(size: int, sample: Array) -> Memory:
  """Makes a memory of nothing.

  Args:
    size: samples that it will hold.
    sample: [...], one to take the shape and type of.

  Returns:
    The memory.

  Raises:
    ValueError: if the size is below 1.
  """
  if size < 1:
    raise ValueError(f"a memory holds 1 sample or more, not {size}")
  zero = jnp.zeros((), jnp.int32)
  return Memory(jnp.zeros((size, *sample.shape), sample.dtype), zero, zero)


def store(memory: Memory, samples: Array) -> Memory:
  """Puts samples [n, ...] in the place of the oldest.

  Of more samples than the memory holds it keeps the last.
  """
  size = len(memory.samples)
  samples = samples[-size:]
  chex.assert_equal_shape_suffix([samples, memory.samples], samples.ndim - 1)
  slots = (memory.position + jnp.arange(len(samples))) % size
  return Memory(
    memory.samples.at[slots].set(samples, unique_indices=True),
    (memory.position + len(samples)) % size,
    jnp.minimum(memory.num_stored + len(samples), size),
  )


def mix(
  memory: Memory, samples: Array, share: float, key: PRNGKey
) -> tuple[Array, Memory]:
  """Shows old samples in the place of new ones, and remembers the new ones.

  Args:
    memory: of old samples.
    samples: [n, ...], new ones. The last round(share * n) of them give their
      places to old ones, drawn uniformly with replacement, and are stored
      themselves. With an empty memory they stay.
    share: in [0, 1].
    key: draws the old ones.

  Returns:
    The mixed samples [n, ...] and the memory after them. No gradient passes
    through either to the samples that were stored.
  """
  num_old = round(share * len(samples))
  kept, given = jnp.split(samples, [len(samples) - num_old])
  drawn = jax.random.randint(
    key, (num_old,), 0, jnp.maximum(memory.num_stored, 1)
  )
  given = jax.lax.stop_gradient(given)
  old = jnp.where(memory.num_stored > 0, memory.samples[drawn], given)
  return jnp.concatenate([kept, old]), store(memory, given)
