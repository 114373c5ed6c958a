"""Training of a game: what is trained, the compiled loop, and its health."""

from gan_jax.training.population import (
  NEVER,
  Keys,
  Population,
  Problem,
  Progress,
  advance,
  init,
  member_keys,
  population,
  structure,
  varied_population,
)

__all__ = [
  "NEVER",
  "Keys",
  "Population",
  "Problem",
  "Progress",
  "advance",
  "init",
  "member_keys",
  "population",
  "structure",
  "varied_population",
]
