"""Mode coverage and sample quality for data with known modes."""

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gan_jax.data.densities import Density
from gan_jax.types import Metrics

PERFECT_HIGH_QUALITY = 1 - math.exp(-4.5)
"""The high-quality fraction, 0.98889, of exact samples of separated 2-D modes.

The squared distance to the mean over s^2 is chi-square with two degrees of
freedom, so P(distance <= 3 s) = 1 - exp(-3^2 / 2).
"""


def measure(samples: Array, density: Density) -> Metrics:
  """Measures which modes samples cover and how many samples are near a mode.

  A sample is assigned to its nearest mode, and is of high quality if it is
  within 3 standard deviations of that mode.

    modes_covered:         number of modes with a sample of high quality
    modes_balanced:        number of modes with h_k >= w_k / 4
    high_quality_fraction: fraction of samples of high quality
    mode_overlap:          sum_k min(w_k, h_k)
    reverse_kl:            sum_k q_k log(q_k / w_k), in nats

  w_k is the probability of mode k under the data, q_k the fraction of all
  samples that are assigned to mode k, and h_k the fraction of all samples that
  are assigned to it and of high quality. One sample covers a mode. The overlap
  is the share of samples that are where the data has them; samples of low
  quality, and those beyond a mode's share, do not count.

  Exact samples do not reach an overlap of 1 (`expected_overlap`), and n of them
  have, by chance, a reverse_kl of about (m - 1) / 2 n.

  A sample that is not finite is of low quality, and makes reverse_kl NaN.

  Args:
    samples: [n, d].
    density: the data, with m modes, their standard deviations and weights.

  References:
    Srivastava et al., VEEGAN, arXiv 1705.07761, section 5.1.
    Lin et al., PacGAN, arXiv 1712.04086, section 4.1.
  """
  num_modes, d = density.modes.shape
  chex.assert_shape(samples, (None, d))
  chex.assert_shape([density.mode_stddev, density.weights], (num_modes,))

  # The layout [n, d, m], with the modes last, is several times faster on a CPU.
  distances = jnp.linalg.norm(
    samples[:, :, None] - density.modes.T[None], axis=1
  )
  nearest = jnp.argmin(distances, axis=-1)
  # Comparisons with NaN are false, so such samples are of low quality.
  high_quality = jnp.min(distances, axis=-1) <= 3 * density.mode_stddev[nearest]
  assigned = jax.nn.one_hot(nearest, num_modes)
  # Sums of ones are exact, so that a quarter of a share is reached exactly.
  counts = jnp.sum(assigned * high_quality[:, None], axis=0)
  quarters = len(samples) * density.weights / 4
  rounding = 4 * jnp.finfo(quarters.dtype).eps
  balanced = counts >= quarters * (1 - rounding)
  overlap = jnp.minimum(density.weights, counts / len(samples))
  reverse_kl = jnp.sum(
    jax.scipy.special.rel_entr(jnp.mean(assigned, axis=0), density.weights)
  )
  return {
    "modes_covered": jnp.sum(counts > 0, dtype=float),
    "modes_balanced": jnp.sum(balanced, dtype=float),
    "high_quality_fraction": jnp.mean(high_quality, dtype=float),
    "mode_overlap": jnp.sum(overlap),
    "reverse_kl": jnp.where(
      jnp.all(jnp.isfinite(samples)), reverse_kl, jnp.nan
    ),
  }


def expected_overlap(weights: np.ndarray, num_samples: int) -> float:
  """Computes the mean `mode_overlap` of exact samples of separated 2-D modes.

  With p_k = w_k PERFECT_HIGH_QUALITY, n samples and B_k ~ Bin(n, p_k) of them
  of high quality at mode k, each mode adds

    E min(w_k, B_k / n) = w_k - w_k P(B_k <= c) + p_k P(B'_k <= c - 1),
    c = floor(n w_k),  B'_k ~ Bin(n - 1, p_k),

  since E[B_k; B_k <= c] = n p_k P(B'_k <= c - 1).

  Args:
    weights: [m], w_k, the probabilities of the modes.
    num_samples: n.

  Returns:
    A number below PERFECT_HIGH_QUALITY, which it approaches with many samples.
  """
  from scipy import stats

  chex.assert_rank(weights, 1)
  chex.assert_scalar_positive(num_samples)
  p = weights * PERFECT_HIGH_QUALITY
  c = np.floor(num_samples * weights)
  lower = weights * stats.binom.cdf(c, num_samples, p)
  lower -= p * stats.binom.cdf(c - 1, num_samples - 1, p)
  return float(np.sum(weights - lower))
