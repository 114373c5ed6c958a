"""The likelihood of data under a Parzen window fitted to samples.

It is the measure of the first publications on GANs, whose generators have no
likelihood. It does not rank models: in high dimensions it prefers centres of
clusters of the data to samples of the data.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import Array


class ParzenLikelihood(NamedTuple):
  """A mean log-likelihood in nats, and the width that was chosen.

  Attributes:
    mean: [], over the test points.
    standard_error: [], of this mean over the test points.
    stddev: [], the width of the window.
    validation: [k], the mean over the validation points for each width.
  """

  mean: Array
  standard_error: Array
  stddev: Array
  validation: Array


# By default accelerators round matrix products to fewer bits.
@jax.default_matmul_precision("highest")
def log_likelihood(
  points: Array, centres: Array, stddevs: Array, block_size: int = 256
) -> Array:
  """Computes the log-density of a mixture of normals about the centres.

    log p(x) = log 1/n sum_i N(x; c_i, s^2 I)

  Squared distances are differences of squared norms, relative to the mean m of
  the centres. In float32 the rounding error of log p(x) is about
  1e-7 (|x - m|^2 + |c - m|^2) / s^2, where c is the nearest centre.

  Args:
    points: [m, d].
    centres: [n, d].
    stddevs: [k], the widths s.
    block_size: points that are compared with all centres at the same time; a
      few arrays [block_size, n] are in memory.

  Returns:
    Nats, [k, m].
  """
  n, d = centres.shape
  chex.assert_shape(points, (None, d))
  chex.assert_rank(stddevs, 1)
  middle = jnp.mean(centres, axis=0)
  centred = centres - middle[None]
  norms = jnp.sum(jnp.square(centred), axis=1)

  def one(point):
    offset = point - middle
    squares = norms - 2 * centred @ offset + offset @ offset
    squares = jnp.maximum(squares, 0)

    def of_width(stddev):
      exponents = -squares / (2 * jnp.square(stddev))
      constant = jnp.log(n) + d * jnp.log(jnp.sqrt(2 * jnp.pi) * stddev)
      return jax.nn.logsumexp(exponents) - constant

    return jax.lax.map(of_width, stddevs)

  return jax.lax.map(one, points, batch_size=block_size).T


def parzen_likelihood(
  samples: Array,
  validation: Array,
  test: Array,
  stddevs: Array,
  block_size: int = 256,
) -> ParzenLikelihood:
  """Fits a Parzen window to samples, and measures test points by it.

  The window has the width under which the validation points have the greatest
  mean log-likelihood.

  Args:
    samples: [n, d], the centres.
    validation: [m, d].
    test: [l, d], l > 1.
    stddevs: [k], the widths to choose from.
    block_size: as of `log_likelihood`.

  References:
    Goodfellow et al., Generative Adversarial Nets, arXiv 1406.2661, section 5
      and table 1.
  """
  values = log_likelihood(validation, samples, stddevs, block_size)
  means = jnp.mean(values, axis=1)
  best = jnp.argmax(means)
  chosen = stddevs[best]
  (of_test,) = log_likelihood(test, samples, chosen[None], block_size)
  return ParzenLikelihood(
    jnp.mean(of_test),
    jnp.std(of_test, ddof=1) / jnp.sqrt(len(test)),
    chosen,
    means,
  )
