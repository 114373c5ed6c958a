"""Update rules: a game and two optimizers make a step.

A step is pure, `(state, batch, key) -> (state, metrics)`, and its metrics hold
`generator_cost`, `discriminator_cost` and whatever the game adds, measured at
the parameters that the step starts from; `alternating` measures at those that
each player's last gradient was taken at.
"""

from gan_jax.steps._moves import Optimizers
from gan_jax.steps.adjusted import consensus, symplectic_gradient_adjustment
from gan_jax.steps.alternating import alternating
from gan_jax.steps.averages import averaged, uniform_decay
from gan_jax.steps.extrapolation import extragradient, past_extragradient
from gan_jax.steps.runge_kutta import runge_kutta_4
from gan_jax.steps.simultaneous import simultaneous
from gan_jax.steps.state import compiled, init_state, scheduled
from gan_jax.steps.unrolled import unrolled

__all__ = [
  "Optimizers",
  "alternating",
  "averaged",
  "compiled",
  "consensus",
  "extragradient",
  "init_state",
  "past_extragradient",
  "runge_kutta_4",
  "scheduled",
  "simultaneous",
  "symplectic_gradient_adjustment",
  "uniform_decay",
  "unrolled",
]
