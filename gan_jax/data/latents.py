"""Priors of the generator's inputs: normal and uniform latents, and classes."""

from collections.abc import Callable

import jax
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


def classes(num_classes: int) -> Conditions:
  """Returns the uniform prior on the labels 0, ..., num_classes - 1."""
  return lambda key, n: jax.random.randint(key, (n,), 0, num_classes)
