"""The vocabulary that every other module shares."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import jax
from flax import struct

Array = jax.Array
PRNGKey = jax.Array
Device = Any
"""A `jax.Device`, which type checkers take for a variable."""
Params = Any
"""A pytree of arrays that an optimizer updates."""
Variables = Mapping[str, Any]
"""Flax collections that training updates without a gradient (batch statistics);
empty where a network has none."""
Batch = Any
"""A pytree of arrays whose leading axes are all the batch."""


class Labelled(NamedTuple):
  """A batch whose samples have classes.

  Attributes:
    samples: [n, ...].
    labels: [n] int32.
  """

  samples: Array
  labels: Array


Metrics = dict[str, Array]
"""Scalars by name, measured on the device."""

# Covariant: two players of a kind are also two players of a wider kind.
T_co = TypeVar("T_co", covariant=True)


class Players(NamedTuple, Generic[T_co]):
  """One thing for each of the two players: costs, params, optimizers, ..."""

  generator: T_co
  discriminator: T_co


class TrainState(struct.PyTreeNode):
  """Everything that training one member changes; every leaf is an array.

  Attributes:
    step: [] int32, the number of steps taken.
    params: parameters of each player.
    variables: other Flax collections of each player.
    optimizer_states: optax state of each player.
    averages: an average of the generator's parameters, or of both players' as
      a `Players`; None where the experiment reads none.
  """

  step: Array
  params: Players[Params]
  variables: Players[Variables]
  optimizer_states: Players[Any]
  averages: Params = None


Step = Callable[[TrainState, Batch, PRNGKey], tuple[TrainState, Metrics]]
"""A pure update of both players: (state, batch, key) -> (state, metrics)."""
