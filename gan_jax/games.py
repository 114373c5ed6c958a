"""Games: what each player pays, given the parameters of both."""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.losses import AdversarialLoss
from gan_jax.types import (
  Array,
  Batch,
  Metrics,
  Params,
  Players,
  PRNGKey,
  Variables,
)

Costs = Callable[
  [Players[Params], Players[Variables], Batch, PRNGKey],
  tuple[Players[Array], tuple[Players[Variables], Metrics]],
]


class Game(NamedTuple):
  """Two players, each of whom minimises a cost that both parameters set.

  A game need not be made of networks: f(x, y) = x y is one, whose `sample` may
  return the generator's parameter.

  Attributes:
    init: key -> (params, variables), each a `Players`.
    costs: (params, variables, batch, key) -> (costs, (variables, metrics)):
      a scalar cost for each player, the updated variables, and further scalars
      worth logging. Pure; the key draws the latents and the dropout masks.
    sample: (params, variables, key, n) -> [n, ...] generated samples.
    discriminate: (params, variables, x [n, ...]) -> logits [n], without
      dropout; None for a game without a discriminator on data.
  """

  init: Callable[[PRNGKey], tuple[Players[Params], Players[Variables]]]
  costs: Costs
  sample: Callable[[Players[Params], Players[Variables], PRNGKey, int], Array]
  discriminate: (
    Callable[[Players[Params], Players[Variables], Array], Array] | None
  ) = None


def _split_variables(collections: Any) -> tuple[Params, Variables]:
  """Splits Flax collections into the trained params and all others."""
  variables = dict(collections)
  return variables.pop("params", {}), variables


def _apply(
  network: nn.Module,
  params: Params,
  variables: Variables,
  inputs: Array,
  key: PRNGKey,
) -> tuple[Array, Variables]:
  """Applies a network in training mode and returns its updated variables."""
  outputs, updated = network.apply(
    {"params": params, **variables},
    inputs,
    train=True,
    rngs={"dropout": key},
    mutable=list(variables),
  )
  return outputs, dict(updated)


def _evaluate(
  network: nn.Module, params: Params, variables: Variables, inputs: Array
) -> Array:
  """Applies a network as it is used after training."""
  outputs: Any = network.apply({"params": params, **variables}, inputs)
  return outputs


def adversarial(
  generator: nn.Module,
  discriminator: nn.Module,
  loss: AdversarialLoss,
  latents: Callable[[PRNGKey, int], Array],
  discriminator_l2: float | Array | None = None,
) -> Game:
  """Makes the game of a generator against a discriminator.

  Each evaluation of the costs draws as many latents as the batch has samples.
  The discriminator sees real and fake samples in one pass, which is one matrix
  product a layer instead of two; a discriminator with variables of its own
  (batch statistics) mixes the samples of a minibatch, so it sees the two apart.

  Args:
    generator: module (latents [n, k], train) -> samples [n, ...].
    discriminator: module (samples [n, ...], train) -> logits [n, 1].
    loss: what each player pays, from the logits.
    latents: (key, n) -> [n, k], the prior.
    discriminator_l2: weight w of w/2 sum(kernel^2) over the discriminator's
      kernels (parameters of rank two and more, not biases), added to its cost.

  Returns:
    The game. Its metrics are `discriminator_real` and `discriminator_fake`,
    the means of D(x) as a probability, or `critic_real` and `critic_fake`, the
    means of the critic, where the loss's output is no probability.
  """

  def init(key):
    generator_key, discriminator_key, latents_key = jax.random.split(key, 3)
    sample_latents = latents(latents_key, 1)
    generator_collections = generator.init(generator_key, sample_latents)
    sample = generator.apply(generator_collections, sample_latents)
    collections = Players(
      generator=_split_variables(generator_collections),
      discriminator=_split_variables(
        discriminator.init(discriminator_key, sample)
      ),
    )
    return (
      Players(*(params for params, _ in collections)),
      Players(*(variables for _, variables in collections)),
    )

  def discriminator_logits(params, variables, real, fake, key):
    if variables:
      real_key, fake_key = jax.random.split(key)
      real_logits, variables = _apply(
        discriminator, params, variables, real, real_key
      )
      fake_logits, variables = _apply(
        discriminator, params, variables, fake, fake_key
      )
    else:
      logits, variables = _apply(
        discriminator, params, variables, jnp.concatenate([real, fake]), key
      )
      real_logits, fake_logits = jnp.split(logits, 2)
    chex.assert_shape((real_logits, fake_logits), (len(real), 1))
    return real_logits[:, 0], fake_logits[:, 0], variables

  def costs(params, variables, batch, key):
    latents_key, generator_key, discriminator_key = jax.random.split(key, 3)
    fake, generator_variables = _apply(
      generator,
      params.generator,
      variables.generator,
      latents(latents_key, len(batch)),
      generator_key,
    )
    chex.assert_equal_shape((batch, fake))
    real_logits, fake_logits, discriminator_variables = discriminator_logits(
      params.discriminator,
      variables.discriminator,
      batch,
      fake,
      discriminator_key,
    )
    penalty = jnp.zeros(())
    if discriminator_l2 is not None:
      kernels = [
        leaf for leaf in jax.tree.leaves(params.discriminator) if leaf.ndim > 1
      ]
      penalty = 0.5 * discriminator_l2 * sum(jnp.sum(k**2) for k in kernels)
    means = Players(real_logits, fake_logits)
    name = "critic"
    if loss.probability:
      means = jax.tree.map(jax.nn.sigmoid, means)
      name = "discriminator"
    return (
      Players(
        generator=loss.generator(real_logits, fake_logits),
        discriminator=loss.discriminator(real_logits, fake_logits) + penalty,
      ),
      (
        Players(generator_variables, discriminator_variables),
        {
          f"{name}_real": jnp.mean(means[0]),
          f"{name}_fake": jnp.mean(means[1]),
        },
      ),
    )

  def sample(params, variables, key, n):
    return _evaluate(
      generator, params.generator, variables.generator, latents(key, n)
    )

  def discriminate(params, variables, x):
    logits = _evaluate(
      discriminator, params.discriminator, variables.discriminator, x
    )
    chex.assert_shape(logits, (len(x), 1))
    return logits[:, 0]

  return Game(init, costs, sample, discriminate)
