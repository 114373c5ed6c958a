"""Trains the toy game with Flax as tutorials do: one call for each step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax.training.train_state import TrainState

from benchmarks import toy_game
from benchmarks.timing import Training


class Perceptron(nn.Module):
  """A generator or discriminator with `features` outputs."""

  features: int

  @nn.compact
  def __call__(self, x):
    """Maps [n, 2] to [n, features]."""
    init = nn.initializers.he_normal()
    for width in toy_game.HIDDEN:
      x = nn.relu(nn.Dense(width, kernel_init=init)(x))
    return nn.Dense(self.features, kernel_init=init)(x)


def _sample_ring(key, n):
  mode_key, noise_key = jax.random.split(key)
  modes = jax.random.randint(mode_key, (n,), 0, toy_game.NUM_MODES)
  angles = modes * (2 * jnp.pi / toy_game.NUM_MODES)
  circle = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)
  noise = jax.random.normal(noise_key, (n, 2))
  return toy_game.RADIUS * circle + toy_game.STDDEV * noise


def _cross_entropy(logits, label):
  labels = jnp.full_like(logits, label)
  return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, labels))


def textbook(batch_size: int) -> Training:
  """Starts a Python loop around a jitted alternating step."""

  def create(key, features):
    player = Perceptron(features)
    params = player.init(key, jnp.zeros((1, 2)))["params"]
    tx = optax.adam(
      toy_game.LEARNING_RATE, b1=toy_game.BETA1, b2=toy_game.BETA2
    )
    return TrainState.create(apply_fn=player.apply, params=params, tx=tx)

  @jax.jit
  def train_step(generator, discriminator, key):
    real_key, latents_key = jax.random.split(key)
    real = _sample_ring(real_key, batch_size)
    latents = jax.random.normal(latents_key, (batch_size, toy_game.LATENTS))

    def discriminator_cost(params):
      fake = generator.apply_fn({"params": generator.params}, latents)
      real_logits = discriminator.apply_fn({"params": params}, real)
      fake_logits = discriminator.apply_fn({"params": params}, fake)
      return _cross_entropy(real_logits, 1) + _cross_entropy(fake_logits, 0)

    def generator_cost(params):
      fake = generator.apply_fn({"params": params}, latents)
      logits = discriminator.apply_fn({"params": discriminator.params}, fake)
      return _cross_entropy(logits, 1)

    gradients = jax.grad(discriminator_cost)(discriminator.params)
    discriminator = discriminator.apply_gradients(grads=gradients)
    gradients = jax.grad(generator_cost)(generator.params)
    generator = generator.apply_gradients(grads=gradients)
    return generator, discriminator

  key, generator_key, discriminator_key = jax.random.split(jax.random.key(0), 3)
  generator = create(generator_key, 2)
  discriminator = create(discriminator_key, 1)

  def take_steps(count):
    nonlocal key, generator, discriminator
    for _ in range(count):
      key, step_key = jax.random.split(key)
      generator, discriminator = train_step(generator, discriminator, step_key)
    jax.block_until_ready((generator, discriminator))

  def generate():
    latents = jax.random.normal(key, (toy_game.NUM_GENERATED, toy_game.LATENTS))
    return np.asarray(generator.apply_fn({"params": generator.params}, latents))

  return Training(take_steps, lambda: int(discriminator.step), generate)
