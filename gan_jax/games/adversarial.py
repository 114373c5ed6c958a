"""The game of two networks."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax import sharding
from gan_jax.augmentations import Augment
from gan_jax.games import _networks
from gan_jax.games import replay as replays
from gan_jax.games.game import Game, pullbacks
from gan_jax.games.replay import Replay
from gan_jax.losses import AdversarialLoss
from gan_jax.penalties import Penalty
from gan_jax.types import Array, Batch, Labelled, Players, PRNGKey

MIN_SLOPE = 1e-18
"""Least size of a slope dJ_D/dlogit that `adversarial` divides by.

A rule of second order differentiates the quotient, which squares the slope; its
inverse, 1e36, is still below float32's 3.4e38.
"""

MEMORY = "memory"
"""What the discriminator's variables call the memory of old samples."""


def adversarial(
  generator: nn.Module,
  discriminator: nn.Module,
  loss: AdversarialLoss,
  latents: Callable[[PRNGKey, int], Array],
  discriminator_l2: float | Array | None = None,
  penalty: Penalty | None = None,
  augment: Augment | None = None,
  replay: Replay | None = None,
  mixes_samples: bool | None = None,
  num_classes: int = 0,
) -> Game:
  """Makes the game of a generator against a discriminator.

  Each evaluation of the costs draws as many latents as the batch has samples.
  The discriminator sees real and fake samples in one pass, which is one matrix
  product a layer instead of two, and both gradients share one pass back through
  it. A discriminator that mixes the samples of a minibatch sees the two apart,
  and is passed back twice.

  Args:
    generator: module (latents [n, k], train) -> samples [n, ...].
    discriminator: module (samples [n, ...], train) -> logits [n, 1].
    loss: what each player pays, from the logits.
    latents: (key, n) -> [n, k], the prior.
    discriminator_l2: weight w of w/2 sum(kernel^2) over the discriminator's
      kernels (parameters of rank two and more, not biases), added to its cost.
    penalty: added to the discriminator's cost, on the same real and fake
      samples before augmentation; the generator neither pays it nor learns from
      it. Its critic is the discriminator in training mode, with one dropout
      mask of its own and with the variables that the costs were given (batch
      statistics that it updates are dropped).
    augment: changes all that the discriminator judges, data and samples alike,
      each with a key of its own; the generator learns through it.
    replay: puts old samples among the fake ones of the discriminator's cost;
      the generator's is on new ones alone. The memory is a variable of the
      discriminator, and every evaluation of the costs adds to it.
    mixes_samples: whether the discriminator's logit of one sample depends on
      the others of its minibatch, as batch normalisation and the layers of
      `networks.minibatch` make it; None, for whether it has variables of its
      own. Spectral normalisation has, and mixes nothing.
    num_classes: of a class-conditional game, whose batches are `Labelled` and
      whose modules take `labels` [n] too; 0 for none. Generated samples have
      the labels of the batch, so that the labels tell the discriminator
      nothing about the origin; `sample` takes labels as a last argument, and
      draws them uniformly where it is given none.

  Returns:
    The game. Its metrics are `discriminator_real` and `discriminator_fake`,
    the means of D(x) as a probability, or `critic_real` and `critic_fake`, the
    means of the critic, where the loss's output is no probability; and
    `penalty`, what it adds to the cost, where there is one.
  """

  def init(key):
    generator_key, discriminator_key, latents_key = jax.random.split(key, 3)
    sample_latents = latents(latents_key, 1)
    labels = _networks.conditions(
      jnp.zeros(1, jnp.int32) if num_classes else None
    )
    generator_collections = generator.init(
      generator_key, sample_latents, **labels
    )
    sample = generator.apply(generator_collections, sample_latents, **labels)
    generator_params, generator_variables = _networks.split_variables(
      generator_collections
    )
    discriminator_params, discriminator_variables = _networks.split_variables(
      discriminator.init(discriminator_key, sample, **labels)
    )
    if replay is not None:
      discriminator_variables = {
        **discriminator_variables,
        MEMORY: replays.empty(replay.size, sample[0]),
      }
    return (
      Players(generator_params, discriminator_params),
      Players(generator_variables, discriminator_variables),
    )

  def mixes(variables):
    return bool(variables) if mixes_samples is None else mixes_samples

  def judge(params, variables, batches, labels, key):
    """Returns the logits [n] of each batch [n, ...], and the variables."""
    chex.assert_equal_shape(batches)
    # The dropout masks of a game do not depend on whether it augments.
    if augment is not None:
      keys = jax.random.split(jax.random.fold_in(key, 0), len(batches))
      batches = [augment(k, x) for k, x in zip(keys, batches, strict=True)]
    if mixes(variables):
      keys = jax.random.split(key, len(batches))
      logits = []
      for own_key, x in zip(keys, batches, strict=True):
        own, variables = _networks.apply(
          discriminator, params, variables, x, own_key, labels
        )
        logits.append(own)
    else:
      together, variables = _networks.apply(
        discriminator,
        params,
        variables,
        sharding.split(jnp.concatenate(batches)),
        key,
        None if labels is None else jnp.tile(labels, len(batches)),
      )
      logits = jnp.split(together, len(batches))
    chex.assert_shape(logits, (len(batches[0]), 1))
    return [own[:, 0] for own in logits], variables

  def regularise(params, variables, real, fake, labels, key):
    cost, metrics = jnp.zeros(()), {}
    if discriminator_l2 is not None:
      kernels = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim > 1]
      cost += 0.5 * discriminator_l2 * sum(jnp.sum(k**2) for k in kernels)
    if penalty is not None:
      penalty_key, dropout_key = jax.random.split(key)

      def critic(x):
        logits, _ = _networks.apply(
          discriminator, params, variables, x, dropout_key, labels
        )
        chex.assert_shape(logits, (len(x), 1))
        return logits[:, 0]

      metrics["penalty"] = penalty(critic, real, fake, penalty_key)
      chex.assert_rank(metrics["penalty"], 0)
      cost += metrics["penalty"]
    return cost, metrics

  def costs(params, variables, batch, key):
    generator_key, discriminator_key, penalty_key, replay_key = (
      jax.random.split(key, 4)
    )
    real, labels = _split(batch)
    fake, generator_variables = _networks.generate(
      generator,
      latents,
      params.generator,
      variables.generator,
      generator_key,
      len(real),
      labels,
    )
    own, memory = dict(variables.discriminator), {}
    batches = [real, fake]
    if replay is not None:
      mixed, memory[MEMORY] = replays.mix(
        own.pop(MEMORY), fake, replay.share, replay_key
      )
      batches.append(mixed)
    logits, discriminator_variables = judge(
      params.discriminator, own, batches, labels, discriminator_key
    )
    # The generator pays for the new samples, which are the second; the
    # discriminator for the mixed ones where there are any.
    extra_cost, extra_metrics = regularise(
      params.discriminator, own, real, batches[-1], labels, penalty_key
    )
    return (
      Players(
        generator=loss.generator(logits[0], logits[1]),
        discriminator=loss.discriminator(logits[0], logits[-1]) + extra_cost,
      ),
      (
        Players(generator_variables, {**discriminator_variables, **memory}),
        {**_networks.measure(loss, logits[0], logits[1]), **extra_metrics},
      ),
    )

  def gradients(params, variables, batch, key):
    if replay is not None or mixes(variables.discriminator):
      return pullbacks(costs)(params, variables, batch, key)
    generator_key, discriminator_key, penalty_key = jax.random.split(key, 3)
    real, labels = _split(batch)
    fake, pull_generator, generator_variables = jax.vjp(
      lambda own: _networks.generate(
        generator,
        latents,
        own,
        variables.generator,
        generator_key,
        len(real),
        labels,
      ),
      params.generator,
      has_aux=True,
    )
    logits, pull_discriminator, discriminator_variables = jax.vjp(
      lambda own, fake: judge(
        own, variables.discriminator, [real, fake], labels, discriminator_key
      ),
      params.discriminator,
      fake,
      has_aux=True,
    )
    generator_cost, generator_slope = jax.value_and_grad(loss.generator, 1)(
      *logits
    )
    discriminator_cost, (real_slope, fake_slope) = jax.value_and_grad(
      loss.discriminator, (0, 1)
    )(*logits)
    # A sample's logit depends on no other sample, so the pullbacks of the two
    # costs to a fake sample are the same vector times their slopes at its
    # logit: one pass back through the discriminator serves both. A slope too
    # small to divide by (hinge has flat parts) is raised to what no optimizer
    # can tell from it.
    fake_slope = jnp.where(
      jnp.abs(fake_slope) < MIN_SLOPE, MIN_SLOPE, fake_slope
    )
    gradient, to_fake = pull_discriminator([real_slope, fake_slope])
    ratio = generator_slope / fake_slope
    to_fake *= ratio.reshape(-1, *(1,) * (fake.ndim - 1))
    (generator_gradient,) = pull_generator(to_fake)
    # What is added to J_D has no slope at a logit, so it is differentiated by
    # itself: costs add, and so do their gradients.
    (extra_cost, extra_metrics), extra_gradient = jax.value_and_grad(
      regularise, has_aux=True
    )(
      params.discriminator,
      variables.discriminator,
      real,
      fake,
      labels,
      penalty_key,
    )
    return (
      Players(
        generator_gradient,
        jax.tree.map(jnp.add, gradient, extra_gradient),
      ),
      Players(generator_cost, discriminator_cost + extra_cost),
      (
        Players(generator_variables, discriminator_variables),
        {**_networks.measure(loss, *logits), **extra_metrics},
      ),
    )

  def sample(params, variables, key, n, labels=None):
    if num_classes:
      key, labels_key = jax.random.split(key)
      if labels is None:
        labels = jax.random.randint(labels_key, n, 0, num_classes)
    elif labels is not None:
      raise ValueError("a game without classes has no samples of a class")
    return _networks.evaluate(
      generator,
      params.generator,
      variables.generator,
      sharding.split(latents(key, n)),
      labels,
    )

  def discriminate(params, variables, x):
    own = {k: v for k, v in variables.discriminator.items() if k != MEMORY}
    logits = _networks.evaluate(discriminator, params.discriminator, own, x)
    chex.assert_shape(logits, (len(x), 1))
    return logits[:, 0]

  return Game(
    init, costs, sample, gradients, None if num_classes else discriminate
  )


def _split(batch: Batch) -> tuple[Array, Array | None]:
  """Splits a batch into its samples and their labels, if it has any.

  Devices that divide batches divide it here.
  """
  batch = sharding.split(batch)
  return batch if isinstance(batch, Labelled) else (batch, None)
