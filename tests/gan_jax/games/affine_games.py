"""Small games with known costs, and functions to train any game in tests."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gan_jax import games, losses, steps
from gan_jax.data import latents
from gan_jax.networks.affine import Affine
from gan_jax.networks.mlp import MLP
from gan_jax.types import Players

KEY = jax.random.key(3)


def affine_game(**kwargs):
  """G(z) = |s| z + m against the linear logit w x + b."""
  return games.adversarial(
    Affine(),
    MLP(hidden=(), features=1),
    **{
      "loss": losses.non_saturating(),
      "latents": latents.normal(1),
      **kwargs,
    },
  )


def softplus(x):
  return np.log1p(np.exp(x))


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def fixed_params(mean=0.5, stddev=-2.0, kernel=0.7, bias=-0.3):
  return Players(
    generator={"mean": jnp.array([mean]), "stddev": jnp.array([stddev])},
    discriminator={
      "Dense_0": {
        "kernel": jnp.array([[kernel]]),
        "bias": jnp.array([bias]),
      }
    },
  )


def both_gradients(game):
  """Returns the game's gradients and the pullbacks of its costs."""
  assert game.gradients is not None
  return game.gradients, games.pullbacks(game.costs)


class Normalised(nn.Module):
  """Batch normalisation without parameters: one feature in, one out."""

  @nn.compact
  def __call__(self, x, train=False):
    return nn.BatchNorm(
      use_running_average=not train,
      momentum=0.0,
      use_bias=False,
      use_scale=False,
    )(x)


def train(game, optimizers, sample_batch, num_steps, rule=steps.simultaneous):
  step = rule(game, optimizers)

  def body(state, key):
    data_key, step_key = jax.random.split(key)
    return step(state, sample_batch(data_key), step_key)

  return jax.jit(lambda state, keys: jax.lax.scan(body, state, keys))(
    steps.init_state(game, optimizers, KEY),
    jax.random.split(jax.random.key(1), num_steps),
  )
