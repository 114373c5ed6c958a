"""Tests Inception against NumPy, its resizing and its weights."""

import functools
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from gan_jax.metrics import inception

RNG = np.random.default_rng(0)


@functools.cache
def random_weights():
  """Returns weights that keep maps at a size of about 1."""
  weights = {}
  for name, shape in inception.weight_shapes().items():
    values = RNG.standard_normal(shape, dtype=np.float32)
    if len(shape) > 1:
      weights[name] = values * np.float32((2 / np.prod(shape[1:])) ** 0.5)
    elif name.endswith(("bn.weight", "running_var")):
      weights[name] = 0.5 + RNG.random(shape, dtype=np.float32)
    else:
      weights[name] = values / 4
  return weights


# The network, of one image [h, w, c]. Names are those of the file.


def windows(x, height, width, stride):
  """Returns [h', w', c, height, width]."""
  shape = (height, width)
  views = np.lib.stride_tricks.sliding_window_view(x, shape, axis=(0, 1))
  return views[::stride, ::stride]


def padded(x, height, width, value):
  sides = ((height // 2,) * 2, (width // 2,) * 2, (0, 0))
  return np.pad(x, sides, constant_values=value)


def layer(name, x, stride=1, padding=True):
  weights = random_weights()
  kernel = weights[f"{name}.conv.weight"]
  height, width = kernel.shape[2:]
  if padding:
    x = padded(x, height, width, 0)
  x = windows(x, height, width, stride)
  x = np.tensordot(x, kernel, ((2, 3, 4), (1, 2, 3)))
  gamma, beta, mean, variance = (
    weights[f"{name}.bn.{each}"]
    for each in ("weight", "bias", "running_mean", "running_var")
  )
  return np.maximum((x - mean) / np.sqrt(variance + 0.001) * gamma + beta, 0)


def pool(x, reduce):
  """Reduces 3 x 3 places without those beyond the border."""
  return reduce(windows(padded(x, 3, 3, np.nan), 3, 3, 1), axis=(3, 4))


def halved(x):
  return windows(x, 3, 3, 2).max(axis=(3, 4))


def block(name, x, branches, reduce):
  """Applies branches of layers; the last one is pooled first."""
  outputs = []
  for branch in branches:
    y = x
    for each in branch.split():
      y = layer(f"{name}.{each}", y)
    outputs.append(y)
  pooled = layer(f"{name}.branch_pool", pool(x, reduce))
  return np.concatenate([*outputs, pooled], axis=2)


def halving_block(name, x, branches):
  """Applies branches whose last layer halves without padding."""
  outputs = []
  for branch in branches:
    *layers, last = branch.split()
    y = x
    for each in layers:
      y = layer(f"{name}.{each}", y)
    outputs.append(layer(f"{name}.{last}", y, stride=2, padding=False))
  return np.concatenate([*outputs, halved(x)], axis=2)


def numbered(name, count):
  return " ".join(f"{name}_{i + 1}" for i in range(count))


A = ("branch1x1", numbered("branch5x5", 2), numbered("branch3x3dbl", 3))
B = ("branch3x3", numbered("branch3x3dbl", 3))
C = ("branch1x1", numbered("branch7x7", 3), numbered("branch7x7dbl", 5))
D = (numbered("branch3x3", 2), numbered("branch7x7x3", 4))
E = (
  "branch1x1",
  "branch3x3_1 branch3x3_2a",
  "branch3x3_1 branch3x3_2b",
  "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a",
  "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3b",
)


def features_and_logits(x):
  x = layer("Conv2d_1a_3x3", x, stride=2, padding=False)
  x = layer("Conv2d_2a_3x3", x, padding=False)
  x = halved(layer("Conv2d_2b_3x3", x))
  x = layer("Conv2d_3b_1x1", x)
  x = halved(layer("Conv2d_4a_3x3", x, padding=False))
  for letter in "bcd":
    x = block(f"Mixed_5{letter}", x, A, np.nanmean)
  x = halving_block("Mixed_6a", x, B)
  for letter in "bcde":
    x = block(f"Mixed_6{letter}", x, C, np.nanmean)
  x = halving_block("Mixed_7a", x, D)
  x = block("Mixed_7b", x, E, np.nanmean)
  x = block("Mixed_7c", x, E, np.nanmax)
  features = x.mean(axis=(0, 1))
  return features, random_weights()["fc.weight"] @ features


def as_bytes(images):
  """Stores images [-1, 1] in bytes, and reads them."""
  stored = np.clip(np.round((images.astype(float) + 1) / 2 * 255), 0, 255)
  return (stored.astype(np.uint8) / 255 * 2 - 1).astype(np.float32)


def resized(image):
  """Interpolates between pixels, whose centres are at halves."""

  def along_rows(image):
    side = len(image)
    places = np.clip((np.arange(299) + 0.5) * side / 299 - 0.5, 0, side - 1)
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, side - 1)
    share = (places - below)[:, None, None]
    return image[below] * (1 - share) + image[above] * share

  both = along_rows(along_rows(image).swapaxes(0, 1)).swapaxes(0, 1)
  return np.float32(np.repeat(both, 3 // image.shape[2], axis=2))


class NetworkTest(parameterized.TestCase):
  @pytest.mark.slow
  def test_against_numpy(self):
    images = RNG.uniform(-1, 1, (2, 12, 17, 1)).astype(np.float32)
    params = inception.params_from(random_weights())
    named = inception.inception_features(params, "Inception of noise")
    self.assertEqual(named.name, "Inception of noise")
    measured = jax.jit(lambda apply, images: apply(images))(
      named.apply, jnp.asarray(images)
    )
    expected = [features_and_logits(resized(as_bytes(x))) for x in images]
    for values, *rows in zip(measured, *expected, strict=True):
      self.assertEqual(values.dtype, jnp.float32)
      rows = np.stack(rows)
      # Much nearer than the two images are to each other.
      apart = np.linalg.norm(rows[0] - rows[1])
      self.assertGreater(apart, 0.01 * np.linalg.norm(rows))
      self.assertLess(np.linalg.norm(values - rows), 1e-3 * apart)

  def test_images_are_measured_in_bytes(self):
    # Beyond the range they are clipped. The first image is in bytes already.
    rng = np.random.default_rng(1)
    images = rng.uniform(-1.2, 1.2, (3, 299, 299, 3)).astype(np.float32)
    values = np.resize(np.arange(256), images[0].shape)
    images[0] = values / 255 * 2 - 1
    images[2, 5, 7] = [np.nan, np.inf, -np.inf]
    seen = []

    def first_pixels(variables, images):
      seen.append(images.shape)
      return images.reshape(1, -1)[:, :5000], images.reshape(1, -1)[:, -7:]

    with mock.patch.object(inception, "Inception") as network:
      network().apply.side_effect = first_pixels
      features, logits = inception.features_and_logits({}, jnp.asarray(images))
    self.assertEqual(seen[0], (1, 299, 299, 3))
    expected = as_bytes(np.where(np.isfinite(images), images, 0))
    np.testing.assert_allclose(expected[0], images[0], atol=1e-6)
    self.assertGreater(np.abs(expected[1] - images[1]).max(), 0.1)
    expected[2, 5, 7] = images[2, 5, 7]
    rows = expected.reshape(3, -1)
    np.testing.assert_allclose(features, rows[:, :5000], atol=1e-6)
    np.testing.assert_allclose(logits, rows[:, -7:], atol=1e-6)

  @parameterized.parameters((20, 31, 1), (299, 299, 3), (640, 400, 3))
  def test_resizing(self, *shape):
    image = RNG.uniform(-1, 1, shape).astype(np.float32)
    np.testing.assert_allclose(
      inception.resized(jnp.asarray(image)), resized(image), atol=5e-4
    )

  @parameterized.parameters((8, 8, 3), (2, 8, 8, 2))
  def test_wrong_shape_raises(self, *shape):
    with self.assertRaises(AssertionError):
      inception.features_and_logits({}, jnp.zeros(shape))


class WeightsTest(absltest.TestCase):
  def test_number_of_parameters(self):
    # PyTorch's documentation: 27,161,264 with 1000 classes and a second head.
    # That has layers of 1 x 1 and 5 x 5 places, and a dense one with a bias.
    second = 128 * (768 + 2) + 768 * (128 * 5 * 5 + 2) + (768 + 1) * 1000
    # 1008 outputs with a bias instead of 1000; the bias is not read.
    expected = 27_161_264 - second + 8 * (2048 + 1) - 1008
    shapes = inception.weight_shapes()
    learnt = [shape for name, shape in shapes.items() if "running" not in name]
    self.assertEqual(sum(map(np.prod, learnt)), expected)
    # 94 convolutions with four vectors each, and one dense layer.
    self.assertLen(shapes, 94 * 5 + 1)

  def test_rows_and_columns(self):
    # As torchvision's InceptionC, InceptionD and InceptionE have them.
    shapes = inception.weight_shapes()
    rows_and_columns = {
      "Mixed_6b.branch7x7": {"_2": (1, 7), "_3": (7, 1)},
      "Mixed_6d.branch7x7dbl": {"_2": (7, 1), "_3": (1, 7)},
      "Mixed_6e.branch7x7dbl": {"_4": (7, 1), "_5": (1, 7)},
      "Mixed_7a.branch7x7x3": {"_2": (1, 7), "_3": (7, 1)},
      "Mixed_7b.branch3x3": {"_2a": (1, 3), "_2b": (3, 1)},
      "Mixed_7c.branch3x3dbl": {"_3a": (1, 3), "_3b": (3, 1)},
    }
    for branch, kernels in rows_and_columns.items():
      for layer, kernel in kernels.items():
        shape = shapes[f"{branch}{layer}.conv.weight"]
        self.assertEqual(shape[2:], kernel, branch + layer)

  def test_others_are_ignored(self):
    weights = dict(random_weights())
    weights["Mixed_7c.branch_pool.bn.num_batches_tracked"] = np.array(3)
    weights["fc.bias"] = np.zeros(1008, np.float32)
    params = inception.params_from(weights)
    self.assertLen(jax.tree.leaves(params), 94 * 2 + 1)

  def test_double_precision_becomes_single(self):
    weights = dict(random_weights())
    for name in ("fc.weight", "Conv2d_1a_3x3.conv.weight"):
      weights[name] = weights[name].astype(np.float64)
    for leaf in jax.tree.leaves(inception.params_from(weights)):
      self.assertEqual(leaf.dtype, jnp.float32)

  def test_missing_weights_raise(self):
    with self.assertRaisesRegex(
      inception.WeightsError, "^471 of the 471 arrays .* such as Conv2d_1a"
    ):
      inception.params_from({})

  def test_wrong_shapes_raise(self):
    # The network of torchvision.
    weights = {
      **random_weights(),
      "fc.weight": np.zeros((1000, 2048), np.float32),
    }
    with self.assertRaisesRegex(
      inception.WeightsError, r"^fc.weight .* \(1008, 2048\), not \(1000, 2048"
    ):
      inception.params_from(weights)


if __name__ == "__main__":
  absltest.main()
