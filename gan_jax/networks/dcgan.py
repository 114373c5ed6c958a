"""The networks of DCGAN, for square images.

Convolutions are strided, and transposed in the generator, with 4 x 4 kernels
without biases, drawn from N(0, 0.02^2). All layers but the generator's last and
the discriminator's first have batch normalisation. Activations are ReLU and
tanh in the generator, and LeakyReLU of slope 0.2 in the discriminator.

References:
  Radford et al., "Unsupervised Representation Learning with Deep Convolutional
  Generative Adversarial Networks", arXiv 1511.06434, section 3. Mirza and
  Osindero, "Conditional Generative Adversarial Nets", arXiv 1411.1784. Miyato
  and Koyama, "cGANs with Projection Discriminator", arXiv 1802.05637, eq. 3.
  Isola et al., "Image-to-Image Translation with Conditional Adversarial
  Networks", arXiv 1611.07004, section 3.2.2, for patches.
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
from gan_jax.types import Array

KERNEL_SIZE = 4
SLOPE = 0.2
"""Slope of LeakyReLU below 0."""

normal_init = nn.initializers.normal(0.02)


def leaky_relu(maps: Array) -> Array:
  """Applies LeakyReLU of slope 0.2."""
  return nn.leaky_relu(maps, SLOPE)


Normalize = Callable[[Array, bool, Any], Array]
"""(maps [n, h, w, c], train, dtype) -> the same, inside a compact module."""


def batch_normalized(maps: Array, train: bool, dtype: Any) -> Array:
  """Normalises channels over the minibatch; evaluates with running averages."""
  return nn.BatchNorm(use_running_average=not train, momentum=0.9, dtype=dtype)(
    maps
  )


def layer_normalized(maps: Array, train: bool, dtype: Any) -> Array:
  """Normalises each sample over all its channels and positions."""
  del train
  return nn.LayerNorm(reduction_axes=(1, 2, 3), feature_axes=-1, dtype=dtype)(
    maps
  )


class Convolution(nn.Module):
  """A convolution layer without a bias.

  Attributes:
    features: channels of the output.
    kernel_size: height and width of the kernel.
    stride: pixels between neighbouring outputs.
    padding: number of zeros around the image.
    kernel_init: initialiser of the kernel.
    dtype: type of the computation; the kernel is float32.
  """

  features: int
  kernel_size: int = KERNEL_SIZE
  stride: int = 2
  padding: int = 1
  kernel_init: nn.initializers.Initializer = normal_init
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: Array) -> Array:
    """Maps images [n, h, w, c] to [n, h', w', features]."""
    kernel = self.param(
      "kernel",
      self.kernel_init,
      (self.kernel_size, self.kernel_size, x.shape[-1], self.features),
    )
    return convolution(
      x.astype(self.dtype),
      kernel.astype(self.dtype),
      self.stride,
      self.padding,
    )


class TransposedConvolution(nn.Module):
  """A transposed convolution layer that doubles the image's sides.

  Attributes:
    features: channels of the output.
    kernel_init: initialiser of the kernel.
    dtype: type of the computation; the kernel is float32.
  """

  features: int
  kernel_init: nn.initializers.Initializer = normal_init
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, y: Array) -> Array:
    """Maps images [n, h, w, o] to [n, 2 h, 2 w, features]."""
    kernel = self.param(
      "kernel",
      self.kernel_init,
      (KERNEL_SIZE, KERNEL_SIZE, self.features, y.shape[-1]),
    )
    return transposed_convolution(
      y.astype(self.dtype), kernel.astype(self.dtype), 2, 1
    )


def base_size(size: int, depth: int) -> int:
  """Returns the side of images of side `size` after `depth` halvings.

  Raises:
    ValueError: if the side cannot be halved so often.
  """
  if size % 2**depth:
    raise ValueError(f"a side of {size} pixels cannot be halved {depth} times")
  return size // 2**depth


class Generator(nn.Module):
  """Maps latents to images in [-1, 1].

  The hidden layers are the maps that enter the transposed convolutions, after
  their activation. Latents can join them, as in `latent_joins`; labels enter
  the first layer only.

  Attributes:
    size: side of the images.
    channels: channels of the images.
    depth: number of transposed convolutions, each of which doubles the side.
    filters: channels of the last hidden layer; each layer before it has twice
      as many.
    num_classes: number of classes of a class-conditional generator, whose
      condition is labels; 0 for none.
    normalize: applied to hidden maps before their activation, or None.
    joins: the join of each of the `depth` hidden layers, or None for no join;
      () for no joins.
    dtype: type of the computation; parameters, statistics and images are
      float32.
  """

  size: int
  channels: int
  depth: int
  filters: int = 64
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
      (base * 2**index, base * 2**index, self.filters * 2**level)
      for index, level in enumerate(reversed(range(self.depth)))
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
    # A transposed convolution of a single pixel is a matrix product.
    maps = nn.Dense(
      math.prod(shapes[0]),
      use_bias=False,
      kernel_init=normal_init,
      dtype=self.dtype,
    )(inputs).reshape(-1, *shapes[0])
    widths = (*(shape[-1] for shape in shapes[1:]), self.channels)
    for features, join in zip(widths, joined, strict=True):
      if self.normalize is not None:
        maps = self.normalize(maps, train, self.dtype)
      maps = join(nn.relu(maps))
      maps = TransposedConvolution(features, dtype=self.dtype)(maps)
    return jnp.tanh(maps.astype(jnp.float32))


class Discriminator(nn.Module):
  """Maps images to logits.

  Attributes:
    depth: number of strided convolutions, each of which halves the side.
    filters: channels of the first hidden layer; each layer after it has twice
      as many.
    num_classes: number of classes of a class-conditional discriminator, whose
      condition is labels; 0 for none.
    projection: whether the inner product of the label's embedding with the last
      hidden maps, summed over positions, is added to the logit; otherwise
      labels are appended to the channels of the image.
    patches: whether the logit is the mean of the logits of overlapping patches,
      whose features are the last hidden maps at 3 x 3 neighbouring positions;
      otherwise it is linear in the last maps at all positions.
    normalize: applied to all hidden maps but the first before their activation,
      or None.
    features: number of outputs: 1 for a discriminator, more for another network
      of images, such as the encoder of an autoencoder.
    spectral_norm: whether every kernel is divided by its largest singular
      value, estimated in training mode by one power iteration per pass.
    dropout: probability of dropping a hidden unit in training mode.
    activation: applied to all hidden maps.
    dtype: type of the computation; parameters, statistics and logits are
      float32.
  """

  depth: int
  filters: int = 64
  num_classes: int = 0
  projection: bool = True
  patches: bool = False
  normalize: Normalize | None = batch_normalized
  features: int = 1
  spectral_norm: bool = False
  dropout: float = 0.0
  activation: Callable[[Array], Array] = leaky_relu
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, images: Array, train: bool = False, condition: Array | None = None
  ) -> Array:
    """Maps images [n, h, w, c], and labels [n], to logits [n, features].

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
    for index in range(self.depth):
      layer = Convolution(self.filters * 2**index, dtype=self.dtype)
      maps = apply(layer, maps)
      if self.normalize is not None and index:
        maps = self.normalize(maps, train, self.dtype)
      maps = self.activation(maps)
      maps = nn.Dropout(self.dropout, deterministic=not train)(maps)
    if self.patches:
      judge = Convolution(
        self.features, kernel_size=3, stride=1, dtype=self.dtype
      )
      of_patches = apply(judge, maps).astype(jnp.float32)
      logits = jnp.mean(of_patches, axis=(1, 2))
    else:
      dense = nn.Dense(
        self.features,
        use_bias=False,
        kernel_init=normal_init,
        dtype=self.dtype,
      )
      logits = apply(dense, maps.reshape(len(maps), -1)).astype(jnp.float32)
    if self.projection and self.num_classes:
      chex.assert_shape(condition, (len(images),))
      embed = nn.Dense(maps.shape[-1], use_bias=False, kernel_init=normal_init)
      embedding = apply(embed, jax.nn.one_hot(condition, self.num_classes))
      summed = jnp.sum(maps.astype(jnp.float32), axis=(1, 2))
      logits += jnp.sum(embedding * summed, axis=1, keepdims=True)
    return logits


def apply_layer(
  spectral_norm: bool, train: bool, layer: nn.Module, inputs: Array
) -> Array:
  """Applies a layer, with or without spectral normalisation of its kernel."""
  if spectral_norm:
    return nn.SpectralNorm(layer)(inputs, update_stats=train)
  return layer(inputs)


def with_labels(inputs: Array, labels: Array | None, num_classes: int) -> Array:
  """Appends one-hot labels [n] to the last axis of inputs [n, ..., c]."""
  if not num_classes:
    return inputs
  chex.assert_shape(labels, (len(inputs),))
  return latent_joins.append(inputs, jax.nn.one_hot(labels, num_classes))
