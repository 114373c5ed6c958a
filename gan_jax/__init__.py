"""Generative adversarial networks in JAX and Flax.

The library consists of pure functions; it reads no flags and writes no files.
The commands are in `experiments`. `gan_jax.simultaneous` makes a training step
from a loss and two networks; `games` and `steps` have its parts and variants.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from gan_jax.quickstart import simultaneous

__all__ = ["simultaneous"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
  # Imported when it is used: JAX takes a second to import, and some commands
  # need only modules of gan_jax that do without it.
  if name == "simultaneous":
    from gan_jax.quickstart import simultaneous

    return simultaneous
  raise AttributeError(f"module 'gan_jax' has no attribute {name!r}")
