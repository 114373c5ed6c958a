"""Estimation other than by a game: of densities, and of latents.

`noise_contrastive` has noise-contrastive and maximum-likelihood estimation as
games, and `ppca` probabilistic principal component analysis. `latent_search`
finds the latents of images with holes.
"""

from gan_jax.estimation import latent_search, noise_contrastive, ppca

__all__ = ["latent_search", "noise_contrastive", "ppca"]
