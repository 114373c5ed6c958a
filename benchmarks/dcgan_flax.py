"""Trains DCGAN with Flax as tutorials do: one call for each step."""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax.training import train_state

from benchmarks import dcgan_game
from benchmarks.dcgan_game import Players, Setting
from benchmarks.timing import Training

normal_init = nn.initializers.normal(dcgan_game.STDDEV)


class Generator(nn.Module):
  """Maps latents to images."""

  setting: Setting

  @nn.compact
  def __call__(self, latents, train):
    """Maps [n, k] to [n, size, size, channels]."""
    base, dtype = self.setting.base(), jnp.dtype(self.setting.dtype)
    *widths, width = self.setting.widths()
    x = nn.Dense(
      base**2 * width, use_bias=False, kernel_init=normal_init, dtype=dtype
    )(latents).reshape(-1, base, base, width)
    for features in reversed(widths):
      x = nn.relu(nn.BatchNorm(use_running_average=not train, dtype=dtype)(x))
      x = nn.ConvTranspose(
        features,
        (4, 4),
        strides=(2, 2),
        use_bias=False,
        kernel_init=normal_init,
        dtype=dtype,
      )(x)
    return jnp.tanh(x.astype(jnp.float32))


class Discriminator(nn.Module):
  """Maps images to logits."""

  setting: Setting

  @nn.compact
  def __call__(self, x, train):
    """Maps [n, size, size, channels] to [n, 1]."""
    dtype = jnp.dtype(self.setting.dtype)
    for index, features in enumerate(self.setting.widths()[1:]):
      x = nn.Conv(
        features,
        (4, 4),
        strides=(2, 2),
        use_bias=False,
        kernel_init=normal_init,
        dtype=dtype,
      )(x)
      if index:
        x = nn.BatchNorm(use_running_average=not train, dtype=dtype)(x)
      x = nn.leaky_relu(x, dcgan_game.SLOPE)
    x = x.reshape(len(x), -1)
    x = nn.Dense(1, use_bias=False, kernel_init=normal_init, dtype=dtype)(x)
    return x.astype(jnp.float32)


class TrainState(train_state.TrainState):
  """The state of a player, with its batch statistics."""

  batch_stats: Any


def _cross_entropy(logits, label):
  labels = jnp.full_like(logits, label)
  return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, labels))


def _example_inputs(setting):
  """Returns inputs that initialize the players."""
  shape = 1, setting.size, setting.size, setting.channels
  return Players(jnp.zeros((1, dcgan_game.LATENTS)), jnp.zeros(shape))


def num_params(players: Iterable[nn.Module], setting: Setting) -> Players[int]:
  """Counts the parameters of a generator and a discriminator in Flax."""

  def count(player, x):
    collections = jax.eval_shape(
      lambda key: player.init(key, x, True), jax.random.key(0)
    )
    return sum(leaf.size for leaf in jax.tree.leaves(collections["params"]))

  inputs = _example_inputs(setting)
  return Players(*map(count, players, inputs))


def networks(setting: Setting) -> Players[nn.Module]:
  """Makes the networks of DCGAN."""
  return Players(Generator(setting), Discriminator(setting))


def textbook(batch_size: int, setting: Setting) -> Training:
  """Starts a Python loop around a jitted alternating step."""
  real = jnp.asarray(dcgan_game.images(setting, batch_size))

  def create(key, player, x):
    collections = jax.jit(player.init, static_argnums=2)(key, x, True)
    tx = optax.adam(
      dcgan_game.LEARNING_RATE, b1=dcgan_game.BETA1, b2=dcgan_game.BETA2
    )
    return TrainState.create(
      apply_fn=player.apply,
      params=collections["params"],
      tx=tx,
      batch_stats=collections["batch_stats"],
    )

  def apply(player, params, batch_stats, x):
    """Returns outputs in training mode and the updated statistics."""
    outputs, updated = player.apply_fn(
      {"params": params, "batch_stats": batch_stats},
      x,
      True,
      mutable=["batch_stats"],
    )
    return outputs, updated["batch_stats"]

  @jax.jit
  def train_step(generator, discriminator, real, key):
    latents = jax.random.normal(key, (batch_size, dcgan_game.LATENTS))

    def discriminator_cost(params):
      fake, _ = apply(
        generator, generator.params, generator.batch_stats, latents
      )
      stats = discriminator.batch_stats
      real_logits, stats = apply(discriminator, params, stats, real)
      fake_logits, stats = apply(discriminator, params, stats, fake)
      cost = _cross_entropy(real_logits, 1) + _cross_entropy(fake_logits, 0)
      return cost, stats

    def generator_cost(params):
      fake, stats = apply(generator, params, generator.batch_stats, latents)
      logits, _ = apply(
        discriminator, discriminator.params, discriminator.batch_stats, fake
      )
      return _cross_entropy(logits, 1), stats

    (cost_of_discriminator, stats), gradients = jax.value_and_grad(
      discriminator_cost, has_aux=True
    )(discriminator.params)
    discriminator = discriminator.apply_gradients(
      grads=gradients, batch_stats=stats
    )
    (cost_of_generator, stats), gradients = jax.value_and_grad(
      generator_cost, has_aux=True
    )(generator.params)
    generator = generator.apply_gradients(grads=gradients, batch_stats=stats)
    return generator, discriminator, (cost_of_generator, cost_of_discriminator)

  key, generator_key, discriminator_key = jax.random.split(jax.random.key(0), 3)
  players, inputs = networks(setting), _example_inputs(setting)
  generator = create(generator_key, players.generator, inputs.generator)
  discriminator = create(
    discriminator_key, players.discriminator, inputs.discriminator
  )

  def take_steps(count):
    nonlocal key, generator, discriminator
    for _ in range(count):
      key, step_key = jax.random.split(key)
      generator, discriminator, _ = train_step(
        generator, discriminator, real, step_key
      )
    jax.block_until_ready((generator, discriminator))

  def generate():
    shape = dcgan_game.NUM_GENERATED, dcgan_game.LATENTS
    collections = {
      "params": generator.params,
      "batch_stats": generator.batch_stats,
    }
    latents = jax.random.normal(key, shape)
    return np.asarray(generator.apply_fn(collections, latents, False))

  return Training(take_steps, lambda: int(discriminator.step), generate)
