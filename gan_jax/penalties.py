"""Penalty factories: regularisation terms that are added to D's cost.

A penalty takes the critic, which is the discriminator with its current
parameters as a function of the samples only. In every formula E is a mean over
the batch, C the critic, and the slope at x is |grad_x C(x)|, the Euclidean norm
over all axes but the first. Weights and targets may be traced arrays.

`weight_clipping` is no penalty but the last stage of D's optimizer.
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
"""Lower bound of squared slopes before their square root is taken."""


def _squared_slopes(critic: Critic, x: Array) -> Array:
  """Returns |grad_x C(x)|^2 [n] at x [n, ...].

  If the critic mixes samples, as batch normalisation does, the gradient is that
  of the sum over the batch.
  """

  def total(x: Array) -> Array:
    values = critic(x)
    chex.assert_shape(values, (len(x),))
    return jnp.sum(values)

  gradient = jax.grad(total)(x)
  return jnp.sum(jnp.square(gradient), axis=tuple(range(1, x.ndim)))


def _slopes(critic: Critic, x: Array) -> Array:
  """Returns |grad_x C(x)| [n] at x [n, ...], differentiable at zero."""
  # The root's derivatives are infinite at 0, and 0 * inf in the chain rule is
  # NaN. Below the bound the slope is constant and all its derivatives are 0
  # (the first is the smallest subgradient of the norm). Above it s^(-3/2), in
  # the second derivative, is at most 1e30, within float32.
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
  """Returns the WGAN-GP penalty on the distance of slopes from a target.

  weight E (|grad_x C(x)| - target)^2,  x = e real + (1 - e) fake,

  with e ~ U(0, 1) drawn for each sample. With `one_sided` only slopes above the
  target are penalised, by max(0, |grad_x C(x)| - target)^2. The weight is the
  paper's lambda, 10 there. At slope zero the penalty's first and second
  derivatives are zero.

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
  """Returns the penalty on squared slopes between data and samples.

  weight E |grad_x C(x)|^2,  x = e real + (1 - e) fake,

  with e ~ U(0, 1) drawn for each sample. It equals `gradient_penalty` with
  target 0 but takes no square root, so its second derivatives are correct at
  slope zero too. The weight is the paper's lambda.

  References:
    Thanh-Tung, Tran and Venkatesh, Improving Generalization and Stability of
      Generative Adversarial Networks, arXiv 1902.03984.
  """

  def penalty(critic: Critic, real: Array, fake: Array, key: PRNGKey) -> Array:
    points = _interpolates(real, fake, key)
    return weight * jnp.mean(_squared_slopes(critic, points))

  return penalty


def r1(weight: float | Array) -> Penalty:
  """Returns the penalty on squared slopes at data.

  weight / 2 E |grad_x C(x)|^2,  x = real.

  The weight is the paper's gamma.

  References:
    Mescheder, Geiger and Nowozin, Which Training Methods for GANs do actually
      Converge?, arXiv 1801.04406, eq. 9.
  """

  def penalty(critic: Critic, real: Array, fake: Array, key: PRNGKey) -> Array:
    del fake, key
    return 0.5 * weight * jnp.mean(_squared_slopes(critic, real))

  return penalty


def r2(weight: float | Array) -> Penalty:
  """Returns the penalty on squared slopes at generated samples.

  weight / 2 E |grad_x C(x)|^2,  x = fake.

  The weight is the paper's gamma.

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
  """Returns the penalty on the distance of slopes near data from a target.

  weight E (|grad_x C(x)| - target)^2,  x = real + spread s N(0, I),

  where s is the standard deviation of all numbers in the real batch. The weight
  is the paper's lambda, 10 there, and the target its k. The authors' code draws
  U(0, 1) instead of N(0, 1), which shifts the mean of x. At slope zero the
  penalty's first and second derivatives are zero.

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
  """Returns the penalty on how much augmenting data changes the critic.

  weight E (C(x) - C(T(x)))^2,  x = real.

  Args:
    weight: the paper's lambda, 10 there.
    augment: the paper's T, (key, x [n, ...]) -> [n, ...], which should keep the
      distribution of data.

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
  """Returns the sum of penalties, each with a different key."""

  def penalty(critic: Critic, real: Array, fake: Array, key: PRNGKey) -> Array:
    keys = jax.random.split(key, len(penalties))
    return sum(
      (
        term(critic, real, fake, term_key)
        for term, term_key in zip(penalties, keys, strict=True)
      ),
      start=jnp.zeros((), real.dtype),
    )

  return penalty


def lazy(penalty: Penalty, every: int, step: Array | None = None) -> Penalty:
  """Returns a penalty that is applied only every `every` steps.

  every * penalty  if step is a multiple of `every`,  else 0.

  At other steps the penalty is not computed, except under a `vmap` over steps
  or keys. Without a step the key decides, with probability 1 / every.

  Args:
    penalty: the penalty to apply.
    every: at least 1.
    step: [] int, the number of steps taken. It is a traced array in a game made
      inside a step: `make_game(penalties.lazy(penalty, 16, state.step))`.

  Raises:
    ValueError: if `every` is below 1.

  References:
    Karras et al., Analyzing and Improving the Image Quality of StyleGAN,
      arXiv 1912.04958, section 3.1, for every 16th step.
  """
  if every < 1:
    raise ValueError(f"every must be at least 1 step, not {every}")

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
  """Returns the last stage of an optimizer that clips the parameters.

  updates <- clip(params + updates, -limit, limit) - params,

  so that optax.apply_updates leaves every parameter within [-limit, limit], up
  to rounding: `optax.chain(optax.rmsprop(5e-5), weight_clipping(0.01))` for the
  discriminator. The limit is the paper's c. The transformation's `update`
  raises ValueError without the params.

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
