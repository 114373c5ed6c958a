"""Tests the classifier on digits and its score against closed forms."""

import gzip
import math
import os
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax.metrics import classifier

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
DATA_DIR = pathlib.Path(
  os.environ.get(
    "GAN_JAX_DATA_DIR",
    pathlib.Path(__file__).parents[4] / "shared" / "data",
  )
)

init = jax.jit(classifier.init, static_argnums=(1, 2))
features_and_logits = jax.jit(classifier.features_and_logits, static_argnums=2)


def read_idx(path, offset, shape):
  with gzip.open(path) as file:
    content = file.read(offset + math.prod(shape))
  return np.frombuffer(content, np.uint8, offset=offset).reshape(shape)


def digits(split, n):
  """Returns the first n images [n, 28, 28, 1] and labels [n] of MNIST."""
  directory = DATA_DIR / "mnist"
  pixels = read_idx(
    directory / f"{split}-images-idx3-ubyte.gz", 16, (n, 28, 28, 1)
  )
  labels = read_idx(directory / f"{split}-labels-idx1-ubyte.gz", 8, (n,))
  return jnp.asarray(pixels), jnp.asarray(labels, jnp.int32)


def by_convolutions(params, images):
  """Applies the network with XLA's convolutions."""
  names = sorted(
    (name for name in params if name.startswith("Dense_")),
    key=lambda name: int(name.removeprefix("Dense_")),
  )
  x, padding = images, 1
  for name in names[:-1]:
    kernel, bias = params[name]["kernel"], params[name]["bias"]
    channels = x.shape[3]
    # The rows of a kernel are first the 2 x 2 cells, if there are several, then
    # the 2 x 2 pixels of a cell, then its channels.
    cells = 2 if padding else 1
    kernel = kernel.reshape(cells, cells, 2, 2, channels, -1)
    kernel = kernel.transpose(0, 2, 1, 3, 4, 5)
    kernel = kernel.reshape(2 * cells, 2 * cells, channels, -1)
    pads = [(padding, padding + size % 2) for size in x.shape[1:3]]
    x = jax.lax.conv_general_dilated(
      x, kernel, (2, 2), pads, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    x, padding = jax.nn.relu(x + bias[None, None, None]), 0
  dense, logits = params[names[-1]], params["logits"]
  features = jax.nn.leaky_relu(
    x.reshape(len(x), -1) @ dense["kernel"] + dense["bias"][None], 0.2
  )
  return features, features @ logits["kernel"] + logits["bias"][None]


class NetworkTest(parameterized.TestCase):
  @parameterized.parameters((28, 28, 1), (17, 30, 2))
  def test_against_convolutions(self, *shape):
    params = init(KEY, shape, 7)
    images = jax.random.uniform(KEY, (5, *shape), minval=-1)
    # 5 images in batches of 2.
    features, logits = features_and_logits(params, images, 2)
    self.assertEqual((features.shape, logits.shape), ((5, 128), (5, 7)))
    expected, expected_logits = jax.jit(by_convolutions)(params, images)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logits, expected_logits, rtol=1e-4, atol=1e-5)
    self.assertGreater(np.std(logits), 0.01)
    self.assertEqual(features.dtype, jnp.float32)

  @parameterized.parameters(((16, 16, 1), 3), ((64, 64, 3), 5))
  def test_halves_to_four_pixels(self, shape, num_layers):
    # 16 and 8, or 64, 32, 16 and 8 pixels are halved; a dense layer is last.
    params = jax.eval_shape(lambda: classifier.init(KEY, shape, 7))
    self.assertLen(params, num_layers + 1)
    channels = min(32 * 2 ** (num_layers - 2), 128)
    last = params[f"Dense_{num_layers - 1}"]["kernel"]
    self.assertEqual(last.shape, (4 * 4 * channels, 128))

  def test_attributes_change_no_other_layer(self):
    shape = (16, 16, 1)
    plain, params = init(KEY, shape, 3), classifier.init(KEY, shape, 3, (2, 5))
    self.assertEqual(params.pop("attributes")["kernel"].shape, (128, 7))
    jax.tree.map(np.testing.assert_array_equal, params, plain)

  def test_features_of_members_under_a_name(self):
    params = init(KEY, (16, 16, 1), 3)
    features = classifier.trained_features("digits, seed 0", params)
    self.assertEqual(features.name, "digits, seed 0")
    images = jax.random.uniform(KEY, (2, 4, 16, 16, 1))
    mapped = jax.jit(lambda images: jax.lax.map(features.apply, images))(images)
    for index in range(2):
      for measured, expected in zip(
        mapped, features_and_logits(params, images[index]), strict=True
      ):
        np.testing.assert_allclose(measured[index], expected, rtol=1e-5)

  def test_wrong_shape_raises(self):
    params = init(KEY, (16, 16, 1), 3)
    with self.assertRaises(AssertionError):
      classifier.features_and_logits(params, jnp.ones((16, 16, 1)))


class TrainingTest(absltest.TestCase):
  def test_learns_digits(self):
    if not (DATA_DIR / "mnist").is_dir():
      self.skipTest(f"no MNIST in {DATA_DIR}")
    pixels, labels = digits("train", 4_000)
    params = classifier.train(KEY, pixels, labels, epochs=4, batch_size=64)
    test_pixels, test_labels = digits("t10k", 2_000)
    accuracy = classifier.accuracy(params, test_pixels, test_labels)
    self.assertGreater(accuracy, 0.93)
    # The same from the logits, by NumPy.
    images = np.float32(test_pixels) / 127.5 - 1
    features, logits = features_and_logits(params, images)
    predicted = np.argmax(logits, axis=1)
    np.testing.assert_allclose(
      accuracy, np.mean(predicted == test_labels), atol=1e-3
    )
    # No feature is constant.
    self.assertGreater(np.min(np.std(features, axis=0)), 0.01)
    # Sure of ten classes that are about equally frequent.
    self.assertGreater(classifier.classifier_score(logits), 7.5)

  def test_a_function_of_the_key(self):
    pixels = jnp.asarray(RNG.integers(256, size=(50, 16, 16, 1)), jnp.uint8)
    labels = jnp.arange(50) % 3

    epochs = []

    def train(seed):
      return classifier.train(
        jax.random.key(seed),
        pixels,
        labels,
        3,
        epochs=2,
        batch_size=16,
        on_epoch=lambda: epochs.append(seed),
      )

    first, again, other = train(0), train(0), train(1)
    self.assertEqual(epochs, [0, 0, 0, 0, 1, 1])
    for name, layer in first.items():
      np.testing.assert_array_equal(layer["kernel"], again[name]["kernel"])
      self.assertGreater(
        np.max(np.abs(layer["kernel"] - other[name]["kernel"])), 0.01
      )

  def test_learns_attributes(self):
    # The class is the first row's colour, and each attribute another row's.
    n, sizes = 384, (3, 4)
    numbers = RNG.integers((2, *sizes), size=(n, 3))
    pixels = np.zeros((n, 16, 16, 1), np.uint8)
    for index, row in enumerate((2, 7, 12)):
      pixels[:, row - 2 : row + 3] = 60 * numbers[:, index, None, None, None]
    params = classifier.train(
      KEY,
      jnp.asarray(pixels),
      jnp.asarray(numbers[:, 0]),
      2,
      epochs=25,
      batch_size=32,
      attributes=jnp.asarray(numbers[:, 1:]),
      attribute_sizes=sizes,
    )
    images = np.float32(pixels) / 127.5 - 1
    features, logits = features_and_logits(params, images)
    head = jax.tree.map(np.asarray, params["attributes"])
    of_attributes = np.asarray(features) @ head["kernel"] + head["bias"]
    for predicted, truth in zip(
      (logits, of_attributes[:, :3], of_attributes[:, 3:]),
      numbers.T,
      strict=True,
    ):
      self.assertGreater(np.mean(np.argmax(predicted, axis=1) == truth), 0.9)

  def test_wrong_arguments_raise(self):
    pixels, labels = jnp.zeros((9, 16, 16, 1), jnp.uint8), jnp.zeros(9, int)
    with self.assertRaises(AssertionError):
      classifier.train(KEY, pixels, labels[:8], batch_size=4)
    with self.assertRaises(AssertionError):
      classifier.train(KEY, pixels / 255, labels, batch_size=4)
    with self.assertRaises(AssertionError):
      classifier.train(KEY, pixels, labels, batch_size=10)
    with self.assertRaises(AssertionError):
      classifier.train(
        KEY,
        pixels,
        labels,
        batch_size=4,
        attributes=jnp.zeros((9, 2), int),
        attribute_sizes=(2, 3, 4),
      )


class ScoreTest(parameterized.TestCase):
  @parameterized.parameters(1e4, np.inf)
  def test_sure_and_balanced(self, margin):
    # KL(one-hot || uniform) = log k.
    logits = jnp.where(jnp.tile(jnp.eye(5), (4, 1)) > 0, 0, -margin)
    np.testing.assert_allclose(
      classifier.classifier_score(logits), 5, rtol=1e-5
    )

  def test_constant(self):
    logits = jnp.tile(jnp.asarray([[0.3, -2, 1, -np.inf]]), (6, 1))
    np.testing.assert_allclose(
      classifier.classifier_score(logits), 1, rtol=1e-6
    )

  def test_sure_and_unbalanced(self):
    # Three of one class and one of another: exp(H(3/4, 1/4)) = 4 / 27^(1/4).
    logits = 1e3 * jnp.eye(3)[jnp.asarray([0, 0, 2, 0])]
    np.testing.assert_allclose(
      classifier.classifier_score(logits), 4 / 27**0.25, rtol=1e-5
    )

  def test_of_log_probabilities(self):
    probabilities = RNG.dirichlet(np.ones(10), size=100)
    marginal = probabilities.mean(axis=0)
    divergences = np.sum(
      probabilities * np.log(probabilities / marginal), axis=1
    )
    measured = jax.jit(classifier.classifier_score)(
      jnp.asarray(np.log(probabilities), jnp.float32)
    )
    np.testing.assert_allclose(
      measured, np.exp(np.mean(divergences)), rtol=1e-5
    )
    self.assertEqual(measured.dtype, jnp.float32)

  def test_histogram(self):
    logits = jnp.asarray([[1.0, 0, 0], [0, 0, 2], [3, 1, 2], [5, 4, -1e4]])
    np.testing.assert_allclose(
      classifier.class_histogram(logits), [0.75, 0, 0.25]
    )

  def test_wrong_shape_raises(self):
    with self.assertRaises(AssertionError):
      classifier.classifier_score(jnp.ones(3))

  def test_a_class_is_covered_by_a_tenth_of_its_share(self):
    # 100 images of 5 classes, whose equal share is 20: 2 are enough, 1 is not.
    labels = np.repeat([0, 1, 2, 3], [90, 7, 2, 1])
    logits = jnp.asarray(np.eye(5, dtype=np.float32)[labels])
    self.assertEqual(classifier.classes_covered(logits), 3)
    with self.assertRaises(AssertionError):
      classifier.class_histogram(jnp.ones(3))


if __name__ == "__main__":
  absltest.main()
