"""Applies Flax networks whose parameters and other variables are apart."""

from collections.abc import Callable
from typing import Any

import jax
from flax import linen as nn

from gan_jax import sharding
from gan_jax.types import (
  Array,
  Condition,
  Params,
  PRNGKey,
  Variables,
)


def split_variables(collections: Any) -> tuple[Params, Variables]:
  """Splits Flax collections into the trained params and all others."""
  variables = dict(collections)
  return variables.pop("params", {}), variables


def apply_network(
  network: nn.Module,
  params: Params,
  variables: Variables,
  inputs: Array,
  key: PRNGKey,
  condition: Condition | None = None,
) -> tuple[Array, Variables]:
  """Applies a network in training mode; returns outputs and new variables."""
  outputs, updated = network.apply(
    {"params": params, **variables},
    inputs,
    train=True,
    **condition_arguments(condition),
    rngs={"dropout": key},
    mutable=list(variables),
  )
  return outputs, dict(updated)


def evaluate_network(
  network: nn.Module,
  params: Params,
  variables: Variables,
  inputs: Array,
  condition: Condition | None = None,
) -> Array:
  """Applies a network in evaluation mode."""
  outputs: Any = network.apply(
    {"params": params, **variables}, inputs, **condition_arguments(condition)
  )
  return outputs


def condition_arguments(condition: Condition | None) -> dict[str, Any]:
  """Returns the keyword arguments that pass a condition to a network."""
  return {} if condition is None else {"condition": condition}


def generate_samples(
  generator: nn.Module,
  latents: Callable[[PRNGKey, int], Array],
  params: Params,
  variables: Variables,
  key: PRNGKey,
  n: int,
  condition: Condition | None = None,
) -> tuple[Array, Variables]:
  """Draws n samples in training mode; returns them and the new variables."""
  latents_key, dropout_key = jax.random.split(key)
  inputs = sharding.split(latents(latents_key, n))
  return apply_network(
    generator, params, variables, inputs, dropout_key, condition
  )
