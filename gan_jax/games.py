"""Games: what each player pays, given the parameters of both."""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.losses import AdversarialLoss
from gan_jax.penalties import Penalty
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

Gradients = Callable[
  [Players[Params], Players[Variables], Batch, PRNGKey],
  tuple[Players[Params], Players[Array], tuple[Players[Variables], Metrics]],
]

MIN_SLOPE = 1e-18
"""Least size of a slope dJ_D/dlogit that `adversarial` divides by.

A rule of second order differentiates the quotient, which squares the slope; its
inverse, 1e36, is still below float32's 3.4e38.
"""


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
    gradients: (params, variables, batch, key) -> (gradients, costs, (variables,
      metrics)), the gradient of each player's cost in its own parameters and
      what `costs` returns; None where `pullbacks` of the costs will do.
    discriminate: (params, variables, x [n, ...]) -> logits [n], without
      dropout; None for a game without a discriminator on data.
  """

  init: Callable[[PRNGKey], tuple[Players[Params], Players[Variables]]]
  costs: Costs
  sample: Callable[[Players[Params], Players[Variables], PRNGKey, int], Array]
  gradients: Gradients | None = None
  discriminate: (
    Callable[[Players[Params], Players[Variables], Array], Array] | None
  ) = None


def pullbacks(costs: Costs) -> Gradients:
  """Takes both players' gradients as two pullbacks of one forward pass.

  Args:
    costs: of a game.

  Returns:
    (params, variables, batch, key) -> (gradients, costs, (variables, metrics)).
  """

  def gradients(params, variables, batch, key):
    values, pull, auxiliary = jax.vjp(
      lambda params: costs(params, variables, batch, key), params, has_aux=True
    )
    chex.assert_rank(values, 0)
    one, zero = (
      jax.tree.map(like, values) for like in (jnp.ones_like, jnp.zeros_like)
    )
    (of_generator,) = pull(zero._replace(generator=one.generator))
    (of_discriminator,) = pull(zero._replace(discriminator=one.discriminator))
    gradients = Players(of_generator.generator, of_discriminator.discriminator)
    return gradients, values, auxiliary

  return gradients


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


def _generate(
  generator: nn.Module,
  latents: Callable[[PRNGKey, int], Array],
  params: Params,
  variables: Variables,
  key: PRNGKey,
  n: int,
) -> tuple[Array, Variables]:
  """Draws n samples in training mode, with the updated variables."""
  latents_key, dropout_key = jax.random.split(key)
  return _apply(
    generator, params, variables, latents(latents_key, n), dropout_key
  )


def _measure(
  loss: AdversarialLoss, real_logits: Array, fake_logits: Array
) -> Metrics:
  """Averages the discriminator's output, as the loss reads it."""
  if loss.probability:
    return {
      "discriminator_real": jnp.mean(jax.nn.sigmoid(real_logits)),
      "discriminator_fake": jnp.mean(jax.nn.sigmoid(fake_logits)),
    }
  return {
    "critic_real": jnp.mean(real_logits),
    "critic_fake": jnp.mean(fake_logits),
  }


def adversarial(
  generator: nn.Module,
  discriminator: nn.Module,
  loss: AdversarialLoss,
  latents: Callable[[PRNGKey, int], Array],
  discriminator_l2: float | Array | None = None,
  penalty: Penalty | None = None,
) -> Game:
  """Makes the game of a generator against a discriminator.

  Each evaluation of the costs draws as many latents as the batch has samples.
  The discriminator sees real and fake samples in one pass, which is one matrix
  product a layer instead of two, and both gradients share one pass back through
  it. A discriminator with variables of its own (batch statistics) mixes the
  samples of a minibatch, so it sees the two apart, and is passed back twice.

  Args:
    generator: module (latents [n, k], train) -> samples [n, ...].
    discriminator: module (samples [n, ...], train) -> logits [n, 1].
    loss: what each player pays, from the logits.
    latents: (key, n) -> [n, k], the prior.
    discriminator_l2: weight w of w/2 sum(kernel^2) over the discriminator's
      kernels (parameters of rank two and more, not biases), added to its cost.
    penalty: added to the discriminator's cost, on the same real and fake
      samples; the generator neither pays it nor learns from it. Its critic is
      the discriminator in training mode, with one dropout mask of its own and
      with the variables that the costs were given (batch statistics that it
      updates are dropped).

  Returns:
    The game. Its metrics are `discriminator_real` and `discriminator_fake`,
    the means of D(x) as a probability, or `critic_real` and `critic_fake`, the
    means of the critic, where the loss's output is no probability; and
    `penalty`, what it adds to the cost, where there is one.
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

  def judge(params, variables, real, fake, key):
    chex.assert_equal_shape((real, fake))
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
    return (real_logits[:, 0], fake_logits[:, 0]), variables

  def regularise(params, variables, real, fake, key):
    cost, metrics = jnp.zeros(()), {}
    if discriminator_l2 is not None:
      kernels = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim > 1]
      cost += 0.5 * discriminator_l2 * sum(jnp.sum(k**2) for k in kernels)
    if penalty is not None:
      penalty_key, dropout_key = jax.random.split(key)

      def critic(x):
        logits, _ = _apply(discriminator, params, variables, x, dropout_key)
        chex.assert_shape(logits, (len(x), 1))
        return logits[:, 0]

      metrics["penalty"] = penalty(
        critic, real, jax.lax.stop_gradient(fake), penalty_key
      )
      chex.assert_rank(metrics["penalty"], 0)
      cost += metrics["penalty"]
    return cost, metrics

  def costs(params, variables, batch, key):
    generator_key, discriminator_key, penalty_key = jax.random.split(key, 3)
    fake, generator_variables = _generate(
      generator,
      latents,
      params.generator,
      variables.generator,
      generator_key,
      len(batch),
    )
    logits, discriminator_variables = judge(
      params.discriminator,
      variables.discriminator,
      batch,
      fake,
      discriminator_key,
    )
    extra_cost, extra_metrics = regularise(
      params.discriminator, variables.discriminator, batch, fake, penalty_key
    )
    return (
      Players(
        generator=loss.generator(*logits),
        discriminator=loss.discriminator(*logits) + extra_cost,
      ),
      (
        Players(generator_variables, discriminator_variables),
        {**_measure(loss, *logits), **extra_metrics},
      ),
    )

  def gradients(params, variables, batch, key):
    if variables.discriminator:
      return pullbacks(costs)(params, variables, batch, key)
    generator_key, discriminator_key, penalty_key = jax.random.split(key, 3)
    fake, pull_generator, generator_variables = jax.vjp(
      lambda own: _generate(
        generator,
        latents,
        own,
        variables.generator,
        generator_key,
        len(batch),
      ),
      params.generator,
      has_aux=True,
    )
    logits, pull_discriminator, discriminator_variables = jax.vjp(
      lambda own, fake: judge(own, {}, batch, fake, discriminator_key),
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
    gradient, to_fake = pull_discriminator((real_slope, fake_slope))
    ratio = generator_slope / fake_slope
    to_fake *= ratio.reshape(-1, *(1,) * (fake.ndim - 1))
    (generator_gradient,) = pull_generator(to_fake)
    # What is added to J_D has no slope at a logit, so it is differentiated by
    # itself: costs add, and so do their gradients.
    (extra_cost, extra_metrics), extra_gradient = jax.value_and_grad(
      regularise, has_aux=True
    )(params.discriminator, {}, batch, fake, penalty_key)
    return (
      Players(
        generator_gradient,
        jax.tree.map(jnp.add, gradient, extra_gradient),
      ),
      Players(generator_cost, discriminator_cost + extra_cost),
      (
        Players(generator_variables, discriminator_variables),
        {**_measure(loss, *logits), **extra_metrics},
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

  return Game(init, costs, sample, gradients, discriminate)


def against_optimal(
  generator: nn.Module,
  log_density_ratio: Callable[[Params, Array], Array],
  loss: AdversarialLoss,
  latents: Callable[[PRNGKey, int], Array],
) -> Game:
  """Makes the game of a generator against the best discriminator there is.

  The logit at x is log p(x) / q(x; params), where p is the data's density and q
  the generator's: of all functions, that which minimises a J_D that is a cross-
  entropy. It answers the generator's every move, and yet its own params are
  constants to the generator, as a discriminator's would be: the generator's
  gradient passes through its samples alone. In expectation it is that of

    minimax                2 JSD(p || q)
    non-saturating         KL(q || p) - 2 JSD(p || q)
    maximum likelihood     KL(p || q).

  Args:
    generator: module (latents [n, k], train) -> samples [n, ...].
    log_density_ratio: (generator's params, x [n, ...]) -> [n].
    loss: what each player pays, from the logits.
    latents: (key, n) -> [n, k], the prior.

  Returns:
    The game, whose discriminator has no params; metrics as of `adversarial`.

  References:
    Goodfellow et al., Generative Adversarial Networks, arXiv 1406.2661, eq. 2.
    Goodfellow, NIPS 2016 Tutorial, arXiv 1701.00160, sections 3.2.4 and 8.3;
      its costs are half of these.
    Arjovsky and Bottou, Towards Principled Methods for Training Generative
      Adversarial Networks, arXiv 1701.04862, theorem 2.5.
  """

  def init(key):
    generator_key, latents_key = jax.random.split(key)
    params, variables = _split_variables(
      generator.init(generator_key, latents(latents_key, 1))
    )
    return Players(params, {}), Players(variables, {})

  def judge(params, x):
    logits = log_density_ratio(params, x)
    chex.assert_shape(logits, (len(x),))
    return logits

  def costs(params, variables, batch, key):
    fake, generator_variables = _generate(
      generator,
      latents,
      params.generator,
      variables.generator,
      key,
      len(batch),
    )
    chex.assert_equal_shape((batch, fake))
    fixed = jax.lax.stop_gradient(params.generator)
    logits = judge(fixed, batch), judge(fixed, fake)
    return (
      Players(loss.generator(*logits), loss.discriminator(*logits)),
      (Players(generator_variables, {}), _measure(loss, *logits)),
    )

  def sample(params, variables, key, n):
    return _evaluate(
      generator, params.generator, variables.generator, latents(key, n)
    )

  def discriminate(params, variables, x):
    del variables
    return judge(params.generator, x)

  return Game(init, costs, sample, discriminate=discriminate)
