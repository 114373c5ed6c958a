"""Tests metrics of images against originals: by hand and against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax.data import image_conditions
from gan_jax.metrics import image_pairs


def images(seed, *shape):
  return jax.random.uniform(jax.random.key(seed), shape, minval=-1)


class PSNRTest(absltest.TestCase):
  def test_by_hand(self):
    # Errors of 0.2 and 0.02 are a tenth and a hundredth of the range: 20 and
    # 40 dB.
    originals = images(0, 2, 4, 4, 3)
    offsets = jnp.array([0.2, -0.02])[:, None, None, None]
    np.testing.assert_allclose(
      image_pairs.psnr(originals + offsets, originals), 30, rtol=1e-4
    )

  def test_in_a_hole(self):
    originals = images(0, 2, 8, 8, 1)
    mask = image_conditions.central_mask(8, 4)[None]
    changed = originals + 0.2 * (1 - mask) + 7 * mask
    np.testing.assert_allclose(
      image_pairs.psnr(changed, originals, 1 - mask), 20, rtol=1e-4
    )

  def test_equal_images(self):
    x = images(0, 2, 4, 4, 1)
    np.testing.assert_allclose(
      image_pairs.psnr(x, x), 10 * np.log10(4e10), rtol=1e-6
    )

  def test_images_are_not_broadcast(self):
    with self.assertRaises(AssertionError):
      image_pairs.psnr(jnp.zeros((1, 4, 4, 1)), jnp.zeros((2, 4, 4, 1)))


class HighFrequencyTest(parameterized.TestCase):
  @parameterized.parameters(
    # Waves in 16 pixels, factor, whether they are details; 2 of 16 are 1 / 8.
    (2, 4, False),
    (3, 4, True),
    (3, 2, False),
    (5, 2, True),
  )
  def test_waves(self, waves, factor, is_high):
    x = np.sin(2 * np.pi * waves * np.arange(16) / 16)
    for picture in (x[:, None] + 0 * x, x[None] + 0 * x[:, None]):
      energy = image_pairs.high_frequency_energy(
        jnp.asarray(picture, jnp.float32)[None, :, :, None] + 5.0, factor
      )
      # The mean square of a sine is 1/2.
      np.testing.assert_allclose(energy, 0.5 * is_high, atol=1e-4)

  def test_against_numpy(self):
    x = np.asarray(images(0, 3, 12, 8, 3), np.float64)
    spectrum = np.fft.fft2(x, axes=(1, 2))
    for i, frequency in enumerate(np.fft.fftfreq(12)):
      for j, other in enumerate(np.fft.fftfreq(8)):
        if max(abs(frequency), abs(other)) <= 1 / 4:
          spectrum[:, i, j] = 0
    details = np.fft.ifft2(spectrum, axes=(1, 2)).real
    np.testing.assert_allclose(
      image_pairs.high_frequency_energy(jnp.asarray(x, jnp.float32), 2),
      np.mean(details**2),
      rtol=1e-4,
    )


class ColourTest(parameterized.TestCase):
  @parameterized.parameters(
    # CIELAB of the primaries of sRGB (Lindbloom's calculator, D65).
    ((1, -1, -1), (80.09, 67.20)),
    ((-1, 1, -1), (-86.18, 83.18)),
    ((-1, -1, 1), (79.19, -107.86)),
    ((1, 1, 1), (0.0, 0.0)),
    ((-0.5, -0.5, -0.5), (0.0, 0.0)),
    ((-1, -1, -1), (0.0, 0.0)),
  )
  def test_chroma(self, colour, expected):
    pixel = jnp.array(colour, jnp.float32).reshape(1, 1, 1, 3)
    np.testing.assert_allclose(
      image_pairs.chroma(pixel).ravel(), expected, atol=0.02
    )

  def test_intersection(self):
    red = jnp.broadcast_to(jnp.array([1.0, -1, -1]), (2, 4, 4, 3))
    grey = jnp.zeros((2, 4, 4, 3))
    # A quarter of the pixels of the first set are grey.
    mixed = red.at[0, :2].set(0.0)
    for one, other, expected in (
      (red, red, 1),
      (red, grey, 0),
      (mixed, grey, 1 / 4),
      (mixed, red, 3 / 4),
      (mixed, mixed[:1], 3 / 4),
    ):
      for pair in ((one, other), (other, one)):
        np.testing.assert_allclose(
          image_pairs.chroma_intersection(*pair), expected, atol=1e-6
        )

  def test_against_numpy(self):
    x, y = images(0, 4, 8, 8, 3), 0.5 * images(1, 4, 8, 8, 3)
    bins = np.linspace(-128, 128, 65)
    overlaps = []
    for index in range(2):
      p, q = (
        np.histogram(image_pairs.chroma(z)[..., index], bins)[0] / 256
        for z in (x, y)
      )
      overlaps.append(np.minimum(p, q).sum())
    np.testing.assert_allclose(
      image_pairs.chroma_intersection(x, y), np.mean(overlaps), atol=0.005
    )


class EdgesTest(absltest.TestCase):
  def test_by_hand(self):
    # A step between columns 3 and 4 has edges in both, 16 pixels.
    step = jnp.where(jnp.arange(8) < 4, -1.0, 1.0)
    x = jnp.broadcast_to(step[None, None, :, None], (1, 8, 8, 1))
    asked = -jnp.ones((1, 8, 8, 1))
    asked = asked.at[:, :, 3].set(1.0).at[:, 0].set(1.0)
    # 8 + 7 are asked for, and 9 of these are among the 16.
    np.testing.assert_allclose(
      image_pairs.edge_overlap(x, asked, 0.5), 2 * 9 / (16 + 15), rtol=1e-6
    )
    exact = image_conditions.edges(x, 0.5)
    np.testing.assert_allclose(image_pairs.edge_overlap(x, exact, 0.5), 1)
    none = jnp.zeros((1, 8, 8, 1))
    np.testing.assert_allclose(image_pairs.edge_overlap(none, none - 1, 0.5), 1)
    np.testing.assert_allclose(image_pairs.edge_overlap(none, exact, 0.5), 0)


if __name__ == "__main__":
  absltest.main()
