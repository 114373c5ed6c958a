"""A small image classifier, whose features and judgements are metrics.

Scores of different features cannot be compared: a result carries the name of
the `Features` that it was measured with.
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
"""To be raised when the same images would train other features."""
BATCH_SIZE = 128
"""Images in a minibatch of `train`, which needs as many."""


class Features(NamedTuple):
  """How images become the vectors, and class logits, that metrics compare.

  Attributes:
    name: stamped into results; says the network, its data and its seed.
    apply: images [n, height, width, channels] in [-1, 1] -> (features [n, d],
      logits [n, k]). A pytree of its parameters, which a compiled program can
      take as an argument instead of holding them as constants.
  """

  name: str
  apply: Callable[[Array], tuple[Array, Array]]


def _cells(x: Array) -> Array:
  """Puts 2x2 pixels in the place of one: [n, h, w, c] -> [n, h/2, w/2, 4 c]."""
  n, height, width, channels = x.shape
  x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
  x = x.reshape(n, -(-height // 2), 2, -(-width // 2), 2, channels)
  return x.transpose(0, 1, 3, 2, 4, 5).reshape(*x.shape[:2], x.shape[3], -1)


def _overlapping_cells(x: Array) -> Array:
  """Puts 4x4 pixels around each 2x2 in its place, [n, h/2, w/2, 16 c]."""
  x = _cells(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))))
  corners = x[:, :-1, :-1], x[:, :-1, 1:], x[:, 1:, :-1], x[:, 1:, 1:]
  return jnp.concatenate(corners, axis=-1)


class Classifier(nn.Module):
  """Strided convolutions to at most 4x4 positions, and a dense layer.

  The first kernel is 4x4 and the others 2x2, all of stride 2.

  Attributes:
    num_classes: k.
    num_features: d, units of the dense layer.
  """

  num_classes: int
  num_features: int = 128

  @nn.compact
  def __call__(self, images: Array) -> tuple[Array, Array]:
    """Maps images [n, h, w, c] to features [n, d] and logits [n, k]."""
    chex.assert_rank(images, 4)
    # Dense layers on the pixels under a kernel: inside a loop a CPU takes 40
    # times as long for the gradient of XLA's convolutions. Where kernels
    # overlap it takes long for that of gathering the pixels too, which the
    # first layer does not need.
    channels = 32
    x = nn.relu(nn.Dense(channels)(_overlapping_cells(images)))
    while max(x.shape[1:3]) > 4:
      channels = min(2 * channels, 128)
      x = nn.relu(nn.Dense(channels)(_cells(x)))
    x = x.reshape(len(x), -1)
    # A rectifier would leave a third of the features at 0 for all images.
    features = nn.leaky_relu(nn.Dense(self.num_features)(x), 0.2)
    return features, nn.Dense(self.num_classes, name="logits")(features)


def _apply(params: Params, images: Array) -> tuple[Array, Array]:
  """Applies the classifier that has these parameters."""
  network = Classifier(*params["logits"]["kernel"].shape[::-1])
  outputs: Any = network.apply({"params": params}, images)
  return outputs


def _shifted(key: PRNGKey, pixels: Array, distance: int) -> Array:
  """Moves each image by up to `distance` pixels, filled in with black."""
  around = ((0, 0), (distance, distance), (distance, distance), (0, 0))
  corners = jax.random.randint(key, (len(pixels), 2), 0, 2 * distance + 1)
  return jax.vmap(
    lambda image, corner: jax.lax.dynamic_slice(
      image, (corner[0], corner[1], 0), pixels.shape[1:]
    )
  )(jnp.pad(pixels, around), corners)


def init(key: PRNGKey, shape: Sequence[int], num_classes: int) -> Params:
  """Draws the parameters of a classifier.

  Args:
    key: randomness.
    shape: height, width and channels of an image, of 16 pixels or more.
    num_classes: k.

  Returns:
    The parameters.
  """
  return Classifier(num_classes).init(key, jnp.zeros((1, *shape)))["params"]


@functools.partial(
  jax.jit, static_argnames=("num_classes", "epochs", "batch_size", "shift")
)
def train(
  key: PRNGKey,
  pixels: Array,
  labels: Array,
  num_classes: int = 10,
  epochs: int = 8,
  batch_size: int = BATCH_SIZE,
  learning_rate: float = 2e-3,
  shift: int = 1,
) -> Params:
  """Trains a classifier by Adam on the cross-entropy of its logits.

  The learning rate falls to 0 along half a cosine. An epoch takes the images in
  a random order, and leaves out those that do not fill a minibatch.

  Args:
    key: the only source of randomness.
    pixels: [n, height, width, channels] uint8, n >= batch_size.
    labels: [n] integers, 0 to num_classes - 1.
    num_classes: k.
    epochs: passes over the images.
    batch_size: images in a minibatch.
    learning_rate: of the first step.
    shift: pixels that an image may be moved by, each time that it is seen.

  Returns:
    The parameters.

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
  init_key, train_key = jax.random.split(key)
  params = init(init_key, pixels.shape[1:], num_classes)
  num_batches = n // batch_size
  optimizer = optax.adam(
    optax.cosine_decay_schedule(learning_rate, epochs * num_batches)
  )

  def cost(params, images, labels):
    _, logits = _apply(params, images)
    return jnp.mean(
      optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    )

  def step(carry, batch):
    params, state = carry
    chosen, key = batch
    images = to_unit(_shifted(key, pixels[chosen], shift))
    gradients = jax.grad(cost)(params, images, labels[chosen])
    updates, state = optimizer.update(gradients, state)
    return (optax.apply_updates(params, updates), state), None

  def epoch(carry, key):
    order_key, shift_key = jax.random.split(key)
    order = jax.random.permutation(order_key, n)[: num_batches * batch_size]
    batches = order.reshape(num_batches, batch_size)
    keys = jax.random.split(shift_key, num_batches)
    return jax.lax.scan(step, carry, (batches, keys))

  (params, _), _ = jax.lax.scan(
    epoch,
    (params, optimizer.init(params)),
    jax.random.split(train_key, epochs),
  )
  return params


@jax.default_matmul_precision("highest")
def features_and_logits(
  params: Params, images: Array, batch_size: int = 250
) -> tuple[Array, Array]:
  """Computes the features and the logits of images, a batch at a time.

  In full precision, so that a score is the same on an accelerator.

  Args:
    params: of a classifier.
    images: [n, height, width, channels] in [-1, 1].
    batch_size: images in memory at once.

  Returns:
    The units of the last hidden layer, [n, d], and the logits, [n, k].
  """
  chex.assert_rank(images, 4)

  def apply(image):
    features, logits = _apply(params, image[None])
    return features[0], logits[0]

  return jax.lax.map(apply, images, batch_size=batch_size)


def trained_features(name: str, params: Params) -> Features:
  """Returns the features of a trained classifier under a name."""
  return Features(name, jax.tree_util.Partial(features_and_logits, params))


@jax.jit
def accuracy(params: Params, pixels: Array, labels: Array) -> Array:
  """Computes the share of images whose largest logit is their label's.

  Args:
    params: of a classifier.
    pixels: [n, height, width, channels] uint8.
    labels: [n] integers.

  Returns:
    A scalar, from 0 to 1.
  """
  chex.assert_type(pixels, jnp.uint8)
  chex.assert_shape(labels, (len(pixels),))
  _, logits = features_and_logits(params, to_unit(pixels))
  return jnp.mean(jnp.argmax(logits, axis=-1) == labels, dtype=jnp.float32)


def classifier_score(logits: Array) -> Array:
  """Computes the Inception score's formula on any classifier.

  exp(1/n sum_i KL(p(y | x_i) || p(y))),  p(y) = 1/n sum_i p(y | x_i),

  which is k where every image is surely of one class and the classes are
  equally frequent, and 1 where p(y | x) is the same for all images. From few
  images it is too small, its logarithm by (k - 1) / 2 n at most. It does not
  see how varied the images of a class are, nor whether they look real.

  Args:
    logits: [n, k], or log-probabilities, which softmax leaves as they are; some
      of a row may be -inf.

  Returns:
    A scalar, from 1 to k.

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
  return jnp.exp(jnp.mean(jnp.sum(terms, axis=-1)))


def class_histogram(logits: Array) -> Array:
  """Returns the share of images in each predicted class, [n, k] -> [k]."""
  chex.assert_rank(logits, 2)
  predicted = jax.nn.one_hot(jnp.argmax(logits, axis=-1), logits.shape[1])
  return jnp.mean(predicted, axis=0)


def classes_covered(logits: Array) -> Array:
  """Counts the classes that get a tenth of an equal share of images or more.

  Args:
    logits: [n, k].

  Returns:
    [] float32, from 1 to k.
  """
  shares = class_histogram(logits)
  return jnp.sum(shares >= 0.1 / len(shares), dtype=jnp.float32)
