"""PacGAN: a discriminator that takes packs of several samples at once."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from gan_jax.games.adversarial import adversarial
from gan_jax.games.game import Game
from gan_jax.losses import AdversarialLoss
from gan_jax.types import Array, PRNGKey


def pack(samples: Array, size: int) -> Array:
  """Joins neighbouring samples along their last axis.

  Args:
    samples: [n, ..., c].
    size: samples in a pack.

  Returns:
    [n / size, ..., size c]; pack i holds the samples i size, i size + 1, ...

  Raises:
    ValueError: if the size does not divide n.
  """
  if len(samples) % size:
    raise ValueError(f"packs of {size} do not divide {len(samples)} samples")
  packs = samples.reshape(-1, size, *samples.shape[1:])
  packs = jnp.moveaxis(packs, 1, -2)
  return packs.reshape(*packs.shape[:-2], -1)


def unpack(packs: Array, size: int) -> Array:
  """Splits packs [n, ..., size c] into samples [n size, ..., c]."""
  samples = packs.reshape(*packs.shape[:-1], size, -1)
  samples = jnp.moveaxis(samples, -2, 1)
  return samples.reshape(-1, *samples.shape[2:])


class _PackedGenerator(nn.Module):
  """Maps latents [size n, k] to packs [n, ..., size c]; params unchanged."""

  generator: nn.Module
  size: int

  def setup(self):
    nn.share_scope(self, self.generator)

  def __call__(self, latents: Array, train: bool = False) -> Array:
    return pack(self.generator(latents, train=train), self.size)


def packed(
  generator: nn.Module,
  discriminator: nn.Module,
  loss: AdversarialLoss,
  latents: Callable[[PRNGKey, int], Array],
  size: int,
  **options: Any,
) -> Game:
  """Makes the adversarial game whose discriminator takes packs of samples.

  The batch is cut into packs, so that packs share no samples. A batch of n
  samples gives n / size logits for real and n / size for generated packs. The
  paper keeps the number of logits at 100, and so has batches of 100 size
  samples. Penalties treat a pack as one sample.

  Args:
    generator: module (latents [n, k], train) -> samples [n, ..., c].
    discriminator: module (packs [n, ..., size c], train) -> logits [n, 1].
    loss: both players' costs as functions of the packs' logits.
    latents: (key, n) -> [n, k], the prior.
    size: samples in a pack, the paper's m.
    **options: passed on to `games.adversarial`.

  Returns:
    The game. Its parameters are those of the two modules, its batches and
    samples are not packed, and its costs raise ValueError unless the size
    divides the batch. `discriminate` is None: a single sample has no logit.

  Raises:
    ValueError: for a game with conditions.

  References:
    Lin, Khetan, Fanti and Oh, PacGAN: The power of two samples in generative
      adversarial networks, arXiv 1712.04086, section 2.
  """
  if options.get("conditions") is not None:
    raise ValueError("a pack of samples has no single condition")
  game = adversarial(
    _PackedGenerator(generator, size),
    discriminator,
    loss,
    lambda key, n: latents(key, size * n),
    **options,
  )
  packed_gradients = game.gradients
  assert packed_gradients is not None

  def costs(params, variables, batch, key):
    return game.costs(params, variables, pack(batch, size), key)

  def gradients(params, variables, batch, key):
    return packed_gradients(params, variables, pack(batch, size), key)

  def sample(params, variables, key, n):
    packs = game.sample(params, variables, key, -(-n // size))
    return unpack(packs, size)[:n]

  return game._replace(
    costs=costs, sample=sample, gradients=gradients, discriminate=None
  )
