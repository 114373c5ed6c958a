"""Measures the health of any training: norms and the spread of samples."""

import chex
import jax
import jax.numpy as jnp
import optax

from gan_jax.types import Array, Metrics, Params, Players, TrainState


def norms(state: TrainState) -> Metrics:
  """Measures the Euclidean norm of all parameters of each player.

  Returns:
    `generator_norm` and `discriminator_norm`. They are not finite if one of the
    parameters is not, or a value of the optimizer's state, which shows that a
    gradient was not finite.
  """
  return {
    f"{player}_norm": optax.tree.norm(params) + 0 * _total(optimizer_state)
    for player, params, optimizer_state in zip(
      Players._fields, state.params, state.optimizer_states, strict=True
    )
  }


def gradient_norms(gradients: Players[Params]) -> Metrics:
  """Measures the Euclidean norm of each player's gradient.

  Args:
    gradients: dJ_G/dg and dJ_D/dd.

  Returns:
    `generator_gradient_norm` and `discriminator_gradient_norm`.
  """
  return {
    f"{player}_gradient_norm": optax.tree.norm(gradient)
    for player, gradient in zip(Players._fields, gradients, strict=True)
  }


def _total(tree: chex.ArrayTree) -> Array:
  """Returns 0 if all numbers of a pytree are finite, otherwise NaN."""
  return sum(
    (
      jnp.sum(0 * leaf)
      for leaf in jax.tree.leaves(tree)
      if jnp.issubdtype(leaf.dtype, jnp.floating)
    ),
    start=jnp.float32(0),
  )


def spread(real: Array, fake: Array) -> Array:
  """Compares the variance of generated samples with that of real ones.

    sum_i Var[fake_i] / sum_i Var[real_i]

  over the coordinates i: 1 if the generator has learnt the data, 0 if all of
  its samples are equal.

  Args:
    real: [n, ...].
    fake: [m, ...].

  Returns:
    [] the ratio; NaN if all real samples are equal.
  """
  chex.assert_equal_shape_suffix((real, fake), real.ndim - 1)
  return jnp.var(fake, axis=0).sum() / jnp.var(real, axis=0).sum()
