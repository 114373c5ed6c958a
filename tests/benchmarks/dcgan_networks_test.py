"""PyTorch's networks on images and this library's compute the same.

PyTorch has convolutions, batch normalisation and derivatives of its own: what
it computes with the same weights is an independent value of what this library
does.
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
"""Of the data in the points of the penalty."""


def names_of(torch, player):
  """Yields the path of each of PyTorch's layers in the params of Flax."""

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
      for path, own in names_of(torch, layer):
        yield (name, *path), own
    elif list(layer.parameters()):
      yield (name,), layer
    counts[kind] += bool(list(layer.parameters()))


def to_flax(torch, player, base, values):
  """Brings values of PyTorch's parameters to the shapes and names of Flax.

  Args:
    torch: PyTorch.
    player: of PyTorch.
    base: side of the maps that a dense layer makes or takes.
    values: of its parameters, in their order.
  """
  of = dict(zip(player.parameters(), values, strict=True))
  tree = {}
  for path, layer in names_of(torch, player):
    weight = of[layer.weight].detach().numpy()
    bias = None
    if layer.bias is not None:
      bias = of[layer.bias].detach().numpy()
    own = tree
    for name in path:
      own = own.setdefault(name, {})
    if isinstance(layer, torch.nn.BatchNorm2d):
      own["scale"] = weight
    elif isinstance(layer, torch.nn.Linear):
      # Channels come before places there, and after them here.
      outputs, inputs = weight.shape
      if outputs > 1:
        maps = weight.reshape(-1, base, base, inputs).transpose(3, 1, 2, 0)
        own["kernel"] = maps.reshape(inputs, outputs)
        if bias is not None:
          bias = bias.reshape(-1, base, base).transpose(1, 2, 0).ravel()
      else:
        maps = weight.reshape(-1, base, base).transpose(1, 2, 0)
        own["kernel"] = maps.reshape(inputs, 1)
    else:
      # [o, c, k, l], transposed ones [c, o, k, l] as the library's adjoints.
      kernel = weight.transpose(2, 3, 1, 0)
      own["kernel"] = kernel[0, 0] if path[-1].startswith("Dense") else kernel
    if bias is not None:
      own["bias"] = bias
  return tree


def assert_close(tree, expected):
  """Checks that trees agree but for the rounding of float32.

  A bias under batch normalisation has no gradient but that rounding, which is
  relative to the other gradients of its player.
  """
  most = max(np.max(np.abs(leaf)) for leaf in jax.tree.leaves(expected))

  def check(leaf, other):
    tolerance = 1e-4 * np.max(np.abs(other)) + 1e-6 * most
    np.testing.assert_allclose(leaf, other, rtol=0, atol=tolerance)

  chex.assert_trees_all_equal_structs(tree, expected)
  jax.tree.map(check, tree, expected)


@unittest.skipUnless(
  importlib.util.find_spec("torch"),
  "PyTorch, the extra `bench`, is not installed",
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

  def spread(self, players):
    """Draws biases and scales too, which start as zeros and ones."""
    for player in players:
      for param in player.parameters():
        self.torch.nn.init.normal_(param, 1.0 if param.ndim == 1 else 0.0, 0.1)

  def check(self, setting, players, bases, networks, make_game, gradients):
    """Compares both players of PyTorch with this library's.

    Args:
      setting: of the game.
      players: of PyTorch.
      bases: sides of the maps that dense layers make or take.
      networks: of this library.
      make_game: networks -> the game of this library.
      gradients: (params, real, fake) -> gradients, in PyTorch.
    """
    self.spread(players)
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
    # Averages of batch statistics, which training does not read.
    variables = jax.tree.map(lambda own: jnp.zeros(own.shape), variables)
    real = dcgan_game.images(setting, BATCH_SIZE)

    fake = players.generator(self.torch.from_numpy(self.latents))
    logits = players.discriminator(self.to_torch(real))
    for network, own, own_variables, x, expected in zip(
      networks,
      params,
      variables,
      (self.latents, real),
      (fake.permute(0, 2, 3, 1), logits),
      strict=True,
    ):
      apply = functools.partial(
        network.apply, train=True, mutable=list(own_variables)
      )
      outputs, _ = jax.jit(apply)({"params": own, **own_variables}, x)
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
    own_params = Players(*(tuple(own.parameters()) for own in players))
    expected = gradients(own_params, self.to_torch(real), fake)
    for own, *of_torch in zip(found, players, bases, expected, strict=True):
      assert_close(own, to_flax(self.torch, *of_torch))

  def test_dcgan(self):
    # On a CPU this library's convolutions have other forms from 17 and from 96
    # channels on, and maps of odd sides are padded.
    setting = Setting(24, 3, 3, filters=48)
    module = importlib.import_module("benchmarks.dcgan_torch")
    players = module.players(setting)

    def gradients(params, real, fake):
      judge = players.discriminator
      return module.gradients(params, judge(real), judge(fake))

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
      # The critic's dense layer takes sums over all places.
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
    textbook, own, without = (
      dcgan_flax.num_params(networks, setting)
      for networks in (
        dcgan_flax.networks(setting),
        dcgan_gan_jax.networks(setting),
        dcgan_gan_jax.networks(setting, batch_norm=False),
      )
    )
    self.assertEqual(textbook, own)
    # A scale and a bias for each channel after the first layer.
    channels = sum(setting.widths()[2:])
    self.assertEqual(own.discriminator - without.discriminator, 2 * channels)
    self.assertEqual(own.generator, without.generator)

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
