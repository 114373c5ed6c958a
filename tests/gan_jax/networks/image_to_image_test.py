"""Tests networks whose condition is images."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax import games, losses
from gan_jax.data import latents
from gan_jax.networks import dcgan, image_to_image, resnet
from gan_jax.types import Conditional

KEY = jax.random.key(0)


def apply(module, variables, *args, **kwargs) -> Any:
  """Applies a module; its outputs may be anything to a type checker."""
  return module.apply(variables, *args, **kwargs)


def normal(seed, *shape):
  return jax.random.normal(jax.random.key(seed), shape)


class PlanesTest(parameterized.TestCase):
  def test_latents_are_planes(self):
    latents = jnp.arange(24.0).reshape(2, 12)
    planes = image_to_image.noise_planes(latents, 2, 3)
    chex.assert_shape(planes, (2, 2, 3, 2))
    # Sample 1, plane 1: the last six numbers, in rows.
    np.testing.assert_array_equal(
      planes[1, :, :, 1], [[18, 19, 20], [21, 22, 23]]
    )

  def test_no_latents(self):
    planes = image_to_image.noise_planes(latents.normal(0)(KEY, 5), 2, 3)
    chex.assert_shape(planes, (5, 2, 3, 0))

  def test_a_number_that_is_no_plane(self):
    with self.assertRaisesRegex(
      ValueError, "^7 latents are not a whole number of planes of 2 x 3$"
    ):
      image_to_image.noise_planes(jnp.zeros((1, 7)), 2, 3)

  def test_trees_are_stacked(self):
    tree = {"b": jnp.full((1, 2, 2, 1), 2.0), "a": jnp.ones((1, 2, 2, 2))}
    stacked = image_to_image.stacked(jnp.zeros((1, 2, 2, 1)), tree)
    np.testing.assert_array_equal(stacked[0, 0, 0], [0, 1, 1, 2])
    with self.assertRaises(AssertionError):
      image_to_image.stacked(jnp.zeros((1, 2, 2, 1)), jnp.zeros((1, 4, 4, 1)))


class GeneratorTest(parameterized.TestCase):
  @parameterized.parameters(
    (8, 8, 1, 0, 1), (8, 16, 3, 1, 2), (16, 12, 1, 2, 2)
  )
  def test_shapes(self, height, width, channels, num_planes, depth):
    generator = image_to_image.Generator(channels, depth, filters=2)
    z = jnp.zeros((3, num_planes * height * width))
    images = jnp.zeros((3, height, width, 2))
    out = jax.eval_shape(
      lambda: generator.init_with_output(KEY, z, condition=images)[0]
    )
    chex.assert_shape(out, (3, height, width, channels))
    self.assertEqual(out.dtype, jnp.float32)

  def test_parameters_by_hand(self):
    # Inputs of 2 + 1 channels, two halvings from 4 filters, output of 3:
    # 4 x 4 kernels 3 -> 4 -> 8 down, and 8 -> 4, 4 + 4 -> 4 up; a 3 x 3 kernel
    # of 4 + 3 -> 3; scales and biases of 8 (down), 4 and 4 (up).
    generator = image_to_image.Generator(3, depth=2, filters=4)
    variables = generator.init(
      KEY, jnp.zeros((1, 64)), condition=jnp.zeros((1, 8, 8, 2))
    )
    self.assertEqual(
      sum(leaf.size for leaf in jax.tree.leaves(variables["params"])),
      16 * (3 * 4 + 4 * 8 + 8 * 4 + 8 * 4) + 9 * 7 * 3 + 2 * (8 + 4 + 4),
    )

  def test_depends_on_condition_and_latents(self):
    generator = image_to_image.Generator(1, depth=2, filters=4)
    z, images = normal(1, 4, 64), normal(2, 4, 8, 8, 1)
    variables = generator.init(KEY, z, condition=images)

    def total(z, images):
      return jnp.sum(apply(generator, variables, z, condition=images)[0] ** 2)

    slopes = jax.grad(total, (0, 1))(z, images)
    for slope in slopes:
      # Each number of the first sample matters, and no other sample.
      self.assertTrue((jnp.abs(slope[0]) > 0).all())
      np.testing.assert_array_equal(slope[1:], 0)

  def test_output_range(self):
    z, images = normal(1, 2, 0), 100 * normal(2, 2, 8, 8, 1)
    bounded = image_to_image.Generator(1, depth=1, filters=4)
    free = image_to_image.Generator(1, depth=1, filters=4, activation=None)
    variables = bounded.init(KEY, z, condition=images)
    raw = apply(free, variables, z, condition=images)
    self.assertGreater(jnp.abs(raw).max(), 2)
    np.testing.assert_allclose(
      apply(bounded, variables, z, condition=images), np.tanh(raw), rtol=1e-5
    )

  def test_half_precision(self):
    generator = image_to_image.Generator(
      1, depth=1, filters=4, dtype=jnp.bfloat16
    )
    z, images = normal(1, 2, 16), normal(2, 2, 4, 4, 1)
    out, variables = generator.init_with_output(KEY, z, condition=images)
    chex.assert_type([out, *jax.tree.leaves(variables)], jnp.float32)

  @parameterized.parameters((10, 8, 10), (8, 6, 6))
  def test_sizes_that_do_not_divide(self, height, width, side):
    generator = image_to_image.Generator(1, depth=2, filters=2)
    with self.assertRaisesRegex(
      ValueError, f"a side of {side} pixels cannot be halved 2 times"
    ):
      generator.init(
        KEY, jnp.zeros((1, 0)), condition=jnp.zeros((1, height, width, 1))
      )


class DiscriminatorTest(parameterized.TestCase):
  @parameterized.parameters(
    dcgan.Discriminator(depth=2, filters=4),
    dcgan.Discriminator(depth=2, filters=4, patches=True, spectral_norm=True),
    resnet.Discriminator(depth=2, plain_blocks=0, filters=4),
  )
  def test_judges_samples_with_their_condition(self, network):
    discriminator = image_to_image.Discriminator(network)
    x, images = normal(1, 3, 8, 8, 1), normal(2, 3, 8, 8, 2)
    variables = discriminator.init(KEY, x, condition=images)
    logits = apply(discriminator, variables, x, condition=images)
    np.testing.assert_allclose(
      logits,
      apply(network, variables, jnp.concatenate([x, images], axis=-1)),
      rtol=1e-6,
    )
    slope = jax.grad(
      lambda images: apply(discriminator, variables, x, condition=images)[0, 0]
    )(images)
    self.assertTrue((jnp.abs(slope[0]) > 0).any(axis=(0, 1)).all())
    np.testing.assert_array_equal(slope[1:], 0)

  def test_equal_kernels_judge_the_sum(self):
    # As LAPGAN's discriminators, which see a band plus its condition.
    network = dcgan.Discriminator(depth=2, filters=4)
    discriminator = image_to_image.Discriminator(network)
    x, images = normal(1, 3, 8, 8, 2), normal(2, 3, 8, 8, 2)
    of_sum: Any = network.init(KEY, x)
    params = dict(of_sum["params"])
    kernel = params["Convolution_0"]["kernel"]
    stacked_kernel = jnp.concatenate([kernel, kernel], axis=2)
    params["Convolution_0"] = {"kernel": stacked_kernel}
    np.testing.assert_allclose(
      apply(discriminator, {**of_sum, "params": params}, x, condition=images),
      apply(network, of_sum, x + images),
      rtol=1e-4,
      atol=1e-6,
    )

  def test_a_size_that_does_not_divide(self):
    discriminator = image_to_image.Discriminator(
      dcgan.Discriminator(depth=2, filters=2)
    )
    x = jnp.zeros((1, 8, 6, 1))
    with self.assertRaisesRegex(
      ValueError, "a side of 6 pixels cannot be halved 2 times"
    ):
      discriminator.init(KEY, x, condition=x)


class GameTest(absltest.TestCase):
  def test_a_game_of_images_to_images(self):
    # The condition is an image and a mask; the data is the image.
    image = normal(3, 4, 8, 8, 1)
    mask = jnp.ones((4, 8, 8, 1)).at[:, 2:6, 2:6].set(0)
    batch = Conditional(image, (image * mask, mask))
    game = games.adversarial(
      image_to_image.Generator(1, depth=1, filters=2),
      image_to_image.Discriminator(
        dcgan.Discriminator(depth=1, filters=2, patches=True)
      ),
      losses.hinge(),
      latents.normal(64),
      conditions=lambda key, n: jax.tree.map(lambda x: x[:n], batch.condition),
    )
    params, variables = game.init(KEY)
    assert game.gradients is not None
    gradients, _, _ = game.gradients(params, variables, batch, KEY)
    for gradient in jax.tree.leaves(gradients):
      self.assertTrue((jnp.abs(gradient) > 0).any())
    samples = game.sample(params, variables, KEY, 2)
    chex.assert_shape(samples, (2, 8, 8, 1))


class ConsistentTest(absltest.TestCase):
  def test_output_is_projected_and_parameters_are_those_of_the_network(self):
    network = image_to_image.Generator(
      1, depth=1, filters=4, normalize=None, activation=None
    )
    projected = image_to_image.Consistent(
      network, lambda images, condition: images - 2 * condition
    )
    condition, latents = normal(1, 2, 8, 8, 1), jnp.zeros((2, 0))
    variables = projected.init(KEY, latents, condition=condition)
    chex.assert_trees_all_equal(
      variables, network.init(KEY, latents, condition=condition)
    )
    np.testing.assert_allclose(
      apply(projected, variables, latents, condition=condition),
      apply(network, variables, latents, condition=condition) - 2 * condition,
      atol=1e-6,
    )


class TranslatorTest(absltest.TestCase):
  def test_adds_the_network_to_images(self):
    network = image_to_image.Generator(
      3, depth=1, filters=4, normalize=None, activation=None
    )
    images = normal(2, 2, 8, 8, 3)
    translator = image_to_image.Translator(network)
    variables = translator.init(KEY, images)
    change = apply(network, variables, jnp.zeros((2, 0)), condition=images)
    self.assertGreater(float(jnp.abs(change).max()), 1e-5)
    np.testing.assert_allclose(
      apply(translator, variables, images), images + change, atol=1e-6
    )


if __name__ == "__main__":
  absltest.main()
