"""
Divergences in three ways
=========================

How far apart are N(d, 1) and N(0, 1)? A formula, an integral of the densities
and a network that sees only samples should agree. The network is a
discriminator, whose training maximises a lower bound of the divergence.

The script takes about 20 seconds on two CPU cores. You should see integrals
(crosses) on the formulas (lines) and networks (dots) on or slightly below them.
"""

import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax

from gan_jax import divergences, games, losses, training
from gan_jax.data import densities, latents
from gan_jax.networks import MLP, Affine
from gan_jax.types import Players

STEPS = 2000
SHIFTS = jnp.array([0.4, 0.8, 1.2, 1.6])


def integral(name, d):
  """Integrates over the densities with a quadrature rule."""
  x, weights = divergences.gauss_legendre(-8.0, 10.0, 64, panels=4)
  p, q = (densities.normal(mean, 1.0).log_prob(x[:, None]) for mean in (d, 0.0))
  return divergences.f_divergence(name, jnp.exp(p), jnp.exp(q), weights)


def bounds(name):
  """Trains a discriminator for each of SHIFTS; the generator stands still."""
  game = games.adversarial(
    Affine(), MLP((64, 64), 1), losses.f_divergence(name), latents.normal(1)
  )
  optimizers = Players(optax.set_to_zero(), optax.adam(1e-3))

  def problem(d):
    data = densities.normal(d, 1.0).sample
    return training.problem(
      game, optimizers, data, 256, evaluation_samples=100_000
    )

  shifts = training.Variation(range(4), problem, SHIFTS)
  steps = training.Schedule(STEPS, log_every=STEPS)
  result = training.train(problem(0.0), range(4), steps, variation=shifts)
  return -result.history["discriminator_cost"][:, -1]


figure, axes = plt.subplots(1, 3, figsize=(12, 3.5), layout="constrained")
names, line = ("kl", "jeffrey", "squared_hellinger"), jnp.linspace(0, 1.8, 37)
for panel, name in zip(axes, names, strict=True):
  formula = getattr(divergences, f"normal_{name}")
  panel.plot(line, [formula(d, 1.0, 0.0, 1.0) for d in line])
  panel.plot(SHIFTS, [integral(name, d) for d in SHIFTS], "k+", ms=14)
  panel.plot(SHIFTS, bounds(name), "o")
  panel.set(title=name, xlabel="d", ylabel="divergence")
plt.show()
