"""The multilayer perceptron, for generators and discriminators."""

from collections.abc import Callable, Sequence

import chex
from flax import linen as nn

from gan_jax.networks import latent_joins
from gan_jax.types import Array

Normalize = Callable[[Array, bool], Array]
"""(units [n, width], train) -> units [n, width], inside a compact module."""


def batch_normalized(units: Array, train: bool) -> Array:
  """Normalises units over the minibatch; evaluates with running averages."""
  return nn.BatchNorm(use_running_average=not train, momentum=0.9)(units)


def layer_normalized(units: Array, train: bool) -> Array:
  """Normalises each sample over the units of the layer."""
  del train
  return nn.LayerNorm()(units)


class MLP(nn.Module):
  """Dense layers with an activation and dropout after each hidden layer.

  With joins, the inputs are latents of which each hidden layer takes a part, as
  in `latent_joins`. If normal latents are concatenated to the last hidden
  layer, the output is normal given all other latents.

  Attributes:
    hidden: width of each hidden layer, first to last; () is a linear map.
    features: width of the output, which has no activation.
    activation: applied after each hidden layer.
    pieces: each hidden unit is the maximum of this number of linear maps before
      its activation; 1 is a plain layer, more are maxout.
    normalize: applied to hidden units before their activation, or None.
    dropout: probability of dropping a hidden unit in training mode.
    kernel_init: initialiser of every kernel.
    bias_init: initialiser of every bias.
    spectral_norm: whether every kernel is divided by its largest singular
      value, estimated in training mode by one power iteration per pass. `init`
      returns kernels that are already divided.
    joins: the join of each hidden layer, or None for no join; () for no joins.
    before_output: layer (units [n, d]) -> [n, any] applied to the last hidden
      units, such as a layer of `networks.minibatch`, or None.

  References:
    Goodfellow, NIPS 2016 Tutorial, arXiv 1701.00160, section 3.1, for joins.
    Goodfellow et al., Maxout Networks, arXiv 1302.4389, equation 1.
    Miyato et al., Spectral Normalization for Generative Adversarial Networks,
      arXiv 1802.05957, algorithm 1.
  """

  hidden: Sequence[int]
  features: int
  activation: Callable[[Array], Array] = nn.relu
  pieces: int = 1
  normalize: Normalize | None = None
  dropout: float = 0.0
  kernel_init: nn.initializers.Initializer = nn.initializers.he_normal()
  bias_init: nn.initializers.Initializer = nn.initializers.zeros
  spectral_norm: bool = False
  joins: Sequence[latent_joins.Join | None] = ()
  before_output: nn.Module | None = None

  def hidden_shapes(self) -> tuple[latent_joins.Shape, ...]:
    """Returns the shape of one sample's units in each hidden layer."""
    return tuple((width,) for width in self.hidden)

  @nn.compact
  def __call__(self, inputs: Array, train: bool = False) -> Array:
    """Maps inputs [n, d] to outputs [n, features].

    Raises:
      ValueError: as in `latent_joins.split`.
    """
    chex.assert_rank(inputs, 2)

    def dense(width: int, inputs: Array) -> Array:
      layer = nn.Dense(
        width, kernel_init=self.kernel_init, bias_init=self.bias_init
      )
      if self.spectral_norm:
        return nn.SpectralNorm(layer)(inputs, update_stats=train)
      return layer(inputs)

    units, joined = latent_joins.split(self.joins, self.hidden_shapes(), inputs)
    for width, join in zip(self.hidden, joined, strict=True):
      units = dense(self.pieces * width, units)
      units = units.reshape(-1, width, self.pieces).max(axis=-1)
      if self.normalize is not None:
        units = self.normalize(units, train)
      units = self.activation(units)
      units = nn.Dropout(self.dropout, deterministic=not train)(units)
      units = join(units)
    if self.before_output is not None:
      units = self.before_output(units)
    return dense(self.features, units)
