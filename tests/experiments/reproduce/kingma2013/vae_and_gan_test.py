"""Checks of a VAE beside a GAN on made-up numbers, and the linear VAE."""

import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from matplotlib.figure import Figure

from experiments.reproduce.kingma2013 import vae_and_gan
from experiments.reproduce.kingma2013.vae_and_gan import GAN, VAE

NOISE = np.array([-0.01, 0.0, 0.01])


def failed(checks):
  return [check.name for check in checks if not check.passed]


def measured(bound=120.0, sharpness=(0.5, 1.1), distances=(60.0, 30.0)):
  return {
    "bound": bound + NOISE,
    **{
      f"{what}, {name}": value + NOISE
      for what, values in (("sharpness", sharpness), ("Frechet", distances))
      for name, value in zip((VAE, GAN), values, strict=True)
    },
  }


class ChecksTest(parameterized.TestCase):
  def test_numbers_of_the_literature_pass(self):
    self.assertEmpty(failed(vae_and_gan.check_images(measured(), 100.0)))

  @parameterized.parameters(
    ({"bound": 99.0}, "held-out ELBO"),
    ({"sharpness": (0.95, 1.2)}, "sharpness of the VAE's samples"),
    ({"sharpness": (0.5, 0.4)}, "sharpness of the GAN's samples minus"),
    ({"distances": (30.0, 60.0)}, "Frechet distance"),
  )
  def test_mistakes(self, changed, start):
    (name,) = failed(vae_and_gan.check_images(measured(**changed), 100.0))
    self.assertStartsWith(name, start)

  def test_linear(self):
    best = {"2-D": -3.0}
    good = {"2-D": np.array([-3.0, -3.0005, -3.0004])}
    self.assertEmpty(failed(vae_and_gan.check_linear(good, best)))
    halved = {"2-D": good["2-D"] - 0.05}
    self.assertLen(failed(vae_and_gan.check_linear(halved, best)), 1)


class LaplacianTest(absltest.TestCase):
  def test_quadratic(self):
    # x^2 + 3 y^2 has the Laplacian 8, and a plane has none.
    y, x = np.meshgrid(np.arange(5.0), np.arange(6.0))
    images = jnp.asarray(np.stack([x**2 + 3 * y**2, x - 2 * y])[..., None])
    self.assertAlmostEqual(float(vae_and_gan.mean_laplacian(images[:1])), 8)
    self.assertAlmostEqual(float(vae_and_gan.mean_laplacian(images)), 4)


class LinearTest(absltest.TestCase):
  @pytest.mark.slow
  def test_bounds_reach_the_likelihood(self):
    bounds = vae_and_gan.train_linear("2-D", 0)
    self.assertLen(bounds, vae_and_gan.LINEAR_SEEDS)
    np.testing.assert_allclose(bounds[:, -1], -3.15378, atol=2e-3)
    self.assertLess(bounds[:, 0].max(), -3.3)


class DrawTest(absltest.TestCase):
  def test_picture(self):
    pixels = np.zeros((36, 28, 28, 1), np.uint8)
    figure = vae_and_gan.draw(
      {
        "images": {str(index): pixels for index in range(4)},
        "bounds": np.linspace(-900, 100, 33).reshape(3, 11),
        "PPCA": 50.0,
        "measured": measured(),
        "below": {"2-D": np.full((4, 21), 0.1), "5-D": np.full((4, 21), 0.2)},
      }
    )
    self.assertIsInstance(figure, Figure)


if __name__ == "__main__":
  absltest.main()
