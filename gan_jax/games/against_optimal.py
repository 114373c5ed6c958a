"""The game of a generator against the exact optimal discriminator."""

from collections.abc import Callable

import chex
import jax
from flax import linen as nn

from gan_jax import sharding
from gan_jax.games.game import Game
from gan_jax.losses import AdversarialLoss
from gan_jax.networks.application import (
  evaluate_network,
  generate_samples,
  split_variables,
)
from gan_jax.types import Array, Params, Players, PRNGKey


def against_optimal(
  generator: nn.Module,
  log_density_ratio: Callable[[Params, Array], Array],
  loss: AdversarialLoss,
  latents: Callable[[PRNGKey, int], Array],
) -> Game:
  """Makes the game of a generator against the exact optimal discriminator.

  The logit at x is log p(x) / q(x; params), with p the density of the data and
  q that of the generator. Of all functions it minimises a J_D that is a cross-
  entropy. It follows every change of the generator, but its dependence on
  params is not differentiated, as with a discriminator network: the generator's
  gradient passes through its samples only. In expectation it is the gradient of

    minimax                2 JSD(p || q)
    non-saturating         KL(q || p) - 2 JSD(p || q)
    maximum likelihood     KL(p || q).

  Args:
    generator: module (latents [n, k], train) -> samples [n, ...].
    log_density_ratio: (generator's params, x [n, ...]) -> [n].
    loss: both players' costs as functions of the logits.
    latents: (key, n) -> [n, k], the prior.

  Returns:
    The game. Its discriminator has no params. It has the metrics of
    `adversarial`.

  References:
    Goodfellow et al., Generative Adversarial Networks, arXiv 1406.2661, eq. 2.
    Goodfellow, NIPS 2016 Tutorial, arXiv 1701.00160, sections 3.2.4 and 8.3;
      its costs are half of these.
    Arjovsky and Bottou, Towards Principled Methods for Training Generative
      Adversarial Networks, arXiv 1701.04862, theorem 2.5.
  """

  def init(key):
    generator_key, latents_key = jax.random.split(key)
    params, variables = split_variables(
      generator.init(generator_key, latents(latents_key, 1))
    )
    return Players(params, {}), Players(variables, {})

  def compute_logits(params, x):
    logits = log_density_ratio(params, x)
    chex.assert_shape(logits, (len(x),))
    return logits

  def costs(params, variables, batch, key):
    batch = sharding.split(batch)
    fake, generator_variables = generate_samples(
      generator,
      latents,
      params.generator,
      variables.generator,
      key,
      len(batch),
    )
    chex.assert_equal_shape((batch, fake))
    fixed = jax.lax.stop_gradient(params.generator)
    logits = compute_logits(fixed, batch), compute_logits(fixed, fake)
    return (
      Players(loss.generator(*logits), loss.discriminator(*logits)),
      (Players(generator_variables, {}), loss.measure(*logits)),
    )

  def sample(params, variables, key, n):
    return evaluate_network(
      generator, params.generator, variables.generator, latents(key, n)
    )

  def discriminate(params, variables, x):
    del variables
    return compute_logits(params.generator, x)

  return Game(init, costs, sample, discriminate=discriminate)
