import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import ndimage

from gan_jax.metrics import roughness

mean_laplacian = jax.jit(roughness.mean_laplacian)


class MeanLaplacianTest(parameterized.TestCase):
  @parameterized.parameters((3, 3, 1), (7, 5, 3))
  def test_against_scipy(self, *shape):
    images = np.random.default_rng(0).uniform(-1, 1, (4, *shape))
    expected = np.mean(
      [
        np.abs(ndimage.laplace(image[..., channel])[1:-1, 1:-1])
        for image in images
        for channel in range(shape[-1])
      ]
    )
    np.testing.assert_allclose(mean_laplacian(images), expected, rtol=1e-5)

  def test_slopes_and_areas_have_none(self):
    rows, columns = jnp.meshgrid(jnp.arange(6.0), jnp.arange(5.0))
    image = (0.5 + rows - 2 * columns)[None, :, :, None]
    self.assertEqual(mean_laplacian(image), 0)

  def test_noise_of_a_known_deviation(self):
    # The Laplacian of independent normals has the variance 16 + 4 = 20.
    noise = jax.random.normal(jax.random.key(0), (50, 40, 40, 1))
    np.testing.assert_allclose(
      mean_laplacian(0.1 * noise), 0.1 * np.sqrt(20 * 2 / np.pi), rtol=0.02
    )

  def test_wrong_shape_raises(self):
    with self.assertRaises(AssertionError):
      roughness.mean_laplacian(jnp.ones((4, 4, 1)))


if __name__ == "__main__":
  absltest.main()
