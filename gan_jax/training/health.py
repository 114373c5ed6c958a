"""What tells a training that goes wrong, whatever the game."""

import chex
import jax
import jax.numpy as jnp
import optax

from gan_jax.types import Array, Metrics, Players, TrainState


def norms(state: TrainState) -> Metrics:
  """Measures the parameters of both players.

  Args:
    state: of a member.

  Returns:
    `generator_norm` and `discriminator_norm`, the Euclidean norms of all
    parameters of a player. NaN or infinite where one of them is, or where
    something is that the player's optimizer remembers: a gradient was not
    finite.
  """
  return {
    f"{player}_norm": optax.tree.norm(params) + 0 * _total(optimizer_state)
    for player, params, optimizer_state in zip(
      Players._fields, state.params, state.optimizer_states, strict=True
    )
  }


def _total(tree: chex.ArrayTree) -> Array:
  """Adds up 0 for each finite number of a pytree, else NaN."""
  return sum(
    (
      jnp.sum(0 * leaf)
      for leaf in jax.tree.leaves(tree)
      if jnp.issubdtype(leaf.dtype, jnp.floating)
    ),
    start=jnp.float32(0),
  )


def spread(real: Array, fake: Array) -> Array:
  """Compares how far generated and real samples are apart.

    sum_i Var[fake_i] / sum_i Var[real_i]

  over their coordinates i: 1 where a generator has learnt the data, 0 where all
  of its samples are the same.

  Args:
    real: [n, ...] samples of the data.
    fake: [m, ...] generated samples of the same shape.

  Returns:
    [] the ratio; NaN where the real samples are all the same.
  """
  chex.assert_equal_shape_suffix((real, fake), real.ndim - 1)
  return jnp.var(fake, axis=0).sum() / jnp.var(real, axis=0).sum()
