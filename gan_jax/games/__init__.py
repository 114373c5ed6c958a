"""Games: each defines both players' parameters and the cost each minimises.

`adversarial` is a generator network against a discriminator network, `packed`
the same with a discriminator of several samples at once, `laplacian_pyramid`
has such a game at each size of images, and `against_optimal` is a generator
against the exact best discriminator. `cycle` has two generators, which are
inverse to each other, between unpaired sets. In `semi_supervised` the
discriminator is a classifier, and in `infogan` samples tell the codes that they
were generated from. Module `closed_form` has small games without networks;
`replay` has the memory of old samples that `adversarial` can use.
"""

from gan_jax.games.adversarial import adversarial
from gan_jax.games.against_optimal import against_optimal
from gan_jax.games.cycle import cycle
from gan_jax.games.game import Costs, Game, Gradients, pullbacks
from gan_jax.games.infogan import infogan
from gan_jax.games.laplacian_pyramid import laplacian_pyramid
from gan_jax.games.packing import packed
from gan_jax.games.replay import Replay
from gan_jax.games.semi_supervised import semi_supervised

__all__ = [
  "Costs",
  "Game",
  "Gradients",
  "Replay",
  "adversarial",
  "against_optimal",
  "cycle",
  "infogan",
  "laplacian_pyramid",
  "packed",
  "pullbacks",
  "semi_supervised",
]
