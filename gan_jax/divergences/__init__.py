"""Divergences and distances between probability distributions.

They are computed from exact probabilities or densities (`information`,
`game`, `transport`, with the integration rules of `quadrature`), in closed form
for normal distributions (`normals`), or from samples (`samples`, `transport`).
`f_divergences` defines each f-divergence, and `huffman` computes code lengths.
"""

from gan_jax.divergences.f_divergences import (
  F_DIVERGENCES,
  FDivergence,
  Integrand,
)
from gan_jax.divergences.game import (
  optimal_discriminator,
  optimal_value,
  value,
)
from gan_jax.divergences.huffman import (
  expected_code_length,
  huffman_code_lengths,
)
from gan_jax.divergences.information import (
  cross_entropy,
  entropy,
  f_divergence,
  jensen_shannon,
  kl,
  practical_divergence,
  self_information,
  total_variation,
)
from gan_jax.divergences.normals import (
  normal_entropy,
  normal_jeffrey,
  normal_kl,
  normal_pearson,
  normal_squared_hellinger,
  normal_total_variation,
  normal_wasserstein_2,
)
from gan_jax.divergences.quadrature import gauss_legendre, trapezoid
from gan_jax.divergences.samples import (
  entropy_from_samples,
  f_divergence_from_log_ratios,
  jensen_shannon_from_log_ratios,
  kl_from_log_ratios,
  kl_from_samples,
)
from gan_jax.divergences.transport import (
  optimal_plan,
  sliced_wasserstein_1,
  wasserstein_1,
  wasserstein_1_on_line,
)

__all__ = [
  "F_DIVERGENCES",
  "FDivergence",
  "Integrand",
  "cross_entropy",
  "entropy",
  "entropy_from_samples",
  "expected_code_length",
  "f_divergence",
  "f_divergence_from_log_ratios",
  "gauss_legendre",
  "huffman_code_lengths",
  "jensen_shannon",
  "jensen_shannon_from_log_ratios",
  "kl",
  "kl_from_log_ratios",
  "kl_from_samples",
  "normal_entropy",
  "normal_jeffrey",
  "normal_kl",
  "normal_pearson",
  "normal_squared_hellinger",
  "normal_total_variation",
  "normal_wasserstein_2",
  "optimal_discriminator",
  "optimal_plan",
  "optimal_value",
  "practical_divergence",
  "self_information",
  "sliced_wasserstein_1",
  "total_variation",
  "trapezoid",
  "value",
  "wasserstein_1",
  "wasserstein_1_on_line",
]
