"""Density estimation other than GANs, for comparison with them.

`noise_contrastive` has noise-contrastive and maximum-likelihood estimation as
games, `ppca` probabilistic principal component analysis, `boltzmann` restricted
Boltzmann machines, and `mcmc` how fast Markov chains mix.
"""

from gan_jax.estimation import boltzmann, mcmc, noise_contrastive, ppca

__all__ = ["boltzmann", "mcmc", "noise_contrastive", "ppca"]
