"""Applies Flax networks in games: variables, samples and mean logits."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax import sharding
from gan_jax.losses import AdversarialLoss
from gan_jax.types import Array, Metrics, Params, PRNGKey, Variables


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
  labels: Array | None = None,
) -> tuple[Array, Variables]:
  """Applies a network in training mode; returns outputs and new variables."""
  outputs, updated = network.apply(
    {"params": params, **variables},
    inputs,
    train=True,
    **label_arguments(labels),
    rngs={"dropout": key},
    mutable=list(variables),
  )
  return outputs, dict(updated)


def evaluate_network(
  network: nn.Module,
  params: Params,
  variables: Variables,
  inputs: Array,
  labels: Array | None = None,
) -> Array:
  """Applies a network in evaluation mode."""
  outputs: Any = network.apply(
    {"params": params, **variables}, inputs, **label_arguments(labels)
  )
  return outputs


def label_arguments(labels: Array | None) -> dict[str, Any]:
  """Returns the keyword arguments that pass labels to a network."""
  return {} if labels is None else {"labels": labels}


def generate_samples(
  generator: nn.Module,
  latents: Callable[[PRNGKey, int], Array],
  params: Params,
  variables: Variables,
  key: PRNGKey,
  n: int,
  labels: Array | None = None,
) -> tuple[Array, Variables]:
  """Draws n samples in training mode; returns them and the new variables."""
  latents_key, dropout_key = jax.random.split(key)
  inputs = sharding.split(latents(latents_key, n))
  return apply_network(
    generator, params, variables, inputs, dropout_key, labels
  )


def measure_logits(
  loss: AdversarialLoss, real_logits: Array, fake_logits: Array
) -> Metrics:
  """Averages D(x) if the loss makes it a probability, else the logits."""
  if loss.probability:
    return {
      "discriminator_real": jnp.mean(jax.nn.sigmoid(real_logits)),
      "discriminator_fake": jnp.mean(jax.nn.sigmoid(fake_logits)),
    }
  return {
    "critic_real": jnp.mean(real_logits),
    "critic_fake": jnp.mean(fake_logits),
  }
