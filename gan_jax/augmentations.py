"""Instance noise, a random change to the samples that the discriminator takes.

An augmentation is `(key, x [n, ...]) -> [n, ...]`, differentiable in x.
"""

from collections.abc import Callable

import jax

from gan_jax.types import Array, PRNGKey

Augment = Callable[[PRNGKey, Array], Array]
"""(key, x [n, ...]) -> [n, ...]."""


def instance_noise(stddev: float | Array) -> Augment:
  """Returns the augmentation x + stddev N(0, I).

  Noise on both real and generated samples makes their distributions overlap, so
  that the optimal discriminator has a slope everywhere. `stddev` may be a
  traced array that decays during training.

  References:
    Sonderby et al., Amortised MAP Inference for Image Super-resolution, arXiv
      1610.04490, section 3.3.
    Arjovsky and Bottou, Towards Principled Methods for Training Generative
      Adversarial Networks, arXiv 1701.04862, section 3.
  """
  return lambda key, x: x + stddev * jax.random.normal(key, x.shape, x.dtype)
