"""Games: what each player pays, given the parameters of both."""

from gan_jax.games.adversarial import adversarial
from gan_jax.games.against_optimal import against_optimal
from gan_jax.games.game import Costs, Game, Gradients, pullbacks

__all__ = [
  "Costs",
  "Game",
  "Gradients",
  "adversarial",
  "against_optimal",
  "pullbacks",
]
