"""Update rules: each makes a training step from a game and two optimizers.

A step is a pure function `(state, batch, key) -> (state, metrics)`. Its metrics
are `generator_cost`, `discriminator_cost` and those of the game, measured at
the parameters before the step; in `alternating`, at those where each player's
last gradient was taken. `init_state` makes the first state, and `compiled` jits
a step. Unless a rule says otherwise, its batch is one minibatch.
"""

from gan_jax.steps._descent import Optimizers, player_gradients
from gan_jax.steps.adjusted import consensus, symplectic_gradient_adjustment
from gan_jax.steps.alternating import alternating
from gan_jax.steps.averages import averaged, uniform_decay, with_average
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
  "player_gradients",
  "runge_kutta_4",
  "scheduled",
  "simultaneous",
  "symplectic_gradient_adjustment",
  "uniform_decay",
  "unrolled",
  "with_average",
]
