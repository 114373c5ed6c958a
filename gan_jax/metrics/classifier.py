"""A small image classifier for metrics, and the metrics of its logits.

Scores from different features cannot be compared, so every result states the
name of its `Features`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from gan_jax.data.images import to_unit
from gan_jax.types import Array, Params, PRNGKey

VERSION = 1
"""Increase it when training on the same images gives different features."""
BATCH_SIZE = 128
"""Images in a minibatch of `train`, which needs at least this number."""
EPOCHS = 8
"""Passes of `train` over the images."""


class Features(NamedTuple):
  """A network that maps images to the features and logits of metrics.

  Attributes:
    name: written into results; names the network, its data and its seed.
    apply: images [n, height, width, channels] in [-1, 1] -> (features [n, d],
      logits [n, k]). It is a pytree of its parameters, so that a compiled
      program can take it as an argument and need not hold them as constants.
  """

  name: str
  apply: Callable[[Array], tuple[Array, Array]]


def _cells(x: Array) -> Array:
  """Moves each 2x2 pixels to channels, [n, h, w, c] -> [n, h/2, w/2, 4 c]."""
  n, height, width, channels = x.shape
  x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
  x = x.reshape(n, -(-height // 2), 2, -(-width // 2), 2, channels)
  return x.transpose(0, 1, 3, 2, 4, 5).reshape(*x.shape[:2], x.shape[3], -1)


def _overlapping_cells(x: Array) -> Array:
  """Moves the 4x4 pixels around each 2x2 to channels, [n, h/2, w/2, 16 c]."""
  x = _cells(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))))
  corners = x[:, :-1, :-1], x[:, :-1, 1:], x[:, 1:, :-1], x[:, 1:, 1:]
  return jnp.concatenate(corners, axis=-1)


class Classifier(nn.Module):
  """Strided convolutions down to at most 4x4 positions, and a dense layer.

  The first kernel is 4x4 and the others 2x2, all with stride 2.

  Attributes:
    num_classes: k.
    num_features: d, the units of the dense layer.
    num_values: a, the values of all attributes of an image together.
  """

  num_classes: int
  num_features: int = 128
  num_values: int = 0

  @nn.compact
  def __call__(self, images: Array) -> tuple[Array, Array, Array]:
    """Maps images [n, h, w, c] to features and logits.

    Returns features [n, d], the classes' logits [n, k], and those of the
    attributes [n, a].
    """
    chex.assert_rank(images, 4)
    # The convolutions are dense layers on patches, because the gradient of
    # XLA's convolutions inside a loop takes 40 times as long on a CPU. The
    # gradient of gathering overlapping patches is slow too; the first layer
    # does not need it.
    channels = 32
    x = nn.relu(nn.Dense(channels)(_overlapping_cells(images)))
    while max(x.shape[1:3]) > 4:
      channels = min(2 * channels, 128)
      x = nn.relu(nn.Dense(channels)(_cells(x)))
    x = x.reshape(len(x), -1)
    # With ReLU a third of the features would be 0 for all images.
    features = nn.leaky_relu(nn.Dense(self.num_features)(x), 0.2)
    logits = nn.Dense(self.num_classes, name="logits")(features)
    of_attributes = jnp.zeros((len(x), 0))
    if self.num_values:
      of_attributes = nn.Dense(self.num_values, name="attributes")(features)
    return features, logits, of_attributes


def _apply(params: Params, images: Array) -> tuple[Array, Array, Array]:
  """Applies the classifier whose size the parameters determine."""
  num_features, num_classes = params["logits"]["kernel"].shape
  num_values = 0
  if "attributes" in params:
    num_values = params["attributes"]["kernel"].shape[1]
  network = Classifier(num_classes, num_features, num_values)
  outputs: Any = network.apply({"params": params}, images)
  return outputs


def _shifted(key: PRNGKey, pixels: Array, distance: int) -> Array:
  """Shifts each image by up to `distance` pixels and fills in black."""
  around = ((0, 0), (distance, distance), (distance, distance), (0, 0))
  corners = jax.random.randint(key, (len(pixels), 2), 0, 2 * distance + 1)
  return jax.vmap(
    lambda image, corner: jax.lax.dynamic_slice(
      image, (corner[0], corner[1], 0), pixels.shape[1:]
    )
  )(jnp.pad(pixels, around), corners)


def init(
  key: PRNGKey,
  shape: Sequence[int],
  num_classes: int,
  attribute_sizes: Sequence[int] = (),
) -> Params:
  """Draws the parameters of a classifier.

  `shape` is the height, width and channels of an image, with sides of at least
  16 pixels. `attribute_sizes` are as in `train`.
  """
  network = Classifier(num_classes, num_values=sum(attribute_sizes))
  return network.init(key, jnp.zeros((1, *shape)))["params"]


def train(
  key: PRNGKey,
  pixels: Array,
  labels: Array,
  num_classes: int = 10,
  epochs: int = EPOCHS,
  batch_size: int = BATCH_SIZE,
  learning_rate: float = 2e-3,
  shift: int = 1,
  on_epoch: Callable[[], None] = lambda: None,
  attributes: Array | None = None,
  attribute_sizes: tuple[int, ...] = (),
) -> Params:
  """Trains a classifier by Adam on the cross-entropy and returns its params.

  With attributes, the features also have to tell the value of each: their
  cross-entropies are added. Few classes that are easy to tell apart leave
  features that know little else.

  The learning rate decays to 0 along half a cosine. Every epoch takes the
  images in a random order and leaves out those that do not fill a minibatch.

  Args:
    key: the only source of randomness.
    pixels: [n, height, width, channels] uint8, n >= batch_size.
    labels: [n] integers, 0 to num_classes - 1.
    num_classes: k.
    epochs: passes over the images.
    batch_size: images in a minibatch.
    learning_rate: learning rate of the first step.
    shift: largest random shift of an image in pixels.
    on_epoch: called after each epoch.
    attributes: [n, m] integers, the value of each attribute of an image, from 0
      to its size - 1; None for images without.
    attribute_sizes: number of values of each attribute.

  References:
    Kingma and Ba, Adam: A Method for Stochastic Optimization, arXiv 1412.6980.
    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts,
      arXiv 1608.03983, equation 5.
  """
  n = len(pixels)
  chex.assert_rank(pixels, 4)
  chex.assert_type(pixels, jnp.uint8)
  chex.assert_shape(labels, (n,))
  chex.assert_scalar_in(batch_size, 1, n)
  if attributes is None:
    attributes = jnp.zeros((n, 0), jnp.int32)
  chex.assert_shape(attributes, (n, len(attribute_sizes)))
  init_key, train_key = jax.random.split(key)
  params = jax.jit(init, static_argnums=(1, 2, 3))(
    init_key, pixels.shape[1:], num_classes, attribute_sizes
  )
  state = _optimizer(learning_rate, epochs * (n // batch_size)).init(params)
  for epoch_key in jax.random.split(train_key, epochs):
    params, state = _train_epoch(
      params,
      state,
      epoch_key,
      pixels,
      labels,
      attributes,
      learning_rate,
      epochs,
      batch_size,
      shift,
      attribute_sizes,
    )
    jax.block_until_ready(params)
    on_epoch()
  return params


def _optimizer(
  learning_rate: float, num_steps: int
) -> optax.GradientTransformation:
  return optax.adam(optax.cosine_decay_schedule(learning_rate, num_steps))


@functools.partial(
  jax.jit,
  static_argnames=("epochs", "batch_size", "shift", "attribute_sizes"),
)
def _train_epoch(
  params: Params,
  state: optax.OptState,
  key: PRNGKey,
  pixels: Array,
  labels: Array,
  attributes: Array,
  learning_rate: float,
  epochs: int,
  batch_size: int,
  shift: int,
  attribute_sizes: tuple[int, ...],
) -> tuple[Params, optax.OptState]:
  """Trains a classifier for one of `epochs`."""
  n = len(pixels)
  num_batches = n // batch_size
  optimizer = _optimizer(learning_rate, epochs * num_batches)
  starts = [sum(attribute_sizes[:i]) for i in range(len(attribute_sizes))]

  def cross_entropy(logits, labels):
    return jnp.mean(
      optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    )

  def cost(params, images, labels, attributes):
    _, logits, of_attributes = _apply(params, images)
    total = cross_entropy(logits, labels)
    for index, (start, size) in enumerate(
      zip(starts, attribute_sizes, strict=True)
    ):
      logits = of_attributes[:, start : start + size]
      total += cross_entropy(logits, attributes[:, index])
    return total

  def step(carry, batch):
    params, state = carry
    chosen, key = batch
    images = to_unit(_shifted(key, pixels[chosen], shift))
    gradients = jax.grad(cost)(
      params, images, labels[chosen], attributes[chosen]
    )
    updates, state = optimizer.update(gradients, state)
    return (optax.apply_updates(params, updates), state), None

  order_key, shift_key = jax.random.split(key)
  order = jax.random.permutation(order_key, n)[: num_batches * batch_size]
  batches = order.reshape(num_batches, batch_size)
  keys = jax.random.split(shift_key, num_batches)
  return jax.lax.scan(step, (params, state), (batches, keys))[0]


@jax.default_matmul_precision("highest")
def features_and_logits(
  params: Params, images: Array, batch_size: int = 250
) -> tuple[Array, Array]:
  """Computes the features and the classes' logits of images, batch by batch.

  Matrix products have full precision, so that accelerators give the same score.

  Args:
    params: the classifier's parameters.
    images: [n, height, width, channels] in [-1, 1].
    batch_size: images in memory at the same time.

  Returns:
    The units of the last hidden layer, [n, d], and the logits, [n, k].
  """
  chex.assert_rank(images, 4)

  def apply(image):
    features, logits, _ = _apply(params, image[None])
    return features[0], logits[0]

  return jax.lax.map(apply, images, batch_size=batch_size)


def trained_features(name: str, params: Params) -> Features:
  """Returns a trained classifier as named `Features`."""
  return Features(name, jax.tree_util.Partial(features_and_logits, params))


@jax.jit
def accuracy(params: Params, pixels: Array, labels: Array) -> Array:
  """Computes the `label_accuracy` of a classifier on images.

  `pixels` are uint8 [n, height, width, channels], and `labels` integers [n].
  """
  chex.assert_type(pixels, jnp.uint8)
  _, logits = features_and_logits(params, to_unit(pixels))
  return label_accuracy(logits, labels)


def _has_probabilities(logits: Array) -> Array:
  """Tells whether every row of logits [n, k] has a softmax, []."""
  # The maximum is NaN if a logit is, and -inf if no class is possible.
  return jnp.all(jnp.isfinite(jnp.max(logits, axis=-1)))


def label_accuracy(logits: Array, labels: Array) -> Array:
  """Computes the fraction of images whose largest logit is that of the label.

  The logits are [n, k], and the labels integers [n]. It is NaN if the logits of
  an image have no softmax.
  """
  chex.assert_rank(logits, 2)
  chex.assert_shape(labels, (len(logits),))
  correct = jnp.argmax(logits, axis=-1) == labels
  fraction = jnp.mean(correct, dtype=jnp.float32)
  return jnp.where(_has_probabilities(logits), fraction, jnp.nan)


def classifier_score(logits: Array) -> Array:
  """Computes the Inception score's formula for any classifier.

  exp(1/n sum_i KL(p(y | x_i) || p(y))),  p(y) = 1/n sum_i p(y | x_i).

  It is k if every image belongs to one class with certainty and the classes are
  equally frequent, and 1 if p(y | x) is the same for all images. With few
  images it is too small, its logarithm by at most (k - 1) / 2 n. It does not
  measure variety within a class, nor whether images look real.

  Args:
    logits: [n, k] logits or log-probabilities; entries may be -inf. The score
      is NaN if those of an image have no softmax.

  References:
    Salimans et al., Improved Techniques for Training GANs, arXiv 1606.03498,
      section 4.
  """
  chex.assert_rank(logits, 2)
  probabilities = jax.nn.softmax(logits, axis=-1)
  marginal = jnp.mean(probabilities, axis=0, keepdims=True)
  terms = jax.scipy.special.rel_entr(
    probabilities, jnp.broadcast_to(marginal, probabilities.shape)
  )
  score = jnp.exp(jnp.mean(jnp.sum(terms, axis=-1)))
  # The relative entropy of NaN is infinite.
  return jnp.where(_has_probabilities(logits), score, jnp.nan)


def class_histogram(logits: Array) -> Array:
  """Returns the fraction of images in each predicted class, [n, k] -> [k].

  The fractions are NaN if the logits of an image have no softmax.
  """
  chex.assert_rank(logits, 2)
  predicted = jax.nn.one_hot(jnp.argmax(logits, axis=-1), logits.shape[1])
  shares = jnp.mean(predicted, axis=0)
  return jnp.where(_has_probabilities(logits), shares, jnp.nan)


def classes_covered(logits: Array) -> Array:
  """Counts the classes predicted for at least 0.1 n / k of n images, as float.

  The logits are [n, k]. The count is NaN if those of an image have no softmax.
  """
  shares = class_histogram(logits)
  count = jnp.sum(shares >= 0.1 / len(shares), dtype=jnp.float32)
  return jnp.where(_has_probabilities(logits), count, jnp.nan)
