"""Semi-supervised learning: the discriminator is a classifier of K classes."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from gan_jax import sharding
from gan_jax.games.game import Game
from gan_jax.losses import AdversarialLoss
from gan_jax.networks.application import (
  apply_network,
  evaluate_network,
  generate_samples,
  split_variables,
)
from gan_jax.types import (
  Array,
  Conditional,
  Params,
  Players,
  PRNGKey,
  Variables,
)

LABELLED = "labelled"
"""Name of the labelled samples among the discriminator's variables."""


def semi_supervised(
  generator: nn.Module,
  classifier: nn.Module,
  loss: AdversarialLoss,
  latents: Callable[[PRNGKey, int], Array],
  labelled: Callable[[PRNGKey], Conditional],
  matches_features: bool = True,
  unsupervised: bool = True,
) -> Game:
  """Makes the game of a generator against a classifier.

  The classifier's logits l [K] and a logit 0 for generated samples are those of
  K + 1 classes. The probability that a sample is real is then

    D(x) = Z(x) / (Z(x) + 1),  Z(x) = sum_k exp l_k(x),

  whose logit is log Z. The classifier minimises, over labelled samples (y, k),
  unlabelled x and generated G(z),

    J_D = -E log p(k | y, real) + 1/2 L_D(log Z(x), log Z(G(z))),

  where p(. | y, real) is the softmax of the K logits. The generator minimises
  L_G(log Z(x), log Z(G(z))), or for features f of the classifier

    J_G = |E f(x) - E f(G(z))|^2.

  Batches are unlabelled samples. Every evaluation of the costs draws as many
  labelled ones, uniformly with replacement.

  Args:
    generator: module (latents [n, k], train) -> samples [n, ...].
    classifier: module (samples [n, ...], train) -> (features [n, d], logits
      [n, K]). It must not mix the samples of a minibatch. It is initialised in
      training mode with the labelled samples.
    loss: both players' costs as functions of log Z. With `non_saturating`, L_D
      is the cross-entropy -E log D(x) - E log(1 - D(G(z))).
    latents: (key, n) -> [n, k], the prior.
    labelled: key -> `Conditional` of samples [m, ...] and their labels int32
      [m]. `init` draws them, and they are in the discriminator's variables, so
      every seed of a run can have others.
    matches_features: whether the generator matches features.
    unsupervised: whether there are unlabelled and generated samples in the
      costs. Otherwise the classifier learns from the labelled samples alone,
      and the generator's cost is 0.

  Returns:
    The game; its `discriminate` is log Z. Its metrics are `label_cost`, the
    first term of J_D; and if it is `unsupervised`, those of D as in
    `adversarial`, and `feature_distance`, |E f(x) - E f(G(z))|^2.

  References:
    Salimans et al., Improved Techniques for Training GANs, arXiv 1606.03498.
      The paper's loss is `non_saturating`.
  """

  def init(key):
    generator_key, key = jax.random.split(key)
    latents_key, labelled_key, key = jax.random.split(key, 3)
    classifier_key, noise_key = jax.random.split(key)
    pool = labelled(labelled_key)
    generator_params, generator_variables = split_variables(
      generator.init(generator_key, latents(latents_key, 1))
    )
    classifier_params, classifier_variables = split_variables(
      classifier.init(
        {"params": classifier_key, "dropout": noise_key},
        pool.samples,
        train=True,
      )
    )
    return (
      Players(generator_params, classifier_params),
      Players(generator_variables, {**classifier_variables, LABELLED: pool}),
    )

  def costs(params, variables, batch, key):
    generator_key, draw_key, real_key, fake_key = jax.random.split(key, 4)
    real = sharding.split(batch)
    n = len(real)
    pool, network_variables = _separate(variables.discriminator)
    chosen = jax.random.randint(draw_key, (n,), 0, len(pool.samples))
    y, labels = sharding.split(jax.tree.map(lambda x: x[chosen], tuple(pool)))

    def classify(x, key):
      outputs, _ = apply_network(
        classifier, params.discriminator, network_variables, x, key
      )
      chex.assert_rank(outputs, 2)
      return outputs

    def label_cost(logits):
      return jnp.mean(
        optax.softmax_cross_entropy_with_integer_labels(logits, labels)
      )

    if not unsupervised:
      cost = label_cost(classify(y, real_key)[1])
      return (
        Players(jnp.zeros(()), cost),
        (variables, {"label_cost": cost}),
      )
    # Apart from generated samples, which alone the generator's gradient passes.
    features, logits = classify(
      sharding.split(jnp.concatenate([y, real])), real_key
    )
    fake, generator_variables = generate_samples(
      generator,
      latents,
      params.generator,
      variables.generator,
      generator_key,
      n,
    )
    fake_features, fake_logits = classify(fake, fake_key)
    cost = label_cost(logits[:n])
    binary = [log_sum(logits[n:]), log_sum(fake_logits)]
    distance = feature_distance(features[n:], fake_features)
    return (
      Players(
        distance if matches_features else loss.generator(*binary),
        cost + 0.5 * loss.discriminator(*binary),
      ),
      (
        Players(generator_variables, variables.discriminator),
        {
          "label_cost": cost,
          **loss.measure(*binary),
          "feature_distance": distance,
        },
      ),
    )

  def sample(params, variables, key, n):
    return evaluate_network(
      generator,
      params.generator,
      variables.generator,
      sharding.split(latents(key, n)),
    )

  def discriminate(params, variables, x):
    return log_sum(
      classify(classifier, params.discriminator, variables.discriminator, x)
    )

  return Game(init, costs, sample, discriminate=discriminate)


def log_sum(logits: Array) -> Array:
  """Computes log Z [n], the logit of D, from the logits [n, K] of classes."""
  chex.assert_rank(logits, 2)
  return jax.scipy.special.logsumexp(logits, axis=1)


def feature_distance(real: Array, fake: Array) -> Array:
  """Computes |E f(x) - E f(G(z))|^2 of features [n, d] and [m, d]."""
  chex.assert_equal_shape_suffix([real, fake], 1)
  return jnp.sum(jnp.square(jnp.mean(real, axis=0) - jnp.mean(fake, axis=0)))


def classify(
  classifier: nn.Module, params: Params, variables: Variables, x: Array
) -> Array:
  """Computes the logits [n, K] of samples by a discriminator of this game."""
  _, network_variables = _separate(variables)
  _, logits = evaluate_network(classifier, params, network_variables, x)
  return logits


def _separate(variables: Variables) -> tuple[Conditional, Variables]:
  """Separates the labelled samples from a classifier's Flax collections."""
  network_variables = dict(variables)
  return network_variables.pop(LABELLED), network_variables
