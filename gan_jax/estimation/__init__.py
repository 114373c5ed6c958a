"""Density estimation other than GANs, for comparison with them.

`noise_contrastive` has noise-contrastive and maximum-likelihood estimation as
games, and `ppca` probabilistic principal component analysis.
"""

from gan_jax.estimation import noise_contrastive, ppca

__all__ = ["noise_contrastive", "ppca"]
