"""InfoGAN: samples tell the codes that they were generated from."""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from gan_jax.data import latents as priors
from gan_jax.games.adversarial import MEMORY, adversarial
from gan_jax.games.game import Game
from gan_jax.losses import AdversarialLoss
from gan_jax.networks.application import (
  apply_network,
  evaluate_network,
  generate_samples,
)
from gan_jax.types import Array, Params, PRNGKey, Variables


class Information(NamedTuple):
  """Lower bounds of the information between codes and samples, in nats.

  Attributes:
    categories: [], of the categorical code; at most log K.
    continuous: [], summed over the continuous codes; at most log 2 - log(2 pi)
      / 2 = -0.226 for each, since the deviation of Q is fixed.
  """

  categories: Array
  continuous: Array


class _Outputs(nn.Module):
  """The outputs [n, start:stop] of a network; params unchanged."""

  network: nn.Module
  start: int
  stop: int | None

  def setup(self):
    nn.share_scope(self, self.network)

  def __call__(self, samples: Array, train: bool = False) -> Array:
    return self.network(samples, train=train)[:, self.start : self.stop]


def codes_prior(num_categories: int, num_continuous: int) -> priors.Latents:
  """Returns the prior of codes [n, K + m]: a one-hot category, and U(-1, 1)."""
  return priors.joined(
    priors.one_hot(num_categories), priors.uniform(num_continuous)
  )


def information(
  outputs: Array, codes: Array, num_categories: int
) -> Information:
  """Computes L_I = E log Q(c | x) + H(c), a bound of I(c; x).

  For K categories Q is the softmax of K logits, and for each continuous code
  U(-1, 1) the normal density of deviation 1 about an output:

    categories  E log softmax(o)_c + log K
    continuous  sum_j -E (c_j - o_j)^2 / 2 - log(2 pi) / 2 + log 2

  The bound is the information itself if Q(c | x) is the posterior.

  Args:
    outputs: o [n, K + m] of samples x, the logits first.
    codes: c [n, K + m] that the samples were generated from, as `codes_prior`
      draws them.
    num_categories: K.
  """
  chex.assert_equal_shape([outputs, codes])
  logits, means = jnp.split(outputs, [num_categories], axis=1)
  categories, continuous = jnp.split(codes, [num_categories], axis=1)
  cross_entropy = optax.softmax_cross_entropy(logits, categories)
  squares = jnp.mean(jnp.square(continuous - means), axis=0)
  return Information(
    np.log(num_categories) - jnp.mean(cross_entropy),
    jnp.sum(np.log(2) - 0.5 * np.log(2 * np.pi) - 0.5 * squares),
  )


def infogan(
  generator: nn.Module,
  discriminator: nn.Module,
  loss: AdversarialLoss,
  latents: Callable[[PRNGKey, int], Array],
  num_categories: int = 10,
  num_continuous: int = 0,
  weight: float | Array = 1.0,
  **options: Any,
) -> Game:
  """Makes the adversarial game whose samples tell their codes.

  The generator takes noise and codes, side by side: a category c of K, one-hot,
  and continuous codes U(-1, 1). A network Q, which is the discriminator with
  other outputs of its last layer, finds the codes of samples. With the costs
  L_G and L_D of the adversarial game and L_I of `information`,

    J_G = L_G - weight L_I,  J_D = L_D - L_I.

  So Q learns the codes by maximum likelihood also if the weight is 0, where L_I
  measures how much samples of a plain GAN tell. The paper has the weight, its
  lambda, in both; the best Q is the same. The output that tells real from
  generated samples has no part in L_I. L_I is computed from other latents than
  L_G and L_D, without augmentation.

  Args:
    generator: module (latents [n, k + K + m], train) -> samples [n, ...].
    discriminator: module (samples [n, ...], train) -> [n, 1 + K + m]: the logit
      of real samples, and the outputs of Q.
    loss: both players' costs as functions of the logits.
    latents: (key, n) -> [n, k], the prior of the noise.
    num_categories: K.
    num_continuous: m.
    weight: of L_I in the generator's cost.
    **options: passed on to `games.adversarial`.

  Returns:
    The game. Its `sample` takes codes [n, K + m] as its last argument, and
    draws them if there are none. Its metrics are those of `adversarial`,
    `code_information`, L_I of the categories, and with continuous codes
    `code_error`, their mean squared error, 1/3 if samples do not tell them.

  Raises:
    ValueError: for a game with conditions.

  References:
    Chen et al., InfoGAN: Interpretable Representation Learning by Information
      Maximizing Generative Adversarial Nets, arXiv 1606.03657. Its public code
      has the fixed deviation of Q.
  """
  if options.get("conditions") is not None:
    raise ValueError("codes cannot be combined with conditions")
  draw_codes = codes_prior(num_categories, num_continuous)
  draw = priors.joined(latents, draw_codes)
  judge, coder = _Outputs(discriminator, 0, 1), _Outputs(discriminator, 1, None)
  game = adversarial(generator, judge, loss, draw, **options)
  adversarial_gradients = game.gradients
  assert adversarial_gradients is not None

  def codes_of(inputs):
    return inputs[:, -(num_categories + num_continuous) :]

  def measure(params, variables, key, n):
    """Returns L_I, what is maximised, and its metrics."""
    latents_key, generator_key, coder_key = jax.random.split(key, 3)
    inputs = draw(latents_key, n)
    samples, _ = generate_samples(
      generator,
      lambda *_: inputs,
      params.generator,
      variables.generator,
      generator_key,
      n,
    )
    outputs, _ = apply_network(
      coder,
      params.discriminator,
      _without_memory(variables.discriminator),
      samples,
      coder_key,
    )
    codes = codes_of(inputs)
    bounds = information(outputs, codes, num_categories)
    metrics = {"code_information": bounds.categories}
    if num_continuous:
      errors = outputs[:, num_categories:] - codes[:, num_categories:]
      metrics["code_error"] = jnp.mean(jnp.square(errors))
    return bounds.categories + bounds.continuous, metrics

  def costs(params, variables, batch, key):
    game_key, code_key = jax.random.split(key)
    values, (new_variables, metrics) = game.costs(
      params, variables, batch, game_key
    )
    bound, code_metrics = measure(params, variables, code_key, len(batch))
    return (
      values._replace(
        generator=values.generator - weight * bound,
        discriminator=values.discriminator - bound,
      ),
      (new_variables, metrics | code_metrics),
    )

  def gradients(params, variables, batch, key):
    game_key, code_key = jax.random.split(key)
    slopes, values, (new_variables, metrics) = adversarial_gradients(
      params, variables, batch, game_key
    )
    (bound, code_metrics), up = jax.value_and_grad(measure, has_aux=True)(
      params, variables, code_key, len(batch)
    )
    return (
      slopes._replace(
        generator=jax.tree.map(
          lambda slope, rise: slope - weight * rise,
          slopes.generator,
          up.generator,
        ),
        discriminator=jax.tree.map(
          jnp.subtract, slopes.discriminator, up.discriminator
        ),
      ),
      values._replace(
        generator=values.generator - weight * bound,
        discriminator=values.discriminator - bound,
      ),
      (new_variables, metrics | code_metrics),
    )

  def sample(params, variables, key, n, codes=None):
    if codes is None:
      return game.sample(params, variables, key, n)
    chex.assert_shape(codes, (n, num_categories + num_continuous))
    inputs = jnp.concatenate([latents(key, n), codes], axis=1)
    return evaluate_network(
      generator, params.generator, variables.generator, inputs
    )

  return game._replace(costs=costs, gradients=gradients, sample=sample)


def infer_codes(
  discriminator: nn.Module, params: Params, variables: Variables, x: Array
) -> Array:
  """Computes the outputs of Q [n, K + m] by a discriminator of this game."""
  return evaluate_network(
    _Outputs(discriminator, 1, None), params, _without_memory(variables), x
  )


def _without_memory(variables: Variables) -> Variables:
  """Leaves out the replay memory of a discriminator's variables."""
  return {name: each for name, each in variables.items() if name != MEMORY}
