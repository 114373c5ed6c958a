"""The multilayer perceptron, for either player."""

from collections.abc import Callable, Sequence

import chex
from flax import linen as nn

from gan_jax.types import Array


class MLP(nn.Module):
  """Dense layers with an activation and dropout after each hidden one.

  Attributes:
    hidden: width of each hidden layer, first to last; () is a linear map.
    features: width of the output, which has no activation.
    activation: applied after each hidden layer.
    dropout: probability of dropping a hidden unit while training.
    kernel_init: initialiser of every kernel.
    bias_init: initialiser of every bias.
  """

  hidden: Sequence[int]
  features: int
  activation: Callable[[Array], Array] = nn.relu
  dropout: float = 0.0
  kernel_init: nn.initializers.Initializer = nn.initializers.he_normal()
  bias_init: nn.initializers.Initializer = nn.initializers.zeros

  @nn.compact
  def __call__(self, inputs: Array, train: bool = False) -> Array:
    """Maps inputs [n, d] to outputs [n, features]."""
    chex.assert_rank(inputs, 2)
    outputs = inputs
    for width in (*self.hidden, self.features):
      if outputs is not inputs:
        outputs = self.activation(outputs)
        outputs = nn.Dropout(self.dropout, deterministic=not train)(outputs)
      outputs = nn.Dense(
        width, kernel_init=self.kernel_init, bias_init=self.bias_init
      )(outputs)
    return outputs
