"""The Inception network whose features FID, KID and related metrics use.

The network is that of TensorFlow's archive inception-2015-12-05 in the form of
its port to PyTorch: Inception v3 with 1008 outputs, whose average pools exclude
the padding and whose last block has a maximum pool instead. The weights are not
part of this library. They are read under the port's names, and each batch
normalisation is merged into the convolution before it.

References:
  Szegedy et al., Rethinking the Inception Architecture for Computer Vision,
    arXiv 1512.00567.
  Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a
    Local Nash Equilibrium, arXiv 1706.08500.
  Seitzer, pytorch-fid: FID Score for PyTorch, 2020.
"""

from collections.abc import Callable, Mapping
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import traverse_util
from jax import Array

from gan_jax.data.images import to_pixels, to_unit
from gan_jax.metrics.classifier import Features
from gan_jax.types import Params

SIDE = 299
"""Height and width of the network's input."""
_EPSILON = 1e-3
"""Added to the variances of batch normalisation."""
_NORMALIZATION = ("weight", "bias", "running_mean", "running_var")
_CONVOLUTION = ".conv.weight"


class WeightsError(ValueError):
  """Raised for weights that do not fit the network; the message is one line."""


def _convolved(x: Array, *layers: tuple[str, int, int, int]) -> Array:
  """Applies layers, given as name, channels, and kernel height and width."""
  for name, channels, height, width in layers:
    x = nn.relu(nn.Conv(channels, (height, width), name=name)(x))
  return x


def _cropped(x: Array, name: str, channels: int, stride: int = 1) -> Array:
  """Applies a 3 x 3 layer without padding."""
  return nn.relu(nn.Conv(channels, (3, 3), stride, "VALID", name=name)(x))


def _halved(x: Array) -> Array:
  """Applies a 3 x 3 maximum pool with stride 2."""
  return nn.max_pool(x, (3, 3), (2, 2))


def _averaged(x: Array) -> Array:
  """Applies a 3 x 3 average pool that excludes the padding."""
  return nn.avg_pool(x, (3, 3), (1, 1), "SAME", count_include_pad=False)


def _maximal(x: Array) -> Array:
  """Applies a 3 x 3 maximum pool with stride 1."""
  return nn.max_pool(x, (3, 3), (1, 1), "SAME")


class BlockA(nn.Module):
  """A block with a 5 x 5 kernel.

  Attributes:
    pooled: channels of the pooling branch.
  """

  pooled: int

  @nn.compact
  def __call__(self, x: Array) -> Array:
    """Maps [n, h, w, c] to [n, h, w, 224 + pooled]."""
    branches = (
      _convolved(x, ("branch1x1", 64, 1, 1)),
      _convolved(x, ("branch5x5_1", 48, 1, 1), ("branch5x5_2", 64, 5, 5)),
      _convolved(
        x,
        ("branch3x3dbl_1", 64, 1, 1),
        ("branch3x3dbl_2", 96, 3, 3),
        ("branch3x3dbl_3", 96, 3, 3),
      ),
      _convolved(_averaged(x), ("branch_pool", self.pooled, 1, 1)),
    )
    return jnp.concatenate(branches, axis=-1)


class BlockB(nn.Module):
  """The first block that halves the sides."""

  @nn.compact
  def __call__(self, x: Array) -> Array:
    """Maps [n, h, w, c] to [n, (h - 1) // 2, (w - 1) // 2, 480 + c]."""
    double = _convolved(
      x, ("branch3x3dbl_1", 64, 1, 1), ("branch3x3dbl_2", 96, 3, 3)
    )
    branches = (
      _cropped(x, "branch3x3", 384, 2),
      _cropped(double, "branch3x3dbl_3", 96, 2),
      _halved(x),
    )
    return jnp.concatenate(branches, axis=-1)


class BlockC(nn.Module):
  """A block with 7 x 7 kernels factored into a column and a row.

  Attributes:
    width: channels of the hidden layers of its branches.
  """

  width: int

  @nn.compact
  def __call__(self, x: Array) -> Array:
    """Maps [n, h, w, c] to [n, h, w, 768]."""
    branches = (
      _convolved(x, ("branch1x1", 192, 1, 1)),
      _convolved(
        x,
        ("branch7x7_1", self.width, 1, 1),
        ("branch7x7_2", self.width, 1, 7),
        ("branch7x7_3", 192, 7, 1),
      ),
      _convolved(
        x,
        ("branch7x7dbl_1", self.width, 1, 1),
        ("branch7x7dbl_2", self.width, 7, 1),
        ("branch7x7dbl_3", self.width, 1, 7),
        ("branch7x7dbl_4", self.width, 7, 1),
        ("branch7x7dbl_5", 192, 1, 7),
      ),
      _convolved(_averaged(x), ("branch_pool", 192, 1, 1)),
    )
    return jnp.concatenate(branches, axis=-1)


class BlockD(nn.Module):
  """The second block that halves the sides."""

  @nn.compact
  def __call__(self, x: Array) -> Array:
    """Maps [n, h, w, c] to [n, (h - 1) // 2, (w - 1) // 2, 512 + c]."""
    single = _convolved(x, ("branch3x3_1", 192, 1, 1))
    separated = _convolved(
      x,
      ("branch7x7x3_1", 192, 1, 1),
      ("branch7x7x3_2", 192, 1, 7),
      ("branch7x7x3_3", 192, 7, 1),
    )
    branches = (
      _cropped(single, "branch3x3_2", 320, 2),
      _cropped(separated, "branch7x7x3_4", 192, 2),
      _halved(x),
    )
    return jnp.concatenate(branches, axis=-1)


class BlockE(nn.Module):
  """A block with rows and columns of three side by side.

  Attributes:
    pool: the pooling of its last branch, which keeps the shape.
  """

  pool: Callable[[Array], Array]

  @nn.compact
  def __call__(self, x: Array) -> Array:
    """Maps [n, h, w, c] to [n, h, w, 2048]."""
    single = _convolved(x, ("branch3x3_1", 384, 1, 1))
    double = _convolved(
      x, ("branch3x3dbl_1", 448, 1, 1), ("branch3x3dbl_2", 384, 3, 3)
    )
    branches = (
      _convolved(x, ("branch1x1", 320, 1, 1)),
      _convolved(single, ("branch3x3_2a", 384, 1, 3)),
      _convolved(single, ("branch3x3_2b", 384, 3, 1)),
      _convolved(double, ("branch3x3dbl_3a", 384, 1, 3)),
      _convolved(double, ("branch3x3dbl_3b", 384, 3, 1)),
      _convolved(self.pool(x), ("branch_pool", 192, 1, 1)),
    )
    return jnp.concatenate(branches, axis=-1)


class Inception(nn.Module):
  """Inception v3 as used for the Frechet distance in the literature."""

  @nn.compact
  def __call__(self, images: Array) -> tuple[Array, Array]:
    """Maps images [n, h, w, 3] to features [n, 2048] and logits [n, 1008]."""
    chex.assert_shape(images, (None, None, None, 3))
    x = _cropped(images, "Conv2d_1a_3x3", 32, 2)
    x = _cropped(x, "Conv2d_2a_3x3", 32)
    x = _halved(_convolved(x, ("Conv2d_2b_3x3", 64, 3, 3)))
    x = _convolved(x, ("Conv2d_3b_1x1", 80, 1, 1))
    x = _halved(_cropped(x, "Conv2d_4a_3x3", 192))
    for name, pooled in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
      x = BlockA(pooled, name=name)(x)
    x = BlockB(name="Mixed_6a")(x)
    for name, width in (
      ("Mixed_6b", 128),
      ("Mixed_6c", 160),
      ("Mixed_6d", 160),
      ("Mixed_6e", 192),
    ):
      x = BlockC(width, name=name)(x)
    x = BlockD(name="Mixed_7a")(x)
    x = BlockE(_averaged, name="Mixed_7b")(x)
    x = BlockE(_maximal, name="Mixed_7c")(x)
    features = jnp.mean(x, axis=(1, 2))
    # Published Inception scores omit the last layer's bias.
    return features, nn.Dense(1008, use_bias=False, name="fc")(features)


def weight_shapes() -> dict[str, tuple[int, ...]]:
  """Returns the shape of each required weight array by its name in PyTorch.

  A layer NAME has the kernel `NAME.conv.weight` [o, c, h, w], and
  `NAME.bn.weight`, `NAME.bn.bias`, `NAME.bn.running_mean` and
  `NAME.bn.running_var` [o]. The last layer is `fc.weight` [1008, 2048].
  """
  images = jnp.zeros((1, SIDE, SIDE, 3))
  structure = jax.eval_shape(Inception().init, jax.random.key(0), images)
  flat: Any = traverse_util.flatten_dict(structure["params"])
  shapes = {}
  for (*path, kind), leaf in flat.items():
    name = ".".join(path)
    if kind == "bias":
      shapes |= {f"{name}.bn.{each}": leaf.shape for each in _NORMALIZATION}
    elif name == "fc":
      shapes["fc.weight"] = leaf.shape[::-1]
    else:
      height, width, inputs, outputs = leaf.shape
      shapes[name + _CONVOLUTION] = (outputs, inputs, height, width)
  return shapes


def params_from(weights: Mapping[str, np.ndarray]) -> Params:
  """Converts the weights of the PyTorch port to parameters of `Inception`.

    relu(gamma (conv(x, w) - mean) / s + beta),  s = sqrt(variance + 0.001),
      = relu(conv(x, w gamma / s) + beta - mean gamma / s)

  Args:
    weights: the arrays of `weight_shapes` by name; others are ignored.

  Raises:
    WeightsError: if a name is missing or a shape is wrong.
  """
  shapes = weight_shapes()
  missing = [name for name in shapes if name not in weights]
  if missing:
    raise WeightsError(
      f"{len(missing)} of the {len(shapes)} arrays of Inception v3 are not "
      f"there, such as {missing[0]}"
    )
  for name, shape in shapes.items():
    if weights[name].shape != shape:
      raise WeightsError(
        f"{name} must have the shape {shape}, not {weights[name].shape}"
      )
  single = {name: np.asarray(weights[name], np.float32) for name in shapes}
  flat: dict[str, np.ndarray] = {"fc.kernel": single["fc.weight"].T}
  for name in shapes:
    if name.endswith(_CONVOLUTION):
      layer = name.removesuffix(_CONVOLUTION)
      gamma, beta, mean, variance = (
        single[f"{layer}.bn.{each}"] for each in _NORMALIZATION
      )
      scale = gamma / np.sqrt(variance + _EPSILON)
      flat[f"{layer}.kernel"] = single[name].transpose(2, 3, 1, 0) * scale
      flat[f"{layer}.bias"] = beta - mean * scale
  return traverse_util.unflatten_dict(
    {name: jnp.asarray(leaf) for name, leaf in flat.items()}, sep="."
  )


def rounded(images: Array) -> Array:
  """Rounds images in [-1, 1] to the 256 values of a byte, and clips them.

  The literature measures images that are stored in bytes. Values that are not
  finite stay, so that metrics show them.
  """
  values = to_unit(to_pixels(images))
  return jnp.where(jnp.isfinite(images), values, images)


def resized(image: Array) -> Array:
  """Resizes an image [height, width, 1 or 3] to [299, 299, 3].

  As in the port, interpolation is bilinear without antialiasing. Grey images
  get three equal channels.
  """
  chex.assert_shape(image, (None, None, {1, 3}))
  shape = (SIDE, SIDE, image.shape[2])
  enlarged = jax.image.resize(image, shape, "bilinear", antialias=False)
  return jnp.broadcast_to(enlarged, (SIDE, SIDE, 3))


@jax.default_matmul_precision("highest")
def features_and_logits(
  params: Params, images: Array, batch_size: int = 50
) -> tuple[Array, Array]:
  """Computes the features and logits of images, batch by batch.

  Images are `rounded` and `resized`. Matrix products have full precision, so
  that accelerators give the same score.

  Args:
    params: the parameters of `Inception`.
    images: [n, height, width, 1 or 3] in [-1, 1].
    batch_size: images in memory at the same time, about 11 MB each.

  Returns:
    The averages over positions of the last block, [n, 2048], and the logits
    without their bias, [n, 1008].
  """
  chex.assert_shape(images, (None, None, None, {1, 3}))

  def apply(image):
    prepared = resized(rounded(image))[None]
    outputs: Any = Inception().apply({"params": params}, prepared)
    features, logits = outputs
    return features[0], logits[0]

  return jax.lax.map(apply, images, batch_size=batch_size)


def inception_features(params: Params, name: str) -> Features:
  """Returns Inception with these parameters as named `Features`."""
  return Features(name, jax.tree_util.Partial(features_and_logits, params))
