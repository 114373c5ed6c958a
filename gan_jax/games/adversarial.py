"""The game of a generator network against a discriminator network."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax import sharding
from gan_jax.augmentations import Augment
from gan_jax.games.game import Game, pullbacks
from gan_jax.games.replay import Replay, empty, mix
from gan_jax.losses import AdversarialLoss
from gan_jax.networks.application import (
  apply_network,
  condition_arguments,
  evaluate_network,
  generate_samples,
  split_variables,
)
from gan_jax.penalties import Penalty
from gan_jax.types import (
  Array,
  Batch,
  Condition,
  Conditional,
  Conditions,
  Players,
  PRNGKey,
)

MIN_SLOPE = 1e-18
"""Smallest slope |dJ_D/dlogit| that `adversarial` divides by.

A second-order update rule differentiates the quotient, which squares the slope;
its inverse, 1e36, is still below float32's 3.4e38.
"""

MEMORY = "memory"
"""Name of the replay memory among the discriminator's variables."""


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
  conditions: Conditions | None = None,
  reconstruction: float | Array | None = None,
  distance: Callable[[Array], Array] = jnp.abs,
) -> Game:
  """Makes the game of a generator against a discriminator.

  Each evaluation of the costs draws as many latents as the batch has samples.
  The discriminator takes real and fake samples in one forward pass, and both
  players' gradients share one backward pass through it. A discriminator that
  mixes the samples of a minibatch takes real and fake samples in separate
  forward passes, and needs a backward pass for each player.

  Args:
    generator: module (latents [n, k], train) -> samples [n, ...].
    discriminator: module (samples [n, ...], train) -> logits [n, 1].
    loss: both players' costs as functions of the logits.
    latents: (key, n) -> [n, k], the prior.
    discriminator_l2: weight w of w/2 sum(kernel^2) over the discriminator's
      kernels (parameters of rank two and more, not biases), added to its cost.
    penalty: added to the discriminator's cost, on the same real and fake
      samples before augmentation; it has no effect on the generator. Its critic
      is the discriminator in training mode with a separate dropout mask. Batch
      statistics that the penalty's passes update are dropped.
    augment: transforms every batch that the discriminator takes, real or
      generated, each with a different key; the generator learns through it.
    replay: replaces a share of the fake samples in the discriminator's cost by
      old ones; the generator's cost has new ones only. The memory is one of the
      discriminator's variables, and every evaluation of the costs adds to it.
    mixes_samples: whether the discriminator's logit of one sample depends on
      the other samples of its minibatch, as with batch normalisation and the
      layers of `networks.minibatch`. None means: if the discriminator has
      variables. Pass False for spectral normalisation, which has variables but
      mixes no samples.
    conditions: (key, n) -> the conditions of n samples, as `sample` draws them
      if it is given none; None for a game without conditions. The batches of a
      game with conditions are `Conditional`, and its modules also take
      `condition`. Generated samples get the conditions of the batch, so that
      these do not reveal which samples are real. `sample` and `discriminate`
      take the condition as their last argument.
    reconstruction: weight w of w mean |G(z, c) - x|, added to the generator's
      cost, where c is the condition of the real sample x: for games whose
      condition nearly determines the sample, such as one image made of another.
    distance: replaces |.| in it, elementwise. With `jnp.square` and no other
      cost, the best generator is the mean of x under its condition.

  Returns:
    The game. Its metrics are `discriminator_real` and `discriminator_fake`, the
    means of D(x) as a probability, or `critic_real` and `critic_fake`, the
    means of the critic, if the loss's output is no probability; `penalty`, the
    penalty term, if the game has one; and `reconstruction`, mean |G(z, c) - x|
    or that of the other `distance` without the weight, if it is in the cost.

  Raises:
    ValueError: for a game with both conditions and replay, or with
      `reconstruction` but without conditions.

  References:
    Mirza and Osindero, Conditional Generative Adversarial Nets, arXiv
      1411.1784, for conditions.
    Isola, Zhu, Zhou and Efros, Image-to-Image Translation with Conditional
      Adversarial Networks, arXiv 1611.07004, eq. 3 and 4, for `reconstruction`;
      the weight is the paper's lambda, 100 there.
  """
  if conditions is not None and replay is not None:
    raise ValueError("the old samples of a replay memory have no conditions")
  if conditions is None and reconstruction is not None:
    raise ValueError("reconstruction needs the conditions of real samples")

  def init(key):
    generator_key, discriminator_key, latents_key = jax.random.split(key, 3)
    sample_latents = latents(latents_key, 1)
    # Networks are initialised by the shapes of their inputs, not by the values.
    condition = condition_arguments(conditions and conditions(latents_key, 1))
    generator_collections = generator.init(
      generator_key, sample_latents, **condition
    )
    sample = generator.apply(generator_collections, sample_latents, **condition)
    generator_params, generator_variables = split_variables(
      generator_collections
    )
    discriminator_params, discriminator_variables = split_variables(
      discriminator.init(discriminator_key, sample, **condition)
    )
    if replay is not None:
      discriminator_variables = {
        **discriminator_variables,
        MEMORY: empty(replay.size, sample[0]),
      }
    return (
      Players(generator_params, discriminator_params),
      Players(generator_variables, discriminator_variables),
    )

  def check_condition(condition, n):
    """Checks that n samples have n conditions, or none without conditions."""
    if conditions is None and condition is not None:
      raise ValueError("a game without conditions takes no condition")
    if conditions is not None and condition is None:
      raise ValueError("a game with conditions needs the condition of samples")
    chex.assert_tree_shape_prefix(condition, (n,))

  def split_batch(batch: Batch) -> tuple[Array, Condition | None]:
    """Returns a batch's samples and condition, split over the devices."""
    batch = sharding.split(batch)
    samples, condition = (
      batch if isinstance(batch, Conditional) else (batch, None)
    )
    check_condition(condition, len(samples))
    return samples, condition

  def mixes(variables):
    return bool(variables) if mixes_samples is None else mixes_samples

  def compute_logits(params, variables, batches, condition, key):
    """Returns the logits [n] of each batch [n, ...], and new variables."""
    chex.assert_equal_shape(batches)
    # The augmentation's keys are folded in, so that a game has the same dropout
    # masks with and without it.
    if augment is not None:
      keys = jax.random.split(jax.random.fold_in(key, 0), len(batches))
      batches = [augment(k, x) for k, x in zip(keys, batches, strict=True)]
    if mixes(variables):
      keys = jax.random.split(key, len(batches))
      logits = []
      for batch_key, x in zip(keys, batches, strict=True):
        batch_logits, variables = apply_network(
          discriminator, params, variables, x, batch_key, condition
        )
        logits.append(batch_logits)
    else:
      together, variables = apply_network(
        discriminator,
        params,
        variables,
        sharding.split(jnp.concatenate(batches)),
        key,
        sharding.split(
          jax.tree.map(lambda x: jnp.concatenate([x] * len(batches)), condition)
        ),
      )
      logits = jnp.split(together, len(batches))
    chex.assert_shape(logits, (len(batches[0]), 1))
    return [column[:, 0] for column in logits], variables

  def regularise(params, variables, real, fake, condition, key):
    """Returns what is added to J_D besides the loss, and its metrics."""
    cost, metrics = jnp.zeros(()), {}
    if discriminator_l2 is not None:
      kernels = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim > 1]
      cost += 0.5 * discriminator_l2 * sum(jnp.sum(k**2) for k in kernels)
    if penalty is not None:
      penalty_key, dropout_key = jax.random.split(key)

      def critic(x):
        logits, _ = apply_network(
          discriminator, params, variables, x, dropout_key, condition
        )
        chex.assert_shape(logits, (len(x), 1))
        return logits[:, 0]

      metrics["penalty"] = penalty(critic, real, fake, penalty_key)
      chex.assert_rank(metrics["penalty"], 0)
      cost += metrics["penalty"]
    return cost, metrics

  def compare(fake, real):
    """Returns what is added to J_G besides the loss, and its metrics."""
    if reconstruction is None:
      return jnp.zeros(()), {}
    chex.assert_equal_shape([fake, real])
    value = jnp.mean(distance(fake - real))
    return reconstruction * value, {"reconstruction": value}

  def costs(params, variables, batch, key):
    generator_key, discriminator_key, penalty_key, replay_key = (
      jax.random.split(key, 4)
    )
    real, condition = split_batch(batch)
    fake, generator_variables = generate_samples(
      generator,
      latents,
      params.generator,
      variables.generator,
      generator_key,
      len(real),
      condition,
    )
    network_variables, memory = dict(variables.discriminator), {}
    batches = [real, fake]
    if replay is not None:
      mixed, memory[MEMORY] = mix(
        network_variables.pop(MEMORY), fake, replay.share, replay_key
      )
      batches.append(mixed)
    # batches[1] are new samples, for J_G; batches[-1] are those of J_D, which
    # replay mixes with old ones.
    logits, discriminator_variables = compute_logits(
      params.discriminator,
      network_variables,
      batches,
      condition,
      discriminator_key,
    )
    extra_cost, extra_metrics = regularise(
      params.discriminator,
      network_variables,
      real,
      batches[-1],
      condition,
      penalty_key,
    )
    compared_cost, compared_metrics = compare(fake, real)
    return (
      Players(
        generator=loss.generator(logits[0], logits[1]) + compared_cost,
        discriminator=loss.discriminator(logits[0], logits[-1]) + extra_cost,
      ),
      (
        Players(generator_variables, {**discriminator_variables, **memory}),
        {
          **loss.measure(logits[0], logits[1]),
          **extra_metrics,
          **compared_metrics,
        },
      ),
    )

  def gradients(params, variables, batch, key):
    if replay is not None or mixes(variables.discriminator):
      return pullbacks(costs)(params, variables, batch, key)
    generator_key, discriminator_key, penalty_key = jax.random.split(key, 3)
    real, condition = split_batch(batch)
    fake, pull_generator, generator_variables = jax.vjp(
      lambda generator_params: generate_samples(
        generator,
        latents,
        generator_params,
        variables.generator,
        generator_key,
        len(real),
        condition,
      ),
      params.generator,
      has_aux=True,
    )
    logits, pull_discriminator, discriminator_variables = jax.vjp(
      lambda discriminator_params, fake: compute_logits(
        discriminator_params,
        variables.discriminator,
        [real, fake],
        condition,
        discriminator_key,
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
    # A sample's logit depends on no other sample, so the gradients of the two
    # costs in a fake sample are the same vector times their slopes at its
    # logit: one backward pass through the discriminator serves both. A slope
    # too small to divide by (hinge has flat parts) is raised to a value that no
    # optimizer distinguishes from 0.
    fake_slope = jnp.where(
      jnp.abs(fake_slope) < MIN_SLOPE, MIN_SLOPE, fake_slope
    )
    gradient, to_fake = pull_discriminator([real_slope, fake_slope])
    ratio = generator_slope / fake_slope
    to_fake *= ratio.reshape(-1, *(1,) * (fake.ndim - 1))
    # The other terms of the costs are no functions of these logits, so they are
    # differentiated separately and the gradients are added.
    (compared_cost, compared_metrics), to_fake_too = jax.value_and_grad(
      compare, has_aux=True
    )(fake, real)
    if reconstruction is not None:
      to_fake += to_fake_too
    (generator_gradient,) = pull_generator(to_fake)
    (extra_cost, extra_metrics), extra_gradient = jax.value_and_grad(
      regularise, has_aux=True
    )(
      params.discriminator,
      variables.discriminator,
      real,
      fake,
      condition,
      penalty_key,
    )
    return (
      Players(
        generator_gradient, jax.tree.map(jnp.add, gradient, extra_gradient)
      ),
      Players(generator_cost + compared_cost, discriminator_cost + extra_cost),
      (
        Players(generator_variables, discriminator_variables),
        {
          **loss.measure(*logits),
          **extra_metrics,
          **compared_metrics,
        },
      ),
    )

  def sample(params, variables, key, n, condition=None):
    if conditions is not None:
      key, condition_key = jax.random.split(key)
      if condition is None:
        condition = conditions(condition_key, n)
    check_condition(condition, n)
    return evaluate_network(
      generator,
      params.generator,
      variables.generator,
      sharding.split(latents(key, n)),
      condition,
    )

  def discriminate(params, variables, x, condition=None):
    check_condition(condition, len(x))
    network_variables = dict(variables.discriminator)
    network_variables.pop(MEMORY, None)
    logits = evaluate_network(
      discriminator, params.discriminator, network_variables, x, condition
    )
    chex.assert_shape(logits, (len(x), 1))
    return logits[:, 0]

  return Game(init, costs, sample, gradients, discriminate)
