"""Tests the search for latents by hand, and by a generator that is known."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from gan_jax.data import image_conditions
from gan_jax.estimation import latent_search

KEY = jax.random.key(0)


class LatentSearchTest(absltest.TestCase):
  def test_importance_by_hand(self):
    # One pixel of hole in a row of five, and squares of 3 x 3.
    mask = jnp.array([1.0, 1, 0, 1, 1])[None, :, None]
    weights = latent_search.importance(mask, 3)
    np.testing.assert_allclose(weights.ravel(), np.array([0, 1, 0, 1, 0]) / 9)

  def test_importance_by_counting(self):
    mask = image_conditions.central_mask(10, 4)
    weights = latent_search.importance(mask)[:, :, 0]
    padded = np.pad(1 - np.asarray(mask)[:, :, 0], 3)
    for i in range(10):
      for j in range(10):
        expected = padded[i : i + 7, j : j + 7].mean() * mask[i, j, 0]
        np.testing.assert_allclose(weights[i, j], expected, rtol=1e-6)

  def test_the_mask_fits(self):
    with self.assertRaisesRegex(ValueError, "a mask of shape .* is not for im"):
      latent_search.complete(
        *(lambda z: z, lambda x: x),
        jnp.zeros((2, 8, 8, 1)),
        image_conditions.central_mask(9, 4),
        jnp.zeros((2, 3)),
        num_steps=1,
      )

  def complete(self, prior_weight=0.0, discriminate=None):
    basis = jax.random.normal(KEY, (3, 8 * 8))
    latents = jax.random.normal(jax.random.key(1), (4, 3))

    def generate(z):
      return (z @ basis).reshape(-1, 8, 8, 1)

    mask = image_conditions.central_mask(8, 4)
    images, _ = image_conditions.with_hole(generate(latents), mask)
    return (
      generate(latents),
      latents,
      latent_search.complete(
        generate,
        discriminate or (lambda x: jnp.zeros(len(x))),
        images,
        mask,
        jnp.zeros((4, 3)),
        num_steps=600,
        prior_weight=prior_weight,
      ),
    )

  def test_known_pixels_determine_the_hole(self):
    images, latents, found = self.complete()
    np.testing.assert_allclose(found.latents, latents, atol=0.03)
    np.testing.assert_allclose(found.images, images, atol=0.1)
    np.testing.assert_array_equal(found.images[:, :2], images[:, :2])
    self.assertLess(float(found.costs.max()), 0.3)

  def test_the_discriminator_is_believed(self):
    # log(1 - D) falls with the logit: brighter images are preferred.
    _, latents, found = self.complete(
      100.0, lambda x: 10 * jnp.mean(x, axis=(1, 2, 3))
    )
    plain = self.complete()[2]
    self.assertGreater(
      float(jnp.mean(found.images)), float(jnp.mean(plain.images)) + 0.05
    )
    self.assertGreater(float(jnp.abs(found.latents - latents).max()), 0.1)


if __name__ == "__main__":
  absltest.main()
