"""Running averages of the parameters over training, for evaluation."""

from collections.abc import Callable

import optax

from gan_jax.types import Array, Batch, Players, PRNGKey, Step, TrainState


def uniform_decay(num_steps: Array) -> Array:
  """Returns the decay with which `averaged` computes a plain mean.

  decay = t / (t + 1) after t = `num_steps` >= 1 steps, which gives the t + 1
  iterates equal weights, the initial one included.

  References:
    Gidel et al., A Variational Inequality Perspective on Generative Adversarial
      Networks, arXiv 1802.10551, section 3.1.
  """
  return num_steps / (num_steps + 1.0)


def averaged(
  step: Step, decay: float | Array | Callable[[Array], Array]
) -> Step:
  """Adds an average of the generator's or both players' parameters to a step.

    average <- decay * average + (1 - decay) * params,  after each step.

  The average does not affect training.

  Args:
    step: any step. Its state must come from `init_state(..., average=True)`, or
      `average_both=True` for both players.
    decay: in [0, 1). A constant makes an exponential average, and 0 a copy of
      the parameters. A function, such as `uniform_decay`, takes the number of
      steps after this one.

  References:
    Yazici et al., "The Unusual Effectiveness of Averaging in GAN Training",
    arXiv:1806.04498, equation 5.
  """

  def averaged_step(state: TrainState, batch: Batch, key: PRNGKey):
    state, metrics = step(state, batch, key)
    averages_both = isinstance(state.averages, Players)
    averages = optax.incremental_update(
      state.params if averages_both else state.params.generator,
      state.averages,
      1.0 - (decay(state.step) if callable(decay) else decay),
    )
    return state.replace(averages=averages), metrics

  return averaged_step
