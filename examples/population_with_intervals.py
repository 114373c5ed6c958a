"""
Many seeds and their intervals
==============================

Training is chaotic: another seed gives another result. A comparison of settings
therefore needs several seeds and an interval. One call trains all seeds in one
compiled program.

The script takes about 25 seconds on two CPU cores. You should see that seeds of
one setting (thin lines) differ more than the means of the two settings.
"""

import functools

import matplotlib.pyplot as plt
import numpy as np
import optax

from gan_jax import games, losses, statistics, training
from gan_jax.data import densities, latents
from gan_jax.metrics import modes
from gan_jax.networks import MLP
from gan_jax.types import Players

STEPS = 2000

# %%
# The question: which momentum of Adam gives more samples near a cluster?

ring, networks = densities.ring(), (MLP((128, 128), 2), MLP((128, 128), 1))
game = games.adversarial(*networks, losses.non_saturating(), latents.normal(2))
measure = functools.partial(modes.measure, density=ring)
shares = []
figure, axes = plt.subplots()
for momentum, colour in ((0.5, "C0"), (0.9, "C1")):
  adam = optax.adam(1e-3, b1=momentum)
  problem = training.problem(
    game, Players(adam, adam), ring.sample, metrics=measure
  )
  result = training.train(problem, seeds=range(8), steps=STEPS)
  values = result.history["high_quality_fraction"]  # [seeds, logged steps]
  shares.append(values[:, -1])

  means, halves, _ = np.transpose(
    [statistics.mean_and_interval(column) for column in values.T]
  )
  axes.plot(result.steps, values.T, c=colour, lw=0.3)
  axes.plot(result.steps, means, c=colour, label=f"momentum {momentum}")
  axes.fill_between(
    result.steps, means - halves, means + halves, color=colour, alpha=0.2
  )

# %%
# If the 95 % interval of the difference contains 0, either could be better.

difference = statistics.welch_difference(*shares)
axes.set_title(f"difference: {difference.mean:.2f} ± {difference.ci95:.2f}")
axes.set(xlabel="step", ylabel="share of samples near a cluster")
axes.legend()
plt.show()
