"""The linear generator of the one-dimensional experiments."""

import chex
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.types import Array


class Affine(nn.Module):
  """Scales and shifts its latents: x = |stddev| z + mean.

  With normal latents the generated density is exactly N(mean, stddev^2).

  References:
    Habr, "Generative adversarial networks" (2018), the linear generator;
    it starts at mean 0, stddev 1.
  """

  @nn.compact
  def __call__(self, latents: Array, train: bool = False) -> Array:
    """Maps latents [n, d] to samples [n, d]."""
    del train
    chex.assert_rank(latents, 2)
    dim = latents.shape[-1:]
    mean = self.param("mean", nn.initializers.zeros, dim)
    stddev = self.param("stddev", nn.initializers.ones, dim)
    return latents * jnp.abs(stddev)[None] + mean[None]
