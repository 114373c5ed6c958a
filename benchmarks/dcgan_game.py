"""The games that the contestants of the suite on images play.

The networks of DCGAN, or the residual ones of WGAN-GP, from 100 latents
N(0, I): the generator doubles its maps from a few pixels to the image, the
discriminator halves them. Adam for each player, and one fixed minibatch of
noise for images, on the device from the start: what the data is does not matter
to the time of a step.
"""

import itertools
from typing import Generic, NamedTuple, TypeVar

import numpy as np

LATENTS = 100
LEARNING_RATE = 2e-4
BETA1 = 0.5
BETA2 = 0.999
STDDEV = 0.02
"""Of the initial weights."""
SLOPE = 0.2
"""Of LeakyReLU below 0."""
PENALTY_WEIGHT = 10.0
"""Of WGAN-GP; the target is 1."""
PLAIN_BLOCKS = 2
"""Of its critic: residual blocks after those that halve the image."""
NUM_GENERATED = 8
"""Samples that show whether a training has diverged."""


T = TypeVar("T")


class Players(NamedTuple, Generic[T]):
  """One thing for each player, as the library has it.

  The library's own would bring JAX into the processes of PyTorch.
  """

  generator: T
  discriminator: T


class Setting(NamedTuple):
  """The images of a game, its networks and what they compute in.

  Attributes:
    size: side of the images.
    channels: of the images.
    depth: how often the generator doubles the side.
    filters: channels of DCGAN's maps at the side's half, twice as many at each
      next; of all maps of WGAN-GP.
    dtype: "float32" or "bfloat16", in which convolutions compute; parameters
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
    """Names it in the report."""
    images = f"{self.size}x{self.size}x{self.channels}"
    return images if self.dtype == "float32" else f"{images} {self.dtype}"


def critic_depth(setting: Setting) -> int:
  """Returns how often the critic of WGAN-GP halves the side."""
  return setting.depth - 1


def images(setting: Setting, n: int) -> np.ndarray:
  """Draws noise: [n, size, size, channels] float32 in [-1, 1]."""
  shape = n, setting.size, setting.size, setting.channels
  return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def step_flops(setting: Setting, batch_size: int, num_backward: int) -> int:
  """Counts the operations of the products of one simultaneous step of DCGAN.

  A layer is a product of its inputs by its weights: 2 a operations for a
  sample, twice the multiplications of convolutions by their 4 x 4 taps, with
  those by the zeros around an image. The gradient in its weights costs as
  much, and so does the one in its inputs. On a batch of B,

    G forward, G weights               B rows, all layers
    G inputs                           B rows, all layers but the first
    D forward, D weights              2B rows (real and fake), all layers
    D inputs                          2B rows, all layers but the first,
                                       B rows (fake), the first layer,

  where one pass back through D serves both players. Where D mixes samples, its
  own pass ends at the first layer and the generator's, a second one of B rows,
  goes through all.

  Args:
    setting: of the game.
    batch_size: B, real samples and as many latents.
    num_backward: passes back through D, 1 or 2.

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
