"""
A first GAN in 20 lines
=======================

A GAN consists of two networks. The *generator* turns random numbers into
samples. The *discriminator* sees samples of the data and of the generator and
learns to tell them apart, while the generator learns to make samples that the
discriminator takes for data.

The script takes about 15 seconds on two CPU cores. You should see generated
points on all eight clusters of the data. Without imports it has 20 lines.
"""

import jax
import matplotlib.pyplot as plt
import optax

import gan_jax
from gan_jax import losses
from gan_jax.data import densities, latents
from gan_jax.networks import MLP
from gan_jax.types import Players

STEPS = 4000

# %%
# The data are eight clusters on a circle. The generator maps two random numbers
# to a point of the plane. The discriminator maps a point to one number, which
# is high if it takes the point for data.

ring, noise = densities.ring(), latents.normal(2)
generator = MLP((128, 128), features=2)
discriminator = MLP((128, 128), features=1)
adam = optax.adam(optax.cosine_decay_schedule(1e-3, STEPS), b1=0.5)
init, step = gan_jax.simultaneous(
  losses.non_saturating(), generator, discriminator, noise, Players(adam, adam)
)

# %%
# A step compares 64 points of the data with 64 generated ones and updates both
# networks. JAX draws random numbers from keys, and each draw needs a new one.

state = init(jax.random.key(0))
for key in jax.random.split(jax.random.key(1), STEPS):
  data_key, step_key = jax.random.split(key)
  state, metrics = step(state, ring.sample(data_key, 64), step_key)

# %%
# The generator is a Flax module, and ``state`` has its parameters.

real = ring.sample(jax.random.key(2), 1000)
parameters = {"params": state.params.generator}
fake = generator.apply(parameters, noise(jax.random.key(3), 1000))
figure, axes = plt.subplots(figsize=(5, 5))
axes.scatter(*real.T, s=4, label="data")
axes.scatter(*fake.T, s=4, label="generated")
axes.legend(loc="center")
plt.show()
