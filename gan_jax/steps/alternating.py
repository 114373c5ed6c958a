"""The update rule in which the two players take turns."""

import jax
import jax.numpy as jnp

from gan_jax.games import Game
from gan_jax.steps._descent import Optimizers, descend, with_costs
from gan_jax.types import Batch, PRNGKey, Step, TrainState


def alternating(
  game: Game,
  optimizers: Optimizers,
  discriminator_steps: int = 1,
  generator_steps: int = 1,
) -> Step:
  """Makes the step that updates the discriminator first, then the generator.

  The discriminator takes k = `discriminator_steps` steps, each on a different
  minibatch and different latents. Then the generator takes `generator_steps`
  steps against the new discriminator, with fresh latents, cycling through the
  same k minibatches (the generator's cost depends on them only in losses that
  compare real with fake samples).

  Returns:
    A step whose batch is the k minibatches, concatenated along the leading
    axis, or None in a game without data. Its metrics are those of the last
    discriminator step, except the generator's cost, which is that of the last
    generator step.

  Raises:
    ValueError: if a count is below 1, or k does not divide the batch.

  References:
    Goodfellow et al., "Generative Adversarial Networks", arXiv:1406.2661,
    algorithm 1.
  """
  if discriminator_steps < 1 or generator_steps < 1:
    raise ValueError(
      "each player takes at least one step, not "
      f"{discriminator_steps} (discriminator) and {generator_steps} (generator)"
    )

  def player_step(player, state, batch, key):
    def cost(player_params):
      params = state.params._replace(**{player: player_params})
      costs, (variables, metrics) = game.costs(
        params, state.variables, batch, key
      )
      return getattr(costs, player), (variables, with_costs(metrics, costs))

    old_params = getattr(state.params, player)
    gradient, (variables, metrics) = jax.grad(cost, has_aux=True)(old_params)
    new_params, optimizer_state = descend(
      getattr(optimizers, player),
      gradient,
      getattr(state.optimizer_states, player),
      old_params,
    )
    state = state.replace(
      params=state.params._replace(**{player: new_params}),
      variables=variables,
      optimizer_states=state.optimizer_states._replace(
        **{player: optimizer_state}
      ),
    )
    return state, metrics

  def generator_step(state, inputs):
    # Returns only the cost, so that XLA removes what it does not depend on: the
    # discriminator on real samples and the penalty.
    state, metrics = player_step("generator", state, *inputs)
    return state, metrics["generator_cost"]

  def step(state: TrainState, batch: Batch, key: PRNGKey):
    for size in map(len, jax.tree.leaves(batch)):
      if size % discriminator_steps:
        raise ValueError(
          f"{discriminator_steps} discriminator steps do not divide a batch of "
          f"{size}"
        )
    minibatches = jax.tree.map(
      lambda x: x.reshape(discriminator_steps, -1, *x.shape[1:]), batch
    )
    discriminator_key, generator_key = jax.random.split(key)
    state, metrics = jax.lax.scan(
      lambda state, inputs: player_step("discriminator", state, *inputs),
      state,
      (minibatches, jax.random.split(discriminator_key, discriminator_steps)),
    )
    turns = jnp.arange(generator_steps) % discriminator_steps
    state, generator_costs = jax.lax.scan(
      generator_step,
      state,
      (
        jax.tree.map(lambda x: x[turns], minibatches),
        jax.random.split(generator_key, generator_steps),
      ),
    )
    state = state.replace(step=state.step + 1)
    metrics = {**metrics, "generator_cost": generator_costs}
    return state, jax.tree.map(lambda x: x[-1], metrics)

  return step
