"""Loss factories: both players' costs as functions of D's logits.

In every formula r and f are the logits of the real and of the generated batch,
E is a mean over the batch, D = sigmoid(logit), J_D is the discriminator's cost
and J_G the generator's. Both players minimise. Real and fake terms are summed
without a factor 1/2, so costs are twice those of Goodfellow's tutorial; only
least squares keeps the 1/2 of its paper.

`real_label` is l in the cost of real samples, -E (l log D(r) + (1 - l) log(1 -
D(r))). A value below 1 is one-sided label smoothing (Salimans et al., Improved
Techniques for Training GANs, arXiv 1606.03498, section 3.4).

Values, gradients and second derivatives are finite in float32 for logits up to
+-1e4. They keep their relative precision where a cost saturates, until they
underflow. Exponentials of a logit are exact up to
`f_divergences.EXPONENT_LIMIT` and linear beyond.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from gan_jax.divergences import f_divergences
from gan_jax.divergences.f_divergences import limited_exp
from gan_jax.numerics import sigmoid, softplus
from gan_jax.types import Array, Metrics

Cost = Callable[[Array, Array], Array]
"""(real_logits [B], fake_logits [B]) -> scalar."""


class AdversarialLoss(NamedTuple):
  """The costs that the two players minimise.

  Both raise AssertionError unless their arguments are vectors of equal length.

  Attributes:
    generator: (real_logits [B], fake_logits [B]) -> J_G, a scalar.
    discriminator: (real_logits [B], fake_logits [B]) -> J_D, a scalar.
    probability: whether sigmoid(logit) is the discriminator's probability that
      a sample is real; if not, the logit is a critic's value.
  """

  generator: Cost
  discriminator: Cost
  probability: bool = False

  def measure(self, real_logits: Array, fake_logits: Array) -> Metrics:
    """Averages D(x) if it is a probability, else the logits."""
    if self.probability:
      return {
        "discriminator_real": jnp.mean(jax.nn.sigmoid(real_logits)),
        "discriminator_fake": jnp.mean(jax.nn.sigmoid(fake_logits)),
      }
    return {
      "critic_real": jnp.mean(real_logits),
      "critic_fake": jnp.mean(fake_logits),
    }


def _checked(cost: Cost) -> Cost:
  def checked_cost(real_logits: Array, fake_logits: Array) -> Array:
    chex.assert_rank([real_logits, fake_logits], 1)
    chex.assert_equal_shape([real_logits, fake_logits])
    return cost(real_logits, fake_logits)

  return checked_cost


def _loss(
  generator: Cost, discriminator: Cost, probability: bool = False
) -> AdversarialLoss:
  return AdversarialLoss(
    _checked(generator), _checked(discriminator), probability
  )


def _zero_sum(
  discriminator: Cost, probability: bool = False
) -> AdversarialLoss:
  return _loss(lambda r, f: -discriminator(r, f), discriminator, probability)


def _cross_entropy(
  real_logits: Array, fake_logits: Array, real_label: float | Array = 1.0
) -> Array:
  # With -log D = softplus(-logit) and -log(1 - D) = softplus(logit) no
  # logarithm is taken of a D that has rounded to 0 or 1. For real samples,
  # -l log D - (1 - l) log(1 - D) = softplus(-logit) + (1 - l) logit.
  real_cost = jnp.mean(
    softplus(-real_logits) + (1.0 - real_label) * real_logits
  )
  return real_cost + jnp.mean(softplus(fake_logits))


def minimax(real_label: float | Array = 1.0) -> AdversarialLoss:
  """Returns the zero-sum loss of the original paper.

  J_D = -E log D(r) - E log(1 - D(f)),  J_G = -J_D.

  At the optimal discriminator J_G = -log 4 + 2 JSD(p || q). The slope of J_G in
  f, -D(f), vanishes where the discriminator is certain that a sample is fake.

  References:
    Goodfellow et al., Generative Adversarial Networks, arXiv 1406.2661, eq. 1.
    Goodfellow, NIPS 2016 Tutorial, arXiv 1701.00160, sections 3.2.1-3.2.2.
  """
  return _zero_sum(
    lambda r, f: _cross_entropy(r, f, real_label), probability=True
  )


def non_saturating(real_label: float | Array = 1.0) -> AdversarialLoss:
  """Returns the loss whose generator maximises log D on its samples.

  J_D = -E log D(r) - E log(1 - D(f)),  J_G = -E log D(f).

  The slope of J_G in f, -(1 - D(f)), is largest where the discriminator is
  certain that a sample is fake.

  References:
    Goodfellow, NIPS 2016 Tutorial, arXiv 1701.00160, section 3.2.3.
  """
  return _loss(
    lambda _, f: jnp.mean(softplus(-f)),
    lambda r, f: _cross_entropy(r, f, real_label),
    probability=True,
  )


def maximum_likelihood(real_label: float | Array = 1.0) -> AdversarialLoss:
  """Returns the loss whose generator minimises KL(p || q).

  J_D = -E log D(r) - E log(1 - D(f)),  J_G = -E exp(f).

  At the optimal discriminator exp(f) = p / q is the importance weight that
  makes the generator's gradient that of the data's log-likelihood.

  References:
    Goodfellow, NIPS 2016 Tutorial, arXiv 1701.00160, section 3.2.4.
    Goodfellow, On distinguishability criteria for estimating generative models,
      arXiv 1412.6515.
  """
  return _loss(
    lambda _, f: -jnp.mean(limited_exp(f)),
    lambda r, f: _cross_entropy(r, f, real_label),
    probability=True,
  )


def least_squares(
  real_target: float | Array = 1.0,
  fake_target: float | Array = 0.0,
  generator_target: float | Array = 1.0,
) -> AdversarialLoss:
  """Returns the least-squares loss.

  J_D = 1/2 E (r - real_target)^2 + 1/2 E (f - fake_target)^2,
  J_G = 1/2 E (f - generator_target)^2.

  The targets are the paper's b, a and c. With b - c = 1 and b - a = 2 the
  generator minimises Pearson's divergence between p + q and 2 q.

  References:
    Mao et al., Least Squares Generative Adversarial Networks,
      arXiv 1611.04076, eq. 2.
  """

  def half_square(logits: Array, target: float | Array) -> Array:
    return 0.5 * jnp.mean(jnp.square(logits - target))

  return _loss(
    lambda _, f: half_square(f, generator_target),
    lambda r, f: half_square(r, real_target) + half_square(f, fake_target),
  )


def hinge() -> AdversarialLoss:
  """Returns the hinge loss; samples beyond the critic's margin cost nothing.

  J_D = E max(0, 1 - r) + E max(0, 1 + f),  J_G = -E f.

  References:
    Lim and Ye, Geometric GAN, arXiv 1705.02894.
    Miyato et al., Spectral Normalization for Generative Adversarial Networks,
      arXiv 1802.05957.
  """
  return _loss(
    lambda _, f: -jnp.mean(f),
    lambda r, f: (
      jnp.mean(jax.nn.relu(1.0 - r)) + jnp.mean(jax.nn.relu(1.0 + f))
    ),
  )


def wasserstein() -> AdversarialLoss:
  """Returns the loss of the dual form of the Wasserstein-1 distance.

  J_D = -E r + E f,  J_G = -E f.

  At the best 1-Lipschitz critic -J_D is the distance. The loss does not bound
  the critic's slope: without clipping or a penalty J_D has no minimum.

  References:
    Arjovsky, Chintala and Bottou, Wasserstein GAN, arXiv 1701.07875, eq. 2.
  """
  return _loss(
    lambda _, f: -jnp.mean(f), lambda r, f: jnp.mean(f) - jnp.mean(r)
  )


def bounded_linear() -> AdversarialLoss:
  """Returns the zero-sum loss that is linear in D, with D between 0 and 1.

  J_D = -E D(r) + E D(f),  J_G = -J_D.

  At the optimal discriminator J_G is the total variation 1/2 int |p - q|.
  """
  return _zero_sum(
    lambda r, f: jnp.mean(sigmoid(f)) - jnp.mean(sigmoid(r)),
    probability=True,
  )


def f_divergence(name: str, practical: bool = False) -> AdversarialLoss:
  """Returns the loss that estimates an f-divergence of data and model.

  J_D = -E g(r) + E f*(g(f)),
  J_G = -J_D, or -E g(f) if `practical`.

  At the optimal discriminator the zero-sum J_G is D_f(p || q). The slope of the
  practical one is q / p times as large: it does not vanish where the data has
  no mass, and is that of another divergence, `FDivergence.practical`.

  Args:
    name: a key of `f_divergences.F_DIVERGENCES`, which defines g and f*.
    practical: whether the generator maximises the output g(f) on its samples,
      which is `non_saturating` for "gan".

  Raises:
    ValueError: no divergence has that name.

  References:
    Nowozin, Cseke and Tomioka, f-GAN: Training Generative Neural Samplers using
      Variational Divergence Minimization, arXiv 1606.00709, section 2, and
      section 3.2 on the practical objective.
  """
  divergence = f_divergences.named(name)

  def discriminator(r: Array, f: Array) -> Array:
    bound = jnp.mean(divergence.activation(r))
    return jnp.mean(divergence.conjugate_of_activation(f)) - bound

  if not practical:
    return _zero_sum(discriminator, divergence.probability)
  return _loss(
    lambda _, f: -jnp.mean(divergence.activation(f)),
    discriminator,
    divergence.probability,
  )


def relativistic_average() -> AdversarialLoss:
  """Returns the loss that compares logits with the other batch's mean.

  J_D = -E log D(r - E f) - E log(1 - D(f - E r)),
  J_G = -E log D(f - E r) - E log(1 - D(r - E f)).

  Only differences of logits count, and the generator learns from data too.

  References:
    Jolicoeur-Martineau, The relativistic discriminator: a key element missing
      from standard GAN, arXiv 1807.00734 (RaSGAN).
  """

  def cost(winner: Array, loser: Array) -> Array:
    return _cross_entropy(winner - jnp.mean(loser), loser - jnp.mean(winner))

  return _loss(lambda r, f: cost(f, r), cost)


def relativistic_pairing() -> AdversarialLoss:
  """Returns the loss that compares each real sample with one generated sample.

  J_D = -E log D(r - f),  J_G = -E log D(f - r).

  Only differences of logits count, and the generator learns from data too.

  References:
    Jolicoeur-Martineau, The relativistic discriminator: a key element missing
      from standard GAN, arXiv 1807.00734 (RSGAN).
    Huang et al., The GAN is dead; long live the GAN! A Modern GAN Baseline,
      arXiv 2501.05441 (RpGAN).
  """
  return _loss(
    lambda r, f: jnp.mean(softplus(r - f)),
    lambda r, f: jnp.mean(softplus(f - r)),
  )


def selected(
  index: int | Array, losses: Sequence[AdversarialLoss]
) -> AdversarialLoss:
  """Returns the loss at an index, so that members can have different losses.

  J = sum_i [index = i] J_i([index = i] r, [index = i] f) for both players.

  Every loss is evaluated, which is cheap on logits. Losses that are not
  selected are evaluated at zeros, where they and their derivatives are finite,
  so that none of them can make the result NaN.

  Args:
    index: [] int, from 0 to len(losses) - 1; it may be traced.
    losses: the losses to select from.

  Returns:
    The loss, with `probability` False, since that cannot depend on a traced
    index.
  """
  chex.assert_rank(index, 0)

  def pick(costs: Sequence[Cost]) -> Cost:
    def cost(real_logits: Array, fake_logits: Array) -> Array:
      total = jnp.zeros((), real_logits.dtype)
      for i, candidate in enumerate(costs):
        picked = index == i
        logits = (jnp.where(picked, x, 0.0) for x in (real_logits, fake_logits))
        total += jnp.where(picked, candidate(*logits), 0.0)
      return total

    return cost

  return _loss(
    pick([loss.generator for loss in losses]),
    pick([loss.discriminator for loss in losses]),
  )
