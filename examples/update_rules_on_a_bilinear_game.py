"""
Update rules on a bilinear game
===============================

The smallest game has two numbers: x wants x y to be small, and y wants it to be
large. The only equilibrium is x = y = 0. Whether training reaches it depends on
the update rule alone. Training of GANs rotates too, and uses the same rules.

The script takes about 3 seconds on two CPU cores. You should see one rule
spiral outwards, two go in circles, and three spiral into the centre.
"""

import functools

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax

from gan_jax import steps
from gan_jax.games import closed_form
from gan_jax.types import Players

STEPS = 200
RATE = 0.1

# %%
# A rule makes a training step from a game and the optimizers of both players.

RULES = {
  "simultaneous": steps.simultaneous,
  "alternating": steps.alternating,
  "Runge-Kutta": functools.partial(steps.runge_kutta_4, step_size=RATE),
  "extragradient": steps.extragradient,
  "consensus": functools.partial(steps.consensus, weight=0.5),
  "symplectic adjustment": steps.symplectic_gradient_adjustment,
}
game = closed_form.bilinear(Players(jnp.ones(()), jnp.ones(())))
sgd = Players(optax.sgd(RATE), optax.sgd(RATE))


def path(rule):
  """Returns x and y before every step, [STEPS] each."""
  step, key = rule(game, sgd), jax.random.key(0)
  start, batches = steps.init_state(game, sgd, key), jnp.zeros((STEPS, 1))
  return jax.lax.scan(
    lambda state, x: (step(state, x, key)[0], state.params), start, batches
  )[1]


# %%
# Both numbers start at 1. A simultaneous step multiplies their distance from
# the centre by the root of 1 + RATE², which no rate makes less than 1.

figure, axes = plt.subplots(2, 3, figsize=(9, 6), sharex=True, sharey=True)
for panel, (name, rule) in zip(axes.flat, RULES.items(), strict=True):
  panel.plot(*path(rule), 0, 0, "k+")
  panel.set(title=name, xlabel="x", ylabel="y", aspect="equal")
plt.setp(axes, xlim=(-4, 4), ylim=(-4, 4))
plt.show()
