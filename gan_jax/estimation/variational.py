"""Variational autoencoders, whose decoder can be the generator of a GAN.

  z ~ N(0, I_k),  x ~ p(x | z),  q(z | x) = N(m(x), diag v(x)).

A decoder network maps z to the parameters of p(x | z), and an encoder network
maps x to m and log v. Both maximise the evidence lower bound

  ELBO(x) = E_q log p(x | z) - KL(q(z | x) || N(0, I))
          = log p(x) - KL(q(z | x) || p(z | x)).

With z = m + v^(1/2) e, e ~ N(0, I), its gradient passes through the sample.
This needs latents that are continuous, whereas x may be discrete.

If both networks are linear and the noise of x is normal, the best bound is the
greatest likelihood of `estimation.ppca`.

References:
  Kingma and Welling, Auto-Encoding Variational Bayes, arXiv 1312.6114.
  Lucas, Tucker, Grosse and Norouzi, Don't Blame the ELBO! A Linear VAE
    Perspective on Posterior Collapse, arXiv 1911.02469, for linear networks.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.games import Game
from gan_jax.networks.application import (
  apply_network,
  evaluate_network,
  split_variables,
)
from gan_jax.types import Array, Params, Players, PRNGKey, Variables


class Posterior(NamedTuple):
  """The normal distributions q(z | x) of n data points.

  Attributes:
    mean: [n, k], m.
    log_variance: [n, k], log v.
  """

  mean: Array
  log_variance: Array


class Likelihood(NamedTuple):
  """The distribution p(x | z), given what the decoder makes of z.

  Attributes:
    init: () -> the parameters that the distribution has besides the decoder's.
    log_prob: (these params, outputs of the decoder [n, ...], x [n, ...]) ->
      log p(x | z) [n], in nats.
  """

  init: Callable[[], Params]
  log_prob: Callable[[Params, Array, Array], Array]


class Autoencoder(NamedTuple):
  """An encoder and a decoder.

  Attributes:
    game: trains both. The decoder is its generator and the encoder its
      discriminator, and both have the same cost, -ELBO, in which every
      evaluation draws one z for each x. The generator's params are {"decoder":
      those of the network, "likelihood": those of p(x | z)}. `sample` returns
      the decoder's outputs for latents of the prior. The metrics are
      `log_likelihood`, E_q log p(x | z), and `divergence`, the KL.
    encode: (params, variables, x [n, ...]) -> q(z | x).
    decode: (params, variables, z [n, k]) -> outputs of the decoder [n, ...].
    elbo: (params, variables, x [n, ...], noise [s, n, k]) -> ELBO [n] with the
      mean over s draws of e, in evaluation mode.
  """

  game: Game
  encode: Callable[[Players[Params], Players[Variables], Array], Posterior]
  decode: Callable[[Players[Params], Players[Variables], Array], Array]
  elbo: Callable[[Players[Params], Players[Variables], Array, Array], Array]


def bernoulli() -> Likelihood:
  """Returns independent Bernoulli variables, whose logits the decoder outputs.

  log p(x | z) = sum_i x_i log p_i + (1 - x_i) log(1 - p_i),  x_i in {0, 1}.
  """

  def log_prob(params, logits, x):
    del params
    chex.assert_equal_shape([logits, x])
    return _summed(x * logits - jax.nn.softplus(logits))

  return Likelihood(dict, log_prob)


def gaussian(stddev: float = 1.0, learned: bool = False) -> Likelihood:
  """Returns independent normal variables, whose means the decoder outputs.

  log p(x | z) = sum_i log N(x_i; mu_i, s^2).

  Args:
    stddev: s, or its value at the start of training.
    learned: whether log s is a parameter.
  """

  def init():
    return {"log_stddev": jnp.log(stddev)} if learned else {}

  def log_prob(params, means, x):
    chex.assert_equal_shape([means, x])
    log_stddev = params.get("log_stddev", math.log(stddev))
    scaled = (x - means) * jnp.exp(-log_stddev)
    return _summed(
      -0.5 * jnp.square(scaled) - log_stddev - 0.5 * math.log(2 * math.pi)
    )

  return Likelihood(init, log_prob)


def _summed(values: Array) -> Array:
  """Sums all axes but the first."""
  return jnp.sum(values.reshape(len(values), -1), axis=1)


def sample(posterior: Posterior, noise: Array) -> Array:
  """Computes z = m + v^(1/2) e [n, k] of noise e [n, k] from N(0, I)."""
  chex.assert_equal_shape([*posterior, noise])
  return posterior.mean + jnp.exp(0.5 * posterior.log_variance) * noise


def divergence(posterior: Posterior) -> Array:
  """Computes KL(q || N(0, I)) [n], in nats.

  KL = 1/2 sum_j m_j^2 + v_j - 1 - log v_j.
  """
  mean, log_variance = posterior
  chex.assert_equal_shape([mean, log_variance])
  return 0.5 * jnp.sum(
    jnp.square(mean) + jnp.expm1(log_variance) - log_variance, axis=1
  )


def elbo(
  log_likelihood: Callable[[Array], Array], posterior: Posterior, noise: Array
) -> Array:
  """Estimates the bound for n data points, in nats.

  ELBO = 1/s sum_j log p(x | z_j) - KL(q || N(0, I)),  z_j = m + v^(1/2) e_j.

  Args:
    log_likelihood: z [n, k] -> log p(x | z) [n], where x are the data.
    posterior: q of the data.
    noise: [s, n, k], the e_j: draws from N(0, I), or points with its moments.

  Returns:
    [n].
  """
  expected = jax.vmap(lambda e: log_likelihood(sample(posterior, e)))(noise)
  chex.assert_equal_shape([expected[0], posterior.mean[:, 0]])
  return jnp.mean(expected, axis=0) - divergence(posterior)


def moment_points(dim: int, n: int) -> Array:
  """Returns noise for `elbo` with which that of linear networks is exact.

  These are the 2 k points +-sqrt(k) e_i, whose mean is 0 and whose covariance
  is the identity, so their mean of any quadratic function is that of N(0, I).

  Args:
    dim: k.
    n: number of data points.

  Returns:
    [2 k, n, k].
  """
  points = math.sqrt(dim) * jnp.concatenate([jnp.eye(dim), -jnp.eye(dim)])
  return jnp.broadcast_to(points[:, None], (2 * dim, n, dim))


def autoencoder(
  decoder: nn.Module,
  encoder: nn.Module,
  likelihood: Likelihood,
  latent_dim: int,
) -> Autoencoder:
  """Makes the autoencoder of two networks.

  Args:
    decoder: module (z [n, k], train) -> outputs [n, ...] of the shape of x,
      such as a generator.
    encoder: module (x [n, ...], train) -> [n, 2 k], m and then log v.
    likelihood: p(x | z), given the decoder's outputs.
    latent_dim: k.
  """

  def init(key):
    decoder_key, encoder_key = jax.random.split(key)
    latents = jnp.zeros((1, latent_dim))
    decoder_collections = decoder.init(decoder_key, latents)
    x = decoder.apply(decoder_collections, latents)
    decoder_params, decoder_variables = split_variables(decoder_collections)
    encoder_params, encoder_variables = split_variables(
      encoder.init(encoder_key, x)
    )
    generator_params = {
      "decoder": decoder_params,
      "likelihood": likelihood.init(),
    }
    return (
      Players(generator_params, encoder_params),
      Players(decoder_variables, encoder_variables),
    )

  def split(outputs: Array) -> Posterior:
    chex.assert_shape(outputs, (None, 2 * latent_dim))
    return Posterior(*jnp.split(outputs, 2, axis=1))

  def negative_bound(params, variables, batch, key):
    """Returns -mean ELBO, and the variables and metrics of `costs`."""
    noise_key, encoder_key, decoder_key = jax.random.split(key, 3)
    outputs, encoder_variables = apply_network(
      encoder,
      params.discriminator,
      variables.discriminator,
      batch,
      encoder_key,
    )
    posterior = split(outputs)
    noise = jax.random.normal(noise_key, posterior.mean.shape)
    decoded, decoder_variables = apply_network(
      decoder,
      params.generator["decoder"],
      variables.generator,
      sample(posterior, noise),
      decoder_key,
    )
    expected = jnp.mean(
      likelihood.log_prob(params.generator["likelihood"], decoded, batch)
    )
    divergences = jnp.mean(divergence(posterior))
    return divergences - expected, (
      Players(decoder_variables, encoder_variables),
      {"log_likelihood": expected, "divergence": divergences},
    )

  def costs(params, variables, batch, key):
    cost, auxiliary = negative_bound(params, variables, batch, key)
    return Players(cost, cost), auxiliary

  def gradients(params, variables, batch, key):
    # Both players descend the same cost, so one backward pass serves both.
    (cost, auxiliary), gradient = jax.value_and_grad(
      negative_bound, has_aux=True
    )(params, variables, batch, key)
    return gradient, Players(cost, cost), auxiliary

  def encode(params, variables, x):
    return split(
      evaluate_network(
        encoder, params.discriminator, variables.discriminator, x
      )
    )

  def decode(params, variables, latents):
    return evaluate_network(
      decoder, params.generator["decoder"], variables.generator, latents
    )

  def bound(params, variables, x, noise):
    def log_likelihood(latents):
      decoded = decode(params, variables, latents)
      return likelihood.log_prob(params.generator["likelihood"], decoded, x)

    return elbo(log_likelihood, encode(params, variables, x), noise)

  def sample_prior(params, variables, key: PRNGKey, n: int) -> Any:
    return decode(params, variables, jax.random.normal(key, (n, latent_dim)))

  return Autoencoder(
    Game(init, costs, sample_prior, gradients), encode, decode, bound
  )
