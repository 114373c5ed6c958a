"""Noise-contrastive and maximum-likelihood estimation as games.

A model of the data's density defines a discriminator between data and noise,
whose logit is log p_model(x) - log p_noise(x). The costs are those of the
minimax GAN. The methods differ in who learns and where fake samples come from:

  noise-contrastive estimation   the model learns; the noise is fixed
  maximum likelihood             the model learns; the noise is a copy of it
  GAN                            both players learn; a network is the logit

References:
  Goodfellow, NIPS 2016 Tutorial, arXiv 1701.00160, section 3.4, figure 20.
  Goodfellow, On distinguishability criteria for estimating generative models,
    arXiv 1412.6515.
"""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

from gan_jax.data.densities import Density
from gan_jax.games import Game
from gan_jax.losses import minimax
from gan_jax.types import Array, Metrics, Params, Players, PRNGKey

LogDensity = Callable[[Array], Array]
"""x [n, d] -> log-density [n]."""
ModelLogDensity = Callable[[Params, Array], Array]
"""(params, x [n, d]) -> log-density [n]."""
Sampler = Callable[[Params, PRNGKey, int], Array]
"""(params, key, n) -> samples [n, d]."""


def _log_ratio(log_model: LogDensity, log_noise: LogDensity, x: Array) -> Array:
  """Returns the logits [n] of x [n, d] being data rather than noise."""
  model_values, noise_values = log_model(x), log_noise(x)
  chex.assert_shape((model_values, noise_values), (len(x),))
  return model_values - noise_values


def noise_contrastive_cost(
  log_model: LogDensity, log_noise: LogDensity, real: Array, fake: Array
) -> tuple[Array, Metrics]:
  """Computes the cost of a density model that acts as the discriminator.

  J_D = -E log D(real) - E log(1 - D(fake)),
  D(x) = p_model(x) / (p_model(x) + p_noise(x)).

  The model minimises J_D. If p_model is the data's density p,
  -J_D = -log 4 + 2 JSD(p || p_noise).

  Args:
    log_model: x [n, d] -> [n], the model's log-density.
    log_noise: x [n, d] -> [n], the noise's log-density.
    real: [n, d], data.
    fake: [n, d], noise.

  Returns:
    J_D, and the metrics `discriminator_real` and `discriminator_fake`, the
    means of D.

  References:
    Gutmann and Hyvarinen, Noise-contrastive estimation: A new estimation
      principle for unnormalized statistical models, 2010, section 2.1; the
      objective there is -J_D / 2.
  """
  chex.assert_rank([real, fake], 2)
  chex.assert_equal_shape([real, fake])
  real_logits = _log_ratio(log_model, log_noise, real)
  fake_logits = _log_ratio(log_model, log_noise, fake)
  metrics = {
    "discriminator_real": jnp.mean(jax.nn.sigmoid(real_logits)),
    "discriminator_fake": jnp.mean(jax.nn.sigmoid(fake_logits)),
  }
  return minimax().discriminator(real_logits, fake_logits), metrics


def _contrastive(
  init: Callable[[PRNGKey], Params],
  log_model: ModelLogDensity,
  log_noise: ModelLogDensity,
  sample_noise: Sampler,
) -> Game:
  """Makes the game of a model as discriminator against noise.

  The noise may depend on the model's params, as a copy of the model does.
  """

  def init_players(key):
    return Players({}, init(key)), Players({}, {})

  def costs(params, variables, batch, key):
    model_params = params.discriminator
    cost, metrics = noise_contrastive_cost(
      lambda x: log_model(model_params, x),
      lambda x: log_noise(model_params, x),
      batch,
      sample_noise(model_params, key, len(batch)),
    )
    return Players(-cost, cost), (variables, metrics)

  def sample(params, variables, key, n):
    del variables
    return sample_noise(params.discriminator, key, n)

  def discriminate(params, variables, x):
    del variables
    model_params = params.discriminator
    return _log_ratio(
      lambda x: log_model(model_params, x),
      lambda x: log_noise(model_params, x),
      x,
    )

  return Game(init_players, costs, sample, discriminate=discriminate)


def game(
  log_unnormalized: ModelLogDensity,
  init: Callable[[PRNGKey], Params],
  noise: Density,
) -> Game:
  """Makes the game of noise-contrastive estimation, in which the model learns.

  log p_model(x) = log_unnormalized(params, x) - log_normalizer,

  where `log_normalizer`, log Z, is a parameter too: the cost is lowest if it is
  the logarithm of the integral. The noise should be at least as spread out as
  the data.

  Args:
    log_unnormalized: (params, x [n, d]) -> [n], log-density up to a constant.
    init: key -> params.
    noise: the fixed noise distribution.

  Returns:
    The game. The discriminator's params are {"model": params,
    "log_normalizer": scalar}, the latter 0 at first. The generator is the
    noise, has no params, and its cost is -J_D. `sample` draws noise.

  References:
    Gutmann and Hyvarinen, Noise-Contrastive Estimation of Unnormalized
      Statistical Models, with Applications to Natural Image Statistics, 2012.
  """

  def init_with_normalizer(key):
    return {"model": init(key), "log_normalizer": jnp.zeros(())}

  def log_model(params, x):
    return log_unnormalized(params["model"], x) - params["log_normalizer"]

  return _contrastive(
    init_with_normalizer,
    log_model,
    lambda _, x: noise.log_prob(x),
    lambda _, key, n: noise.sample(key, n),
  )


def maximum_likelihood_game(
  log_unnormalized: ModelLogDensity,
  init: Callable[[PRNGKey], Params],
  sampler: Sampler,
) -> Game:
  """Makes the game whose noise is a copy of the model, updated at every step.

  No gradient passes through the copy or its samples. D is 1/2 everywhere, so

    E dJ_D/dparams = 1/2 (E_model - E_data) d log_unnormalized / dparams
                   = 1/2 d/dparams (-E_data log p_model(x)),

  half the gradient of the negative log-likelihood (a quarter if J_D has a
  factor 1/2, as in Goodfellow's tutorial). The mean over the model's samples is
  the gradient of log Z; log Z itself cancels in the logit and is no parameter.
  The cost is log 4 for all params, so it does not show progress.

  Args:
    log_unnormalized: (params, x [n, d]) -> [n], log-density up to a constant.
    init: key -> params.
    sampler: (params, key, n) -> [n, d], samples of the model.

  Returns:
    The game. The discriminator's params are the model's. The generator is the
    copy, has no params, and its cost is -J_D. `sample` draws from the model.

  References:
    Goodfellow, On distinguishability criteria for estimating generative models,
      arXiv 1412.6515, self-contrastive estimation.
  """
  frozen = jax.lax.stop_gradient
  return _contrastive(
    init,
    log_unnormalized,
    lambda params, x: log_unnormalized(frozen(params), x),
    lambda params, key, n: sampler(frozen(params), key, n),
  )
