"""Priors of the generator's input: normal and uniform latents."""

from collections.abc import Callable

import jax
from jax import Array

from gan_jax.types import PRNGKey

Latents = Callable[[PRNGKey, int], Array]
"""(key, n) -> [n, dim]."""


def normal(dim: int) -> Latents:
  """Returns the standard normal prior N(0, I) on `dim` coordinates."""
  return lambda key, n: jax.random.normal(key, (n, dim))


def uniform(dim: int) -> Latents:
  """Returns the uniform prior on the cube [-1, 1)^dim."""
  return lambda key, n: jax.random.uniform(key, (n, dim), minval=-1, maxval=1)
