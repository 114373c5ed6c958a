"""Tests the networks of DCGAN: sizes, layers, classes."""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from gan_jax.networks import dcgan, latent_joins

KEY = jax.random.key(0)


def apply(module, variables, *args, **kwargs) -> Any:
  """Applies a module; its outputs may be anything to a type checker."""
  return module.apply(variables, *args, **kwargs)


def count(params):
  return sum(leaf.size for leaf in jax.tree.leaves(params))


def shapes(module, *args, **kwargs):
  """Returns the shapes of a module's collections and of its output."""

  def run():
    variables = module.init(KEY, *args, **kwargs)
    return variables, module.apply(variables, *args, **kwargs)

  return jax.eval_shape(run)


def transposed(maps, kernel):
  """Spreads each pixel of maps over 4 x 4 pixels, two pixels apart.

  maps [n, h, w, o] and kernel [4, 4, c, o] -> [n, 2 h, 2 w, c].
  """
  n, h, w, _ = maps.shape
  out = np.zeros((n, 2 * h + 2, 2 * w + 2, kernel.shape[2]))
  for i in range(h):
    for j in range(w):
      out[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += np.einsum(
        "no,abco->nabc", maps[:, i, j], kernel
      )
  return out[:, 1:-1, 1:-1]


class DCGANTest(parameterized.TestCase):
  def test_parameters_of_the_published_networks(self):
    # 100 latents, 64 x 64 colour images, 512-256-128-64 filters, by hand:
    # 100*16*512 + 16*(512*256 + 256*128 + 128*64 + 64*3)
    # + 2*(512 + 256 + 128 + 64) in the generator,
    # 16*(3*64 + 64*128 + 128*256 + 256*512 + 512) + 2*(128 + 256 + 512).
    generator, images = shapes(
      dcgan.Generator(size=64, channels=3, depth=4), jnp.zeros((2, 100))
    )
    chex.assert_shape(images, (2, 64, 64, 3))
    self.assertEqual(count(generator["params"]), 3_576_704)
    discriminator, logits = shapes(
      dcgan.Discriminator(depth=4), jnp.zeros((2, 64, 64, 3))
    )
    chex.assert_shape(logits, (2, 1))
    self.assertEqual(count(discriminator["params"]), 2_765_568)

  @parameterized.parameters(False, True)
  def test_outputs(self, patches):
    network = dcgan.Discriminator(1, filters=2, features=6, patches=patches)
    _, outputs = shapes(network, jnp.zeros((2, 8, 8, 1)))
    chex.assert_shape(outputs, (2, 6))

  def test_patches_by_hand(self):
    # One convolution of ones, 4 x 4 with stride 2, of an image of one colour c
    # > 0, 8 x 8: the maps are 9 c in corners, 12 c on edges, 16 c inside. The
    # logit is the mean over patches of the sum of their 3 x 3 maps.
    discriminator = dcgan.Discriminator(1, filters=1, patches=True)
    images = jnp.array([0.5, 1.5])[:, None, None, None] * jnp.ones((1, 8, 8, 1))
    variables = discriminator.init(KEY, images)
    chex.assert_shape(
      [*jax.tree.leaves(variables)], [(4, 4, 1, 1), (3, 3, 1, 1)]
    )
    maps = np.full((4, 4), 16.0)
    maps[[0, -1]] = 12
    maps[:, [0, -1]] = 12
    maps[np.ix_([0, -1], [0, -1])] = 9
    padded = np.pad(maps, 1)
    sums = [
      padded[i : i + 3, j : j + 3].sum() for i in range(4) for j in range(4)
    ]
    logits = apply(
      discriminator, jax.tree.map(jnp.ones_like, variables), images
    )
    np.testing.assert_allclose(
      logits[:, 0], np.mean(sums) * np.array([0.5, 1.5]), rtol=1e-5
    )

  @parameterized.parameters((28, 1, 2), (32, 3, 3), (64, 1, 4))
  def test_the_rules(self, size, channels, depth):
    generator = dcgan.Generator(size, channels, depth, filters=2)
    discriminator = dcgan.Discriminator(depth, filters=2)
    variables, images = shapes(generator, jnp.zeros((3, 5)))
    chex.assert_shape(images, (3, size, size, channels))
    judged, logits = shapes(discriminator, jnp.zeros(images.shape))
    chex.assert_shape(logits, (3, 1))
    # As many normalisations as hidden layers: `depth` in the generator, whose
    # image has none, and one less in the discriminator, whose first has none.
    self.assertLen(variables["batch_stats"], depth)
    self.assertLen(judged["batch_stats"], depth - 1)
    for params in (variables["params"], judged["params"]):
      for name, layer in params.items():
        self.assertNotIn("bias", {} if "Norm" in name else layer)

  def test_kernels_are_drawn_from_a_normal_of_deviation_one_fiftieth(self):
    params: Any = dcgan.Discriminator(depth=2).init(
      KEY, jnp.zeros((1, 8, 8, 1))
    )
    kernel = params["params"]["Convolution_1"]["kernel"]
    # With n = 131,072 the deviation has the standard error .02 / sqrt(2 n) =
    # 4e-5.
    np.testing.assert_allclose(np.std(kernel), 0.02, atol=2e-4)
    np.testing.assert_allclose(np.mean(kernel), 0, atol=3e-4)

  def test_images_are_within_bounds_and_depend_on_latents(self):
    generator = dcgan.Generator(8, 1, 1, filters=4)
    latents = 100 * jax.random.normal(KEY, (4, 3))
    variables = generator.init(KEY, latents)
    images, updated = generator.apply(
      variables, latents, train=True, mutable=["batch_stats"]
    )
    self.assertLessEqual(np.abs(images).max(), 1)
    self.assertGreater(np.abs(images[0] - images[1]).max(), 1e-3)
    chex.assert_tree_all_finite(updated)

  def test_the_activations_of_the_generator(self):
    # All kernels are ones: four hidden pixels are z, or 0 for z < 0 by ReLU, of
    # which 1, 2 or 4 meet in a pixel of the image, the tanh of their sum.
    generator = dcgan.Generator(4, 1, depth=1, filters=1, normalize=None)
    latents = jnp.array([[0.3], [-0.3]])
    params = jax.tree.map(jnp.ones_like, generator.init(KEY, latents))
    images = np.asarray(apply(generator, params, latents))[..., 0]
    met = np.outer([1, 2, 2, 1], [1, 2, 2, 1])
    np.testing.assert_allclose(images[0], np.tanh(0.3 * met), rtol=1e-5)
    np.testing.assert_array_equal(images[1], 0)

  @parameterized.parameters("added", "concatenated", "repeated")
  def test_joins_by_hand(self, join):
    # Levels of 2 x 2 and 4 x 4 pixels with 6 and 3 channels.
    joins, sizes = {
      "added": (latent_joins.added(0.5), (24, 48)),
      "concatenated": (latent_joins.concatenated(2), (2, 2)),
      "repeated": (latent_joins.repeated(), (0, 0)),
    }[join]
    generator = dcgan.Generator(
      8, 1, depth=2, filters=3, normalize=None, joins=(joins,) * 2
    )
    latents = jax.random.normal(KEY, (2, 5 + sum(sizes)))
    variables = generator.init(KEY, latents)
    variables: Any = jax.tree.map(lambda kernel: 20 * kernel, variables)
    params = jax.tree.map(np.asarray, variables["params"])
    first, *parts = np.split(np.asarray(latents), [5, 5 + sizes[0]], axis=1)

    def joined(maps, part):
      if join == "added":
        return maps + 0.5 * part.reshape(maps.shape)
      part = first if join == "repeated" else part
      constant = np.ones((*maps.shape[:3], 1)) * part[:, None, None]
      return np.concatenate([maps, constant], axis=3)

    maps = (first @ params["Dense_0"]["kernel"]).reshape(2, 2, 2, 6)
    for index, part in enumerate(parts):
      kernel = params[f"TransposedConvolution_{index}"]["kernel"]
      maps = transposed(joined(np.maximum(maps, 0), part), kernel)
    self.assertGreater(np.abs(maps).max(), 0.5)
    np.testing.assert_allclose(
      apply(generator, variables, latents), np.tanh(maps), rtol=0, atol=2e-5
    )

  def test_the_activations_of_the_discriminator(self):
    # One halving of a constant image with a kernel of ones, and a sum after it:
    # 16 inside, and LeakyReLU has a slope of 0.2 below 0.
    discriminator = dcgan.Discriminator(depth=1, filters=1)
    image = jnp.ones((1, 4, 4, 1))
    params = jax.tree.map(jnp.ones_like, discriminator.init(KEY, image))
    # Corners see 9 of the 16 pixels of a kernel.
    np.testing.assert_allclose(apply(discriminator, params, image), [[36.0]])
    np.testing.assert_allclose(apply(discriminator, params, -image), [[-7.2]])

  @parameterized.parameters(True, False)
  def test_classes_matter_to_both(self, projection):
    generator = dcgan.Generator(8, 1, 1, filters=4, num_classes=3)
    discriminator = dcgan.Discriminator(
      1, filters=4, num_classes=3, projection=projection
    )
    latents = jax.random.normal(KEY, (2, 5))
    zeros, ones = jnp.zeros(2, jnp.int32), jnp.ones(2, jnp.int32)
    params = generator.init(KEY, latents, condition=zeros)
    images = apply(generator, params, latents, condition=zeros)
    others = apply(generator, params, latents, condition=ones)
    self.assertGreater(np.abs(images - others).max(), 1e-7)
    params = discriminator.init(KEY, images, condition=zeros)
    logits = apply(discriminator, params, images, condition=zeros)
    others = apply(discriminator, params, images, condition=ones)
    chex.assert_shape(logits, (2, 1))
    self.assertGreater(np.abs(logits - others).min(), 0)

  def test_projection_by_hand(self):
    discriminator = dcgan.Discriminator(1, filters=2, num_classes=3)
    image = jax.random.normal(KEY, (1, 4, 4, 1))
    label = jnp.array([2])
    variables: Any = discriminator.init(KEY, image, condition=label)
    maps = apply(
      discriminator,
      variables,
      image,
      condition=label,
      capture_intermediates=lambda module, _: module.name == "Convolution_0",
      mutable=["intermediates"],
    )[1]["intermediates"]["Convolution_0"]["__call__"][0]
    hidden = np.where(maps > 0, maps, 0.2 * np.asarray(maps))
    params = variables["params"]
    expected = (
      hidden.reshape(1, -1) @ params["Dense_0"]["kernel"]
      + hidden.sum((1, 2)) @ params["Dense_1"]["kernel"][2][:, None]
    )
    np.testing.assert_allclose(
      apply(discriminator, variables, image, condition=label),
      expected,
      rtol=1e-5,
    )

  def test_spectral_norm_bounds_every_kernel(self):
    discriminator = dcgan.Discriminator(
      2, filters=4, normalize=None, spectral_norm=True
    )
    image = jax.random.normal(KEY, (1, 8, 8, 1))
    variables = discriminator.init(KEY, image)
    # Larger parameters are the same network.
    larger = {
      **variables,
      "params": jax.tree.map(lambda w: 7 * w, variables["params"]),
    }
    np.testing.assert_allclose(
      *(
        apply(discriminator, v, image, train=True, mutable=["batch_stats"])[0]
        for v in (variables, larger)
      ),
      rtol=0.2,
    )

  def test_bfloat16_keeps_parameters_statistics_and_logits(self):
    discriminator = dcgan.Discriminator(2, filters=4, dtype=jnp.bfloat16)
    images = jax.random.normal(KEY, (4, 8, 8, 1))
    variables = jax.jit(discriminator.init)(KEY, images)

    def train(discriminator):
      return jax.jit(
        lambda: apply(
          discriminator,
          variables,
          images,
          train=True,
          mutable=["batch_stats"],
        )
      )()

    logits, updated = train(discriminator)
    chex.assert_type(jax.tree.leaves((variables, updated, logits)), jnp.float32)
    exact, _ = train(discriminator.clone(dtype=jnp.float32))
    np.testing.assert_allclose(logits, exact, atol=0.05 * np.abs(exact).max())
    self.assertGreater(np.abs(logits - exact).max(), 0)

  def test_sides_that_cannot_be_halved(self):
    with self.assertRaisesRegex(ValueError, "cannot be halved 3 times"):
      shapes(dcgan.Generator(28, 1, 3), jnp.zeros((1, 4)))
    with self.assertRaisesRegex(ValueError, "cannot be halved 3 times"):
      shapes(dcgan.Discriminator(3), jnp.zeros((1, 28, 28, 1)))


if __name__ == "__main__":
  absltest.main()
