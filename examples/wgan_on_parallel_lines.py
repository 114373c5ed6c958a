"""
A GAN and a WGAN on parallel lines
==================================

The data lie on a line, and the samples on a parallel line at the distance
theta. The generator can only move its line. The Jensen-Shannon divergence is
log 2 unless theta is 0, so a perfect discriminator gives no direction. The
Wasserstein distance is theta itself, and its slope says where to go.

The script takes about 10 seconds on two CPU cores. You should see that the GAN
stays far from the data and that the WGAN reaches them, with every seed.
"""

import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax
from flax import linen as nn

from gan_jax import games, losses, penalties, training
from gan_jax.data import latents
from gan_jax.networks import MLP
from gan_jax.types import Players

STEPS = 1000


class Line(nn.Module):
  """Puts heights [n, 1] on the vertical line at theta, its parameter."""

  @nn.compact
  def __call__(self, heights, train=False):
    theta = self.param("theta", nn.initializers.constant(2.0), ())
    return jnp.concatenate([jnp.full_like(heights, theta), heights], axis=1)


# %%
# The discriminator learns faster than the generator, so that it is soon nearly
# perfect. The generator uses plain gradient descent, because Adam would divide
# its gradient by its size and so hide that the GAN's is almost 0.

heights = latents.uniform(1)
optimizers = Players(optax.sgd(0.003), optax.adam(1e-3))
figure, axes = plt.subplots()
for name, colour, loss, penalty in (
  ("GAN", "C1", losses.minimax(), None),
  ("WGAN", "C0", losses.wasserstein(), penalties.gradient_penalty(1.0)),
):
  problem = training.problem(
    games.adversarial(Line(), MLP((64, 64), 1), loss, heights, penalty=penalty),
    optimizers,
    lambda key, n: jnp.pad(heights(key, n), ((0, 0), (1, 0))),
    metrics=lambda samples: {"theta": samples[0, 0]},
  )
  result = training.train(problem, seeds=range(4), steps=STEPS)
  lines = axes.plot(result.steps, result.history["theta"].T, c=colour)
  lines[0].set_label(name)
axes.set(xlabel="step", ylabel="theta, the distance from the data")
axes.legend()
plt.show()
