"""Priors of the generator's inputs: latents of several kinds, and classes."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from gan_jax.types import Conditions, PRNGKey

Latents = Callable[[PRNGKey, int], Array]
"""(key, n) -> [n, dim]."""


def normal(dim: int) -> Latents:
  """Returns the standard normal prior N(0, I) on `dim` coordinates."""
  return lambda key, n: jax.random.normal(key, (n, dim))


def uniform(dim: int) -> Latents:
  """Returns the uniform prior on the cube [-1, 1)^dim."""
  return lambda key, n: jax.random.uniform(key, (n, dim), minval=-1, maxval=1)


def gumbel(dim: int) -> Latents:
  """Returns the prior of independent standard Gumbel variables."""
  return lambda key, n: jax.random.gumbel(key, (n, dim))


def one_hot(num_symbols: int) -> Latents:
  """Returns the uniform prior on the one-hot vectors of discrete symbols."""
  draw = classes(num_symbols)
  return lambda key, n: jax.nn.one_hot(draw(key, n), num_symbols)


def joined(*priors: Latents) -> Latents:
  """Returns the prior of independent latents, side by side in this order."""

  def draw(key, n):
    keys = jax.random.split(key, len(priors))
    parts = [prior(k, n) for prior, k in zip(priors, keys, strict=True)]
    return jnp.concatenate(parts, axis=1)

  return draw


def classes(num_classes: int) -> Conditions:
  """Returns the uniform prior on the labels 0, ..., num_classes - 1."""
  return lambda key, n: jax.random.randint(key, (n,), 0, num_classes)
