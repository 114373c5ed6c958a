"""Perceptrons with weight normalisation, for semi-supervised learning."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from gan_jax.types import Array

SCALES = "scales"
"""Name of the Flax collection of scales that are not trained."""
MIN_STDDEV = 1e-6
"""Smallest standard deviation of a unit that its initial scale divides by."""


class WeightNormalizedDense(nn.Module):
  """A dense layer whose kernel has columns of a given norm.

    y_i = s_i <v_i, x> / |v_i| + b_i

  Attributes:
    features: number of units i.
    trains_scale: whether s is a parameter; otherwise it keeps its initial value
      and is in the collection SCALES.
    standardizes: whether initial s and b give the units mean 0 and standard
      deviation 1 over the inputs of `init`; otherwise they are 1 and 0.

  References:
    Salimans and Kingma, Weight Normalization: A Simple Reparameterization to
      Accelerate Training of Deep Neural Networks, arXiv 1602.07868.
  """

  features: int
  trains_scale: bool = True
  standardizes: bool = False

  @nn.compact
  def __call__(self, inputs: Array) -> Array:
    """Maps inputs [n, d] to units [n, features]."""
    chex.assert_rank(inputs, 2)
    directions = self.param(
      "directions",
      nn.initializers.normal(0.1),
      (inputs.shape[1], self.features),
    )
    norms = jnp.linalg.norm(directions, axis=0, keepdims=True)
    units = inputs @ directions / norms

    def initial_scale(*_):
      if not self.standardizes:
        return jnp.ones((1, self.features))
      stddev = jnp.std(units, axis=0, keepdims=True)
      return 1 / jnp.maximum(stddev, MIN_STDDEV)

    scale = (
      self.param("scale", initial_scale)
      if self.trains_scale
      else self.variable(SCALES, "scale", initial_scale).value
    )

    def initial_bias(*_):
      if not self.standardizes:
        return jnp.zeros((1, self.features))
      return -scale * jnp.mean(units, axis=0, keepdims=True)

    return scale * units + self.param("bias", initial_bias)


class NoisyClassifier(nn.Module):
  """A perceptron with normal noise before each layer in training.

  The inputs, in [-1, 1], are moved to [0, 1]. Hidden layers have ReLUs, and
  scales that are not trained: with larger ones they could outgrow the noise.

  Attributes:
    hidden: width of each hidden layer, first to last.
    num_classes: K.
    input_noise: standard deviation of the noise on inputs in [0, 1].
    hidden_noise: standard deviation of the noise on hidden units, whose initial
      standard deviation is 1 before the ReLU.

  References:
    Salimans et al., Improved Techniques for Training GANs, arXiv 1606.03498.
      The networks are those of its public code for MNIST.
  """

  hidden: Sequence[int]
  num_classes: int
  input_noise: float | Array = 0.3
  hidden_noise: float | Array = 0.5

  @nn.compact
  def __call__(
    self, samples: Array, train: bool = False
  ) -> tuple[Array, Array]:
    """Maps samples [n, ...] to the last hidden units and logits [n, K]."""
    units = (samples.reshape(len(samples), -1) + 1) / 2
    widths = (units.shape[1], *self.hidden)
    stddevs = (self.input_noise, *(self.hidden_noise,) * len(self.hidden))
    noises: list[Any] = [0] * len(widths)
    if train:
      # A single call, because each takes seconds to compile.
      noise = jax.random.normal(
        self.make_rng("dropout"), (len(units), sum(widths))
      )
      noises = jnp.split(noise, np.cumsum(widths)[:-1], axis=1)
    inputs = units + stddevs[0] * noises[0]
    for width, stddev, noise in zip(
      self.hidden, stddevs[1:], noises[1:], strict=True
    ):
      units = nn.relu(
        WeightNormalizedDense(width, trains_scale=False, standardizes=True)(
          inputs
        )
      )
      inputs = units + stddev * noise
    return units, WeightNormalizedDense(self.num_classes, standardizes=True)(
      inputs
    )


class SoftplusGenerator(nn.Module):
  """A perceptron with batch normalisation, softplus and pixels in [-1, 1].

  The pixels are 2 sigmoid(y) - 1, y being the units of a weight-normalised
  layer.

  Attributes:
    hidden: width of each hidden layer, first to last.
    shape: of a sample, such as height, width and channels.

  References:
    As of `NoisyClassifier`.
  """

  hidden: Sequence[int]
  shape: Sequence[int]
  activation: Callable[[Array], Array] = nn.softplus

  @nn.compact
  def __call__(self, latents: Array, train: bool = False) -> Array:
    """Maps latents [n, k] to samples [n, *shape]."""
    units = latents
    for width in self.hidden:
      units = nn.Dense(width, use_bias=False)(units)
      units = nn.BatchNorm(
        use_running_average=not train, momentum=0.9, use_scale=False
      )(units)
      units = self.activation(units)
    units = WeightNormalizedDense(math.prod(self.shape))(units)
    # 2 sigmoid(y) - 1 = tanh(y / 2).
    return jnp.tanh(units / 2).reshape(len(latents), *self.shape)
