"""Networks whose condition is images: a U-Net generator, a discriminator.

Condition and output have the same height and width. The generator halves its
input with strided convolutions and doubles it again with transposed ones; maps
of the same size on the two ways are joined, so that details of the condition
need not pass the smallest maps. Convolutions and activations are those of
DCGAN. The discriminator takes samples and their condition, stacked.

A condition is images [n, h, w, c], or a tree of them such as a tuple of images
and masks, whose channels are stacked.

References:
  Isola, Zhu, Zhou and Efros, "Image-to-Image Translation with Conditional
  Adversarial Networks", arXiv 1611.07004, section 3.2. Ronneberger, Fischer and
  Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", arXiv
  1505.04597. Denton et al., arXiv 1506.05751, section 3, for planes of noise.
"""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.networks.dcgan import (
  SLOPE,
  Convolution,
  Normalize,
  TransposedConvolution,
  base_size,
  batch_normalized,
)
from gan_jax.types import Array, Condition


def stacked(*images: Condition) -> Array:
  """Joins images [n, h, w, any] of all trees to [n, h, w, c]."""
  leaves = jax.tree.leaves(images)
  chex.assert_rank(leaves, 4)
  chex.assert_equal_shape_prefix(leaves, 3)
  return jnp.concatenate(leaves, axis=-1)


def noise_planes(latents: Array, height: int, width: int) -> Array:
  """Lays latents [n, p h w] out as images [n, h, w, p]; p may be 0.

  Raises:
    ValueError: if the latents are not a whole number of planes.
  """
  chex.assert_rank(latents, 2)
  num_planes, rest = divmod(latents.shape[1], height * width)
  if rest:
    raise ValueError(
      f"{latents.shape[1]} latents are not a whole number of planes of "
      f"{height} x {width}"
    )
  planes = latents.reshape(len(latents), num_planes, height, width)
  return planes.transpose(0, 2, 3, 1)


class Generator(nn.Module):
  """Maps latents and images to images of the same height and width.

  Attributes:
    channels: channels of the output.
    depth: number of strided convolutions, each of which halves the side, and of
      transposed ones.
    filters: channels of the first hidden layer; the maps have twice as many
      with each further halving, and half as many with each doubling.
    normalize: applied to hidden maps before their activation, except to the
      first ones; or None.
    activation: applied to the output, or None; tanh is for images in [-1, 1].
    dtype: type of the computation; parameters, statistics and images are
      float32.
  """

  channels: int
  depth: int
  filters: int = 64
  normalize: Normalize | None = batch_normalized
  activation: Callable[[Array], Array] | None = jnp.tanh
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, latents: Array, train: bool = False, condition: Condition = None
  ) -> Array:
    """Maps latents [n, p h w] and images [n, h, w, c] to [n, h, w, channels].

    The latents are p channels of noise beside those of the condition. There may
    be none: `data.latents.normal(0)`.

    Raises:
      ValueError: if a side cannot be halved `depth` times, or the latents are
        not a whole number of planes.
    """
    images = stacked(condition)
    height, width = images.shape[1:3]
    for side in (height, width):
      base_size(side, self.depth)
    maps = stacked(images, noise_planes(latents, height, width))

    def normalized(maps: Array) -> Array:
      if self.normalize is None:
        return maps
      return self.normalize(maps, train, self.dtype)

    skipped = [maps]
    for index in range(self.depth):
      maps = Convolution(self.filters * 2**index, dtype=self.dtype)(maps)
      maps = nn.leaky_relu(normalized(maps) if index else maps, SLOPE)
      skipped.append(maps)
    maps = skipped.pop()
    for index in reversed(range(self.depth)):
      features = self.filters * 2 ** max(index - 1, 0)
      maps = TransposedConvolution(features, dtype=self.dtype)(maps)
      maps = nn.relu(normalized(maps))
      # The first of these, the inputs, are float32 in any computation.
      maps = stacked(maps, skipped.pop().astype(maps.dtype))
    to_images = Convolution(
      self.channels, kernel_size=3, stride=1, dtype=self.dtype
    )
    images = to_images(maps).astype(jnp.float32)
    return images if self.activation is None else self.activation(images)


class Discriminator(nn.Module):
  """Judges images together with their condition, stacked along channels.

  Attributes:
    network: module (images [n, h, w, c], train) -> logits [n, 1], such as
      `dcgan.Discriminator`, with `patches` or without. Its parameters are those
      of this module.
  """

  network: nn.Module

  def setup(self):
    nn.share_scope(self, self.network)

  def __call__(
    self, images: Array, train: bool = False, condition: Condition = None
  ) -> Array:
    """Maps images [n, h, w, c] and their condition to logits [n, 1]."""
    logits: Any = self.network(stacked(images, condition), train=train)
    chex.assert_shape(logits, (len(images), 1))
    return logits


class Consistent(nn.Module):
  """Generates images that agree with their condition.

  Attributes:
    network: module (latents, train, condition) -> images, such as `Generator`
      with the activation None. Its parameters are those of this module.
    project: (images, condition) -> the images with the part that the condition
      determines, such as those of `data.image_conditions`.

  References:
    Sonderby, Caballero, Theis, Shi and Huszar, "Amortised MAP Inference for
    Image Super-resolution", arXiv 1610.04490.
  """

  network: nn.Module
  project: Callable[[Array, Condition], Array]

  def setup(self):
    nn.share_scope(self, self.network)

  def __call__(
    self, latents: Array, train: bool = False, condition: Condition = None
  ) -> Array:
    """Maps latents [n, k] and their condition to images [n, h, w, c]."""
    images: Any = self.network(latents, train=train, condition=condition)
    return self.project(images, condition)


class Translator(nn.Module):
  """Changes images: adds to them what a network makes of them.

  Untrained it hardly changes them, as kernels start near 0.

  Attributes:
    network: module (latents, train, condition) -> images, such as `Generator`
      with the activation None. Its parameters are those of this module.
  """

  network: nn.Module

  def setup(self):
    nn.share_scope(self, self.network)

  def __call__(self, images: Array, train: bool = False) -> Array:
    """Maps images [n, h, w, c] to images of the same shape."""
    none = jnp.zeros((len(images), 0))
    change: Any = self.network(none, train=train, condition=images)
    chex.assert_equal_shape([images, change])
    return images + change
