"""Guided backpropagation agrees with loops over a tiny network."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from scipy import integrate, stats

from experiments.reproduce.dcgan2016 import filters
from gan_jax.networks import dcgan

NUM_IMAGES, SIDE, WIDTH = 3, 12, 2
SLOPE = 0.2


def convolve(maps, kernel):
  """Convolves with stride 2 and padding 1, by loops."""
  padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
  side = maps.shape[1] // 2
  result = np.zeros((len(maps), side, side, kernel.shape[-1]))
  for i, j in itertools.product(range(side), repeat=2):
    window = padded[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4]
    result[:, i, j] = np.einsum("nhwc,hwco->no", window, kernel)
  return result


def transposed(gradient, kernel):
  """Passes a gradient [side, side, outputs] back through `convolve`."""
  side = len(gradient)
  result = np.zeros((2 * side + 2, 2 * side + 2, kernel.shape[2]))
  for i, j in itertools.product(range(side), repeat=2):
    result[2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += kernel @ gradient[i, j]
  return result[1:-1, 1:-1]


class GuidedBackpropagationTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.images = rng.normal(size=(NUM_IMAGES, SIDE, SIDE, 1))
    discriminator = dcgan.Discriminator(depth=2, filters=WIDTH)
    images = jnp.asarray(self.images, jnp.float32)
    params = discriminator.init(jax.random.key(1), images)["params"]
    scale, bias = rng.normal(size=(2, 2 * WIDTH))
    params["BatchNorm_0"] = {
      "scale": jnp.asarray(scale, jnp.float32),
      "bias": jnp.asarray(bias, jnp.float32),
    }
    self.filters = filters.Filters.of(discriminator, params, images)

    kernels = [
      np.asarray(params[f"Convolution_{layer}"]["kernel"], float)
      for layer in (0, 1)
    ]
    self.kernels, self.first = kernels, convolve(self.images, kernels[0])
    hidden = np.where(self.first > 0, self.first, SLOPE * self.first)
    maps = convolve(hidden, kernels[1])
    mean, variance = maps.mean(axis=(0, 1, 2)), maps.var(axis=(0, 1, 2))
    self.gain = scale / np.sqrt(variance + 1e-5)
    self.second = (maps - mean) * self.gain + bias

  def test_responses(self):
    expected = np.where(self.second > 0, self.second, SLOPE * self.second)
    responses = self.filters.respond(jnp.asarray(self.images, jnp.float32))
    np.testing.assert_allclose(responses, expected, rtol=1e-4, atol=1e-4)

  def test_gradients(self):
    indices = np.stack(
      [axis.ravel() for axis in np.indices(self.second.shape)], axis=1
    )
    image, *position = indices.T
    gradients = np.asarray(
      jax.jit(self.filters.guided_gradients)(
        jnp.asarray(self.images[image], jnp.float32), *position
      )
    )
    expected = np.zeros_like(gradients)
    for index, (n, i, j, channel) in enumerate(indices):
      if self.second[n, i, j, channel] <= 0:
        continue
      above = np.zeros(self.second.shape[1:])
      above[i, j, channel] = self.gain[channel]
      above = transposed(above, self.kernels[1])
      above = np.where((self.first[n] > 0) & (above > 0), above, 0)
      expected[index] = transposed(above, self.kernels[0])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(gradients, expected, atol=1e-4 * scale)
    # Both kinds of responses are tested, and no gradient leaves its patch.
    self.assertGreater(np.mean(expected.any(axis=(1, 2, 3))), 0.2)
    self.assertLess(np.mean(expected.any(axis=(1, 2, 3))), 0.8)
    seen = filters.patches(gradients, *position[:2])
    self.assertEqual(np.count_nonzero(seen), np.count_nonzero(gradients))
    # Each row and each column of the patch has a gradient.
    self.assertTrue(seen.any(axis=(0, 1, 3)).all())
    self.assertTrue(seen.any(axis=(0, 2, 3)).all())


class ConcentrationTest(absltest.TestCase):
  def test_uniform_noise_and_single_pixels(self):
    patches = np.zeros((4, 10, 10, 1))
    patches[0] = -3
    patches[1, 2, 7] = 5
    patches[2] = stats.norm.ppf((np.arange(100) + 0.5) / 100).reshape(10, 10, 1)
    tail = stats.norm.ppf(0.95)
    in_noise, _ = integrate.quad(
      lambda x: 2 * x**2 * stats.norm.pdf(x), tail, np.inf
    )
    self.assertAlmostEqual(in_noise, 0.44, delta=0.005)
    np.testing.assert_allclose(
      filters.concentration(patches), [0.1, 1, in_noise, 0], atol=0.02
    )

  def test_channels_of_a_pixel_are_one(self):
    patches = np.zeros((1, 10, 10, 2))
    patches[0, :5] = [3, 4]
    np.testing.assert_allclose(filters.concentration(patches), [0.2])


if __name__ == "__main__":
  absltest.main()
