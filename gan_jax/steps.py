"""Update rules: a game and two optimizers make a step.

A step is pure, `(state, batch, key) -> (state, metrics)`, and its metrics hold
`generator_cost`, `discriminator_cost` and whatever the game adds, measured at
the parameters that the last gradient was taken at.
"""

import jax
import jax.numpy as jnp
import optax

from gan_jax import games
from gan_jax.games import Game
from gan_jax.types import (
  Array,
  Batch,
  Metrics,
  Params,
  Players,
  PRNGKey,
  Step,
  TrainState,
)

Optimizers = Players[optax.GradientTransformation]


def init_state(
  game: Game, optimizers: Optimizers, key: PRNGKey, average: bool = False
) -> TrainState:
  """Draws the initial parameters and prepares the optimizers.

  Args:
    game: the game to play.
    optimizers: one for each player.
    key: draws the parameters.
    average: whether the state carries an average of the generator, as
      `averaged` steps need; it starts at the initial parameters.

  Returns:
    The state at step 0.
  """
  params, variables = game.init(key)
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    variables=variables,
    optimizer_states=Players(
      *(
        optimizer.init(own)
        for optimizer, own in zip(optimizers, params, strict=True)
      )
    ),
    averages=jax.tree.map(jnp.copy, params.generator) if average else None,
  )


def _descend(
  optimizer: optax.GradientTransformation,
  gradient: Params,
  optimizer_state: optax.OptState,
  params: Params,
) -> tuple[Params, optax.OptState]:
  """Takes one step of one player's optimizer."""
  updates, optimizer_state = optimizer.update(gradient, optimizer_state, params)
  return optax.apply_updates(params, updates), optimizer_state


def _with_costs(metrics: Metrics, costs: Players[Array]) -> Metrics:
  return {
    "generator_cost": costs.generator,
    "discriminator_cost": costs.discriminator,
    **metrics,
  }


def simultaneous(game: Game, optimizers: Optimizers) -> Step:
  """Makes the step in which both players move at once.

  Each player descends its own cost in its own parameters, both gradients taken
  at the old state:

    g <- g - opt(d J_G / d g (g, d)),  d <- d - opt(d J_D / d d (g, d)).

  The two gradients share one forward pass.

  Args:
    game: the game to play.
    optimizers: one for each player.

  Returns:
    A step whose batch is one minibatch.

  References:
    Goodfellow, "NIPS 2016 Tutorial: Generative Adversarial Networks",
    arXiv:1701.00160, section 3.1.
  """

  own_gradients = game.gradients or games.pullbacks(game.costs)

  def step(state: TrainState, batch: Batch, key: PRNGKey):
    gradients, costs, (variables, metrics) = own_gradients(
      state.params, state.variables, batch, key
    )
    generator, generator_state = _descend(
      optimizers.generator,
      gradients.generator,
      state.optimizer_states.generator,
      state.params.generator,
    )
    discriminator, discriminator_state = _descend(
      optimizers.discriminator,
      gradients.discriminator,
      state.optimizer_states.discriminator,
      state.params.discriminator,
    )
    state = state.replace(
      step=state.step + 1,
      params=Players(generator, discriminator),
      variables=variables,
      optimizer_states=Players(generator_state, discriminator_state),
    )
    return state, _with_costs(metrics, costs)

  return step


def alternating(
  game: Game,
  optimizers: Optimizers,
  discriminator_steps: int = 1,
  generator_steps: int = 1,
) -> Step:
  """Makes the step in which the discriminator moves first, then the generator.

  The discriminator takes k steps, each on a minibatch and latents of its own;
  then the generator takes j steps against the new discriminator, with fresh
  latents, on the same k minibatches in turn (only losses that compare real with
  fake samples let the generator see them).

  Args:
    game: the game to play.
    optimizers: one for each player.
    discriminator_steps: k, at least 1.
    generator_steps: j, at least 1.

  Returns:
    A step whose batch holds the k minibatches one after another: its leading
    axis is k times the size of a minibatch.

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

  def discriminator_step(state, batch, key):
    def cost(discriminator):
      params = state.params._replace(discriminator=discriminator)
      costs, (variables, _) = game.costs(params, state.variables, batch, key)
      return costs.discriminator, variables

    gradient, variables = jax.grad(cost, has_aux=True)(
      state.params.discriminator
    )
    discriminator, optimizer_state = _descend(
      optimizers.discriminator,
      gradient,
      state.optimizer_states.discriminator,
      state.params.discriminator,
    )
    return state.replace(
      params=state.params._replace(discriminator=discriminator),
      variables=variables,
      optimizer_states=state.optimizer_states._replace(
        discriminator=optimizer_state
      ),
    )

  def generator_step(state, batch, key):
    def cost(generator):
      params = state.params._replace(generator=generator)
      costs, (variables, metrics) = game.costs(
        params, state.variables, batch, key
      )
      return costs.generator, (variables, _with_costs(metrics, costs))

    gradient, (variables, metrics) = jax.grad(cost, has_aux=True)(
      state.params.generator
    )
    generator, optimizer_state = _descend(
      optimizers.generator,
      gradient,
      state.optimizer_states.generator,
      state.params.generator,
    )
    state = state.replace(
      params=state.params._replace(generator=generator),
      variables=variables,
      optimizer_states=state.optimizer_states._replace(
        generator=optimizer_state
      ),
    )
    return state, metrics

  def step(state: TrainState, batch: Batch, key: PRNGKey):
    size = len(jax.tree.leaves(batch)[0])
    if size % discriminator_steps:
      raise ValueError(
        f"{discriminator_steps} discriminator steps do not divide a batch of "
        f"{size}"
      )
    minibatches = jax.tree.map(
      lambda x: x.reshape(discriminator_steps, -1, *x.shape[1:]), batch
    )
    discriminator_key, generator_key = jax.random.split(key)
    state, _ = jax.lax.scan(
      lambda state, inputs: (discriminator_step(state, *inputs), None),
      state,
      (minibatches, jax.random.split(discriminator_key, discriminator_steps)),
    )
    turns = jnp.arange(generator_steps) % discriminator_steps
    state, metrics = jax.lax.scan(
      lambda state, inputs: generator_step(state, *inputs),
      state,
      (
        jax.tree.map(lambda x: x[turns], minibatches),
        jax.random.split(generator_key, generator_steps),
      ),
    )
    state = state.replace(step=state.step + 1)
    return state, jax.tree.map(lambda x: x[-1], metrics)

  return step


def averaged(step: Step, decay: float | Array) -> Step:
  """Makes a step that also keeps an exponential average of the generator.

    average <- decay * average + (1 - decay) * generator,  after each step.

  The average takes no part in training; it is there to be evaluated.

  Args:
    step: any step, on a state from `init_state(..., average=True)`.
    decay: in [0, 1); 0 copies the generator.

  Returns:
    The step, with `averages` of the state updated.

  References:
    Yazici et al., "The Unusual Effectiveness of Averaging in GAN Training",
    arXiv:1806.04498, equation 5.
  """

  def averaged_step(state: TrainState, batch: Batch, key: PRNGKey):
    state, metrics = step(state, batch, key)
    averages = optax.incremental_update(
      state.params.generator, state.averages, 1.0 - decay
    )
    return state.replace(averages=averages), metrics

  return averaged_step


def compiled(step: Step) -> Step:
  """Compiles a step; the state passed in is donated and must not be reused."""
  return jax.jit(step, donate_argnums=0)
