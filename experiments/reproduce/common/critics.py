"""Training a critic between two distributions that stay as they are."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax import games, steps
from gan_jax.data.densities import Density
from gan_jax.losses import AdversarialLoss
from gan_jax.networks.affine import Affine
from gan_jax.networks.mlp import MLP
from gan_jax.penalties import Penalty
from gan_jax.types import Params, Players


class Trained(NamedTuple):
  """Critics of several seeds.

  Attributes:
    metrics: what each step measured, each [seeds, num_steps].
    values: the logits of the trained critics, [seeds, n].
    params: of the trained critics, each leaf [seeds, ...].
  """

  metrics: dict[str, np.ndarray]
  values: np.ndarray
  params: Params


def train(
  real: Density,
  fake: Density,
  critic: MLP,
  loss: AdversarialLoss,
  optimizer: optax.GradientTransformation,
  num_steps: int,
  batch_size: int,
  seeds: Sequence[int],
  x: np.ndarray,
  penalty: Penalty | None = None,
) -> Trained:
  """Trains critics to tell one density from another.

  Args:
    real: of the data.
    fake: of the generated samples.
    critic: the network.
    loss: what it pays.
    optimizer: of its parameters.
    num_steps: of the optimizer.
    batch_size: of each of the two minibatches.
    seeds: one for each critic.
    x: [n, d], where to evaluate them at the end; [n] on the line.
    penalty: of the critic, added to its cost.

  Returns:
    What they paid on the way, and what they have become.
  """
  # A generator that starts as the identity, and is held there, hands on its
  # latents: the fake samples.
  game = games.adversarial(Affine(), critic, loss, fake.sample, penalty=penalty)
  optimizers = Players(optax.set_to_zero(), optimizer)
  step = steps.simultaneous(game, optimizers)
  discriminate = game.discriminate
  assert discriminate is not None

  def train_one(seed):
    init_key, train_key = jax.random.split(jax.random.key(seed))
    state = steps.init_state(game, optimizers, init_key)

    def advance(state, index):
      batch_key, step_key = jax.random.split(
        jax.random.fold_in(train_key, index)
      )
      return step(state, real.sample(batch_key, batch_size), step_key)

    state, metrics = jax.lax.scan(advance, state, jnp.arange(num_steps))
    points = jnp.asarray(x, jnp.float32).reshape(len(x), -1)
    values = discriminate(state.params, state.variables, points)
    return metrics, values, state.params.discriminator

  outcome = jax.jit(jax.vmap(train_one))(jnp.asarray(seeds, jnp.uint32))
  return Trained(*jax.tree.map(np.asarray, outcome))
