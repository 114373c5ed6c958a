"""The rule whose generator foresees the discriminator's answer."""

import jax

from gan_jax.games import Game
from gan_jax.steps._moves import Optimizers, descend, with_costs
from gan_jax.steps.simultaneous import simultaneous
from gan_jax.types import Batch, Players, PRNGKey, Step, TrainState


def unrolled(
  game: Game, optimizers: Optimizers, num_unrolled_steps: int
) -> Step:
  """Makes the step whose generator plays against the discriminator to come.

  With d_0 = d and d_(k+1)(g) = d_k - opt(d J_D / d d (g, d_k)),

    g <- g - opt(d/dg J_G(g, d_K(g))),  d <- d_1(g),

  the derivative taken through all K steps of the discriminator, which are those
  of its own optimizer from its present state. The discriminator keeps the
  first of them, which is its simultaneous step.

  All steps are of the same minibatch, latents and dropout masks, as the paper's
  graph is. The optimizer must have a derivative at every gradient it may meet:
  `optax.adam` divides by a square root, and one whose gradients can be exactly
  zero (a dead unit) needs its `eps_root` above zero.

  Args:
    game: the game to play; twice differentiable.
    optimizers: one for each player.
    num_unrolled_steps: K; 0 is `simultaneous`.

  Returns:
    A step whose batch is one minibatch. Its metrics are measured at the old
    parameters, where the variables are updated too.

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
    def answer(generator, discriminator, optimizer_state):
      def cost(discriminator):
        params = Players(generator, discriminator)
        costs, measured = game.costs(params, state.variables, batch, key)
        return costs.discriminator, (costs, measured)

      gradient, measured = jax.grad(cost, has_aux=True)(discriminator)
      return descend(
        optimizers.discriminator, gradient, optimizer_state, discriminator
      ), measured

    def cost(generator):
      first, measured = answer(
        generator,
        state.params.discriminator,
        state.optimizer_states.discriminator,
      )
      (last, _), _ = jax.lax.scan(
        lambda own, _: (answer(generator, *own)[0], None),
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
