"""Training loops for figures that train their networks themselves."""

from collections.abc import Callable, Sequence
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
from gan_jax.types import Array, Params, Players, PRNGKey, Step, TrainState


def train_on_fresh_batches(
  step: Step,
  state: TrainState,
  sample: Callable[[PRNGKey], Array],
  num_steps: int | Array,
  key: PRNGKey,
) -> TrainState:
  """Takes steps on a new minibatch each.

  Args:
    step: the update rule.
    state: the start.
    sample: maps a key to a minibatch [n, ...].
    num_steps: number of steps.
    key: step t uses fold_in(key, t) for the minibatch and its noise.
  """

  def advance(index, state):
    batch_key, step_key = jax.random.split(jax.random.fold_in(key, index))
    return step(state, sample(batch_key), step_key)[0]

  return jax.lax.fori_loop(0, num_steps, advance, state)


class TrainedCritics(NamedTuple):
  """Critics of several seeds.

  Attributes:
    metrics: those of each step, [seeds, num_steps] each.
    values: logits of the trained critics at `x`, [seeds, n].
    params: parameters of the trained critics, each leaf [seeds, ...].
  """

  metrics: dict[str, np.ndarray]
  values: np.ndarray
  params: Params


def train_critics(
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
) -> TrainedCritics:
  """Trains a critic for each seed to tell one density from another.

  Args:
    real: density of the data.
    fake: density of the generated samples.
    critic: the network.
    loss: the critic minimises its discriminator part.
    optimizer: optimizer of the critic.
    num_steps: number of steps.
    batch_size: size of the real minibatch, and of the fake one.
    seeds: [seeds].
    x: [n, d] or [n], the points to evaluate the trained critics at.
    penalty: an optional penalty on the critic.
  """
  # The generator is the identity and does not move. Its latents are the fake
  # samples.
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
  return TrainedCritics(*jax.tree.map(np.asarray, outcome))
