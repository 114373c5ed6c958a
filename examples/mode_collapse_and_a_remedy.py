"""
Mode collapse and a remedy
==========================

The generator may put all samples on one cluster of the data. When the
discriminator learns that this cluster is overfull, all samples move to another
one. This *mode collapse* is the best known failure of GANs. Here the remedy is
a discriminator that learns faster: it reacts before all samples have moved.

The script takes about 25 seconds on two CPU cores. You should see all samples
in one place at equal rates, and on all eight clusters at the higher rate.
"""

import matplotlib.pyplot as plt
import optax
from flax import linen as nn

from gan_jax import games, losses, training
from gan_jax.data import densities, latents
from gan_jax.metrics import modes
from gan_jax.networks import MLP
from gan_jax.types import Players

STEPS = 4000
SEEDS = range(3)

# %%
# A discriminator with one hidden layer, small initial parameters and the
# minimax loss make the collapse nearly certain.

ring, small = densities.ring(radius=2.0), nn.initializers.normal(0.06)
game = games.adversarial(
  MLP((128, 128), features=2, kernel_init=small),
  MLP((128,), features=1, kernel_init=small),
  losses.minimax(),
  latents.normal(256),
)


def train(discriminator_rate):
  """Trains one game for each seed; returns their samples."""
  rates = Players(generator=1e-3, discriminator=discriminator_rate)
  optimizers = Players(*(optax.adam(rate, b1=0.5) for rate in rates))
  problem = training.problem(game, optimizers, ring.sample)
  result = training.train(problem, SEEDS, training.Schedule(STEPS, STEPS))
  return result.samples(2000)


samples = {"equal rates": train(1e-3), "five times as fast": train(5e-3)}

figure, axes = plt.subplots(
  2, len(SEEDS), figsize=(9, 6.5), layout="constrained"
)
for row, (name, of_seeds) in zip(axes, samples.items(), strict=True):
  for panel, points in zip(row, of_seeds, strict=True):
    covered = modes.measure(points, ring)["modes_covered"]
    panel.scatter(*ring.modes.T, s=120, c="lightgrey")
    panel.scatter(*points.T, s=2)
    panel.set(title=f"{name}: {covered:.0f} of 8", xlim=(-3, 3), ylim=(-3, 3))
plt.show()
