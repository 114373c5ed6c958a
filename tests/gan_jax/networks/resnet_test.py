"""Tests SN-GAN's residual networks: sizes, layers, classes, derivatives."""

import itertools
import zlib
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from jax import lax

from gan_jax.networks import latent_joins, resnet

KEY = jax.random.key(0)


def apply(module, variables, *args, **kwargs) -> Any:
  """Applies a module; its outputs may be anything to a type checker."""
  return jax.jit(lambda v: module.apply(v, *args, **kwargs))(variables)


def filled(module, *args, **kwargs) -> Any:
  """Returns variables of a module, with biases that are not zero."""
  variables = jax.eval_shape(lambda: module.init(KEY, *args, **kwargs))

  def fill(path, leaf):
    if path[-1].key == "var":
      return jnp.ones(leaf.shape)
    # Random in every leaf, and of a kernel about as large as it preserves.
    scale = np.prod(leaf.shape[:-1]) ** -0.5
    return scale * normal(zlib.crc32(str(path).encode()), leaf.shape)

  return jax.tree.map_with_path(fill, variables)


def normal(seed, shape):
  return jnp.asarray(np.random.default_rng(seed).normal(size=shape), "float32")


def count(params):
  return sum(leaf.size for leaf in jax.tree.leaves(params))


def shapes(module, *args, **kwargs):
  """Returns the shapes of a module's collections and of its output."""

  def run():
    variables = module.init(KEY, *args, **kwargs)
    return variables, module.apply(variables, *args, **kwargs)

  return jax.eval_shape(run)


# The same in NumPy and float64, from the definitions.


def relu(maps):
  return np.maximum(maps, 0)


def convolved(maps, kernel):
  """Sums a 3 x 3 convolution tap by tap."""
  _, h, w, _ = maps.shape
  padded = np.pad(np.asarray(maps, float), ((0, 0), (1, 1), (1, 1), (0, 0)))
  kernel = np.asarray(kernel, float)
  return sum(
    padded[:, a : a + h, b : b + w] @ kernel[a, b]
    for a in range(3)
    for b in range(3)
  )


def repeated(maps):
  return np.asarray(maps).repeat(2, axis=1).repeat(2, axis=2)


def averaged(maps):
  maps = np.asarray(maps)
  return sum(maps[:, a::2, b::2] for a in range(2) for b in range(2)) / 4


def layer(params, maps):
  """Applies a 3 x 3 convolution or a dense layer, each with its bias."""
  kernel, bias = (np.asarray(params[k], float) for k in ("kernel", "bias"))
  if kernel.ndim == 4:
    return convolved(maps, kernel) + bias
  return np.asarray(maps, float) @ kernel + bias


# The discriminator by XLA's operations, for derivatives.


def xla_layer(params, maps):
  kernel = params["kernel"]
  if kernel.ndim == 2:
    kernel = kernel[None, None]
  out = lax.conv_general_dilated(
    maps,
    kernel,
    (1, 1),
    "SAME",
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
    precision="highest",
  )
  return out + params["bias"].reshape(1, 1, 1, -1)


def xla_average(maps):
  window = (1, 2, 2, 1)
  return lax.reduce_window(maps, 0.0, lax.add, window, window, "VALID") / 4


def xla_discriminator(params, images):
  """Judges by one block that halves and takes images, and a plain one."""
  first, second = (params[f"DiscriminatorBlock_{i}"] for i in range(2))
  maps = jax.nn.relu(xla_layer(first["Convolution_0"], images))
  maps = xla_average(xla_layer(first["Convolution_1"], maps))
  # The shortcut in the other order: first the layer, then the average.
  maps += xla_average(xla_layer(first["Dense_0"], images))
  inner = xla_layer(second["Convolution_0"], jax.nn.relu(maps))
  maps += xla_layer(second["Convolution_1"], jax.nn.relu(inner))
  features = jnp.sum(jax.nn.relu(maps), axis=(1, 2))
  return features @ params["Dense_0"]["kernel"]


class ConvolutionTest(parameterized.TestCase):
  @parameterized.parameters((3, 5), (20, 18))
  def test_a_kernel_folded_is_a_doubling_or_a_halving_and_a_convolution(
    self, c, o
  ):
    maps, kernel = normal(0, (2, 6, 4, c)), normal(1, (3, 3, c, o))
    for name, actual, expected in (
      (
        "doubled",
        jax.jit(resnet.doubled_convolution)(maps, kernel),
        convolved(repeated(maps), kernel),
      ),
      (
        "halved",
        jax.jit(resnet.halved_convolution)(maps, kernel),
        averaged(convolved(maps, kernel)),
      ),
      (
        "plain",
        jax.jit(resnet.plain_convolution)(maps, kernel),
        convolved(maps, kernel),
      ),
    ):
      with self.subTest(name):
        atol = 5e-6 * np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)

  def test_doubling_and_halving(self):
    maps = normal(0, (2, 4, 6, 3))
    np.testing.assert_array_equal(resnet.doubled(maps), repeated(maps))
    np.testing.assert_allclose(
      resnet.halved(maps), averaged(maps), rtol=0, atol=1e-6
    )

  def test_wrong_kernels(self):
    for convolve in (
      resnet.plain_convolution,
      resnet.doubled_convolution,
      resnet.halved_convolution,
    ):
      for kernel in ((4, 4, 3, 2), (3, 3, 2, 3)):
        with self.assertRaises(AssertionError):
          convolve(normal(0, (2, 4, 4, 3)), normal(1, kernel))


class BlockTest(parameterized.TestCase):
  def test_the_generators(self):
    # A normalisation that is neither odd nor even shows where it stands.
    block = resnet.GeneratorBlock(
      4, normalize=lambda maps, train, dtype: 2 * maps + 1
    )
    maps = normal(0, (2, 4, 6, 3))
    variables = filled(block, maps, True)
    params = variables["params"]
    hidden = layer(
      params["Convolution_0"], repeated(relu(2 * np.asarray(maps) + 1))
    )
    expected = layer(params["Convolution_1"], relu(2 * hidden + 1))
    expected += layer(params["Dense_0"], repeated(maps))
    np.testing.assert_allclose(
      apply(block, variables, maps, True), expected, rtol=0, atol=2e-5
    )

  @parameterized.parameters(
    # is_first, halves, features
    (True, True, 4),
    (False, True, 4),
    (False, False, 3),
  )
  def test_the_discriminators(self, is_first, halves, features):
    block = resnet.DiscriminatorBlock(
      features,
      halves=halves,
      is_first=is_first,
      normalize=lambda maps, train, dtype: 2 * maps + 1,
      spectral_norm=False,
    )
    maps = normal(0, (2, 4, 6, 3))
    variables = filled(block, maps, True)
    params = variables["params"]
    inputs = np.asarray(maps)
    hidden = layer(
      params["Convolution_0"], inputs if is_first else relu(2 * inputs + 1)
    )
    # The first block widens at once, a later one with its second convolution.
    self.assertEqual(hidden.shape[3], features if is_first else 3)
    expected = layer(params["Convolution_1"], relu(2 * hidden + 1))
    if halves:
      expected = averaged(expected + layer(params["Dense_0"], inputs))
    else:
      expected += inputs
    np.testing.assert_allclose(
      apply(block, variables, maps, True), expected, rtol=0, atol=2e-5
    )

  def test_dropout(self):
    block = resnet.DiscriminatorBlock(
      3, halves=False, spectral_norm=False, dropout=0.5
    )
    maps = normal(0, (2, 4, 4, 3))
    variables = filled(block, maps, False)
    np.testing.assert_array_equal(
      apply(block, variables, maps, False),
      apply(block.clone(dropout=0.0), variables, maps, False),
    )

    @jax.jit
    def train(key):
      return block.apply(variables, maps, True, rngs={"dropout": key})

    first, second = (train(key) for key in jax.random.split(KEY))
    self.assertGreater(np.abs(first - second).max(), 0.1)


class ResNetTest(parameterized.TestCase):
  def test_parameters_of_the_published_networks_for_32_pixels(self):
    # 128 latents: a dense layer 128*4096 + 4096, three blocks of
    # 2*(9*256*256 + 256) + 256*256 + 256 + 2*512, and 512 + 9*256*3 + 3.
    generator, images = shapes(
      resnet.Generator(size=32, channels=3, depth=3), jnp.zeros((2, 128))
    )
    chex.assert_shape(images, (2, 32, 32, 3))
    self.assertEqual(count(generator["params"]), 4_276_739)
    # 9*3*128 + 128 + 9*128*128 + 128 + 3*128 + 128 in the first block,
    # 2*(9*128*128 + 128) + 128*128 + 128 in the second, the same without its
    # shortcut in two more, and 128.
    discriminator, logits = shapes(
      resnet.Discriminator(depth=2), jnp.zeros((2, 32, 32, 3))
    )
    chex.assert_shape(logits, (2, 1))
    self.assertEqual(count(discriminator["params"]), 1_053_824)

  def test_parameters_of_the_published_networks_for_64_pixels(self):
    def convolution(c, o):
      return 9 * c * o + o

    widths = (1024, 512, 256, 128, 64)
    generator, images = shapes(
      resnet.Generator(size=64, channels=3, depth=4, filters=64, widening=2),
      jnp.zeros((2, 128)),
    )
    chex.assert_shape(images, (2, 64, 64, 3))
    expected = 129 * 16 * 1024 + 2 * 64 + convolution(64, 3)
    for c, o in itertools.pairwise(widths):
      expected += convolution(c, o) + convolution(o, o) + c * o + o
      expected += 2 * (c + o)
    self.assertEqual(count(generator["params"]), expected)
    discriminator, _ = shapes(
      resnet.Discriminator(depth=5, plain_blocks=0, filters=64, widening=2),
      jnp.zeros((2, 64, 64, 3)),
    )
    expected = convolution(3, 64) + convolution(64, 64) + 4 * 64 + 1024
    for o, c in itertools.pairwise(widths):
      expected += convolution(c, c) + convolution(c, o) + c * o + o
    self.assertEqual(count(discriminator["params"]), expected)

  @parameterized.parameters((28, 1, 2), (32, 3, 3), (64, 1, 4))
  def test_the_rules(self, size, channels, depth):
    generator = resnet.Generator(size, channels, depth, filters=2)
    discriminator = resnet.Discriminator(depth, plain_blocks=1, filters=2)
    variables, images = shapes(generator, jnp.zeros((3, 5)))
    chex.assert_shape(images, (3, size, size, channels))
    judged, logits = shapes(discriminator, jnp.zeros(images.shape))
    chex.assert_shape(logits, (3, 1))
    # Two normalisations a block and one after the last.
    means = [
      path
      for path, _ in jax.tree.leaves_with_path(variables["batch_stats"])
      if path[-1].key == "mean"
    ]
    self.assertLen(means, 2 * depth + 1)
    # Two kernels a block, a shortcut in those that halve, and the last layer.
    norms = jax.tree.leaves_with_path(judged["batch_stats"])
    sigmas = [path for path, _ in norms if path[-1].key.endswith("sigma")]
    self.assertLen(sigmas, 3 * depth + 2 + 1)
    self.assertNotIn("bias", judged["params"]["Dense_0"])

  def test_kernels_are_drawn_from_glorots_distributions(self):
    block: Any = resnet.DiscriminatorBlock(32, spectral_norm=False)
    maps = jnp.zeros((1, 2, 2, 32))
    params = jax.jit(block.init, static_argnums=2)(KEY, maps, False)["params"]
    # Uniform within sqrt(6 gain^2 / (inputs + outputs)), of 9216 and 1024.
    for name, limit in (
      ("Convolution_0", np.sqrt(6 * 2 / (2 * 9 * 32))),
      ("Dense_0", np.sqrt(6 / (2 * 32))),
    ):
      kernel = params[name]["kernel"]
      self.assertLessEqual(np.abs(kernel).max(), limit)
      self.assertGreater(np.abs(kernel).max(), 0.98 * limit)
      # The deviation's relative standard error is 0.45 / sqrt(n), 1.4 % for
      # 1024.
      np.testing.assert_allclose(np.std(kernel), limit / 3**0.5, rtol=0.05)
      np.testing.assert_array_equal(params[name]["bias"], 0)

  def test_the_generator_by_its_parts(self):
    generator = resnet.Generator(
      8, 1, 1, filters=3, widening=2, normalize=lambda maps, *_: 2 * maps + 1
    )
    latents = normal(0, (2, 5))
    variables = filled(generator, latents)
    params = variables["params"]
    maps = layer(params["Dense_0"], latents).reshape(2, 4, 4, 6)
    block = params["GeneratorBlock_0"]
    hidden = layer(block["Convolution_0"], repeated(relu(2 * maps + 1)))
    residual = layer(block["Convolution_1"], relu(2 * hidden + 1))
    maps = residual + layer(block["Dense_0"], repeated(maps))
    expected = np.tanh(layer(params["Convolution_0"], relu(2 * maps + 1)))
    np.testing.assert_allclose(
      apply(generator, variables, latents), expected, rtol=0, atol=2e-5
    )

  @parameterized.parameters("added", "concatenated", "repeated")
  def test_joins_by_the_generators_parts(self, join):
    # Two levels of 4 x 4 and 8 x 8 pixels with 6 and 3 channels, which are
    # joined after their activation. The shortcut has no latents.
    joins, sizes = {
      "added": (latent_joins.added(0.5), (96, 192)),
      "concatenated": (latent_joins.concatenated(2), (2, 2)),
      "repeated": (latent_joins.repeated(), (0, 0)),
    }[join]
    generator = resnet.Generator(
      8, 1, 1, filters=3, widening=2, normalize=None, joins=(joins,) * 2
    )
    latents = normal(0, (2, 5 + sum(sizes)))
    variables = filled(generator, latents)
    params = variables["params"]
    first, *parts = np.split(latents, [5, 5 + sizes[0]], axis=1)

    def joined(maps, part):
      if join == "added":
        return maps + 0.5 * part.reshape(maps.shape)
      part = first if join == "repeated" else part
      constant = np.ones((*maps.shape[:3], 1)) * part[:, None, None]
      return np.concatenate([maps, constant], axis=3)

    maps = layer(params["Dense_0"], first).reshape(2, 4, 4, 6)
    block = params["GeneratorBlock_0"]
    hidden = layer(
      block["Convolution_0"], repeated(joined(relu(maps), parts[0]))
    )
    residual = layer(block["Convolution_1"], relu(hidden))
    maps = residual + layer(block["Dense_0"], repeated(maps))
    expected = np.tanh(
      layer(params["Convolution_0"], joined(relu(maps), parts[1]))
    )
    np.testing.assert_allclose(
      apply(generator, variables, latents), expected, rtol=0, atol=2e-5
    )

  def test_images_are_within_bounds_and_depend_on_latents(self):
    generator = resnet.Generator(8, 1, 1, filters=4)
    latents = 100 * normal(0, (4, 3))
    variables = filled(generator, latents)
    images, updated = apply(
      generator, variables, latents, train=True, mutable=["batch_stats"]
    )
    self.assertLessEqual(np.abs(images).max(), 1)
    self.assertGreater(np.abs(images[0] - images[1]).max(), 1e-3)
    chex.assert_tree_all_finite(updated)

  def test_gradient_penalties_of_the_discriminator(self):
    # Logits, and the parameters' gradient of the squared norm of the images'
    # gradient, which differentiates the network twice.
    discriminator = resnet.Discriminator(
      1, plain_blocks=1, filters=4, spectral_norm=False
    )
    images = normal(0, (2, 8, 8, 3))
    params = filled(discriminator, images)["params"]

    def penalty(params, judge):
      gradient = jax.grad(lambda x: jnp.sum(judge(params, x)))(images)
      norms = jnp.sqrt(jnp.sum(gradient**2, axis=(1, 2, 3)))
      return jnp.mean((norms - 1) ** 2)

    @jax.jit
    def of(params):
      judges = (
        lambda params, x: discriminator.apply({"params": params}, x),
        xla_discriminator,
      )
      return [
        (judge(params, images), jax.grad(penalty)(params, judge))
        for judge in judges
      ]

    (logits, gradient), (expected_logits, expected) = of(params)
    np.testing.assert_allclose(logits, expected_logits, rtol=1e-4)
    scale = max(np.abs(leaf).max() for leaf in jax.tree.leaves(expected))
    chex.assert_trees_all_close(gradient, expected, rtol=0, atol=1e-4 * scale)
    chex.assert_tree_all_finite(gradient)
    for path, leaf in jax.tree.leaves_with_path(gradient):
      if path[-1].key == "kernel":
        self.assertGreater(np.abs(leaf).max(), 1e-3 * scale, path)

  @parameterized.parameters(True, False)
  def test_classes_matter_to_both(self, projection):
    generator = resnet.Generator(8, 1, 1, filters=4, num_classes=3)
    discriminator = resnet.Discriminator(
      1, 1, filters=4, num_classes=3, projection=projection
    )
    zeros, ones = jnp.zeros(2, jnp.int32), jnp.ones(2, jnp.int32)
    for network, inputs in (
      (generator, normal(0, (2, 5))),
      (discriminator, normal(0, (2, 8, 8, 1))),
    ):
      variables = filled(network, inputs, condition=zeros)

      @jax.jit
      def of(labels, network=network, variables=variables, inputs=inputs):
        return network.apply(variables, inputs, condition=labels)

      change = np.abs(of(zeros) - of(ones)).reshape(2, -1).max(axis=1)
      self.assertGreater(change.min(), 1e-3)

  def test_sums_and_projection_by_hand(self):
    discriminator = resnet.Discriminator(
      1, 1, filters=4, num_classes=3, spectral_norm=False
    )
    images, labels = normal(0, (2, 4, 4, 1)), jnp.array([2, 0])
    variables = filled(discriminator, images, condition=labels)
    logits, captured = apply(
      discriminator,
      variables,
      images,
      condition=labels,
      capture_intermediates=lambda module, _: (
        module.name == "DiscriminatorBlock_1"
      ),
      mutable=["intermediates"],
    )
    maps = captured["intermediates"]["DiscriminatorBlock_1"]["__call__"][0]
    features = relu(np.asarray(maps)).sum((1, 2))
    params = variables["params"]
    embedding = np.asarray(params["Dense_1"]["kernel"])[np.asarray(labels)]
    expected = features @ np.asarray(params["Dense_0"]["kernel"])
    expected += (features * embedding).sum(1, keepdims=True)
    np.testing.assert_allclose(logits, expected, rtol=1e-5)

  def test_spectral_norm_divides_every_kernel_by_its_largest_singular_value(
    self,
  ):
    discriminator = resnet.Discriminator(1, 1, filters=4)
    images = normal(0, (1, 8, 8, 1))
    variables = filled(discriminator, images)

    @jax.jit
    def pass_(variables) -> Any:
      return discriminator.apply(
        variables, images, train=True, mutable=["batch_stats"]
      )

    # Kernels seven times as large are the same network; biases are not divided.
    larger = variables | {
      "params": jax.tree.map(
        lambda w: 7 * w if w.ndim > 1 else w, variables["params"]
      )
    }
    np.testing.assert_allclose(pass_(variables)[0], pass_(larger)[0], rtol=1e-4)
    for _ in range(100):
      variables |= pass_(variables)[1]
    block = variables["params"]["DiscriminatorBlock_0"]
    # The singular value is that of the kernel, as a matrix to the outputs, and
    # not that of the folded kernel.
    for index, name in enumerate(("Convolution_0", "Convolution_1", "Dense_0")):
      kernel = np.asarray(block[name]["kernel"])
      values = variables["batch_stats"]["DiscriminatorBlock_0"]
      np.testing.assert_allclose(
        values[f"SpectralNorm_{index}"][f"{name}/kernel/sigma"],
        np.linalg.svd(kernel.reshape(-1, 4), compute_uv=False)[0],
        rtol=1e-3,
      )

  def test_bfloat16_keeps_parameters_statistics_and_outputs(self):
    for network, inputs in (
      (resnet.Generator(8, 1, 1, filters=4), normal(0, (8, 5))),
      (resnet.Discriminator(1, 1, filters=4), normal(0, (4, 8, 8, 1))),
    ):
      variables = filled(network, inputs)
      out, updated = apply(
        network.clone(dtype=jnp.bfloat16),
        variables,
        inputs,
        train=True,
        mutable=["batch_stats"],
      )
      chex.assert_type(jax.tree.leaves((variables, updated, out)), jnp.float32)
      exact, _ = apply(
        network, variables, inputs, train=True, mutable=["batch_stats"]
      )
      scale = np.abs(exact).max()
      np.testing.assert_allclose(out, exact, rtol=0, atol=0.05 * scale)
      self.assertGreater(np.abs(out - exact).max(), 1e-5 * scale)

  def test_bfloat16_sums_the_gradients_of_biases_in_float32(self):
    inputs = normal(0, (16, 16, 16, 4))
    cotangent = jnp.ones(inputs.shape, jnp.bfloat16)
    for layer in (
      resnet.Convolution(4, dtype=jnp.bfloat16),
      resnet.Dense(4, jnp.bfloat16),
    ):
      variables = layer.init(KEY, inputs)
      _, pull = jax.vjp(
        lambda variables, layer=layer: layer.apply(variables, inputs), variables
      )
      (gradient,) = pull(cotangent)
      # A sum of 16^3 ones.
      np.testing.assert_array_equal(gradient["params"]["bias"], 4 * [4096.0])

  def test_sides_that_cannot_be_halved(self):
    with self.assertRaisesRegex(ValueError, "cannot be halved 3 times"):
      shapes(resnet.Generator(28, 1, 3), jnp.zeros((1, 4)))
    with self.assertRaisesRegex(ValueError, "cannot be halved 3 times"):
      shapes(resnet.Discriminator(3), jnp.zeros((1, 28, 28, 1)))


if __name__ == "__main__":
  absltest.main()
