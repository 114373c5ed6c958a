"""
Your loss
=========

A loss is two functions: what the generator minimises and what the discriminator
minimises. Both get the discriminator's outputs, the *logits*, for a real and a
generated batch. Your loss works with every update rule, penalty and network.

The script takes about 10 seconds on two CPU cores. You should see a cost with
the same slope everywhere, unlike those of the two usual losses, and samples on
all eight clusters of the data.
"""

import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax

from gan_jax import games, losses, training
from gan_jax.data import densities, latents
from gan_jax.networks import MLP
from gan_jax.types import Players

STEPS = 4000

# %%
# The logit of the best discriminator is log p / q, with p the density of data
# and q that of samples. Its mean over samples is -KL(q || p), so this generator
# minimises a divergence (Sønderby et al., arXiv 1610.04490).

reverse_kl = losses.AdversarialLoss(
  generator=lambda real, fake: -jnp.mean(fake),
  discriminator=losses.non_saturating().discriminator,
)

# %%
# It takes the place of a loss of the library.

adam = optax.adam(optax.cosine_decay_schedule(1e-3, STEPS), b1=0.5)
ring = densities.ring()
game = games.adversarial(
  MLP((128, 128), 2), MLP((128, 128), 1), reverse_kl, latents.normal(2)
)
problem = training.problem(game, Players(adam, adam), ring.sample)
(samples,) = training.train(problem, seeds=[0], steps=STEPS).samples(1000)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.5))
logits = jnp.linspace(-4, 4, 81)
for name, loss in (
  ("minimax", losses.minimax()),
  ("non-saturating", losses.non_saturating()),
  ("reverse KL", reverse_kl),
):
  costs = [float(loss.generator(jnp.zeros(1), x[None])) for x in logits]
  left.plot(logits, costs, label=name)
left.set(xlabel="logit of a generated sample", ylabel="cost of the generator")
left.legend()
right.scatter(*ring.modes.T, s=200, c="lightgrey")
right.scatter(*samples.T, s=4)
plt.show()
