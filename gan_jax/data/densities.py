"""Synthetic data whose density is known exactly.

Every numeric argument of a factory (means, standard deviations, radii,
spacings) may be a traced scalar, so that a population can sweep it; counts are
Python integers.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from gan_jax.divergences import quadrature
from gan_jax.types import PRNGKey

# Gauss-Legendre nodes of each panel of the Swiss roll's length. The relative
# error of the density is 1e-11 at the default noise and 1e-7 at 0.6 of it.
_SWISS_ROLL_NODES = 64
_SWISS_ROLL_PANELS = 20
# Bounds the [n, panels * nodes] table of distances to 5 MiB.
_SWISS_ROLL_CHUNK = 1024


class Density(NamedTuple):
  """A distribution that can be sampled and evaluated.

  Attributes:
    sample: (key, n) -> [n, d].
    log_prob: [n, d] -> [n], the exact log-density.
    modes: [m, d], the centre of each mode.
    mode_stddev: [m], the standard deviation of each mode in every direction.
    weights: [m], the probability of each mode.
  """

  sample: Callable[[PRNGKey, int], Array]
  log_prob: Callable[[Array], Array]
  modes: Array
  mode_stddev: Array
  weights: Array


def mixture(
  means: ArrayLike, stddevs: ArrayLike, weights: ArrayLike | None = None
) -> Density:
  """Returns a mixture of isotropic Gaussians.

  p(x) = sum_k w_k N(x; mu_k, s_k^2 I).

  Args:
    means: [m, d], mu_k.
    stddevs: [m], s_k > 0.
    weights: [m], w_k, summing to one; equal if None.

  Returns:
    The density, with the components as its modes.
  """
  means = jnp.asarray(means, dtype=float)
  stddevs = jnp.asarray(stddevs, dtype=float)
  chex.assert_rank(means, 2)
  m, d = means.shape
  if weights is None:
    weights = jnp.full((m,), 1 / m)
  weights = jnp.asarray(weights, dtype=float)
  chex.assert_shape([stddevs, weights], (m,))

  # Without its last entry: rounding may leave it below a uniform draw.
  cumulative = jnp.cumsum(weights)[:-1]
  log_scales = (
    jnp.log(weights) - d * jnp.log(stddevs) - 0.5 * d * math.log(2 * math.pi)
  )

  def sample(key, n):
    component_key, noise_key = jax.random.split(key)
    uniform = jax.random.uniform(component_key, (n, 1))
    component = jnp.sum(uniform >= cumulative[None], axis=-1)
    noise = jax.random.normal(noise_key, (n, d))
    return means[component] + stddevs[component, None] * noise

  def log_prob(x):
    chex.assert_shape(x, (None, d))
    # The expanded square |x|^2 - 2 x.mu + |mu|^2 would cancel near a mean. With
    # the components last, [n, d, m], a CPU is ten times faster.
    scaled = (x[:, :, None] - means.T[None]) / stddevs[None, None]
    return jax.nn.logsumexp(
      log_scales[None] - 0.5 * jnp.sum(scaled**2, axis=1), axis=-1
    )

  return Density(sample, log_prob, means, stddevs, weights)


def normal(mean: float | Array, stddev: float | Array) -> Density:
  """Returns the one-dimensional Gaussian N(mean, stddev^2).

  Args:
    mean: scalar.
    stddev: scalar, positive.

  Returns:
    The density, with d = 1 and one mode.
  """
  return normal_mixture([mean], [stddev])


def normal_mixture(
  means: Sequence[float | Array],
  stddevs: Sequence[float | Array],
  weights: Sequence[float | Array] | None = None,
) -> Density:
  """Returns a mixture of one-dimensional Gaussians.

  Args:
    means: m scalars.
    stddevs: m scalars, positive.
    weights: m scalars, summing to one; equal if None.

  Returns:
    The density, with d = 1 and a mode for each Gaussian.
  """
  return mixture(
    jnp.asarray(means, dtype=float)[:, None],
    jnp.asarray(stddevs, dtype=float),
    None if weights is None else jnp.asarray(weights, dtype=float),
  )


def ring(
  num_modes: int = 8,
  radius: float | Array = 1.0,
  stddev: float | Array = 0.05,
) -> Density:
  """Returns Gaussians evenly spaced on a circle about the origin.

  Args:
    num_modes: how many.
    radius: scalar, of the circle.
    stddev: scalar, of each Gaussian.

  Returns:
    The density, with d = 2.

  References:
    Metz et al., Unrolled Generative Adversarial Networks, arXiv 1611.02163.
  """
  # The end is left out: the published linspace(0, 2 pi, 8) contains it, which
  # puts two of the eight modes on one spot.
  angles = jnp.linspace(0, 2 * math.pi, num_modes, endpoint=False)
  circle = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)
  return mixture(radius * circle, jnp.full((num_modes,), stddev))


def grid(
  side: int = 5, spacing: float | Array = 2.0, stddev: float | Array = 0.05
) -> Density:
  """Returns Gaussians on a square grid centred on the origin.

  Args:
    side: how many Gaussians a side has; side^2 in all.
    spacing: scalar, the distance between neighbours.
    stddev: scalar, of each Gaussian.

  Returns:
    The density, with d = 2.

  References:
    Lin et al., PacGAN, arXiv 1712.04086, section 4.1.
  """
  line = spacing * (jnp.arange(side, dtype=float) - (side - 1) / 2)
  means = jnp.stack(jnp.meshgrid(line, line), axis=-1).reshape(-1, 2)
  return mixture(means, jnp.full((side**2,), stddev))


def _spiral(u: Array) -> Array:
  """Returns the points [n, 2] of the Swiss roll at quantiles u [n] of t."""
  t = 1.5 * math.pi * (1 + 2 * u)
  return jnp.stack([t * jnp.cos(t), t * jnp.sin(t)], axis=-1) / 7.5


def swiss_roll(
  num_modes: int = 100, stddev: float | Array = 0.25 / 7.5
) -> Density:
  """Returns the Swiss roll of the WGAN-GP toys, a spiral with Gaussian noise.

  x = (t cos t, t sin t) / 7.5 + stddev * noise,  t = 3/2 pi (1 + 2 u),
  p(x) = integral over u in [0, 1] of N(x; spiral(u), stddev^2 I),  u uniform.

  It is scikit-learn's `make_swiss_roll` with noise 0.25, coordinates 0 and 2,
  divided by 7.5.

  A spiral has no modes. So that the mode metrics mean something here, the modes
  are stations on it with the same share of the data between neighbours.
  `modes_covered` then tells how much of the length is reached, and
  `high_quality_fraction` how much lies within 3 stddev of a station: 0.991 for
  the data itself at the default arguments, less with fewer stations, which
  leaves gaps between them.

  Args:
    num_modes: how many stations.
    stddev: scalar, of the noise; at least 0.02 for an exact density.

  Returns:
    The density, with d = 2.

  References:
    Gulrajani et al., Improved Training of Wasserstein GANs, arXiv 1704.00028,
    section 2.2, figure 1.
  """
  positions, weights = quadrature.gauss_legendre(
    0.0, 1.0, _SWISS_ROLL_NODES, _SWISS_ROLL_PANELS
  )
  nodes = mixture(_spiral(positions), jnp.full_like(positions, stddev), weights)
  stations = (jnp.arange(num_modes, dtype=float) + 0.5) / num_modes

  def sample(key, n):
    position_key, noise_key = jax.random.split(key)
    points = _spiral(jax.random.uniform(position_key, (n,)))
    return points + stddev * jax.random.normal(noise_key, (n, 2))

  def log_prob(x):
    chex.assert_shape(x, (None, 2))
    return jax.lax.map(
      lambda row: nodes.log_prob(row[None])[0], x, batch_size=_SWISS_ROLL_CHUNK
    )

  return Density(
    sample,
    log_prob,
    modes=_spiral(stations),
    mode_stddev=jnp.full((num_modes,), stddev, dtype=float),
    weights=jnp.full((num_modes,), 1 / num_modes),
  )
