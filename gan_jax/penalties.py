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


def zero_centered(weight: float | Array) -> Penalty:
  """Returns the penalty that flattens the critic between data and samples.

  weight E |grad_x C(x)|^2,  x = e real + (1 - e) fake,

  with e ~ U(0, 1) drawn for each sample. It is `gradient_penalty` with target
  0, but needs no root and so has the right second derivatives at slope zero.

  Args:
    weight: the paper's lambda.

  Returns:
    The penalty.

  References:
    Thanh-Tung, Tran and Venkatesh, Improving Generalization and Stability of
      Generative Adversarial Networks, arXiv 1902.03984.
  """

  def penalty(critic: Critic, real: Array, fake: Array, key: PRNGKey) -> Array:
    points = _interpolates(real, fake, key)
    return weight * jnp.mean(_squared_slopes(critic, points))

  return penalty


def r1(weight: float | Array) -> Penalty:
  """Returns the penalty that flattens the critic on data.

  weight / 2 E |grad_x C(x)|^2,  x = real.

  Args:
    weight: the paper's gamma.

  Returns:
    The penalty.

  References:
    Mescheder, Geiger and Nowozin, Which Training Methods for GANs do actually
      Converge?, arXiv 1801.04406, eq. 9.
  """

  def penalty(critic: Critic, real: Array, fake: Array, key: PRNGKey) -> Array:
    del fake, key
    return 0.5 * weight * jnp.mean(_squared_slopes(critic, real))

  return penalty


def r2(weight: float | Array) -> Penalty:
  """Returns the penalty that flattens the critic on generated samples.

  weight / 2 E |grad_x C(x)|^2,  x = fake.

  Args:
    weight: the paper's gamma.

  Returns:
    The penalty.

  References:
    Mescheder, Geiger and Nowozin, Which Training Methods for GANs do actually
      Converge?, arXiv 1801.04406, eq. 10.
  """

  def penalty(critic: Critic, real: Array, fake: Array, key: PRNGKey) -> Array:
    del real, key
    return 0.5 * weight * jnp.mean(_squared_slopes(critic, fake))

  return penalty


def dragan(
  weight: float | Array,
  target: float | Array = 1.0,
  spread: float | Array = 0.5,
) -> Penalty:
  """Returns the penalty that draws the slope around data to a target.

  weight E (|grad_x C(x)| - target)^2,  x = real + spread s N(0, I),

  where s is the standard deviation of all numbers in the real batch. The
  authors' code draws U(0, 1) in place of N(0, 1), which moves x off the data.

  Args:
    weight: the paper's lambda, 10 there.
    target: slope that costs nothing, the paper's k.
    spread: of the noise, in standard deviations of the batch.

  Returns:
    The penalty, with the derivatives of `gradient_penalty` at slope zero.

  References:
    Kodali, Abernethy, Hays and Kira, On Convergence and Stability of GANs,
      arXiv 1705.07215.
  """

  def penalty(critic: Critic, real: Array, fake: Array, key: PRNGKey) -> Array:
    del fake
    noise = jax.random.normal(key, real.shape, real.dtype)
    excess = _slopes(critic, real + spread * jnp.std(real) * noise) - target
    return weight * jnp.mean(jnp.square(excess))

  return penalty


def consistency(
  weight: float | Array, augment: Callable[[PRNGKey, Array], Array]
) -> Penalty:
  """Returns the penalty on what an augmentation of data does to the critic.

  weight E (C(x) - C(T(x)))^2,  x = real.

  Args:
    weight: the paper's lambda, 10 there.
    augment: the paper's T, (key, x [n, ...]) -> [n, ...], a change that data
      does not care about.

  Returns:
    The penalty.

  References:
    Zhang, Zhang, Odena and Lee, Consistency Regularization for Generative
      Adversarial Networks, arXiv 1910.12027.
  """

  def penalty(critic: Critic, real: Array, fake: Array, key: PRNGKey) -> Array:
    del fake
    augmented = augment(key, real)
    chex.assert_equal_shape([real, augmented])
    values = critic(real), critic(augmented)
    chex.assert_shape(values, (len(real),))
    return weight * jnp.mean(jnp.square(values[0] - values[1]))

  return penalty


def combined(*penalties: Penalty) -> Penalty:
  """Returns the sum of penalties, each with a key of its own; of none, 0."""

  def penalty(critic: Critic, real: Array, fake: Array, key: PRNGKey) -> Array:
    keys = jax.random.split(key, len(penalties))
    return sum(
      (
        own(critic, real, fake, k)
        for own, k in zip(penalties, keys, strict=True)
      ),
      start=jnp.zeros((), real.dtype),
    )

  return penalty


def lazy(penalty: Penalty, every: int, step: Array | None = None) -> Penalty:
  """Returns a penalty that is charged at times, and then for all the others.

  every * penalty  if step is a multiple of `every`,  else 0.

  Between times the penalty is not computed, except under a `vmap` over steps or
  keys, which computes it always. Without a step the key decides, with
  probability 1 / every: the same in expectation, but the gaps are uneven.

  Args:
    penalty: what to charge.
    every: how many times rarer, at least 1.
    step: [] int, the number of steps taken, a traced one in a game that is made
      inside a step: `make_game(penalties.lazy(penalty, 16, state.step))`.

  Returns:
    The penalty.

  Raises:
    ValueError: if `every` is below 1.

  References:
    Karras et al., Analyzing and Improving the Image Quality of StyleGAN,
      arXiv 1912.04958, section 3.1, for every 16th step.
  """
  if every < 1:
    raise ValueError(f"a penalty is charged every 1 step or more, not {every}")

  def lazy_penalty(
    critic: Critic, real: Array, fake: Array, key: PRNGKey
  ) -> Array:
    due_key, penalty_key = jax.random.split(key)
    if step is None:
      due = jax.random.bernoulli(due_key, 1.0 / every)
    else:
      due = step % every == 0
    return jax.lax.cond(
      due,
      lambda: every * penalty(critic, real, fake, penalty_key),
      lambda: jnp.zeros((), real.dtype),
    )

  return lazy_penalty


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
