"""One-hot symbols as outputs of generators, and gradients through them.

With logits l and Gumbel noise g_i = -log(-log u_i), u_i uniform on (0, 1), the
largest entry of l + g is at i with probability softmax(l)_i. The one-hot vector
of this entry is a step function of l: its gradient is 0 wherever it exists, so
no generator learns through it. Two remedies:

  Gumbel-softmax    softmax((l + g) / t), which is nearly one-hot for small t
  straight-through  the one-hot vector, with the gradient of the Gumbel-softmax

References:
  Jang, Gu and Poole, Categorical Reparameterization with Gumbel-Softmax, arXiv
    1611.01144.
  Maddison, Mnih and Teh, The Concrete Distribution: A Continuous Relaxation of
    Discrete Random Variables, arXiv 1611.00712.
"""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn

from gan_jax.types import Array

Output = Callable[[Array], Array]
"""Sums of logits and Gumbel noise [n, m] -> symbols [n, m]."""


def hard(scores: Array) -> Array:
  """Returns the one-hot vectors [n, m] of the largest scores [n, m].

  Its gradient is 0.
  """
  chex.assert_rank(scores, 2)
  largest = jnp.argmax(scores, axis=1)
  return jax.nn.one_hot(largest, scores.shape[1], dtype=scores.dtype)


def gumbel_softmax(temperature: float) -> Output:
  """Returns the function softmax(scores / temperature)."""
  return lambda scores: jax.nn.softmax(scores / temperature, axis=1)


def straight_through(temperature: float) -> Output:
  """Returns `hard` with the gradient of `gumbel_softmax`."""
  soften = gumbel_softmax(temperature)

  def output(scores):
    soft = soften(scores)
    # Added in this order, the difference is 0 and the value exactly one-hot.
    return hard(scores) + (soft - jax.lax.stop_gradient(soft))

  return output


class Symbols(nn.Module):
  """Draws one-hot symbols from the softmax of a network's logits.

  The latents are (z, g): those of the network, and Gumbel noise as from
  `latents.gumbel`, one for each symbol.

  Attributes:
    logits: network (z [n, k], train) -> logits [n, m].
    num_symbols: m.
    output: the symbols in training mode, as in this module. In evaluation mode
      they are `hard`.
  """

  logits: nn.Module
  num_symbols: int
  output: Output

  @nn.compact
  def __call__(self, latents: Array, train: bool = False) -> Array:
    """Maps latents [n, k + m] to symbols [n, m].

    Raises:
      ValueError: if no latents are left to the network.
    """
    chex.assert_rank(latents, 2)
    first = latents.shape[1] - self.num_symbols
    if first < 1:
      raise ValueError(
        f"{latents.shape[1]} latents are too few: {self.num_symbols} symbols "
        "take one each, and the network at least one"
      )
    logits = self.logits(latents[:, :first], train)
    noise = latents[:, first:]
    chex.assert_equal_shape([logits, noise])
    return (self.output if train else hard)(logits + noise)
