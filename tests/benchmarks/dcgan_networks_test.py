"""The networks on images compute the same in PyTorch and in this library.

PyTorch implements convolutions, batch normalisation and derivatives
independently, so its values with the same weights test those of this library.
"""

import collections
import functools
import importlib
import importlib.util
import unittest
from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from benchmarks import dcgan_flax, dcgan_game, dcgan_gan_jax
from benchmarks.dcgan_game import Setting
from gan_jax import games
from gan_jax.types import Players

BATCH_SIZE = 6
SHARE = 0.3
"""Weight of the real images in the points of the penalty."""


def names_of(torch, player):
  """Yields the path in Flax's params and the layer, for each PyTorch layer."""

  def layers(module):
    for child in module.children():
      if isinstance(child, torch.nn.Sequential):
        yield from layers(child)
      else:
        yield child

  counts = collections.Counter()
  for layer in layers(player):
    kind = {
      "Linear": "Dense",
      "Conv2d": "Convolution",
      "ConvTranspose2d": "TransposedConvolution",
      "BatchNorm2d": "BatchNorm",
    }.get(type(layer).__name__, type(layer).__name__)
    if kind == "Convolution" and layer.kernel_size == (1, 1):
      kind = "Dense"
    name = f"{kind}_{counts[kind]}"
    if list(layer.children()):
      for path, child in names_of(torch, layer):
        yield (name, *path), child
    elif list(layer.parameters()):
      yield (name,), layer
    counts[kind] += bool(list(layer.parameters()))


def to_flax(torch, player, base, values):
  """Converts values of PyTorch's parameters to the shapes and names of Flax.

  Args:
    torch: the module of PyTorch.
    player: a network of PyTorch.
    base: side of the maps at the input or output of its dense layer.
    values: values of the parameters, in the order of `player.parameters()`.
  """
  value_of = dict(zip(player.parameters(), values, strict=True))
  tree = {}
  for path, layer in names_of(torch, player):
    weight = value_of[layer.weight].detach().numpy()
    bias = None
    if layer.bias is not None:
      bias = value_of[layer.bias].detach().numpy()
    params = tree
    for name in path:
      params = params.setdefault(name, {})
    if isinstance(layer, torch.nn.BatchNorm2d):
      params["scale"] = weight
    elif isinstance(layer, torch.nn.Linear):
      # PyTorch has channels before positions, and Flax after them.
      outputs, inputs = weight.shape
      if outputs > 1:
        maps = weight.reshape(-1, base, base, inputs).transpose(3, 1, 2, 0)
        params["kernel"] = maps.reshape(inputs, outputs)
        if bias is not None:
          bias = bias.reshape(-1, base, base).transpose(1, 2, 0).ravel()
      else:
        maps = weight.reshape(-1, base, base).transpose(1, 2, 0)
        params["kernel"] = maps.reshape(inputs, 1)
    else:
      # Kernels are [o, c, k, l]. Transposed ones are [c, o, k, l], because this
      # library stores them as those of the adjoint convolution.
      kernel = weight.transpose(2, 3, 1, 0)
      params["kernel"] = (
        kernel[0, 0] if path[-1].startswith("Dense") else kernel
      )
    if bias is not None:
      params["bias"] = bias
  return tree


def assert_close(tree, expected):
  """Checks that trees agree up to float32 rounding.

  The gradient of a bias before batch normalisation is only rounding error. Its
  size is relative to the largest gradient of the player.
  """
  largest = max(np.max(np.abs(leaf)) for leaf in jax.tree.leaves(expected))

  def check(leaf, other):
    tolerance = 1e-4 * np.max(np.abs(other)) + 1e-6 * largest
    np.testing.assert_allclose(leaf, other, rtol=0, atol=tolerance)

  chex.assert_trees_all_equal_structs(tree, expected)
  jax.tree.map(check, tree, expected)


@unittest.skipUnless(
  importlib.util.find_spec("torch"),
  "PyTorch is not installed",
)
class NetworksTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.torch = importlib.import_module("torch")
    self.torch.manual_seed(0)
    self.latents = np.random.default_rng(1).normal(
      size=(BATCH_SIZE, dcgan_game.LATENTS)
    )
    self.latents = self.latents.astype(np.float32)

  def to_torch(self, images):
    return self.torch.from_numpy(images).permute(0, 3, 1, 2)

  def randomize(self, players):
    """Draws all parameters, including biases and scales (0 and 1 initially)."""
    for player in players:
      for param in player.parameters():
        self.torch.nn.init.normal_(param, 1.0 if param.ndim == 1 else 0.0, 0.1)

  def check(self, setting, players, bases, networks, make_game, gradients):
    """Compares outputs and gradients of both players with PyTorch's.

    Args:
      setting: sizes of the game.
      players: networks of PyTorch.
      bases: for each player, `base` of `to_flax`.
      networks: networks of this library.
      make_game: networks -> the game of this library.
      gradients: (params, real, fake) -> gradients, in PyTorch.
    """
    self.randomize(players)
    params = Players(
      *(
        to_flax(self.torch, player, base, player.parameters())
        for player, base in zip(players, bases, strict=True)
      )
    )
    with mock.patch.object(
      dcgan_gan_jax.latents,
      "normal",
      lambda dim: lambda key, n: jnp.asarray(self.latents),
    ):
      game = make_game(networks)
    initial, variables = jax.eval_shape(game.init, jax.random.key(0))
    chex.assert_trees_all_equal_shapes_and_dtypes(initial, params)
    # Training does not read the averages of batch statistics.
    variables = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), variables)
    real = dcgan_game.images(setting, BATCH_SIZE)

    fake = players.generator(self.torch.from_numpy(self.latents))
    logits = players.discriminator(self.to_torch(real))
    for network, player_params, player_variables, x, expected in zip(
      networks,
      params,
      variables,
      (self.latents, real),
      (fake.permute(0, 2, 3, 1), logits),
      strict=True,
    ):
      apply = functools.partial(
        network.apply, train=True, mutable=list(player_variables)
      )
      outputs, _ = jax.jit(apply)(
        {"params": player_params, **player_variables}, x
      )
      self.assertGreater(np.std(outputs), 0.01)
      assert_close(outputs, expected.detach().numpy())

    with mock.patch.object(
      jax.random,
      "uniform",
      lambda key, shape, dtype: jnp.full(shape, SHARE, dtype),
    ):
      found, _, _ = jax.jit(game.gradients or games.pullbacks(game.costs))(
        params, variables, jnp.asarray(real), jax.random.key(0)
      )
    torch_params = Players(*(tuple(player.parameters()) for player in players))
    expected = gradients(torch_params, self.to_torch(real), fake)
    for actual, *torch_values in zip(
      found, players, bases, expected, strict=True
    ):
      assert_close(actual, to_flax(self.torch, *torch_values))

  def test_dcgan(self):
    # On a CPU this library's convolutions have different forms from 17 and from
    # 96 channels on, and maps of odd sides are padded.
    setting = Setting(24, 3, 3, filters=48)
    module = importlib.import_module("benchmarks.dcgan_torch")
    players = module.players(setting)

    def gradients(params, real, fake):
      discriminate = players.discriminator
      return module.gradients(params, discriminate(real), discriminate(fake))

    self.check(
      setting,
      players,
      (setting.base(), setting.base()),
      dcgan_gan_jax.networks(setting),
      dcgan_gan_jax.game,
      gradients,
    )

  def test_wgan_gp(self):
    setting = Setting(16, 3, 2, filters=6)
    module = importlib.import_module("benchmarks.wgan_gp_torch")
    players = module.players(setting)

    def fixed_share(*shape, device):
      return self.torch.full(shape, SHARE, device=device)

    def gradients(params, real, fake):
      with mock.patch.object(self.torch, "rand", fixed_share):
        return module.gradients(params, players.discriminator, real, fake)

    self.check(
      setting,
      players,
      # The critic's dense layer takes sums over all positions.
      (setting.base(), 1),
      dcgan_gan_jax.wgan_gp_networks(setting),
      dcgan_gan_jax.wgan_gp_game,
      gradients,
    )


class SizesTest(parameterized.TestCase):
  @parameterized.parameters(
    Setting(28, 1, 2), Setting(32, 3, 3), Setting(64, 3, 4)
  )
  def test_flax_and_this_library_have_as_many_parameters(self, *setting):
    setting = Setting(*setting)
    textbook, library, without = (
      dcgan_flax.num_params(networks, setting)
      for networks in (
        dcgan_flax.networks(setting),
        dcgan_gan_jax.networks(setting),
        dcgan_gan_jax.networks(setting, batch_norm=False),
      )
    )
    self.assertEqual(textbook, library)
    # A scale and a bias for each channel after the first layer.
    channels = sum(setting.widths()[2:])
    self.assertEqual(
      library.discriminator - without.discriminator, 2 * channels
    )
    self.assertEqual(library.generator, without.generator)

  def test_against_counts_by_hand(self):
    # Channels 1, 64, 128; 7 * 7 * 128 = 6272 units. G: 100 * 6272 + 2 * 128
    # + 16 * 128 * 64 + 2 * 64 + 16 * 64; D: 16 * 64 + 16 * 64 * 128 + 2 * 128
    # + 6272.
    setting = Setting(28, 1, 2)
    self.assertEqual(
      dcgan_flax.num_params(dcgan_gan_jax.networks(setting), setting),
      (759_680, 138_624),
    )


if __name__ == "__main__":
  absltest.main()
