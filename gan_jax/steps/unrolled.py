"""The update rule of unrolled GANs."""

import jax

from gan_jax.games import Game
from gan_jax.steps._descent import Optimizers, descend, with_costs
from gan_jax.steps.simultaneous import simultaneous
from gan_jax.types import Batch, Players, PRNGKey, Step, TrainState


def unrolled(
  game: Game, optimizers: Optimizers, num_unrolled_steps: int
) -> Step:
  """Makes the step whose generator descends through future D updates.

  With d_0 = d and d_(k+1)(g) = d_k - opt(d J_D / d d (g, d_k)),

    g <- g - opt(d/dg J_G(g, d_K(g))),  d <- d_1(g).

  The generator's derivative passes through all K = `num_unrolled_steps` steps
  of the discriminator's optimizer, which start from its current state. The
  discriminator then takes the first of them, its simultaneous step. K = 0 is
  `simultaneous`.

  All steps use the same minibatch, latents and dropout masks, as in the paper.
  The game must be twice differentiable, and the optimizer differentiable at
  every gradient: `optax.adam` takes a square root, so if gradients can be
  exactly 0 (a dead unit) it needs `eps_root` > 0. Metrics and new variables are
  those at the old parameters.

  Raises:
    ValueError: if K is negative.

  References:
    Metz et al., Unrolled Generative Adversarial Networks, arXiv 1611.02163,
      equations 5-10.
  """
  if num_unrolled_steps < 0:
    raise ValueError(
      f"num_unrolled_steps is {num_unrolled_steps}, and may not be negative"
    )
  if num_unrolled_steps == 0:
    return simultaneous(game, optimizers)

  def step(state: TrainState, batch: Batch, key: PRNGKey):
    def discriminator_step(generator, discriminator, optimizer_state):
      def cost(discriminator):
        params = Players(generator, discriminator)
        costs, measured = game.costs(params, state.variables, batch, key)
        return costs.discriminator, (costs, measured)

      gradient, measured = jax.grad(cost, has_aux=True)(discriminator)
      return descend(
        optimizers.discriminator, gradient, optimizer_state, discriminator
      ), measured

    def cost(generator):
      first, measured = discriminator_step(
        generator,
        state.params.discriminator,
        state.optimizer_states.discriminator,
      )
      (last, _), _ = jax.lax.scan(
        lambda carry, _: (discriminator_step(generator, *carry)[0], None),
        first,
        length=num_unrolled_steps - 1,
      )
      costs, _ = game.costs(
        Players(generator, last), state.variables, batch, key
      )
      return costs.generator, (first, measured)

    gradient, (first, (costs, (variables, metrics))) = jax.grad(
      cost, has_aux=True
    )(state.params.generator)
    generator, generator_state = descend(
      optimizers.generator,
      gradient,
      state.optimizer_states.generator,
      state.params.generator,
    )
    discriminator, discriminator_state = first
    state = state.replace(
      step=state.step + 1,
      params=Players(generator, discriminator),
      variables=variables,
      optimizer_states=Players(generator_state, discriminator_state),
    )
    return state, with_costs(metrics, costs)

  return step
