"""The game of a generator against the best discriminator there is."""

from collections.abc import Callable

import chex
import jax
from flax import linen as nn

from gan_jax import sharding
from gan_jax.games import _networks
from gan_jax.games.game import Game
from gan_jax.losses import AdversarialLoss
from gan_jax.types import Array, Params, Players, PRNGKey


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
    params, variables = _networks.split_variables(
      generator.init(generator_key, latents(latents_key, 1))
    )
    return Players(params, {}), Players(variables, {})

  def judge(params, x):
    logits = log_density_ratio(params, x)
    chex.assert_shape(logits, (len(x),))
    return logits

  def costs(params, variables, batch, key):
    batch = sharding.split(batch)
    fake, generator_variables = _networks.generate(
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
      (Players(generator_variables, {}), _networks.measure(loss, *logits)),
    )

  def sample(params, variables, key, n):
    return _networks.evaluate(
      generator, params.generator, variables.generator, latents(key, n)
    )

  def discriminate(params, variables, x):
    del variables
    return judge(params.generator, x)

  return Game(init, costs, sample, discriminate=discriminate)
