"""Types that all other modules share: Players, TrainState, Step, Batch, ..."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import jax
from flax import struct

Array = jax.Array
PRNGKey = jax.Array
Device = Any
"""A `jax.Device`; type checkers do not accept that name as a type."""
Params = Any
"""A pytree of arrays that an optimizer updates."""
Variables = Mapping[str, Any]
"""Flax collections that training updates without a gradient, such as batch
statistics; empty if a network has none."""
Batch = Any
"""A pytree of arrays whose leading axis is the batch; None without data."""


Condition = Any
"""What n samples are generated and judged under: a pytree of arrays [n, ...],
such as labels int32 [n], images [n, h, w, c], or a tuple of images and masks.
"""
Conditions = Callable[[PRNGKey, int], Condition]
"""(key, n) -> the conditions of n samples."""


class Conditional(NamedTuple):
  """A batch of samples with their conditions.

  Attributes:
    samples: [n, ...].
    condition: of each sample, with the leading axis n.
  """

  samples: Array
  condition: Condition


Metrics = dict[str, Array]
"""Scalars by name, as device arrays."""

# Covariant, so that Players[MLP] is also a Players[nn.Module].
T_co = TypeVar("T_co", covariant=True)


class Players(NamedTuple, Generic[T_co]):
  """A pair of values, one for each player: costs, params, optimizers, ..."""

  generator: T_co
  discriminator: T_co


class TrainState(struct.PyTreeNode):
  """Everything that training changes; every leaf is an array.

  Attributes:
    step: [] int32, the number of steps taken.
    params: both players' parameters.
    variables: both players' other Flax collections.
    optimizer_states: both players' optax states.
    averages: an average of the generator's parameters, or of both players' as a
      `Players`; None if training keeps no average.
    average_statistics: the batch statistics that belong to `averages`, of the
      generator or of both players; empty if a network has none.
  """

  step: Array
  params: Players[Params]
  variables: Players[Variables]
  optimizer_states: Players[Any]
  averages: Params = None
  average_statistics: Any = None


Step = Callable[[TrainState, Batch, PRNGKey], tuple[TrainState, Metrics]]
"""A pure update of both players: (state, batch, key) -> (state, metrics)."""
