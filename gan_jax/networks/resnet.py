"""The residual networks of SN-GAN, for square images.

A block has two 3 x 3 convolutions, each after a ReLU, and a shortcut. Blocks
double the image in the generator and halve it in the discriminator. The
generator has batch normalisation. The discriminator has spectral normalisation
and sums its last maps over positions. Every layer but the discriminator's dense
ones has biases. Kernels are drawn from Glorot's uniform distribution, those of
a block's convolutions multiplied by sqrt(2).

The published networks for 32 x 32 pixels have the same width in all blocks, as
the defaults here: `Generator(32, 3, depth=3)` with 256 channels and
`Discriminator(depth=2)` with 128. The authors' networks for 64 x 64 pixels
double the width with each halving, down to 2 x 2 pixels: `Generator(64, 3,
depth=4, filters=64, widening=2)` and `Discriminator(depth=5, plain_blocks=0,
filters=64, widening=2)`; the authors' dense layer has a bias too.

A class-conditional generator here takes labels as inputs, like that of DCGAN;
the authors' has a separate batch normalisation for each class.

References:
  Miyato et al., "Spectral Normalization for Generative Adversarial Networks",
  arXiv 1802.05957, table 4. Gulrajani et al., "Improved Training of
  Wasserstein GANs", arXiv 1704.00028. Miyato and Koyama, "cGANs
  with Projection Discriminator", arXiv 1802.05637, eq. 3.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.convolution import convolution, transposed_convolution
from gan_jax.networks import latent_joins
from gan_jax.networks.dcgan import (
  Normalize,
  apply_layer,
  base_size,
  batch_normalized,
  with_labels,
)
from gan_jax.types import Array

KERNEL_SIZE = 3

glorot_init = nn.initializers.glorot_uniform()
residual_init = nn.initializers.variance_scaling(2.0, "fan_avg", "uniform")


def doubled(maps: Array) -> Array:
  """Repeats each pixel of maps [n, h, w, c] to [n, 2 h, 2 w, c]."""
  chex.assert_rank(maps, 4)
  return jnp.repeat(jnp.repeat(maps, 2, axis=1), 2, axis=2)


def halved(maps: Array) -> Array:
  """Averages maps [n, 2 h, 2 w, c] over squares of 2 x 2, to [n, h, w, c]."""
  chex.assert_rank(maps, 4)
  n, height, width, c = maps.shape
  squares = maps.reshape(n, height // 2, 2, width // 2, 2, c)
  return jnp.mean(squares, axis=(2, 4))


def plain_convolution(maps: Array, kernel: Array) -> Array:
  """Convolves maps [n, h, w, c] with [3, 3, c, o], to [n, h, w, o]."""
  chex.assert_shape(kernel, (KERNEL_SIZE, KERNEL_SIZE, maps.shape[3], None))
  return convolution(maps, kernel, 1, 1)


def doubled_convolution(maps: Array, kernel: Array) -> Array:
  """Computes plain_convolution(doubled(maps), kernel) with fewer products.

  Each pixel contributes to an output through one kernel entry or the sum of
  several. This is a transposed convolution with a larger kernel, the sum of the
  reversed kernel shifted to the four pixels that replace one.

  Args:
    maps: [n, h, w, c].
    kernel: [3, 3, c, o].

  Returns:
    [n, 2 h, 2 w, o].
  """
  chex.assert_shape(kernel, (KERNEL_SIZE, KERNEL_SIZE, maps.shape[3], None))
  reversed_kernel = kernel[::-1, ::-1].swapaxes(2, 3)
  return transposed_convolution(maps, _folded(reversed_kernel), 2, 1)


def halved_convolution(maps: Array, kernel: Array) -> Array:
  """Computes halved(plain_convolution(maps, kernel)) with fewer products.

  Args:
    maps: [n, 2 h, 2 w, c].
    kernel: [3, 3, c, o].

  Returns:
    [n, h, w, o].
  """
  chex.assert_shape(kernel, (KERNEL_SIZE, KERNEL_SIZE, maps.shape[3], None))
  return convolution(maps, _folded(kernel) / 4, 2, 1)


def _folded(kernel: Array) -> Array:
  """Sums a kernel [3, 3, c, o] over its four positions in [4, 4, c, o].

  out[a, b] = kernel[a, b] + kernel[a - 1, b] + kernel[a, b - 1]
    + kernel[a - 1, b - 1]
  """
  rows = jnp.pad(kernel, ((0, 1), *[(0, 0)] * 3))
  rows += jnp.pad(kernel, ((1, 0), *[(0, 0)] * 3))
  columns = jnp.pad(rows, ((0, 0), (0, 1), *[(0, 0)] * 2))
  return columns + jnp.pad(rows, ((0, 0), (1, 0), *[(0, 0)] * 2))


def with_bias(maps: Array, bias: Array) -> Array:
  """Adds a bias [c] to maps [..., c] of any type, in float32.

  The bias's gradient is then a sum over all positions in float32. On a CPU such
  a sum in bfloat16 stops growing after a few hundred terms.
  """
  bias = bias.reshape(*(1,) * (maps.ndim - 1), -1)
  return (maps.astype(bias.dtype) + bias).astype(maps.dtype)


class Convolution(nn.Module):
  """A 3 x 3 convolution layer with a bias.

  Attributes:
    features: channels of the output.
    convolve: (maps [n, h, w, c], kernel [3, 3, c, o]) -> maps [n, h', w', o].
    kernel_init: initialiser of the kernel.
    dtype: type of the computation; parameters are float32.
  """

  features: int
  convolve: Callable[[Array, Array], Array] = plain_convolution
  kernel_init: nn.initializers.Initializer = residual_init
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, maps: Array) -> Array:
    """Maps [n, h, w, c] to [n, h', w', features]."""
    kernel = self.param(
      "kernel",
      self.kernel_init,
      (KERNEL_SIZE, KERNEL_SIZE, maps.shape[-1], self.features),
    )
    bias = self.param("bias", nn.initializers.zeros, (self.features,))
    out = self.convolve(maps.astype(self.dtype), kernel.astype(self.dtype))
    return with_bias(out, bias)


class Dense(nn.Module):
  """A dense layer with a bias.

  Attributes:
    features: channels of the output.
    dtype: type of the computation; parameters are float32.
  """

  features: int
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, inputs: Array) -> Array:
    """Maps [..., c] to [..., features]."""
    kernel = self.param(
      "kernel", glorot_init, (inputs.shape[-1], self.features)
    )
    bias = self.param("bias", nn.initializers.zeros, (self.features,))
    out = jnp.dot(inputs.astype(self.dtype), kernel.astype(self.dtype))
    return with_bias(out, bias)


class GeneratorBlock(nn.Module):
  """A residual block that doubles the sides of its maps.

  Its shortcut is a 1 x 1 convolution, applied as a dense layer before doubling,
  which gives the same result as after it with a quarter of the products.

  Attributes:
    features: channels of the output and of the hidden maps.
    normalize: applied to maps before their activation, or None.
    dtype: type of the computation; parameters and statistics are float32.
  """

  features: int
  normalize: Normalize | None = batch_normalized
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self,
    maps: Array,
    train: bool,
    join: Callable[[Array], Array] = lambda maps: maps,
  ) -> Array:
    """Maps [n, h, w, c] to [n, 2 h, 2 w, features].

    `join` is applied to the maps that enter the first convolution.
    """

    def activated(maps: Array) -> Array:
      if self.normalize is not None:
        maps = self.normalize(maps, train, self.dtype)
      return nn.relu(maps)

    hidden = Convolution(self.features, doubled_convolution, dtype=self.dtype)(
      join(activated(maps))
    )
    residual = Convolution(self.features, dtype=self.dtype)(activated(hidden))
    shortcut = Dense(self.features, self.dtype)(maps)
    return residual + doubled(shortcut)


class DiscriminatorBlock(nn.Module):
  """A residual block that halves the sides of its maps or keeps them.

  Attributes:
    features: channels of the output; those of the input unless `halves`.
    halves: whether it halves the sides and has a learned shortcut.
    is_first: whether it takes images, to which no activation is applied.
    normalize: applied to maps before their activation, or None.
    spectral_norm: whether every kernel is divided by its largest singular
      value.
    dropout: probability of dropping a unit between the convolutions.
    dtype: type of the computation; parameters and statistics are float32.
  """

  features: int
  halves: bool = True
  is_first: bool = False
  normalize: Normalize | None = None
  spectral_norm: bool = True
  dropout: float = 0.0
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, maps: Array, train: bool) -> Array:
    """Maps [n, h, w, c] to [n, h / 2, w / 2, features] or [n, h, w, c]."""

    apply = functools.partial(apply_layer, self.spectral_norm, train)

    def activated(maps: Array) -> Array:
      if self.normalize is not None:
        maps = self.normalize(maps, train, self.dtype)
      return nn.relu(maps)

    width = self.features if self.is_first else maps.shape[-1]
    hidden = apply(
      Convolution(width, dtype=self.dtype),
      maps if self.is_first else activated(maps),
    )
    hidden = activated(hidden)
    hidden = nn.Dropout(self.dropout, deterministic=not train)(hidden)
    convolve = halved_convolution if self.halves else plain_convolution
    residual = apply(
      Convolution(self.features, convolve, dtype=self.dtype), hidden
    )
    if not self.halves:
      return residual + maps
    shortcut = Dense(self.features, self.dtype)
    return residual + apply(shortcut, halved(maps))


class Generator(nn.Module):
  """Maps latents to images in [-1, 1].

  The hidden layers are the maps that enter the blocks' first convolutions and
  the last convolution, after their activation. Latents can join them, as in
  `latent_joins`; labels enter the first layer only.

  Attributes:
    size: side of the images.
    channels: channels of the images.
    depth: number of residual blocks, each of which doubles the side.
    filters: channels of the last hidden layer.
    widening: each block has this many times the channels of the next one.
    num_classes: number of classes of a class-conditional generator, whose
      condition is labels; 0 for none.
    normalize: applied to hidden maps before their activation, or None.
    joins: the join of each of the `depth` + 1 hidden layers, or None for no
      join; () for no joins.
    dtype: type of the computation; parameters, statistics and images are
      float32.
  """

  size: int
  channels: int
  depth: int
  filters: int = 256
  widening: int = 1
  num_classes: int = 0
  normalize: Normalize | None = batch_normalized
  joins: Sequence[latent_joins.Join | None] = ()
  dtype: Any = jnp.float32

  def hidden_shapes(self) -> tuple[latent_joins.Shape, ...]:
    """Returns the shape of one sample's maps in each hidden layer.

    Raises:
      ValueError: if the size cannot be halved `depth` times.
    """
    base = base_size(self.size, self.depth)
    return tuple(
      (base * 2**index, base * 2**index, self.filters * self.widening**level)
      for index, level in enumerate(reversed(range(self.depth + 1)))
    )

  @nn.compact
  def __call__(
    self, latents: Array, train: bool = False, condition: Array | None = None
  ) -> Array:
    """Maps latents [n, k], and labels [n], to images [n, size, size, channels].

    Raises:
      ValueError: if the size cannot be halved `depth` times, or as in
        `latent_joins.split`.
    """
    chex.assert_rank(latents, 2)
    shapes = self.hidden_shapes()
    first, joined = latent_joins.split(self.joins, shapes, latents)
    inputs = with_labels(first, condition, self.num_classes)
    maps = Dense(math.prod(shapes[0]), self.dtype)(inputs)
    maps = maps.reshape(-1, *shapes[0])
    for shape, join in zip(shapes[1:], joined[:-1], strict=True):
      block = GeneratorBlock(shape[-1], self.normalize, self.dtype)
      maps = block(maps, train, join)
    if self.normalize is not None:
      maps = self.normalize(maps, train, self.dtype)
    to_images = Convolution(
      self.channels, kernel_init=glorot_init, dtype=self.dtype
    )
    maps = joined[-1](nn.relu(maps))
    return jnp.tanh(to_images(maps).astype(jnp.float32))


class Discriminator(nn.Module):
  """Maps images to logits.

  Attributes:
    depth: number of residual blocks that halve the side.
    plain_blocks: number of residual blocks after them, which keep the side.
    filters: channels of the first block.
    widening: each halving block has this many times the channels of the one
      before it.
    num_classes: number of classes of a class-conditional discriminator, whose
      condition is labels; 0 for none.
    projection: whether the inner product of the label's embedding with the last
      hidden maps, summed over positions, is added to the logit; otherwise
      labels are appended to the channels of the image.
    normalize: applied to hidden maps before their activation, except in the
      first block and after the last one; or None.
    spectral_norm: whether every kernel is divided by its largest singular
      value, estimated in training mode by one power iteration per pass.
    dropout: probability of dropping a unit between a block's convolutions in
      training mode.
    dtype: type of the blocks' computation; parameters, statistics and logits
      are float32.
  """

  depth: int
  plain_blocks: int = 2
  filters: int = 128
  widening: int = 1
  num_classes: int = 0
  projection: bool = True
  normalize: Normalize | None = None
  spectral_norm: bool = True
  dropout: float = 0.0
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, images: Array, train: bool = False, condition: Array | None = None
  ) -> Array:
    """Maps images [n, h, w, c], and labels [n], to logits [n, 1].

    Raises:
      ValueError: if the images' sides cannot be halved `depth` times.
    """
    chex.assert_rank(images, 4)
    for side in images.shape[1:3]:
      base_size(side, self.depth)

    apply = functools.partial(apply_layer, self.spectral_norm, train)

    maps = images
    if not self.projection:
      maps = with_labels(maps, condition, self.num_classes)
    widths = [
      self.filters * self.widening**index for index in range(self.depth)
    ]
    for index in range(self.depth + self.plain_blocks):
      block = DiscriminatorBlock(
        widths[min(index, self.depth - 1)],
        halves=index < self.depth,
        is_first=index == 0,
        normalize=self.normalize if index else None,
        spectral_norm=self.spectral_norm,
        dropout=self.dropout,
        dtype=self.dtype,
      )
      maps = block(maps, train)
    features = jnp.sum(nn.relu(maps).astype(jnp.float32), axis=(1, 2))
    dense = nn.Dense(1, use_bias=False, kernel_init=glorot_init)
    logits = apply(dense, features)
    if self.projection and self.num_classes:
      chex.assert_shape(condition, (len(images),))
      embed = nn.Dense(
        features.shape[1], use_bias=False, kernel_init=glorot_init
      )
      embedding = apply(embed, jax.nn.one_hot(condition, self.num_classes))
      logits += jnp.sum(embedding * features, axis=1, keepdims=True)
    return logits
