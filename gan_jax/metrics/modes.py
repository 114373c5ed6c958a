"""How much of a distribution with known modes a generator reproduces."""

import math

import chex
import jax
import jax.numpy as jnp
from jax import Array

from gan_jax.data.densities import Density
from gan_jax.types import Metrics

PERFECT_HIGH_QUALITY = 1 - math.exp(-4.5)
"""The high-quality fraction, 0.98889, of well separated 2-D Gaussians.

The squared distance to the mean over s^2 is chi-square with two degrees of
freedom, so P(distance <= 3 s) = 1 - exp(-3^2 / 2).
"""


def measure(samples: Array, density: Density) -> Metrics:
  """Measures samples by the rule of three standard deviations.

  A sample belongs to its nearest mode, and is of high quality if it lies within
  3 standard deviations of it.

    modes_covered:         the modes that own a sample of high quality
    high_quality_fraction: the share of samples of high quality
    reverse_kl:            sum_k q_k log(q_k / w_k), in nats

  where q_k is the share of all samples that mode k owns and w_k its probability
  under the data. Perfect samples of m modes have reverse_kl of about
  (m - 1) / 2 n, not 0, by chance alone.

  A sample that is not finite is of low quality, and makes reverse_kl NaN.

  Args:
    samples: [n, d].
    density: of the data; its m modes, their standard deviations and weights.

  Returns:
    The three scalars by name.

  References:
    Srivastava et al., VEEGAN, arXiv 1705.07761, section 5.1.
    Lin et al., PacGAN, arXiv 1712.04086, section 4.1.
  """
  num_modes, d = density.modes.shape
  chex.assert_shape(samples, (None, d))
  chex.assert_shape([density.mode_stddev, density.weights], (num_modes,))

  # With the modes last, [n, d, m], a CPU is several times faster.
  distances = jnp.linalg.norm(
    samples[:, :, None] - density.modes.T[None], axis=1
  )
  nearest = jnp.argmin(distances, axis=-1)
  # A comparison with NaN is false.
  high_quality = jnp.min(distances, axis=-1) <= 3 * density.mode_stddev[nearest]
  owned = jax.nn.one_hot(nearest, num_modes)
  covered = jnp.any((owned > 0) & high_quality[:, None], axis=0)
  reverse_kl = jnp.sum(
    jax.scipy.special.rel_entr(jnp.mean(owned, axis=0), density.weights)
  )
  return {
    "modes_covered": jnp.sum(covered, dtype=float),
    "high_quality_fraction": jnp.mean(high_quality, dtype=float),
    "reverse_kl": jnp.where(
      jnp.all(jnp.isfinite(samples)), reverse_kl, jnp.nan
    ),
  }
