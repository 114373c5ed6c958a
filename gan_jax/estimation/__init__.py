"""Methods that are not games: maximum likelihood, and what GANs are set beside.

`noise_contrastive` compares noise-contrastive estimation with games, `ppca` is
probabilistic principal component analysis, `boltzmann` has restricted Boltzmann
machines, `mcmc` how fast Markov chains mix, `variational` has variational
autoencoders, and `latent_search` finds the latents of a given image.
"""

from gan_jax.estimation import (
  boltzmann,
  latent_search,
  mcmc,
  noise_contrastive,
  ppca,
  variational,
)

__all__ = [
  "boltzmann",
  "latent_search",
  "mcmc",
  "noise_contrastive",
  "ppca",
  "variational",
]
