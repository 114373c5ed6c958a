"""
Your network
============

Any Flax module can be a player. It takes a batch and the flag ``train``; a
generator returns samples, and a discriminator one number for each of them. So
your network can contain what you know about the data. Here you know that a turn
by 45 degrees maps the clusters onto each other.

The script takes about 25 seconds on two CPU cores. You should see most samples
of the plain network between clusters, and most of the symmetric one on them.
"""

import functools

import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax
from flax import linen as nn

from gan_jax import games, losses, training
from gan_jax.data import densities, latents
from gan_jax.metrics import modes
from gan_jax.networks import MLP
from gan_jax.types import Players

STEPS = 2000


class Symmetric(nn.Module):
  """Generates points and turns each by a random multiple of 45 degrees."""

  @nn.compact
  def __call__(self, latents, train=False):
    x, y = MLP((128, 128), features=2)(latents[:, 1:], train).T
    angle = jnp.floor(4 * latents[:, 0]) * jnp.pi / 4
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([cos * x - sin * y, sin * x + cos * y], axis=1)


# %%
# The titles give the share of samples near a cluster, from four seeds.

ring = densities.ring()
networks = {"plain": MLP((128, 128), features=2), "symmetric": Symmetric()}
adam = optax.adam(optax.cosine_decay_schedule(1e-3, STEPS), b1=0.5)
measure = functools.partial(modes.measure, density=ring)
figure, axes = plt.subplots(1, 2, figsize=(9, 4.5))
for panel, (name, generator) in zip(axes, networks.items(), strict=True):
  game = games.adversarial(
    generator, MLP((128, 128), 1), losses.non_saturating(), latents.uniform(3)
  )
  players = Players(adam, adam)
  problem = training.problem(game, players, ring.sample, metrics=measure)
  result = training.train(problem, seeds=range(4), steps=STEPS)
  near = result.metrics["high_quality_fraction"]
  panel.scatter(*ring.modes.T, s=200, c="lightgrey")
  panel.scatter(*result.samples(1000)[0].T, s=4)
  panel.set_title(f"{name}: {near.mean:.0%} ± {near.ci95:.0%}")
plt.show()
