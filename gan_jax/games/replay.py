"""A replay memory: a ring buffer of old samples for the discriminator.

A discriminator that sees only the generator's current samples can forget
earlier ones, and training can cycle. New samples overwrite the oldest.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from gan_jax.types import Array, PRNGKey


class Replay(NamedTuple):
  """Settings of the replay memory.

  Attributes:
    size: number of samples that the memory holds.
    share: fraction of the discriminator's generated minibatch, in [0, 1], that
      is replaced by old samples.

  References:
    Shrivastava et al., Learning from Simulated and Unsupervised Images through
      Adversarial Training, arXiv 1612.07828, section 2.3.
  """

  size: int
  share: float = 0.5


class Memory(NamedTuple):
  """The ring buffer.

  Attributes:
    samples: [size, ...]; zeros where nothing is stored yet.
    position: [] int32, where the next sample goes.
    num_stored: [] int32, at most `size`.
  """

  samples: Array
  position: Array
  num_stored: Array


def empty(size: int, sample: Array) -> Memory:
  """Makes an empty memory for `size` samples of a sample's shape and dtype.

  Raises:
    ValueError: if the size is below 1.
  """
  if size < 1:
    raise ValueError(f"a memory holds 1 sample or more, not {size}")
  # Two arrays of zero, because a compiled step donates each of them.
  return Memory(
    jnp.zeros((size, *sample.shape), sample.dtype),
    position=jnp.zeros((), jnp.int32),
    num_stored=jnp.zeros((), jnp.int32),
  )


def store(memory: Memory, samples: Array) -> Memory:
  """Overwrites the oldest samples with samples [n, ...].

  If there are more than the memory holds, the last ones are stored.
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
  """Replaces a share of new samples by old ones, and stores those replaced.

  The last round(share * n) of the samples [n, ...] are replaced by old ones,
  which are drawn uniformly with replacement. With an empty memory the samples
  stay as they are; they are stored all the same.

  Returns:
    The mixed samples [n, ...] and the updated memory. No gradient passes to the
    samples that were stored.
  """
  num_old = round(share * len(samples))
  kept, replaced = jnp.split(samples, [len(samples) - num_old])
  drawn = jax.random.randint(
    key, (num_old,), 0, jnp.maximum(memory.num_stored, 1)
  )
  replaced = jax.lax.stop_gradient(replaced)
  old = jnp.where(memory.num_stored > 0, memory.samples[drawn], replaced)
  return jnp.concatenate([kept, old]), store(memory, replaced)
