"""Trains the games on images with this library."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from benchmarks import dcgan_game, gan_jax_training
from benchmarks.dcgan_game import Setting
from benchmarks.timing import Training
from gan_jax import games, losses, penalties, steps, training
from gan_jax.data import images, latents
from gan_jax.networks import dcgan, resnet
from gan_jax.types import Players, Step

NUM_IMAGES = 10_000
"""Number of images in the dataset."""


def networks(setting: Setting, batch_norm: bool = True) -> Players[nn.Module]:
  """Makes the networks of DCGAN.

  Args:
    setting: sizes of the game.
    batch_norm: whether the discriminator has batch normalization. The generator
      always has it.
  """
  dtype = jnp.dtype(setting.dtype)
  return Players(
    dcgan.Generator(
      setting.size,
      setting.channels,
      setting.depth,
      setting.filters,
      dtype=dtype,
    ),
    dcgan.Discriminator(
      setting.depth,
      setting.filters,
      normalize=dcgan.batch_normalized if batch_norm else None,
      dtype=dtype,
    ),
  )


def wgan_gp_networks(setting: Setting) -> Players[nn.Module]:
  """Makes the residual networks of WGAN-GP, with half of the paper's channels.

  References:
    Gulrajani et al., "Improved Training of Wasserstein GANs", arXiv 1704.00028,
      appendix F.
  """
  dtype = jnp.dtype(setting.dtype)
  return Players(
    resnet.Generator(
      setting.size,
      setting.channels,
      setting.depth,
      setting.filters,
      dtype=dtype,
    ),
    resnet.Discriminator(
      dcgan_game.critic_depth(setting),
      dcgan_game.PLAIN_BLOCKS,
      setting.filters,
      spectral_norm=False,
      dtype=dtype,
    ),
  )


def game(players: Players[nn.Module]) -> games.Game:
  """Makes the game of DCGAN."""
  return games.adversarial(
    players.generator,
    players.discriminator,
    losses.non_saturating(),
    latents.normal(dcgan_game.LATENTS),
  )


def wgan_gp_game(players: Players[nn.Module]) -> games.Game:
  """Makes the game of WGAN-GP."""
  return games.adversarial(
    players.generator,
    players.discriminator,
    losses.wasserstein(),
    latents.normal(dcgan_game.LATENTS),
    penalty=penalties.gradient_penalty(dcgan_game.PENALTY_WEIGHT),
  )


class Feed(NamedTuple):
  """A source of minibatches.

  Attributes:
    data: the data on the device that `sample_batch` reads.
    sample_batch: (key, data) -> a minibatch.
  """

  data: Any
  sample_batch: Callable[[jax.Array, Any], jax.Array]


def _fixed_batch(setting: Setting, batch_size: int) -> Feed:
  """Feeds the same minibatch to all steps."""
  minibatch = jnp.asarray(dcgan_game.images(setting, batch_size))
  return Feed(minibatch, lambda key, data: data)


def _dataset(setting: Setting, batch_size: int, on_device: bool) -> Feed:
  """Feeds minibatches drawn from a dataset, as the experiments do."""
  values = jnp.asarray(dcgan_game.images(setting, NUM_IMAGES))
  pixels = np.asarray(images.to_pixels(values))
  sampler = images.sampler(
    images.Images(pixels, labels=None, class_names=(), num_skipped=0), on_device
  )
  return Feed(
    sampler.data, lambda key, data: sampler.draw(data, key, batch_size)[0]
  )


def _start(
  game: games.Game,
  update: Callable[[games.Game, steps.Optimizers], Step],
  feed: Feed,
) -> Training:
  """Starts one seed."""
  adam = optax.adam(
    dcgan_game.LEARNING_RATE, b1=dcgan_game.BETA1, b2=dcgan_game.BETA2
  )
  optimizers = Players(adam, adam)
  return gan_jax_training.start(
    training.Problem(
      init=lambda key: steps.init_state(game, optimizers, key),
      sample_batch=feed.sample_batch,
      step=update(game, optimizers),
      evaluate=lambda state, key, data: {},
      snapshot=lambda state, key: {
        "samples": game.sample(
          state.params, state.variables, key, dcgan_game.NUM_GENERATED
        )
      },
      reference={},
      data=feed.data,
    )
  )


def simultaneous(
  batch_size: int, setting: Setting, batch_norm: bool = True
) -> Training:
  """Starts simultaneous updates of DCGAN on a fixed minibatch."""
  return _start(
    game(networks(setting, batch_norm)),
    steps.simultaneous,
    _fixed_batch(setting, batch_size),
  )


def simultaneous_with_dataset(
  batch_size: int, setting: Setting, on_device: bool
) -> Training:
  """Starts simultaneous updates of DCGAN on minibatches of a dataset.

  The dataset is on the device, or is streamed to it from the host.
  """
  return _start(
    game(networks(setting)),
    steps.simultaneous,
    _dataset(setting, batch_size, on_device),
  )


def wgan_gp_simultaneous(batch_size: int, setting: Setting) -> Training:
  """Starts simultaneous updates of WGAN-GP."""
  return _start(
    wgan_gp_game(wgan_gp_networks(setting)),
    steps.simultaneous,
    _fixed_batch(setting, batch_size),
  )


def wgan_gp_alternating(batch_size: int, setting: Setting) -> Training:
  """Starts WGAN-GP with one update of the critic before the generator's."""
  return _start(
    wgan_gp_game(wgan_gp_networks(setting)),
    steps.alternating,
    _fixed_batch(setting, batch_size),
  )
