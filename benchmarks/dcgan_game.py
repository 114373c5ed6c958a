"""The games of the dcgan suite.

The networks are those of DCGAN, or the residual ones of WGAN-GP, with 100
latents N(0, I). The generator doubles the side of its maps until they have the
size of the image, and the discriminator halves it. Each player has Adam. The
data is one fixed minibatch of noise on the device, because the time of a step
does not depend on the values of the images.
"""

import itertools
from typing import Generic, NamedTuple, TypeVar

import numpy as np

LATENTS = 100
LEARNING_RATE = 2e-4
BETA1 = 0.5
BETA2 = 0.999
STDDEV = 0.02
"""Standard deviation of the initial weights."""
SLOPE = 0.2
"""Slope of LeakyReLU below 0."""
PENALTY_WEIGHT = 10.0
"""Weight of the gradient penalty of WGAN-GP. The target is 1."""
PLAIN_BLOCKS = 2
"""Residual blocks of WGAN-GP's critic after those that halve the image."""
NUM_GENERATED = 8
"""Number of samples to check whether a training has diverged."""


T = TypeVar("T")


class Players(NamedTuple, Generic[T]):
  """A pair with one entry for each player.

  It copies `gan_jax.types.Players`, because that module imports JAX, which must
  not be in the processes that measure PyTorch.
  """

  generator: T
  discriminator: T


class Setting(NamedTuple):
  """The sizes of a game's images and networks, and their dtype.

  Attributes:
    size: side of the images in pixels.
    channels: channels of the images.
    depth: how many times the generator doubles the side.
    filters: in DCGAN, channels of the maps at half the image's side, doubled
      each time the side halves; in WGAN-GP, channels of all maps.
    dtype: "float32" or "bfloat16", the dtype of the convolutions. Parameters
      are float32.
  """

  size: int
  channels: int
  depth: int
  filters: int = 64
  dtype: str = "float32"

  def base(self) -> int:
    """Returns the side of the smallest maps."""
    return self.size // 2**self.depth

  def widths(self) -> list[int]:
    """Lists the channels of the maps, from the image to the smallest."""
    return [self.channels] + [self.filters * 2**i for i in range(self.depth)]

  def title(self) -> str:
    """Returns the name of the game in the report."""
    images = f"{self.size}x{self.size}x{self.channels}"
    return images if self.dtype == "float32" else f"{images} {self.dtype}"


def critic_depth(setting: Setting) -> int:
  """Returns how many times the critic of WGAN-GP halves the side."""
  return setting.depth - 1


def images(setting: Setting, n: int) -> np.ndarray:
  """Draws noise: [n, size, size, channels] float32 in [-1, 1]."""
  shape = n, setting.size, setting.size, setting.channels
  return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def step_flops(setting: Setting, batch_size: int, num_backward: int) -> int:
  """Counts the operations of the products of one simultaneous step of DCGAN.

  A layer multiplies its inputs by its weights. It takes two operations for each
  multiplication by one of the 4 x 4 taps, including those by the zeros around
  an image. The gradients in its weights and in its inputs cost as much each. A
  step on a batch of B has:

    G forward, G weights               B rows, all layers
    G inputs                           B rows, all layers but the first
    D forward, D weights              2B rows (real and fake), all layers
    D inputs                          2B rows, all layers but the first,
                                       B rows (fake), the first layer.

  This holds if one backward pass through D serves both players. If D mixes
  samples, the discriminator's pass ends at the first layer, and a second pass
  of B rows for the generator goes through all layers.

  Args:
    setting: sizes of the game.
    batch_size: B, the number of real samples and of latents.
    num_backward: backward passes through D, 1 or 2.

  Returns:
    The number of additions and multiplications.
  """
  widths = setting.widths()
  convolutions = [
    16 * inputs * outputs * (setting.size // 2 ** (index + 1)) ** 2
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths))
  ]
  smallest = setting.base() ** 2 * widths[-1]
  generator = sum(convolutions) + LATENTS * smallest
  discriminator = sum(convolutions) + smallest
  to_fake = convolutions[0] if num_backward == 1 else discriminator
  return (
    2
    * batch_size
    * (
      3 * generator
      - LATENTS * smallest
      + 2 * (3 * discriminator - convolutions[0])
      + to_fake
    )
  )
