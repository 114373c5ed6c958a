"""Penalty factories: what the discriminator pays for its shape.

A penalty sees the discriminator as a critic, the function of the samples alone
that it is at its present parameters, and game makers add the penalty's value to
the discriminator's cost. Weights and targets may be traced arrays.

In every formula E is a mean over the batch, C the critic, and the slope at x is
|grad_x C(x)|, the Euclidean norm over all axes but the first.

Clipping, which bounds the parameters and not their cost, is the last link of
the discriminator's optimizer.
"""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import optax

from gan_jax.types import Array, PRNGKey

Critic = Callable[[Array], Array]
"""x [n, ...] -> values [n]."""

Penalty = Callable[[Critic, Array, Array, PRNGKey], Array]
"""(critic, real [n, ...], fake [n, ...], key) -> scalar, weight included."""

MIN_SQUARED_SLOPE = 1e-20
"""Least squared slope that a root is taken of; a slope stays above 1e-10."""


def _squared_slopes(critic: Critic, x: Array) -> Array:
  """Returns |grad_x C(x)|^2 [n] at x [n, ...].

  A critic that mixes samples, as batch normalisation does, is charged for the
  gradient of its total instead.
  """

  def total(x: Array) -> Array:
    values = critic(x)
    chex.assert_shape(values, (len(x),))
    return jnp.sum(values)

  gradient = jax.grad(total)(x)
  return jnp.sum(jnp.square(gradient), axis=tuple(range(1, x.ndim)))


def _slopes(critic: Critic, x: Array) -> Array:
  """Returns |grad_x C(x)| [n] at x [n, ...], differentiable at zero."""
  # The root's derivatives are infinite at 0 and would meet a 0 in the chain
  # rule. Under the floor the slope is constant and all its derivatives are 0,
  # the first being the least subgradient of the norm; above it s^(-3/2), in the
  # second derivative, is at most 1e30, within float32.
  return jnp.sqrt(jnp.maximum(_squared_slopes(critic, x), MIN_SQUARED_SLOPE))


def _interpolates(real: Array, fake: Array, key: PRNGKey) -> Array:
  """Draws a point [n, ...] uniformly between each real and fake sample."""
  chex.assert_equal_shape([real, fake])
  shape = (len(real), *(1,) * (real.ndim - 1))
  share = jax.random.uniform(key, shape, real.dtype)
  return share * real + (1.0 - share) * fake


def gradient_penalty(
  weight: float | Array,
  target: float | Array = 1.0,
  one_sided: bool = False,
) -> Penalty:
  """Returns the penalty that draws the critic's slope to a target.

  weight E (|grad_x C(x)| - target)^2,  x = e real + (1 - e) fake,

  with e ~ U(0, 1) drawn for each sample; one-sided, it charges
  max(0, |grad_x C(x)| - target)^2, for slopes above the target only.

  Args:
    weight: the paper's lambda, 10 there.
    target: slope that costs nothing.
    one_sided: whether slopes below the target cost nothing either.

  Returns:
    The penalty. Its first and second derivatives are finite where the slope is
    zero, and zero there: a flat critic is for the game's costs to tilt.

  References:
    Gulrajani et al., Improved Training of Wasserstein GANs, arXiv 1704.00028,
      eq. 3; section 4 for one side.
    Petzka, Fischer and Lukovnikov, On the regularization of Wasserstein GANs,
      arXiv 1709.08894, for one side.
  """

  def penalty(critic: Critic, real: Array, fake: Array, key: PRNGKey) -> Array:
    excess = _slopes(critic, _interpolates(real, fake, key)) - target
    if one_sided:
      excess = jax.nn.relu(excess)
    return weight * jnp.mean(jnp.square(excess))

  return penalty


def weight_clipping(limit: float | Array) -> optax.GradientTransformation:
  """Returns the optimizer's last link, which keeps parameters in a box.

  updates <- clip(params + updates, -limit, limit) - params,

  so that optax.apply_updates leaves every parameter within [-limit, limit], to
  rounding. It goes last, `optax.chain(optax.rmsprop(5e-5), weight_clipping(c))`
  for the discriminator, and so follows each of its steps in any step rule.

  Args:
    limit: the paper's c, 0.01 there.

  Returns:
    The transformation. Its `update` raises ValueError without the parameters.

  References:
    Arjovsky, Chintala and Bottou, Wasserstein GAN, arXiv 1701.07875,
      algorithm 1.
  """

  def clip(
    updates: optax.Updates, params: optax.Params | None
  ) -> optax.Updates:
    if params is None:
      raise ValueError("weight_clipping needs params: update(_, state, params)")
    return jax.tree.map(
      lambda u, p: jnp.clip(p + u, -limit, limit) - p, updates, params
    )

  return optax.stateless(clip)
