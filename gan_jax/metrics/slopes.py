"""Gradient norms of a discriminator, at its inputs and at each layer."""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from gan_jax.types import Variables


def slopes(critic: Callable[[Array], Array], x: Array) -> Array:
  """Computes |grad_x C(x)| [n], the Euclidean norm over all axes but the first.

  If the critic mixes samples, as batch normalisation does, the gradient is that
  of the sum over the batch.

  Args:
    critic: x [n, ...] -> values [n].
    x: [n, ...].
  """

  def total(x):
    values = critic(x)
    chex.assert_shape(values, (len(x),))
    return jnp.sum(values)

  return jnp.linalg.norm(jax.grad(total)(x).reshape(len(x), -1), axis=-1)


def layer_gradient_norms(
  network: nn.Module,
  variables: Variables,
  x: Array,
  cost: Callable[[Array], Array],
) -> Array:
  """Computes the norm of the gradient that reaches each layer of a network.

  |dJ / dh_l|,  J = cost(network(x)),

  where h_l is the input of the l-th dense layer. In a perceptron h_0 is x, and
  h_l the activations of hidden layer l. The norm is over all samples and units.

  Args:
    network: a network with dense layers, x [n, ...] -> outputs.
    variables: its collections, with "params".
    x: [n, ...].
    cost: outputs -> scalar.

  Returns:
    [layers], in the order of application.

  References:
    Gulrajani et al., Improved Training of Wasserstein GANs, arXiv 1704.00028,
      section 3.2.
  """

  def with_inputs(change: Callable[[Array], Array]) -> Array:
    def intercept(method, args, kwargs, context):
      if isinstance(context.module, nn.Dense) and (
        context.method_name == "__call__"
      ):
        args = (change(args[0]),)
      return method(*args, **kwargs)

    with nn.intercept_methods(intercept):
      outputs: Any = network.apply(variables, x)
    return outputs

  inputs: list[Array] = []

  def remember(h):
    inputs.append(h)
    return h

  with_inputs(remember)

  def shifted_cost(shifts):
    remaining = iter(shifts)
    value = cost(with_inputs(lambda h: h + next(remaining)))
    chex.assert_rank(value, 0)
    return value

  gradients = jax.grad(shifted_cost)(jax.tree.map(jnp.zeros_like, inputs))
  return jnp.stack([_norm(gradient) for gradient in gradients])


def _norm(x: Array) -> Array:
  """Returns the Euclidean norm of x without underflow."""
  # float32 can represent vanishing gradients of 1e-20, but not their squares.
  largest = jnp.max(jnp.abs(x))
  scale = jnp.where(largest > 0, largest, 1)
  return scale * jnp.linalg.norm((x / scale).ravel())
