"""Layers with which a discriminator compares the samples of a minibatch.

The logit of a sample then depends on the other samples, so real and generated
samples must be passed separately (`games.adversarial(mixes_samples=True)`).
"""

import chex
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.types import Array

VARIANCE_FLOOR = 1e-8
"""Added to variances, so that the square root has a derivative at 0."""


class MinibatchStandardDeviation(nn.Module):
  """Appends the mean standard deviation of its inputs as another feature.

  The feature is the mean over all axes but the first of sqrt(Var x +
  VARIANCE_FLOOR), with variances over the samples of a group.

  Attributes:
    group_size: samples in a group, 4 in the paper's code. None, or a number
      above n, makes the whole minibatch one group. Group g of m has the samples
      g, g + m, g + 2 m, ...

  References:
    Karras et al., Progressive Growing of GANs for Improved Quality, Stability,
      and Variation, arXiv 1710.10196, section 3.
  """

  group_size: int | None = None

  @nn.compact
  def __call__(self, inputs: Array) -> Array:
    """Maps inputs [n, ..., c] to [n, ..., c + 1].

    Raises:
      ValueError: if the group size does not divide n.
    """
    size = min(self.group_size or len(inputs), len(inputs))
    if len(inputs) % size:
      raise ValueError(f"groups of {size} do not divide {len(inputs)} samples")
    groups = inputs.reshape(size, -1, *inputs.shape[1:])
    stddev = jnp.sqrt(jnp.var(groups, axis=0) + VARIANCE_FLOOR)
    # One number per group, [n / size]; groups alternate along the minibatch.
    statistic = jnp.mean(stddev, axis=tuple(range(1, inputs.ndim)))
    statistic = jnp.tile(statistic, size)
    feature = jnp.broadcast_to(
      statistic.reshape(-1, *(1,) * (inputs.ndim - 1)),
      (*inputs.shape[:-1], 1),
    )
    return jnp.concatenate([inputs, feature], axis=-1)


class MinibatchDiscrimination(nn.Module):
  """Appends to each sample its closeness to the others, by learned kernels.

  o(x_i)_b = sum_j exp(-|M_ib - M_jb|_1),  M_i = x_i T  [kernels, kernel_dim].

  The sum includes j = i, which adds 1.

  Attributes:
    kernels: number of features appended, the paper's B.
    kernel_dim: dimension of the vectors that are compared, the paper's C.
    kernel_init: initialiser of T [d, kernels * kernel_dim].

  References:
    Salimans et al., Improved Techniques for Training GANs, arXiv 1606.03498,
      section 3.2.
  """

  kernels: int
  kernel_dim: int
  kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

  @nn.compact
  def __call__(self, inputs: Array) -> Array:
    """Maps inputs [n, d] to [n, d + kernels]."""
    chex.assert_rank(inputs, 2)
    projected = nn.Dense(
      self.kernels * self.kernel_dim,
      use_bias=False,
      kernel_init=self.kernel_init,
    )(inputs).reshape(-1, self.kernels, self.kernel_dim)
    differences = projected[:, None] - projected[None]
    distances = jnp.sum(jnp.abs(differences), axis=-1)
    closeness = jnp.sum(jnp.exp(-distances), axis=1)
    chex.assert_shape(closeness, (len(inputs), self.kernels))
    return jnp.concatenate([inputs, closeness], axis=-1)
